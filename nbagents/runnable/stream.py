"""Watching a run: a task that runs, a buffer, and a reader that may leave."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from nbagents.errors import Cancelled, UserError
from nbagents.events import Event
from nbagents.record import Record
from nbagents.runnable.misuse import explains, only_async
from nbagents.runnable.run import Run

__all__ = ["RunStream"]

T = TypeVar("T")

_BUFFERED_EVENTS = 1000


class RunStream(Generic[T]):
    """A run being watched. Leaving the `async with` early cancels it and waits for its clean-up."""

    def __init__(self, record: Record, start: Callable[[], Coroutine[Any, Any, Run[T]]]) -> None:
        self._start = start
        self._buffer: deque[Event] = deque()
        self._news = asyncio.Event()
        self._space = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[Run[T]] | None = None
        self._record = record
        record.watcher = self

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise UserError("A stream is one run. Make another one: agent.stream(...)")
        self._task = asyncio.create_task(self._start())
        self._task.add_done_callback(lambda _: self._news.set())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing = True
        self._space.set()
        if self._task is not None:
            told = error.args if isinstance(error, asyncio.CancelledError) else ()
            self._task.cancel(*(told or ("The stream was closed",)))
            await asyncio.wait({self._task})
            if not self._task.cancelled():
                self._task.exception()

    async def __aiter__(self) -> AsyncGenerator[Event, None]:
        """Yield every event as it happens, then raise what made the run fail.

        The events of a run that was cancelled, or reached a limit, simply end.
        """
        if self._task is None:
            raise UserError("Enter the stream first: `async with agent.stream(...) as stream:`.")
        buffer = self._buffer
        while True:
            while buffer:
                yield buffer.popleft()
            self._space.set()
            if self._task.done():
                break
            self._news.clear()
            await self._news.wait()
        if not self._task.cancelled():
            await self._task

    @property
    def run(self) -> Run[T]:
        """The run so far; whole once the stream has ended."""
        task, events = self._task, self._record.events
        error: BaseException | None = None
        if task is not None and task.done():
            if not task.cancelled():
                error = task.exception()
                if error is None:
                    return task.result()
            elif not events:
                error = Cancelled("The run was stopped before it began.")
        return Run(events[0].run_id if events else "", events, error=error)

    __iter__ = __enter__ = __exit__ = only_async

    def rest(self) -> Iterator[Event]:
        """Yield the events that nobody has read: after a stream was left early, its end."""
        while self._buffer:
            yield self._buffer.popleft()

    def cancel(self, reason: str = "Cancelled") -> None:
        """Stop the run; its last events still arrive."""
        if self._task is not None:
            self._task.cancel(reason)

    def see(self, event: Event) -> bool:
        """Take an event from the run."""
        self._buffer.append(event)
        self._news.set()
        return len(self._buffer) >= _BUFFERED_EVENTS and not self._closing

    async def room(self) -> None:
        """Hold the run back until the reader has caught up, or has gone."""
        if not self._closing:
            self._space.clear()
            await self._space.wait()


explains(RunStream, "stream.run")
