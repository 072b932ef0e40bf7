"""A real kernel driven over ZMQ, as a notebook's page drives it.

    cell = kernel.execute("1 + 1")                         # runs a cell and waits for its end
    cell = kernel.begin("print('half'); time.sleep(60)")   # goes on while the test does
    cell.wait_for(lambda cell: "half" in cell.text)
    kernel.interrupt()
    assert cell.result().error == "KeyboardInterrupt: "

An async test calls these by `await asyncio.to_thread(...)` while its own loop has work to do.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager

from tests.offline import child_environment

__all__ = ["NEWEST", "VERSIONS", "Execution", "Frame", "Kernel", "KernelDied", "command_of"]

ROOT = Path(__file__).parents[2]
NEWEST = "newest"
VERSIONS = (*sorted(path.stem for path in Path(__file__).parent.glob("*.txt")), NEWEST)
"""The pinned ipykernel of each `*.txt` beside this file, and the one that runs the tests."""


def command_of(version: str) -> list[str]:
    """Return what starts a kernel: `VERSION.py` beside this file does, if there is one."""
    python, own = sys.executable, Path(__file__).with_name(f"{version}.py")
    if version != NEWEST:
        python = str(ROOT / ".cache" / "kernels" / version / "bin" / "python")
    assert Path(python).exists(), f"There is no {python}: `make test` makes it."
    start = [str(own)] if own.exists() else ["-m", "ipykernel_launcher"]
    return [python, *start, "-f", "{connection_file}"]


class KernelDied(AssertionError):
    """The kernel's process ended; the message holds what it last wrote to its log."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message that a cell caused."""

    type: str
    content: dict[str, Any]
    at: float
    """When the kernel made it, in seconds since the epoch."""
    size: int
    """Bytes on the wire."""


class Execution:
    """A cell that was sent to the kernel, and all that came back so far."""

    def __init__(self, kernel: Kernel, code: str) -> None:
        self.code = code
        self.frames: list[Frame] = []
        """Every message on iopub, and every request on stdin, in the order of arrival."""
        self.outputs: list[dict[str, Any]] = []
        """What a notebook file would hold for this cell at this moment."""
        self.question: str | None = None
        """What the cell asks on stdin now; `answer` answers it."""
        self.reply: dict[str, Any] | None = None
        self.idle = False
        self._kernel = kernel
        self._clears = False

    @property
    def done(self) -> bool:
        """Has the kernel answered, and published all that it had to?"""
        return self.idle and self.reply is not None

    @property
    def status(self) -> str:
        """The reply's word: ok, error or aborted; running before that."""
        return self.reply["status"] if self.done and self.reply else "running"

    @property
    def text(self) -> str:
        """The outputs as a reader without HTML sees them, tracebacks left out."""
        return "".join(
            output["text"]
            if output["output_type"] == "stream"
            else output["data"].get("text/plain", "")
            for output in self.outputs
            if output["output_type"] != "error"
        )

    @property
    def error(self) -> str | None:
        """`"ValueError: why"`, or None when the cell went well."""
        errors = [output for output in self.outputs if output["output_type"] == "error"]
        return f"{errors[-1]['ename']}: {errors[-1]['evalue']}" if errors else None

    @property
    def size(self) -> int:
        """Bytes that the kernel published for this cell."""
        return sum(frame.size for frame in self.frames)

    def wait_for(self, condition: Callable[[Execution], object], timeout: float = 30) -> None:
        """Read messages until `condition(self)` holds; a cell that has ended may still get some."""
        self._kernel.read_until(lambda: condition(self), timeout, self)

    def result(self, timeout: float = 30) -> Execution:
        """Wait for the cell's end."""
        self.wait_for(lambda cell: cell.done, timeout)
        return self

    def answer(self, value: str) -> None:
        """Answer the question that the cell asks on stdin."""
        self.question = None
        self._kernel.send_input(value)

    def take(self, frame: Frame) -> dict[str, Any] | None:
        """Take a message in, as a page does; return the output that it made, if it made one."""
        self.frames.append(frame)
        content = frame.content
        if frame.type == "status":
            self.idle = content["execution_state"] == "idle"
            return None
        if frame.type == "input_request":
            self.question = content["prompt"]
        if frame.type == "clear_output" and content.get("wait"):
            self._clears = True
        elif frame.type == "clear_output":
            self.outputs.clear()
        if frame.type not in {"stream", "display_data", "execute_result", "error"}:
            return None
        if self._clears:
            self.outputs.clear()
            self._clears = False
        last = self.outputs[-1] if self.outputs else {}
        if frame.type == "stream" and last.get("name") == content["name"]:
            last["text"] += content["text"]
            return last
        output = {key: value for key, value in content.items() if key != "transient"}
        self.outputs.append({"output_type": frame.type, **output})
        return self.outputs[-1]


class Kernel:
    """One running kernel and the page's end of its four channels."""

    def __init__(self, version: str, home: Path) -> None:
        """Start ipykernel `version` (one of `VERSIONS`), with its files and its log in `home`."""
        self.version = version
        self._log = home / "kernel.log"
        self._manager = KernelManager(
            kernel_spec_manager=_OneKernel(command_of(version)),
            connection_file=str(home / "connection.json"),
        )
        with self._log.open("ab") as log:
            environment = child_environment(IPYTHONDIR=str(home / "ipython"))
            self._manager.start_kernel(env=environment, cwd=str(home), stdout=log, stderr=log)
        self._client = self._manager.client()
        self._client.start_channels(hb=False)
        self._client.wait_for_ready(timeout=60)
        self._poller = zmq.Poller()
        for channel in (self._client.iopub_channel, self._client.shell_channel):
            self._poller.register(channel.socket, zmq.POLLIN)
        self._poller.register(self._client.stdin_channel.socket, zmq.POLLIN)
        self._cells: dict[str, Execution] = {}
        self._displays: dict[str, list[dict[str, Any]]] = {}
        self._replies: dict[str, dict[str, Any]] = {}
        self.comms: list[dict[str, Any]] = []
        """The content of each message of a comm, in the order of arrival."""
        self.updates = 0
        """How many displays were drawn again."""

    @property
    def alive(self) -> bool:
        """Does the kernel's process run?"""
        return self._manager.is_alive()

    @property
    def busy(self) -> bool:
        """Is there a cell that has not come to its end?"""
        return any(not cell.done for cell in self._cells.values())

    def begin(self, code: str, *, allow_stdin: bool = False, console: bool = False) -> Execution:
        """Send a cell and return at once. Cells sent behind a running one wait in its queue.

        It is the line of a `console`, or else the cell of a notebook.
        """
        cell = Execution(self, code)
        content: dict[str, Any] = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": allow_stdin,
            "stop_on_error": True,
        }
        named = {} if console else {"cellId": f"cell-{len(self._cells)}"}
        message = self._client.session.msg("execute_request", content, metadata=named)
        self._client.shell_channel.send(message)
        self._cells[message["header"]["msg_id"]] = cell
        return cell

    def execute(
        self, code: str, *, allow_stdin: bool = False, console: bool = False, timeout: float = 30
    ) -> Execution:
        """Run a cell to its end."""
        return self.begin(code, allow_stdin=allow_stdin, console=console).result(timeout)

    def run_all(self, *codes: str) -> list[Execution]:
        """Send several cells at once, as "Run All" does, and return at once."""
        return [self.begin(code) for code in codes]

    def send(self, kind: str, **content: Any) -> None:
        """Send a message of a comm, as a page does: `comm_open`, `comm_msg`, `comm_close`."""
        self._client.shell_channel.send(self._client.session.msg(kind, content))

    def send_input(self, value: str) -> None:
        """Send a line on stdin."""
        self._client.input(value)

    def interrupt(self) -> None:
        """Press Stop."""
        self._manager.interrupt_kernel()

    def complete(self, code: str, position: int | None = None) -> list[str]:
        """Press Tab at `position` (the end, unless told) and return the matches."""
        return self._ask(self._client.complete(code, position))["matches"]

    def inspect(self, code: str, position: int | None = None) -> str:
        """Press Shift-Tab at `position` (the end, unless told) and return the help, or ""."""
        return self._ask(self._client.inspect(code, position))["data"].get("text/plain", "")

    def stop(self) -> None:
        """End the process."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def read_until(
        self, condition: Callable[[], object], timeout: float, cell: Execution | None = None
    ) -> None:
        """Read messages until `condition()` holds.

        Raises `TimeoutError` after `timeout` seconds, saying what `cell` had sent, and
        `KernelDied` when the process ends.
        """
        end = time.monotonic() + timeout
        while not condition():
            arrived = self._poller.poll(200)
            for socket, _ in arrived:
                self._take(socket)
            if not arrived and not self.alive:
                raise KernelDied(self._log.read_text(errors="replace")[-4000:])
            if time.monotonic() > end and not condition():
                seen = cell and [(f.type, str(f.content)[:200]) for f in cell.frames[-5:]]
                raise TimeoutError(f"Not within {timeout} s. Last messages: {seen}")

    def _ask(self, message_id: str) -> dict[str, Any]:
        self.read_until(lambda: message_id in self._replies, 30)
        return self._replies.pop(message_id)

    def _take(self, socket: zmq.Socket[bytes]) -> None:
        raw = socket.recv_multipart()
        _, parts = self._client.session.feed_identities(raw)
        message = self._client.session.deserialize(parts)
        kind, content = message["msg_type"], message["content"]
        parent = message["parent_header"].get("msg_id", "")
        cell = self._cells.get(parent)
        if kind == "update_display_data":
            self.updates += 1
            for output in self._displays.get(content["transient"]["display_id"], ()):
                output.update(data=content["data"], metadata=content["metadata"])
        if kind.startswith("comm_"):
            self.comms.append(content)
        if kind.endswith("_reply"):
            self._replies[parent] = content
        if cell is None:
            return
        if kind == "execute_reply":
            cell.reply = self._replies.pop(parent)
            return
        size = sum(len(part) for part in raw)
        output = cell.take(Frame(kind, content, message["header"]["date"].timestamp(), size))
        display_id = content.get("transient", {}).get("display_id")
        if output is not None and display_id is not None:
            self._displays.setdefault(display_id, []).append(output)


class _OneKernel(KernelSpecManager):
    """Finds one kernel, which the command starts."""

    def __init__(self, command: list[str]) -> None:
        super().__init__()
        self._command = command

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(argv=self._command, display_name=kernel_name, language="python")
