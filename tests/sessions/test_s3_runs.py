"""Runs in S3: how few requests they take, who was faster, what a crash and a bad network leave."""

from __future__ import annotations

import asyncio
import random

import pytest

from nbagents import (
    Agent,
    Graph,
    S3Store,
    Say,
    ScriptedModel,
    Session,
    SessionConflict,
    SessionError,
    tool,
)
from tests.sessions.crash_server import CrashServer
from tests.sessions.crashes import Place, goes_on, undisturbed
from tests.sessions.s3_server import Trouble, client_for, new_bucket, proxy


@pytest.fixture
def s3():
    found = proxy()
    found.troubles.clear()
    found.methods()
    return found


@pytest.fixture
def bucket(s3):
    bucket = new_bucket()
    s3.methods()
    return bucket


@pytest.fixture
def open_session(bucket, s3):
    """Opens the session as a process does that shares nothing with others but the bucket."""
    return lambda: Session("work", store=S3Store(bucket, "runs", client=client_for(s3.url)))


def digger(turns: int, did: list[str] | None = None) -> Agent:
    """An agent that calls a tool in each turn, and answers after so many."""

    @tool(idempotent=True)
    async def dig(depth: int) -> str:
        """Dig."""
        if did is not None:
            did.append(f"dig {depth}")
        return f"{depth} deep"

    def step(request):
        said = sum(message.role == "assistant" for message in request.messages)
        return Say(calls=[("dig", {"depth": said})]) if said < turns else f"{said} deep."

    return Agent("digger", model=ScriptedModel(step, repeat=True), tools=[dig])


def texts(session: Session) -> list[str]:
    return [message.text for message in session.messages()]


# What is asked of S3


async def test_a_plain_turn_in_an_open_session_is_two_requests(open_session, s3):
    session = open_session()
    agent = Agent("poet", model=ScriptedModel(*(f"line {number}" for number in range(5))))
    await agent.run("hi", session=session)
    s3.methods()
    for number in range(1, 5):
        await agent.run("go on", session=session)
        assert s3.methods() == ["PUT", "PUT"], number
    await session.load()
    assert texts(session)[-2:] == ["go on", "line 4"]


async def test_a_run_of_ten_tool_calls_is_at_most_twelve_puts_and_nothing_else(open_session, s3):
    session = open_session()
    await Agent("poet", model=ScriptedModel("line")).run("hi", session=session)
    s3.methods()
    run = await digger(10).run("dig", session=session)
    asked = s3.methods()
    assert run.output == "10 deep."
    assert set(asked) == {"PUT"}
    assert len(asked) <= 12


async def test_twenty_agents_at_once_are_all_written_down_in_order(open_session, s3):
    start = asyncio.Event()
    names = [f"n{number:02}" for number in range(20)]

    @tool(idempotent=True)
    async def look(what: str) -> str:
        """Look."""
        if what == names[-1]:
            start.set()
        await start.wait()  # All of them are at work at once.
        return f"{what} seen"

    def agent(name: str) -> Agent:
        return Agent(
            name,
            model=ScriptedModel(Say(calls=[("look", {"what": name})]), f"{name} is there."),
            tools=[look],
        )

    team = Graph("team", {name: agent(name) for name in names}, [])
    session = open_session()
    run = await team.run("go", session=session)
    assert len(s3.methods()) <= 25
    other = await open_session().load()
    assert other.events == session.events == run.events
    numbers = [event.seq for event in other.events]
    assert numbers == sorted(set(numbers))
    assert run.output == {name: f"{name} is there." for name in names}
    for name in names:
        asked, call, result, answer = other.messages(name)
        assert (asked.text, call.tool_calls[0].name) == ("go", "look")
        assert result.parts[0].text == f"{name} seen"
        assert answer.text == f"{name} is there."


# Others, and a bad network


async def test_of_two_processes_the_second_to_write_is_told_and_goes_on_when_it_reloads(
    open_session, s3
):
    one, two = open_session(), open_session()
    await Agent("poet", model=ScriptedModel("first")).run("a", session=one)
    await two.load()
    poet = Agent("poet", model=ScriptedModel("second", "third"))
    await poet.run("b", session=two)
    with pytest.raises(SessionConflict, match=r"%session fork") as told:
        await poet.run("c", session=one)
    assert "\n" not in str(told.value)
    assert texts(await open_session().load()) == ["a", "first", "b", "second"]
    run = await poet.run("c", session=one)
    assert run.output == "third"
    assert [message.text for message in run.messages] == ["a", "first", "b", "second", "c", "third"]
    assert texts(await open_session().load()) == ["a", "first", "b", "second", "c", "third"]


async def test_a_lost_answer_in_the_middle_of_a_run_duplicates_nothing(open_session, s3):
    session = open_session()
    s3.troubles.append(Trouble("PUT", "lost", key="000000000003"))
    did: list[str] = []
    run = await digger(5, did).run("dig", session=session)
    assert s3.methods().count("GET") == 2  # One when it was opened, one to see whose it is.
    assert (run.output, len(did)) == ("5 deep.", 5)
    assert (await open_session().load()).events == run.events


async def test_when_s3_fails_for_good_the_run_ends_and_goes_on_when_it_is_back(
    open_session, bucket, s3
):
    did: list[str] = []
    broken = Session("work", store=S3Store(bucket, "runs", client=client_for(s3.url, 2)))
    s3.troubles.extend([Trouble("PUT", "ServiceUnavailable", 503, "000000000004")] * 2)
    with pytest.raises(SessionError, match=r"ServiceUnavailable.*Run it again later"):
        await digger(5, did).run("dig", session=broken)
    left = await open_session().load()
    kept = [event.type for event in left.events]
    assert (kept.count("tool_started"), kept.count("tool_finished")) == (2, 1)
    assert [run.status for run in left.runs] == ["cut off"]
    begun = len(did)
    run = await digger(5, did).run("dig", session=broken)
    assert (run.output, run.status) == ("5 deep.", "finished")
    assert did[begun:] == ["dig 1", "dig 2", "dig 3", "dig 4"]
    assert (await open_session().load()).events[: len(kept)] == left.events


@pytest.mark.parametrize(("name", "durable"), [("graph", "turn"), ("till", "exact")])
async def test_a_run_that_is_killed_is_resumed_from_s3(name, durable, s3, seeded, tmp_path):
    server = CrashServer()
    seed, wanted = seeded(3)
    chance, whole, kills, stories = random.Random(seed), await undisturbed(name), 0, 0
    try:
        while kills < wanted:
            stories += 1
            bucket = new_bucket()
            place = Place(
                {"bucket": bucket, "url": s3.url, "durable": durable},
                lambda bucket=bucket: Session(
                    "s", store=S3Store(bucket, client=client_for(s3.url), durable=durable)
                ),
            )
            kills += await goes_on(server, name, whole, place, tmp_path / f"{stories}", chance)
    except BaseException as error:
        error.add_note(f"This was story {stories} of NBAGENTS_CRASH_SEED={seed}.")
        raise
    finally:
        server.close()
