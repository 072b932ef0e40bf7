"""Let Stop reach a cell that only waits, whatever it awaits.

The kernel's handler of the interrupt schedules the cell's cancellation, but does not wake the loop
that should do it (https://github.com/ipython/ipykernel/issues/881). Python itself can: it writes
a byte to a file for each signal, and the loop watches that file.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import threading

__all__ = ["Wakeup"]


class Wakeup:
    """Wakes the running loop at each signal, until `remove`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._loop.add_reader(self._reader, self._drain)
        self._before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)

    @staticmethod
    def possible() -> bool:
        """Tell whether this thread hears signals and runs a loop."""
        if threading.current_thread() is not threading.main_thread():
            return False
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return False
        return True

    def remove(self) -> None:
        """Undo it."""
        signal.set_wakeup_fd(self._before)
        self._loop.remove_reader(self._reader)
        self._reader.close()
        self._writer.close()

    def _drain(self) -> None:
        self._reader.recv(4096)
