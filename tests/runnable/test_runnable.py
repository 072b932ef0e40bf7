"""Anything that can be run: what is promised of it, whatever it does inside."""

from __future__ import annotations

import json

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
from nbagents.notebook.live import saved
from nbagents.notebook.view import RunView
from nbagents.runnable import Result, call
from nbagents.sessions.records import decode, encode
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


class Unshowable:
    def __repr__(self):
        raise RuntimeError("no repr")


def _endless() -> list[object]:
    endless: list[object] = [1]
    endless.append(endless)
    return endless


def _nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (_endless(), '[1, "..."]'),
        ({"me": _endless()}, '{"me": [1, "..."]}'),
        (_nested(5000), "[" * 100 + '"..."' + "]" * 100),
        (Unshowable(), '"<Unshowable>"'),
        ([Unshowable()], '["<Unshowable>"]'),
        (10**5000, f'"1{"0" * 5000}"'),
        ({"n": [-(10**5000)]}, f'{{"n": ["-1{"0" * 5000}"]}}'),
        ("caf\udce9", '"caf\\ufffd"'),
        ({"\udce9": "\ud83d\ude00"}, '{"\\ufffd": "\\ud83d\\ude00"}'),
        ({b"\xff": 1}, '{"_w==": 1}'),
        ("\x1b[31mred", '"red"'),
    ],
    ids=["cycle", "inner", "nested", "unshowable", "list", "digits", "inside", *"abcd"],
)
async def test_any_output_can_be_recorded_saved_and_read_again(value, shown):
    run = await gives(value).run("go")
    assert run.output is value
    assert json.dumps(run.events[-1].output) == shown
    [*_, end], _ = decode([encode([(event, None) for event in run.events])], 1, "here")
    assert end.output == run.events[-1].output
    assert run.text
    assert all(form for form in saved(RunView(run.events), run).values())


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
