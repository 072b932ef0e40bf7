"""Anything that can be run: what is promised of it, whatever it does inside."""

from __future__ import annotations

import pytest

from nbagents import (
    Agent,
    RunFailed,
    RunFinished,
    Runnable,
    RunStarted,
    Say,
    ScriptedModel,
    TextDelta,
)
from nbagents.messages import ZERO_USAGE, Message, TextPart, user_message
from nbagents.runnable import Result, call
from tests.agents.support import Chunks, never, story


class Does(Runnable[object]):
    """A runnable that does what it is told."""

    kind = "doer"
    name = "does"
    description = "Does things."

    def __init__(self, work):
        self._work = work

    async def execute(self, ctx, messages):
        return Result(await self._work(ctx, messages))


def gives(value) -> Does:
    async def work(ctx, messages):
        return value

    return Does(work)


async def test_its_output_is_the_very_object_and_its_event_is_json():
    marker = object()
    run = await gives({"of": marker}).run("go")
    assert run.output["of"] is marker
    assert story(run.events) == [
        RunStarted("does", "doer", (user_message("go"),)),
        RunFinished({"of": repr(marker)}, ZERO_USAGE, lossy="dict"),
    ]


async def test_bytes_travel_as_base64():
    run = await gives(b"\xff\xfe").run("go")
    assert (run.output, run.events[-1].output) == (b"\xff\xfe", "__4=")


async def test_an_output_that_cannot_be_told_fails_the_run_and_not_the_record():
    endless = []
    endless.append(endless)
    async with gives(endless).stream("go") as stream:
        with pytest.raises(ValueError, match="Circular"):
            _ = [event async for event in stream]
    assert isinstance(stream.run.events[-1], RunFailed)


async def test_it_may_run_others_one_after_the_other_and_is_still_one_run():
    first, second = Agent("one", model=ScriptedModel("1")), Agent("two", model=ScriptedModel("2"))

    async def chain(ctx, messages):
        one = await call(ctx, first, messages)
        return (await call(ctx, second, [user_message(one.output)])).output

    run = await Does(chain).run("go")
    assert run.output == "2"
    assert [(event.type, event.run_id) for event in story(run.events)] == [
        ("run_started", ""),
        ("run_started", "1"),
        ("message_finished", "1"),
        ("run_finished", "1"),
        ("run_started", "2"),
        ("message_finished", "2"),
        ("run_finished", "2"),
        ("run_finished", ""),
    ]
    answer = Message("assistant", (TextPart("2"),), "does")
    assert run.messages == [user_message("go"), answer]
    assert second.model.requests[0].messages == (user_message("1"),)


async def test_it_may_be_a_tool_and_whatever_it_raises_is_then_an_error_result():
    async def fail(ctx, messages):
        raise KeyError("sk-4f9aBc7d2e1f")

    model = ScriptedModel(Say(calls=[("does", {"message": "go"})]), "done")
    run = await Agent("boss", model=model, tools=[Does(fail)]).run("go")
    [told] = run.messages[2].parts
    assert (told.is_error, told.text) == (True, "does failed: KeyError: '[redacted]'")
    assert [(event.error, event.message) for event in run.events if type(event) is RunFailed] == [
        ("KeyError", "'[redacted]'")
    ]


async def test_its_tool_is_described_by_its_name_and_description():
    spec = gives(1).as_tool().spec
    assert (spec.name, spec.description) == ("does", "Does things.")
    renamed = gives(1).as_tool("ask", "Ask it.").spec
    assert (renamed.name, renamed.description) == ("ask", "Ask it.")
    assert spec.parameters["required"] == ["message"]
    assert spec.parameters["additionalProperties"] is False


async def test_the_events_that_nobody_read_can_be_had_afterwards():
    model = Chunks(["Once ", "upon", never()])
    async with Agent("a", model=model).stream("go") as stream:
        async for event in stream:
            if isinstance(event, TextDelta):
                break
        await model.begun.wait()
    assert [event.type for event in stream.rest()] == [
        "text_delta",
        "message_finished",
        "run_cancelled",
    ]
    assert list(stream.rest()) == []
