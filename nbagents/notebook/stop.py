"""Stop: the kernel's interrupt, made to reach a run in every state."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Coroutine
from types import FrameType
from typing import Any, TypeVar

from IPython.core.getipython import get_ipython

from nbagents._portal import Stopped, portal

__all__ = ["CellStop", "HardStop", "stoppable", "why_stopped"]

T = TypeVar("T")

_GRACE_SECONDS = 3.0
_SHUTDOWN_SECONDS = 0.2
"""A kernel that is to shut down or restart is interrupted first, and told why only then."""


class HardStop(BaseException):
    """Leaves code that blocks the loop.

    It is not a KeyboardInterrupt: that one, raised into a task, would end the kernel's loop.
    """


def _reason() -> tuple[str, ...]:
    """Tell a run why it is stopped; one that ends with its kernel is not stopped but cut off."""
    shell = get_ipython()
    return () if shell is not None and shell.exit_now else ("Stopped by you",)


def why_stopped() -> tuple[str, ...]:
    """Find out why a call that cannot await was interrupted."""
    if hasattr(get_ipython(), "kernel"):
        with contextlib.suppress(KeyboardInterrupt):
            time.sleep(_SHUTDOWN_SECONDS)
    return _reason()


class CellStop:
    """Lets Stop reach the agents that a cell calls in threads of its own.

    The kernel interrupts the main thread, which may only wait for the others, as a pool does.
    """

    def __init__(self) -> None:
        self._before: Any = None
        self._depth = 0

    def begin(self, _info: object) -> None:
        """Listen, as a cell starts."""
        if threading.current_thread() is not threading.main_thread():  # A subshell has no signals.
            return
        self._depth += 1
        if self._depth > 1:
            return
        portal().forget_calls()
        self._before = signal.getsignal(signal.SIGINT)
        if callable(self._before):
            signal.signal(signal.SIGINT, self._on_signal)

    def end(self, _result: object) -> None:
        """Give the signal back, as the cell ends."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._depth = max(0, self._depth - 1)
        if self._depth == 0 and signal.getsignal(signal.SIGINT) == self._on_signal:
            signal.signal(signal.SIGINT, self._before)
            portal().forget_calls()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        portal().cancel_calls("Stopped by you")
        self._before(number, frame)


class _Interrupts:
    """Counts the interrupts of one run and acts on them inside the loop."""

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.received = 0
        self.gave_up = asyncio.get_running_loop().create_future()
        self._handled = 0
        self._task = task
        self._loop = asyncio.get_running_loop()

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """Wake the loop, which an idle `await` keeps asleep.

        The second interrupt finds the first one unhandled only when code blocks the loop.
        """
        self.received += 1
        self._loop.call_soon_threadsafe(self._handle)
        if self.received > 1 and not self._handled:
            raise HardStop

    def _handle(self) -> None:
        self._handled += 1
        if self._handled > 1:
            self._give_up()
        elif hasattr(get_ipython(), "kernel"):
            self._loop.call_later(_SHUTDOWN_SECONDS, self._cancel)
        else:
            self._cancel()

    def _cancel(self) -> None:
        self._task.cancel(*_reason())
        self._loop.call_later(_GRACE_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if not self.gave_up.done():
            self.gave_up.set_result(None)


async def stoppable(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a run so that the first Stop cancels it and the second gives the cell back.

    Waits 3 s at most for the clean-up, then raises `Stopped`, so that queued cells do not run.
    Outside the main thread there are no signals, and this only awaits.
    """
    if threading.current_thread() is not threading.main_thread():
        return await coroutine
    task = asyncio.ensure_future(coroutine)
    interrupts = _Interrupts(task)
    before = signal.signal(signal.SIGINT, interrupts.on_signal)
    try:
        waited: set[asyncio.Future[Any]] = {task, interrupts.gave_up}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if interrupts.received:
            if task.done() and not task.cancelled():
                task.exception()
            raise Stopped from None
        return task.result()
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task})
        raise
    finally:
        signal.signal(signal.SIGINT, before)
        interrupts.gave_up.cancel()
