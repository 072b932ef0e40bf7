"""The model's process as seen from here: started once for a file, found again, ended with this one."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import importlib.util
import json
import os
import platform
import secrets
import subprocess
import sys
import sysconfig
import threading
from collections import deque
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Any

from nbagents._optional import require
from nbagents.errors import UserError
from nbagents.providers._http import Clients

__all__ = ["Server", "check_runtime", "serve", "stop_all", "without_wheel"]

_SCRIPT = Path(__file__).with_name("server.py")


def serve(path: Path, context: int) -> Server:
    """Return the one server of this file in this process, starting it if there is none alive."""
    with _lock:
        server = _servers.get(path)
        if server is None or server.ended:
            server = _servers[path] = Server(path, context)
    return server


def stop_all() -> None:
    """End every server and give its memory back; the next request starts a new one."""
    with _lock:
        servers = list(_servers.values())
        _servers.clear()
    for server in servers:
        server.stop()


class Server:
    """One child process that serves one GGUF file; usable from any thread and any event loop."""

    def __init__(self, path: Path, context: int) -> None:
        check_runtime()
        self.clients = Clients(self._make_client)
        self._path = path
        self._command = [sys.executable, "-P", str(_SCRIPT), str(path), str(context)]
        self._key = secrets.token_urlsafe(24)
        self._url = ""
        self._words: deque[str] = deque(maxlen=5)
        self._process: subprocess.Popen[bytes] | None = None
        self._said: Future[dict[str, Any]] = Future()
        self._end: Future[int] = Future()
        for future in (self._said, self._end):
            # Many wait for it; none of them may cancel it for the others.
            future.set_running_or_notify_cancel()
        threading.Thread(target=self._watch, name="nbagents-local", daemon=True).start()

    @property
    def ended(self) -> bool:
        """True once the process is gone."""
        return self._end.done()

    async def ready(self) -> None:
        """Wait until the model is loaded.

        Raises `UserError` when the runtime or the file cannot be loaded.
        """
        said = await asyncio.wrap_future(self._said)
        if said.get("missing"):
            raise _broken_runtime(said["error"])
        if "error" in said:
            reason = f"{said['error']} {self.last_words}".strip()
            raise UserError(f"The local model {self._path.name} could not be loaded: {reason}")
        self._url = said["url"]

    async def epitaph(self) -> str | None:
        """Say how the process ended, if it did; a connection can break just before it is seen."""
        try:
            code = await asyncio.wait_for(asyncio.wrap_future(self._end), 0.5)
        except TimeoutError:
            return None
        return f"Its process ended with code {code}. {self.last_words}".strip()

    @property
    def last_words(self) -> str:
        """The end of what the process wrote, in one line."""
        return " | ".join(self._words)

    def stop(self) -> None:
        """End the process; it has nothing to save."""
        if self._process is not None:
            self._process.kill()

    def disown(self) -> None:
        """Let go of a process that belongs to the parent of this fork."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def _make_client(self) -> Any:
        sdk = require("openai", "local")
        return sdk.AsyncOpenAI(api_key=self._key, base_url=f"{self._url}/v1", max_retries=0)

    def _watch(self) -> None:
        """Run the process and hear what it says, until it ends."""
        try:
            with subprocess.Popen(  # noqa: S603 - the command is our own
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                # An interrupt is meant for the kernel, whose whole process group gets it.
                start_new_session=True,
            ) as process:
                self._process = process
                assert process.stdin is not None
                assert process.stdout is not None
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write(f"{self._key}\n".encode())
                    process.stdin.flush()
                self._hear(process.stdout)
            self._say(error=f"its process ended with code {process.returncode}.")
            self._end.set_result(process.returncode)
        except OSError as error:
            self._say(error=f"its process could not be started ({error}).")
            self._end.set_result(-1)

    def _hear(self, output: IO[bytes]) -> None:
        for line in output:
            if line.startswith(b'{"nbagents"'):
                self._say(**json.loads(line)["nbagents"])
            else:
                self._words.append(line.decode(errors="replace").strip())

    def _say(self, **what: Any) -> None:
        if not self._said.done():
            self._said.set_result(what)


def check_runtime() -> None:
    """Raise `UserError` if the runtime is not installed, or cannot be on this machine."""
    if importlib.util.find_spec("xllamacpp") is not None:
        return
    host = str(sysconfig.get_config_var("HOST_GNU_TYPE") or "")
    system = "musl" if "musl" in host else sys.platform
    place = without_wheel(system, platform.machine())
    if place is not None:
        raise UserError(
            f"There is no local model on {place}: xllamacpp has no wheel for it. Use a vendor's "
            "model, or any OpenAI-compatible server: OpenAIModel(name, base_url=...)."
        )
    require("xllamacpp", "local")


def without_wheel(system: str, machine: str) -> str | None:
    """Name the platform if there is no wheel of xllamacpp for it.

    `system` is `sys.platform`, or `musl` for a Linux with that C library.
    """
    if system == "emscripten":
        return "Pyodide (JupyterLite)"
    if system == "musl":
        return "Linux with musl (Alpine)"
    if machine.lower() not in {"x86_64", "amd64", "arm64", "aarch64"}:
        return f"{machine} processors"
    if system == "win32" and machine.lower() == "arm64":
        return "Windows on ARM"
    return None


def _broken_runtime(error: str) -> UserError:
    if "libgomp" in error:
        return UserError(
            "The local model needs the system library libgomp.so.1. Install it with: "
            "apt-get install libgomp1 (or your system's package of that library)."
        )
    return UserError(f"The local model's runtime xllamacpp cannot be imported: {error}")


_lock = threading.Lock()
_servers: dict[Path, Server] = {}
atexit.register(stop_all)


def _after_fork() -> None:
    """Forget the servers in a forked child: they are its parent's, and end with their stdin."""
    for server in _servers.values():
        server.disown()
    _servers.clear()
    _lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_after_fork
    )
