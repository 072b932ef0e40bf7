"""Runs to be killed: a process that has imported everything, and forks a child for each of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from nbagents import FileStore, S3Store, Session, SessionStore
from nbagents.events import Event, RunStarted
from nbagents.sessions.records import decode, encode
from tests.offline import child_environment
from tests.sessions.s3_server import client_for
from tests.sessions.systems import PAID, SYSTEMS, System, heavy, till

__all__ = ["CRASHING", "Child", "CrashServer", "Told"]

CRASHING = SYSTEMS | {"till": System(till, PAID)}
OTHERS = {"heavy": System(heavy)}


class Told(NamedTuple):
    """An event as its consumer saw it."""

    type: str
    run_id: str
    seq: int
    at: float
    node: str | None
    place: str | None
    """The call, or the question, that it is about."""
    name: str | None
    """What was begun."""


@dataclass
class Child:
    """A child as it was heard: what it has told, and how its run has ended if it came so far."""

    pid: int
    told: list[Told] = field(default_factory=list)
    status: str = ""


class CrashServer:
    """The process that forks; used by one test at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.sessions.crash_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=child_environment(),
        )

    def close(self) -> None:
        """End it, and wait for its end."""
        self._process.communicate()

    def start(self, after: int | None, **job: Any) -> Child:
        """Fork a child for a run; return when it has told so many events, or has ended."""
        self._say(job)
        child = Child(self._heard())
        while not child.status and (after is None or len(child.told) < after):
            self._listen(child)
        return child

    def kill(self, child: Child, file: Path | None = None, size: int = 0) -> bool:
        """Kill a child with SIGKILL, and hear what it had still told; tell whether that killed it.

        With a `file` that is not before it has grown beyond a size.
        """
        while file is not None and not (file.exists() and file.stat().st_size > size):
            pass
        os.kill(child.pid, signal.SIGKILL)
        return self.reap(child) == -signal.SIGKILL

    def reap(self, child: Child) -> int:
        """Wait for the end of a child, and return what it ended with."""
        self._say(None)
        code = None
        while code is None:
            code = self._listen(child)
        return code

    def _listen(self, child: Child) -> int | None:
        match self._heard():
            case [*event]:
                child.told.append(Told(*event))
            case str(status):
                child.status = status
            case code:
                return code
        return None

    def _say(self, word: Any) -> None:
        self._process.stdin.write(json.dumps(word).encode() + b"\n")
        self._process.stdin.flush()

    def _heard(self) -> Any:
        return json.loads(self._process.stdout.readline())


def tell(word: Any) -> None:
    """Tell the parent at once; a pipe takes so little in one piece, whatever happens to us."""
    line = json.dumps(word).encode() + b"\n"
    assert len(line) <= 4096
    os.write(1, line)


def tell_event(event: Event) -> None:
    place = getattr(event, "call_id", None) or getattr(event, "question_id", None)
    node, name = getattr(event, "node", None), getattr(event, "name", None)
    tell(Told(event.type, event.run_id, event.seq, event.at, node, place, name))


def store_of(job: dict[str, Any]) -> SessionStore:
    if "folder" in job:
        return FileStore(job["folder"])
    return S3Store(job["bucket"], client=client_for(job["url"]), durable=job["durable"])


async def work(job: dict[str, Any]) -> None:
    """Run, tell each event as it is seen, and the end."""
    diary = os.open(job["diary"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def did(line: str) -> None:
        os.write(diary, f"{line}\n".encode())
        if line == job.get("stuck_after"):
            tell("stuck")
            signal.pause()

    runnable = (CRASHING | OTHERS)[job["system"]].make(did)
    session = Session("s", store=store_of(job))
    async with runnable.stream(job["input"], session=session, answers=job["answers"]) as stream:
        async for event in stream:
            tell_event(event)
    run = stream.run
    tell(run.status)
    if run.status == "waiting":
        await asyncio.Event().wait()  # As a kernel does, with its form open.


def main() -> None:
    # What is built when it is first needed, so that no child has to; without any thread, of which
    # a child would have nothing but its locks.
    decode([encode([(RunStarted("a", "agent", (), run_id="r"), None)])], 1, "here")
    for line in sys.stdin.buffer:
        job = json.loads(line)
        if "url" in job:
            client_for(job["url"])  # Made once, and inherited.
        child = os.fork()
        if not child:
            tell(os.getpid())
            try:
                asyncio.run(work(job))
            except BaseException:
                traceback.print_exc()
                tell("crashed")
                os._exit(1)
            os._exit(0)
        # It is not waited for before its killer is done with it: nobody else gets its id.
        sys.stdin.buffer.readline()
        _, status = os.waitpid(child, 0)
        tell(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
