"""Watching a run: a task that runs, a buffer, and a reader that may leave."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from nbagents.context import Record
from nbagents.errors import UserError
from nbagents.events import Event
from nbagents.runnable.run import Run

__all__ = ["RunStream"]

T = TypeVar("T")

_BUFFERED_EVENTS = 1000


class RunStream(Generic[T]):
    """A run being watched. Leaving the `async with` early cancels it and waits for its clean-up."""

    def __init__(self, start: Callable[[Record], Coroutine[Any, Any, Run[T]]]) -> None:
        self._start = start
        self._buffer: deque[Event] = deque()
        self._wake: asyncio.Future[None] | None = None
        self._space: asyncio.Future[None] | None = None
        self._closing = False
        self._task: asyncio.Task[Run[T]] | None = None
        self._record = Record(watcher=self)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._start(self._record))
        self._task.add_done_callback(lambda _: self._settle(self._wake))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing = True
        self._settle(self._space)
        if self._task is not None:
            told = error.args if isinstance(error, asyncio.CancelledError) else ()
            self._task.cancel(*(told or ("The stream was closed",)))
            await asyncio.wait({self._task})
            if not self._task.cancelled():
                self._task.exception()

    async def __aiter__(self) -> AsyncGenerator[Event, None]:
        """Yield every event as it happens, then raise what the run raised, if it did."""
        if self._task is None:
            raise UserError("Enter the stream first: `async with agent.stream(...) as stream:`.")
        buffer = self._buffer
        while True:
            while buffer:
                yield buffer.popleft()
            self._settle(self._space)
            if self._task.done():
                break
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        if self._task.cancelled():
            raise asyncio.CancelledError
        await self._task

    @property
    def run(self) -> Run[T]:
        """The run so far; whole once the stream has ended."""
        task = self._task
        if task is not None and task.done() and not task.cancelled() and not task.exception():
            return task.result()
        error = task.exception() if task and task.done() and not task.cancelled() else None
        events = self._record.events
        return Run(events[0].run_id if events else "", events, error=error)

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
        self._settle(self._wake)
        return len(self._buffer) >= _BUFFERED_EVENTS and not self._closing

    async def room(self) -> None:
        """Hold the run back until the reader has caught up, or has gone."""
        if not self._closing:
            self._space = asyncio.get_running_loop().create_future()
            await self._space

    @staticmethod
    def _settle(future: asyncio.Future[None] | None) -> None:
        if future is not None and not future.done():
            future.set_result(None)
