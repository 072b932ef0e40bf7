"""Take the messages of our forms from the shell channel before the kernel queues them.

A kernel that runs a cell leaves what the page sends to a widget in its queue until the cell has
ended: ipykernel 6 always, 7 where the page does not use subshells or the cell blocks. An answer
that a running cell waits for would never arrive.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Any

from nbagents._portal import portal

__all__ = ["Tap"]

_PUMP_SECONDS = 0.1

Handler = Callable[[Any], None]
Door = tuple[Callable[[str], None], Callable[[str], None]]
"""What is called, with the id of a comm, when a page opens it and when it closes it."""


class Tap:
    """Stands before the kernel's own reader of the shell channel until `remove`.

    Where the kernel has not the private parts that this needs, it takes nothing, and messages
    come as they do to any widget.
    """

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self._stream: Any = getattr(kernel, "shell_stream", None)
        self._handlers: dict[str, Handler] = {}
        self._doors: dict[str, Door] = {}
        self._kept: dict[str, Callable[[str], None]] = {}
        self._next: Callable[[Any], Any] | None = None
        # The stream is read in another thread, so it is only told whom to call.
        callback = getattr(self._stream, "_recv_callback", None)
        if callable(callback) and getattr(self._stream, "_recv_copy", True) is False:
            self._next = callback
            self._stream._recv_callback = self._on_message  # noqa: SLF001 - there is no public way

    @property
    def must_pump(self) -> bool:
        """True when nobody reads the channel because this is not the thread that does."""
        reads_itself = getattr(self._kernel, "shell_channel_thread", None) is not None
        on_main = threading.current_thread() is threading.main_thread()
        return self._next is not None and not reads_itself and not on_main

    async def pump(self) -> None:
        """Have the main thread, while it waits in a call that cannot await, read what arrives."""
        while True:
            portal().post_to_main(self._read)
            await asyncio.sleep(_PUMP_SECONDS)

    def _read(self) -> None:
        """Read what has arrived; other messages are queued."""
        import zmq  # It comes with the kernel: a terminal has none.

        self._stream.flush(zmq.POLLIN)

    def listen(self, comm_id: str, handler: Handler) -> None:
        """Call `handler`, in the thread that reads the channel, with what a form sends."""
        self._handlers[comm_id] = handler

    def admit(
        self, target: str, opened: Callable[[str], None], closed: Callable[[str], None]
    ) -> None:
        """Take the comms that pages open to this target, in place of the kernel.

        It would hear of one only once a cell that runs has ended.
        """
        self._doors[target] = opened, closed

    def keep(self, comm_id: str) -> None:
        """Let no page close this comm, which others listen to."""
        self._kept[comm_id] = lambda _: None

    def forget(self, comm_id: str) -> None:
        """Take nothing for this comm any more."""
        self._handlers.pop(comm_id, None)
        self._kept.pop(comm_id, None)

    def remove(self) -> None:
        """Give the channel back."""
        if self._next is not None and self._stream._recv_callback == self._on_message:  # noqa: SLF001
            self._stream._recv_callback = self._next  # noqa: SLF001
        for taken in (self._handlers, self._doors, self._kept):
            taken.clear()

    def _on_message(self, frames: Sequence[Any]) -> Any:
        if (self._handlers or self._doors) and self._take(frames):
            return None
        assert self._next is not None
        return self._next(frames)

    def _take(self, frames: Sequence[Any]) -> bool:
        """Handle the message if it is for a comm of ours."""
        session = self._kernel.session
        try:
            _, parts = session.feed_identities(frames, copy=False)
            # Without its content a message is only looked at, and can be read again.
            message = session.deserialize(parts, content=False, copy=False)
            kind = message["header"]["msg_type"]
            if not kind.startswith("comm_"):
                return False
            content = session.unpack(message["content"])
            act = self._act_on(kind, content)
            if act is None:
                return False
        except Exception:  # noqa: BLE001 - whatever it is, the kernel knows better what to do
            return False
        self._say("busy", message)
        try:
            with contextlib.suppress(RuntimeError):  # The loop that waits has ended.
                act()
        finally:
            self._say("idle", message)
        return True

    def _act_on(self, kind: str, content: Any) -> Callable[[], None] | None:
        """Find what is to be done; None leaves the message to the kernel."""
        comm_id = content["comm_id"]
        if kind == "comm_open" and (door := self._doors.get(content["target_name"])):
            opened, closed = door
            self._kept[comm_id] = closed
            return lambda: opened(comm_id)
        if kind == "comm_close" and (closed := self._kept.get(comm_id)):
            return lambda: closed(comm_id)
        if kind == "comm_msg" and (handler := self._handlers.get(comm_id)):
            data = content["data"]
            if data.get("method") == "custom":
                return lambda: handler(data["content"])
        return None

    def _say(self, state: str, parent: Any) -> None:
        """Tell the page that its message is dealt with; it waits for that before it sends more."""
        kernel = self._kernel
        kernel.session.send(
            kernel.iopub_socket,
            "status",
            {"execution_state": state},
            parent=parent,
            ident=kernel._topic("status"),  # noqa: SLF001 - as the kernel itself does
        )
