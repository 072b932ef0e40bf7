"""Watching a run: what a reader sees, and what it can do to the run."""

from __future__ import annotations

import asyncio

import pytest

from nbagents import Agent, Limits, RunFinished, Say, ScriptedModel, TextDelta, UserError
from tests.agents.support import END, Chunks, never, others

MANY = 5000


def chatter(**declared) -> Agent:
    return Agent("chatter", model=Chunks([*["word "] * MANY, END]), **declared)


async def settled() -> None:
    """Let every task go as far as it can."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_stream_must_be_entered_first():
    stream = Agent("a", model=ScriptedModel("hi")).stream("go")
    with pytest.raises(UserError, match="async with agent"):
        await anext(aiter(stream))


async def test_a_stream_that_is_never_entered_asks_nobody():
    model = ScriptedModel("hi")
    Agent("a", model=model).stream("go")
    await settled()
    assert model.requests == []


async def test_a_run_goes_on_while_nobody_reads_but_only_so_far():
    agent = chatter()
    async with agent.stream("go") as stream:
        await settled()
        assert stream.run.status == "running"
        words = [event async for event in stream if isinstance(event, TextDelta)]
    assert len(words) == MANY
    assert stream.run.status == "finished"


async def test_a_slow_reader_slows_the_run_down():
    said = 0

    class Counting(Chunks):
        async def stream(self, request):
            nonlocal said
            async for chunk in super().stream(request):
                said += 1
                yield chunk

    agent = Agent("a", model=Counting([*["word "] * MANY, END]))
    furthest = read = 0
    async with agent.stream("go") as stream:
        async for _ in stream:
            await asyncio.sleep(0)
            read += 1
            furthest = max(furthest, said - read)
    assert furthest <= 1000
    assert stream.run.output == "word " * MANY


async def test_a_run_whose_reader_has_gone_ends_with_the_block():
    agent = chatter()
    async with agent.stream("go") as stream:
        async for event in stream:
            if isinstance(event, TextDelta):
                break
        await settled()
    assert (stream.run.status, stream.run.reason) == ("cancelled", "The stream was closed")
    assert others() == set()


@pytest.mark.parametrize("children", [2, 5])
async def test_all_writers_go_on_once_a_slow_reader_has_made_room(children):
    experts = [chatter().as_tool(f"expert{number}") for number in range(children)]
    calls = [(expert.spec.name, {"message": "go"}) for expert in experts]
    boss = Agent("boss", model=ScriptedModel(Say(calls=calls), "done"), tools=experts)
    async with asyncio.timeout(20), boss.stream("go") as stream:
        await settled()
        words = [event async for event in stream if isinstance(event, TextDelta)]
    assert len(words) == children * MANY + 1
    assert stream.run.output == "done"


async def test_a_writer_that_waits_for_room_can_be_cancelled_without_the_others():
    async def fail() -> None:
        """Fail."""
        await full.wait()
        raise UserError("Set a key.")

    full = asyncio.Event()
    experts = [chatter().as_tool("one"), chatter().as_tool("two")]
    calls = [("one", {"message": "go"}), ("two", {"message": "go"}), ("fail", {})]
    boss = Agent("boss", model=ScriptedModel(Say(calls=calls)), tools=[*experts, fail])
    async with asyncio.timeout(20), boss.stream("go") as stream:
        await settled()
        full.set()
        await settled()
        with pytest.raises(UserError, match="Set a key"):
            _ = [event async for event in stream]
    assert stream.run.status == "failed"
    assert others() == set()


async def test_the_time_of_one_writer_that_waits_for_room_may_end_and_the_other_goes_on():
    hasty = chatter(limits=Limits(seconds=0.01)).as_tool("hasty")
    patient = chatter().as_tool("patient")
    calls = [("hasty", {"message": "go"}), ("patient", {"message": "go"})]
    boss = Agent("boss", model=ScriptedModel(Say(calls=calls), "done"), tools=[hasty, patient])
    async with asyncio.timeout(20), boss.stream("go") as stream:
        await settled()
        await asyncio.sleep(0.05)
        ends = [event async for event in stream if isinstance(event, RunFinished)]
    assert [(end.limit, end.output if end.limit else len(end.output)) for end in ends] == [
        ("seconds=0.01", None),
        (None, 5 * MANY),
        (None, 4),
    ]


async def test_a_run_that_fails_while_nobody_reads_is_still_told_when_somebody_does():
    agent = Agent("a", model=Chunks([*["word "] * 10, UserError("Set a key.")]))
    async with agent.stream("go") as stream:
        await settled()
        assert stream.run.status == "failed"
        events = aiter(stream)
        seen = [(await anext(events)).type for _ in range(14)]
        with pytest.raises(UserError, match="Set a key"):
            await anext(events)
    assert seen == [
        "run_started",
        "turn_started",
        *["text_delta"] * 10,
        "message_finished",
        "run_failed",
    ]


async def test_leaving_a_run_that_has_failed_is_silent_and_the_run_tells():
    async with Agent("a", model=ScriptedModel(ValueError("a bug"))).stream("go") as stream:
        await settled()
    assert (stream.run.status, stream.run.reason) == ("failed", "a bug")
    with pytest.raises(ValueError, match="a bug"):
        _ = stream.run.output


async def test_the_run_so_far_can_be_looked_at_while_it_goes_on():
    model = Chunks(["Once", never()])
    async with Agent("a", model=model).stream("go") as stream:
        assert (stream.run.status, stream.run.run_id, stream.run.events) == ("running", "", [])
        await model.begun.wait()
        run = stream.run
        assert (run.name, run.status, run.text) == ("a", "running", "")
        assert run.messages[0].text == "go"


async def test_two_readers_share_the_events_and_both_come_to_the_end():
    go_on = asyncio.Event()
    model = Chunks(["one", go_on, "two", END])

    async def read(stream):
        return [event.seq async for event in stream]

    async with asyncio.timeout(20), Agent("a", model=model).stream("go") as stream:
        readers = asyncio.gather(read(stream), read(stream))
        await model.begun.wait()
        go_on.set()
        first, second = await readers
    assert sorted(first + second) == list(range(1, 7))


async def test_closing_twice_and_cancelling_afterwards_do_nothing():
    async with Agent("a", model=ScriptedModel("hi")).stream("go") as stream:
        _ = [event async for event in stream]
    stream.cancel()
    assert stream.run.output == "hi"
