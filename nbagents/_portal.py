"""Threads: one loop in the background for callers that cannot await, and work that blocks."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import os
import queue
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from nbagents.errors import UserError

__all__ = [
    "Portal",
    "Stopped",
    "background_loop",
    "in_loop",
    "in_thread",
    "off_loop",
    "on_main_thread",
    "portal",
]

T = TypeVar("T")

_GRACE_SECONDS = 3.0
# What waits for the work that is being done in this context.
_awaited = contextvars.ContextVar[asyncio.Future[Any] | None]("nbagents_awaited", default=None)
_Inbox = queue.SimpleQueue[Callable[[], None] | None]
# Only on Windows a blocked lock does not notice Ctrl-C.
_POLL_SECONDS = 0.1 if sys.platform == "win32" else None


class Stopped(KeyboardInterrupt):
    """The user stopped the run; IPython shows it as one line."""

    def _render_traceback_(self) -> list[str]:
        return ["Stopped by you"]


class Portal:
    """One daemon thread with one event loop, started when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._inboxes: list[_Inbox] = []
        self._calls: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self._cancelled: str | None = None
        self.why_stopped: Callable[[], tuple[str, ...]] = lambda: ("Stopped by you",)
        """What a run is told that is interrupted; nothing when its process is about to end."""

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
        inbox: _Inbox = queue.SimpleQueue()
        context = contextvars.copy_context()
        tasks: list[asyncio.Task[T]] = []
        ended = threading.Event()
        outer = _awaited.get()

        def start() -> None:
            task = loop.create_task(_made(make), context=context)
            tasks.append(task)
            self._admit(task, on_main=on_main)
            task.add_done_callback(end)
            if outer is not None:
                _cancel_with(outer, task)

        def end(_: asyncio.Task[T]) -> None:
            ended.set()
            inbox.put(None)

        on_main = threading.current_thread() is threading.main_thread()
        before = None
        if on_main:
            self._inboxes.append(inbox)
            # In a cell that also awaits, the kernel's own handler would only cancel the cell's
            # task, which cannot hear of it before this call returns.
            before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            loop.call_soon_threadsafe(start)
            _work(inbox)
        except KeyboardInterrupt:
            told = self.why_stopped()
            with contextlib.suppress(KeyboardInterrupt):  # The second may come at once.
                loop.call_soon_threadsafe(lambda: [task.cancel(*told) for task in tasks])
                ended.wait(_GRACE_SECONDS)
            if not ended.is_set():
                self._abandon(loop)
            raise Stopped from None
        finally:
            if on_main:
                signal.signal(signal.SIGINT, before or signal.SIG_DFL)
                self._close(inbox, finish=ended.is_set())
        return _result_of(tasks[0])

    def _admit(self, task: asyncio.Task[Any], *, on_main: bool) -> None:
        """Let Stop reach a call, also when it has been pressed already."""
        self._calls.add(task)
        if self._cancelled is not None and not on_main:
            task.cancel(self._cancelled)

    def forget_calls(self) -> None:
        """Let `cancel_calls` cancel only what is called from now on."""
        self._calls, self._cancelled = weakref.WeakSet(), None

    def cancel_calls(self, reason: str) -> None:
        """Cancel all calls under way, and those of other threads that come until `forget_calls`.

        Safe in a signal handler.
        """
        calls, self._cancelled = self._calls, reason
        if self._loop is not None:
            self._loop.call_soon_threadsafe(lambda: [task.cancel(reason) for task in list(calls)])

    def _abandon(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use another loop from now on: something holds this one up and does not stop."""
        with self._lock:
            if self._loop is loop:
                self._loop = None

    def post_to_main(self, job: Callable[[], None]) -> bool:
        """Give the main thread something to do while it waits in `call`; False if it does not."""
        with self._lock:
            if not self._inboxes:
                return False
            self._inboxes[-1].put(job)
            return True

    def _close(self, inbox: _Inbox, *, finish: bool) -> None:
        """Take no more jobs; those that other runs have put in meanwhile are still done."""
        with self._lock:
            self._inboxes.remove(inbox)
        while finish and not inbox.empty():
            if job := inbox.get():
                job()


async def _made(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Make a coroutine where the caller hears of an error in that too, and await it."""
    return await make()


def _result_of(task: asyncio.Task[T]) -> T:
    try:
        return task.result()
    except asyncio.CancelledError:  # By its panel, or as it was when it was recorded.
        raise Stopped from None


def _cancel_with(outer: asyncio.Future[Any], task: asyncio.Task[Any]) -> None:
    """Cancel the task, in its own loop, when nobody waits any more for the work that called it."""

    def follow(outer: asyncio.Future[Any]) -> None:
        if outer.cancelled():
            task.get_loop().call_soon_threadsafe(task.cancel)

    if outer.cancelled():
        task.cancel()
    with contextlib.suppress(RuntimeError):  # The loop is closed.
        outer.get_loop().call_soon_threadsafe(outer.add_done_callback, follow)


def _work(inbox: _Inbox) -> None:
    """Do the jobs of the inbox until the end is announced."""
    while True:
        try:
            job = inbox.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            continue
        if job is None:
            return
        job()


@functools.cache
def background_loop() -> asyncio.AbstractEventLoop:
    """Return the loop, in a thread of its own, of work that goes on whatever blocks elsewhere.

    Sessions are written there; no agent, node or tool runs in it.
    """
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="nbagents-background", daemon=True).start()
    return loop


@functools.cache
def portal() -> Portal:
    """Return the portal of this process."""
    return Portal()


def _answer(future: asyncio.Future[T], work: Callable[[], T]) -> None:
    """Do the work in this thread and hand its outcome to the loop that waits for it."""
    if future.done():  # It was cancelled while the work waited for its turn.
        return
    result: T | None = None
    failure: BaseException | None = None
    try:
        result = work()
    except StopIteration as error:  # A future refuses it.
        failure = RuntimeError(repr(error))
    except KeyboardInterrupt as error:  # Raised in a task, it would end the whole loop.
        failure = RuntimeError(repr(error))
        if threading.current_thread() is threading.main_thread():
            # The run that is waited for here is cancelled first, so only another one hears of it.
            portal().post_to_main(functools.partial(_settle, future, None, failure))
            raise
    except BaseException as error:  # noqa: BLE001 - it is raised where the work is awaited
        failure = error
    _settle(future, result, failure)


def _settle(future: asyncio.Future[T], result: T | None, failure: BaseException | None) -> None:
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


def _promise() -> tuple[asyncio.Future[Any], contextvars.Context]:
    """Make a future for work elsewhere, and the context of the caller to do it in."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    context = contextvars.copy_context()
    context.run(_awaited.set, future)
    return future, context


async def in_loop(loop: asyncio.AbstractEventLoop, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Await a coroutine that runs in the loop of another thread.

    Cancelling this cancels it there, and waits for its clean-up.
    """
    here = asyncio.get_running_loop()
    done: asyncio.Future[None] = here.create_future()
    tasks: list[asyncio.Task[T]] = []

    def start() -> None:
        tasks.append(loop.create_task(make()))
        tasks[0].add_done_callback(lambda _: here.call_soon_threadsafe(done.set_result, None))

    loop.call_soon_threadsafe(start)
    while not done.done():
        try:
            await asyncio.shield(done)
        except asyncio.CancelledError as error:
            told = error.args
            loop.call_soon_threadsafe(lambda told=told: tasks[0].cancel(*told))
    return tasks[0].result()


_Job = tuple[contextvars.Context, asyncio.Future[Any], Callable[[], Any]]
_idle: list[queue.SimpleQueue[_Job]] = []
"""Threads that wait for work: to start one takes longer than most of it."""
_MOST_IDLE = 8


def _work_on(jobs: queue.SimpleQueue[_Job]) -> None:
    """Do one piece of work after the other, unless enough threads do so."""
    while True:
        context, future, work = jobs.get()
        context.run(_answer, future, work)
        del context, future, work
        if len(_idle) >= _MOST_IDLE:
            return
        _idle.append(jobs)


async def in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a thread that does nothing else meanwhile, in the context of the caller.

    The thread is a daemon: work that hangs holds up neither Stop nor the end of the process.
    """
    future, context = _promise()
    try:
        jobs = _idle.pop()
    except IndexError:
        jobs = queue.SimpleQueue[_Job]()
        threading.Thread(target=_work_on, args=(jobs,), name="nbagents-work", daemon=True).start()
    jobs.put((context, future, work))
    return await future


async def off_loop(work: Callable[[], T]) -> T:
    """Do short blocking work where it holds up nobody: here, in the background, else in a thread."""
    if asyncio.get_running_loop() is background_loop():
        return work()
    return await in_thread(work)


async def on_main_thread(work: Callable[[], T]) -> T:
    """Run blocking work on the main thread, as `matplotlib` and `display` want it.

    It sees the context of the caller, as work in a thread does.
    Raises `UserError` when the main thread neither runs this loop nor waits for the portal.
    """
    if threading.current_thread() is threading.main_thread():
        return work()
    future, context = _promise()
    if not portal().post_to_main(lambda: context.run(_answer, future, work)):
        raise UserError("The main thread is busy elsewhere, so nothing can be run on it.")
    return await future


if hasattr(os, "register_at_fork"):  # A process that was forked has none of the threads.
    os.register_at_fork(after_in_child=_idle.clear)
    os.register_at_fork(after_in_child=background_loop.cache_clear)
    os.register_at_fork(after_in_child=portal.cache_clear)
