"""kill -9: whatever moment it hits, a new process goes on as if nothing had happened."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from nbagents import FileStore, Session
from nbagents.events import ToolFinished
from tests.offline import child_environment
from tests.sessions.crash_server import CRASHING, CrashServer
from tests.sessions.crashes import (
    UNKNOWN,
    goes_on,
    in_folder,
    is_as_undisturbed,
    read,
    undisturbed,
    what_of,
)

SCRIPT = """
import os, sys
from nbagents import Agent, FileStore, Say, ScriptedModel, Session, tool

def did(what):
    os.write(1, f"{what}\\n".encode())
    os.read(0, 1)  # until the test has read it, so that a slow test kills in time

@tool
def order(what: str) -> str:
    "Order."
    did(f"order {what}")
    return "ordered"

def step(request):
    said = sum(message.role == "assistant" for message in request.messages)
    if said == len(goods) + 1:
        return "You are welcome."
    did(f"turn {said}")
    return "All is ordered." if said == len(goods) else Say(calls=[("order", {"what": goods[said]})])

goods = [f"good {number}" for number in range(8)]
agent = Agent("buyer", model=ScriptedModel(step, repeat=True), tools=[order])
session = Session("work", store=FileStore("sessions"))
print("answer", agent(sys.argv[1], session=session).output, flush=True)
"""


@pytest.fixture(scope="module")
def server():
    server = CrashServer()
    yield server
    server.close()


@pytest.fixture
def job(tmp_path):
    """Makes what a child is told."""

    def job(system: str, **more):
        paths = {"folder": str(tmp_path / "sessions"), "diary": str(tmp_path / "diary")}
        answers = CRASHING[system].answers if system in CRASHING else {}
        return {"system": system, "input": "go", "answers": answers, **paths, **more}

    return job


@pytest.mark.parametrize("name", CRASHING)
async def test_a_run_that_is_killed_at_random_moments_is_resumed(server, name, seeded, tmp_path):
    seed, wanted = seeded(8)
    chance, whole = random.Random(seed), await undisturbed(name)
    kills = stories = 0
    while kills < wanted:
        stories += 1
        place, diary = in_folder(tmp_path / f"{stories}"), tmp_path / f"{stories}.txt"
        try:
            kills += await goes_on(server, name, whole, place, diary, chance)
        except BaseException as error:
            error.add_note(f"This was story {stories} of NBAGENTS_CRASH_SEED={seed}.")
            raise


@pytest.mark.parametrize(
    ("name", "line", "tool"),
    [
        ("till", "charge a", "charge"),
        ("till", "charge d", "charge"),
        ("till", "pay it", "pay"),
        ("asking", "buy it", "buy"),
    ],
)
async def test_a_tool_that_was_killed_at_its_work_is_not_run_again_and_the_model_is_told(
    server, job, name, line, tool
):
    task = job(name, stuck_after=line)
    child = server.start(None, **task)
    assert child.status == "stuck"
    assert server.kill(child)
    again = server.start(None, **job(name))
    assert (again.status, server.reap(again)) == ("finished", 0)
    session = await Session("s", store=FileStore(task["folder"])).load()
    did = read(Path(task["diary"]))
    assert did.count(line) == 1
    is_as_undisturbed(session, await undisturbed(name), what_of(did))
    told = [e for e in session.events if isinstance(e, ToolFinished) and UNKNOWN in e.result.text]
    assert tool in {event.result.name for event in told}


async def test_a_tool_that_may_run_twice_and_was_killed_at_its_work_runs_again(server, job):
    task = job("agent", stuck_after="plant c")
    child = server.start(None, **task)
    assert server.kill(child)
    again = server.start(None, **job("agent"))
    assert (again.status, server.reap(again)) == ("finished", 0)
    assert sorted(read(Path(task["diary"]))) == ["dig a", "dig b", "dig d", "plant c", "plant c"]


async def test_a_run_that_is_killed_inside_of_a_write_goes_on(server, job, tmp_path):
    whole = await undisturbed("heavy")
    torn = 0
    for attempt in range(20):
        paths = {"folder": str(tmp_path / f"{attempt}"), "diary": str(tmp_path / f"{attempt}.txt")}
        child = server.start(0, **job("heavy", **paths))
        log = tmp_path / f"{attempt}" / "s" / "log.jsonl"
        assert server.kill(child, log, 10_000)
        found = await Session("s", store=FileStore(paths["folder"])).load()
        again = server.start(None, **job("heavy", **paths))
        assert (again.status, server.reap(again)) == ("finished", 0)
        session = await Session("s", store=FileStore(paths["folder"])).load()
        is_as_undisturbed(session, whole, what_of(read(Path(paths["diary"]))))
        assert session.note == ""
        if found.note:
            torn += 1
            assert "was torn by a crash" in found.note
            assert str(log) in found.note
            break
    assert torn, "No kill has hit a write."


def test_a_script_that_is_killed_and_started_again_goes_on(tmp_path):
    chance = random.Random(4)
    (tmp_path / "script.py").write_text(SCRIPT)

    def start(question: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "script.py", question],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=child_environment(),
        )

    lines: list[bytes] = []
    for _ in range(4):
        with start("Order all.") as process:
            for _ in range(chance.randrange(1, 6)):
                lines.append(process.stdout.readline())
                process.stdin.write(b".")
            process.kill()
            lines.extend(process.stdout)
        assert b"answer" not in b"".join(lines)
    with start("Order all.") as process:
        process.stdin.close()
        lines.extend(process.stdout)
    assert process.returncode == 0
    assert lines[-1] == b"answer All is ordered.\n"
    orders = [line for line in lines if line.startswith(b"order")]
    assert len(orders) == len(set(orders))
    with start("Thanks!") as process:
        process.stdin.close()
        assert process.stdout.read() == b"answer You are welcome.\n"
