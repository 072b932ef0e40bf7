"""What others do to a session meanwhile: hold its lock, remove it and begin it anew, work in it."""

from __future__ import annotations

import asyncio
import fcntl
from contextlib import contextmanager
from pathlib import Path

import pytest

from nbagents import (
    Agent,
    FileStore,
    MemoryStore,
    Say,
    ScriptedModel,
    Session,
    SessionError,
    UserError,
    tool,
)
from nbagents.errors import SessionConflict


@pytest.fixture
def agent():
    return Agent("a", model=ScriptedModel("fine", repeat=True))


@contextmanager
def held(store, session_id):
    """Hold the lock of a log, as another process does in mid-write."""
    with Path(store.where(session_id)).open("rb") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        yield


async def test_a_log_that_is_locked_holds_up_nothing_else_and_no_stop(tmp_path, agent):
    store = FileStore(tmp_path)
    await agent.run("one", session=Session("work", store=store))
    with held(store, "work"):
        stuck = asyncio.create_task(agent.run("two", session=Session("work", store=store)))
        for other in (Session("other", store=store), Session("m", store=MemoryStore())):
            assert (await agent.run("go", session=other)).text == "fine"
        assert not stuck.done()
        stuck.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stuck
    again = await Session("work", store=FileStore(tmp_path)).load()
    assert again.runs[0].status == "finished"


async def test_a_lock_that_is_let_go_was_only_waited_for(tmp_path, agent):
    store = FileStore(tmp_path)
    await agent.run("one", session=Session("work", store=store))
    with held(store, "work"):
        later = asyncio.create_task(agent.run("two", session=Session("work", store=store)))
        await agent.run("go", session=Session("other", store=store))
    assert (await later).text == "fine"
    assert len((await Session("work", store=FileStore(tmp_path)).load()).runs) == 2


async def test_a_lock_that_is_never_let_go_is_told_with_the_way_out(tmp_path, agent):
    store = FileStore(tmp_path)
    await agent.run("one", session=Session("work", store=store))
    with (
        held(store, "work"),
        pytest.raises(SessionError, match=r"held the lock of .*work.* for 5 s"),
    ):
        await agent.run("two", session=Session("work", store=store))


async def begun_anew(store, agent, runs):
    """Let somebody else remove the session and run in it."""
    other = Session("work", store=store)
    await other.delete()
    for number in range(runs):
        await agent.run(f"other {number}", session=other)


@pytest.mark.parametrize("runs", [1, 2, 3])
async def test_what_is_removed_and_begun_anew_elsewhere_is_a_conflict_and_then_read(
    tmp_path, agent, runs
):
    here = Session("work", store=FileStore(tmp_path))
    for text in ("secret one", "secret two"):
        await agent.run(text, session=here)
    await begun_anew(FileStore(tmp_path), agent, runs)
    with pytest.raises(SessionConflict):
        await agent.run("three", session=here)
    run = await agent.run("four", session=here)
    heard = [message.text for message in run.events[0].input]
    assert heard == ["four"]
    said = [message.text for message in (await here.load()).messages("a")]
    assert said[::2] == [*(f"other {number}" for number in range(runs)), "four"]


@pytest.mark.parametrize("runs", [0, 1, 2, 3])
@pytest.mark.parametrize("kind", ["files", "memory"])
async def test_who_reads_a_session_that_was_begun_anew_forgets_the_old_one(
    tmp_path, agent, kind, runs
):
    memory = MemoryStore()
    store, same = (
        (memory, memory) if kind == "memory" else (FileStore(tmp_path), FileStore(tmp_path))
    )
    here = Session("work", store=store)
    for text in ("secret one", "secret two"):
        await agent.run(text, session=here)
    await begun_anew(same, agent, runs)
    said = [message.text for message in (await here.load()).messages("a")]
    assert said[::2] == [f"other {number}" for number in range(runs)]


async def test_what_is_at_work_here_cannot_be_resumed_and_that_is_said():
    began = asyncio.Event()

    @tool
    async def wait() -> str:
        """Wait."""
        began.set()
        await asyncio.Event().wait()
        raise AssertionError

    agent = Agent("a", model=ScriptedModel(Say(calls=[("wait", {})])), tools=[wait])
    session = Session("work", store=MemoryStore())
    running = asyncio.create_task(agent.run("go", session=session))
    await began.wait()
    with pytest.raises(UserError, match=r"a is at work in .*: wait for its end, or stop it"):
        await session.resume(agent)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
