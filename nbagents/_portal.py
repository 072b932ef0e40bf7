"""Threads: one loop in the background for callers that cannot await, and work that blocks."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import queue
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from nbagents.errors import UserError

__all__ = ["Portal", "Stopped", "in_thread", "on_main_thread", "portal"]

T = TypeVar("T")

_GRACE_SECONDS = 3.0
# Only on Windows a blocked lock does not notice Ctrl-C.
_POLL_SECONDS = 0.1 if sys.platform == "win32" else None


class Stopped(KeyboardInterrupt):
    """The person stopped the run; IPython shows it as one line."""

    def _render_traceback_(self) -> list[str]:
        return ["Stopped by you"]


class Portal:
    """One daemon thread with one event loop, started when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._inboxes: list[queue.SimpleQueue[Callable[[], None] | None]] = []

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop in the background."""
        with self._lock:
            if self._loop is None or self._thread is None or not self._thread.is_alive():
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="nbagents-portal", daemon=True
                )
                self._thread.start()
            return self._loop

    def call(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine in the background and wait for its end.

        What it prints lands in the caller's cell. Ctrl-C and Stop cancel it, wait 3 s at most for
        its clean-up and raise `Stopped`; the second one raises at once.
        """
        loop = self.loop
        if threading.current_thread() is self._thread:
            raise UserError("This code is running in an agent already: `await agent.run(...)`.")
        inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        context = contextvars.copy_context()
        tasks: list[asyncio.Task[T]] = []

        def start() -> None:
            task = loop.create_task(make(), context=context)
            tasks.append(task)
            task.add_done_callback(lambda _: inbox.put(None))

        on_main = threading.current_thread() is threading.main_thread()
        if on_main:
            self._inboxes.append(inbox)
        try:
            loop.call_soon_threadsafe(start)
            _work(inbox)
        except KeyboardInterrupt:
            loop.call_soon_threadsafe(lambda: [task.cancel("Stopped by you") for task in tasks])
            _work(inbox, _GRACE_SECONDS)
            raise Stopped from None
        finally:
            if on_main:
                self._inboxes.remove(inbox)
        return tasks[0].result()

    def post_to_main(self, job: Callable[[], None]) -> bool:
        """Give the main thread something to do while it waits in `call`; False if it does not."""
        if not self._inboxes:
            return False
        self._inboxes[-1].put(job)
        return True


def _work(
    inbox: queue.SimpleQueue[Callable[[], None] | None], seconds: float | None = None
) -> None:
    """Do the jobs of the inbox until the end is announced, or the time is up."""
    while True:
        try:
            job = inbox.get(timeout=seconds or _POLL_SECONDS)
        except queue.Empty:
            if seconds is not None:
                return
            continue
        if job is None:
            return
        job()


@functools.cache
def portal() -> Portal:
    """Return the portal of this process."""
    return Portal()


def _answer(future: asyncio.Future[T], work: Callable[[], T]) -> None:
    """Do the work in this thread and hand its outcome to the loop that waits for it."""
    result: T | None = None
    failure: BaseException | None = None
    try:
        result = work()
    except StopIteration as error:  # A future refuses it.
        failure = RuntimeError(f"StopIteration: {error}")
    except BaseException as error:  # noqa: BLE001 - it is raised where the work is awaited
        failure = error

    def settle() -> None:
        if future.done():
            return
        if failure is not None:
            future.set_exception(failure)
        else:
            future.set_result(result)  # pyright: ignore[reportArgumentType]

    try:
        future.get_loop().call_soon_threadsafe(settle)
    except RuntimeError:  # The loop is closed: nobody waits any more.
        return


async def in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a thread of its own, in the context of the caller.

    The thread is a daemon: work that hangs holds up neither Stop nor the end of the process.
    """
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    context = contextvars.copy_context()
    threading.Thread(
        target=context.run, args=(_answer, future, work), name="nbagents-work", daemon=True
    ).start()
    return await future


async def on_main_thread(work: Callable[[], T]) -> T:
    """Run blocking work on the main thread, as `matplotlib` and `display` want it.

    Raises `UserError` when the main thread neither runs this loop nor waits for the portal.
    """
    if threading.current_thread() is threading.main_thread():
        return work()
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    if not portal().post_to_main(lambda: _answer(future, work)):
        raise UserError("The main thread is busy elsewhere, so nothing can be run on it.")
    return await future
