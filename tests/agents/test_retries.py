"""Asking again: announced before the wait, bounded, and never two halves glued together."""

from __future__ import annotations

import asyncio

import pytest

from nbagents import (
    Agent,
    Message,
    MessageFinished,
    ModelError,
    Retrying,
    RetryPolicy,
    RunFailed,
    RunFinished,
    RunStarted,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ToolCallDelta,
    TurnStarted,
    Usage,
    UserError,
)
from nbagents.messages import ZERO_USAGE, user_message
from tests.agents.support import END, Chunks, never, story

AT_ONCE = RetryPolicy(first=0.0)
TOKEN = Usage(1, 1)


def busy(**about) -> ModelError:
    return ModelError("busy", provider="x", **{"status": 529, "retryable": True} | about)


async def watched(model: Chunks, retries: RetryPolicy = AT_ONCE):
    """Run to the end; return all events, and the run."""
    async with Agent("a", model=model, retries=retries).stream("go") as stream:
        events = [event async for event in stream]
    return story(events), stream.run


STARTED = RunStarted("a", "agent", (user_message("go"),), model="chunks:chunks")
SAID = Message("assistant", (TextPart("Hello."),), "a", TOKEN)


async def test_a_busy_vendor_is_asked_again_and_that_is_announced():
    events, run = await watched(Chunks([busy()], [busy()], ["Hello.", END]))
    assert events == [
        STARTED,
        TurnStarted(1),
        Retrying(1, 0.0, "x (HTTP 529): busy", restart=False),
        Retrying(2, 0.0, "x (HTTP 529): busy", restart=False),
        TextDelta("Hello."),
        MessageFinished(SAID),
        RunFinished("Hello.", TOKEN),
    ]
    assert run.messages == [user_message("go"), SAID]


async def test_it_is_announced_before_the_wait_and_the_wait_is_what_the_vendor_asks_for():
    model = Chunks([busy(retry_after=60)], ["Hello.", END])
    async with Agent("a", model=model).stream("go") as stream:
        async for event in stream:
            if isinstance(event, Retrying):
                break
        assert event.seconds == 60
        assert len(model.requests) == 1
    assert stream.run.status == "cancelled"


async def test_a_stream_that_breaks_after_text_starts_again_and_no_halves_are_glued():
    events, run = await watched(Chunks(["Hel", busy()], ["Hello.", END]))
    assert events == [
        STARTED,
        TurnStarted(1),
        TextDelta("Hel"),
        Retrying(1, 0.0, "x (HTTP 529): busy", restart=True),
        TextDelta("Hello."),
        MessageFinished(SAID),
        RunFinished("Hello.", TOKEN),
    ]
    assert run.text == "Hello."


@pytest.mark.parametrize("first", [ThinkingDelta("Hm"), ToolCallDelta(0, "c", "look", "{")])
async def test_thinking_or_a_call_that_was_begun_is_void_as_well(first):
    events, run = await watched(Chunks([first, busy()], ["Hello.", END]))
    assert [event.restart for event in events if isinstance(event, Retrying)] == [True]
    assert run.messages[-1] == SAID


async def test_a_stream_that_just_ends_without_its_end_is_a_broken_one():
    events, run = await watched(Chunks(["Hel"], ["Hello.", END]))
    [retry] = [event for event in events if isinstance(event, Retrying)]
    assert retry == Retrying(1, 0.0, "chunks: The answer broke off before its end.", restart=True)
    assert run.text == "Hello."


async def test_there_is_an_end_to_it():
    model = Chunks(["Hel", busy()])
    with pytest.raises(ModelError, match="busy") as raised:
        await Agent("a", model=model, retries=RetryPolicy(attempts=3, first=0.0)).run("go")
    assert len(model.requests) == 3
    run = raised.value.run
    partial = Message("assistant", (TextPart("Hel"),), "a", stop="interrupted")
    assert story(run.events) == [
        STARTED,
        MessageFinished(partial),
        RunFailed("ModelError", "x (HTTP 529): busy", ZERO_USAGE),
    ]
    assert (run.status, run.text) == ("failed", "Hel")


@pytest.mark.parametrize(
    "error",
    [
        busy(retryable=False, status=400),
        busy(retry_after=3600),
        UserError("Set a key."),
        ValueError("a bug"),
    ],
    ids=str,
)
async def test_what_asking_again_does_not_help_is_not_asked_again(error):
    model = Chunks(["Hel", error])
    with pytest.raises(type(error)) as raised:
        await Agent("a", model=model, retries=AT_ONCE).run("go")
    assert raised.value is error
    assert len(model.requests) == 1
    assert model.closed == 1


async def test_each_request_has_attempts_of_its_own():
    def look() -> str:
        """Look."""
        return "seen"

    calls = [ToolCallDelta(0, "c", "look", "{}"), END]
    model = Chunks([busy()], calls, [busy()], calls, [busy()], ["Hello.", END])
    agent = Agent("a", model=model, tools=[look], retries=RetryPolicy(attempts=2, first=0.0))
    assert (await agent.run("go")).output == "Hello."
    assert len(model.requests) == 6


async def test_what_broke_off_and_what_came_of_it_are_told_apart_by_whoever_only_reads_the_text():
    shown: list[str] = []
    async with Agent("a", model=Chunks(["Hel", busy()], ["Hello.", END]), retries=AT_ONCE).stream(
        "go"
    ) as stream:
        async for event in stream:
            if isinstance(event, Retrying) and event.restart:
                shown.clear()
            elif isinstance(event, TextDelta):
                shown.append(event.text)
    assert "".join(shown) == stream.run.text


async def test_a_wait_that_was_announced_can_be_cancelled():
    model = Chunks([busy(retry_after=30)])
    task = asyncio.create_task(Agent("a", model=model).run("go"))
    await model.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_every_attempt_closes_its_stream():
    model = Chunks(["Hel", busy()], ["Hello", never()])
    async with Agent("a", model=model, retries=AT_ONCE).stream("go") as stream:
        async for event in stream:
            if event.type == "text_delta" and event.text == "Hello":
                break
        assert (len(model.requests), model.closed) == (2, 1)
    assert model.closed == 2


async def test_an_answer_that_is_whole_is_not_asked_for_again_when_its_connection_breaks():
    events, run = await watched(Chunks(["Hello.", END, busy()]))
    assert run.messages[-1] == SAID
    assert not any(isinstance(event, Retrying) for event in events)
    assert run.usage.total_tokens == 2
