"""Events: they survive JSON, and from the durable ones a conversation can be told again."""

from __future__ import annotations

from decimal import Decimal
from typing import get_args

import pytest

from nbagents import (
    Agent,
    EdgeTaken,
    FilePart,
    HandedOff,
    InputReceived,
    InputRequested,
    Message,
    MessageFinished,
    Retrying,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunResumed,
    RunStarted,
    Say,
    ScriptedModel,
    StateChanged,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    ToolCallDelta,
    ToolCallPart,
    ToolFinished,
    ToolProgress,
    ToolResultPart,
    ToolStarted,
    Topology,
    TurnStarted,
    Usage,
)
from nbagents.events import (
    DurableEvent,
    Event,
    PassingEvent,
    event_codec,
    is_durable,
    messages_of,
)
from nbagents.messages import user_message
from nbagents.topology import Link, TopologyNode

STAMP = {"run_id": "r1", "seq": 7, "at": 1767225600.25}
SPENT = Usage(10, 5, 2, Decimal("0.000123"))
RESULT = ToolResultPart("c1", "look", (TextPart("seen"), FilePart("image/png", b"\xff\x00")))
SAID = Message(
    "assistant",
    (ThinkingPart("hm", "c2VhbA=="), TextPart("hi"), ToolCallPart("c1", "look", "{}")),
    "a",
    SPENT,
    "tools",
)

PICTURED = Topology(
    "t",
    (TopologyNode("t", "t", "swarm"), TopologyNode("t/a", "a", "agent", "t", "openai:gpt")),
    (Link("t/a", "t/a", "output < 3", "flow"),),
)

EVENTS = [
    RunStarted("a", "agent", (user_message("x"),), "r0", "c0", "openai:gpt", "small", **STAMP),
    RunStarted("t", "swarm", (), node="n", topology=PICTURED, **STAMP),
    MessageFinished(SAID, **STAMP),
    ToolStarted("c1", "look", {"where": ["here", 1, None, {"deep": True}]}, **STAMP),
    ToolFinished("c1", RESULT, 0.25, "Traceback ...", **STAMP),
    HandedOff("a", "b", "because", **STAMP),
    EdgeTaken("a", "b", **STAMP),
    InputRequested("q1", "Sure?", {"type": "boolean"}, "a", "why", {"x": [1]}, "c1", **STAMP),
    InputReceived("q1", False, "form", **STAMP),
    StateChanged("plan", ["x", None], **STAMP),
    StateChanged("plan", None, removed=True, **STAMP),
    EdgeTaken("a", None, **STAMP),
    RunResumed("The model was a, and is b now.", "b", {"tools": ["x"]}, **STAMP),
    RunFinished("x", SPENT, files=(FilePart("image/png", b"\xff"),), lossy="set", **STAMP),
    RunFinished({"city": "Bern", "sizes": [1.5, None]}, SPENT, "turns=25", **STAMP),
    RunFailed("ValueError", "no", SPENT, **STAMP),
    RunCancelled("Stopped by you", Usage(), **STAMP),
    TurnStarted(3, **STAMP),
    TextDelta("hé\n", **STAMP),
    ThinkingDelta("hm", **STAMP),
    ToolCallDelta(1, "c1", "look", '{"wh', **STAMP),
    ToolProgress("c1", {"done": 0.5}, **STAMP),
    Retrying(2, 1.5, "busy", restart=True, **STAMP),
]


def test_the_samples_below_leave_no_event_out():
    assert {type(event) for event in EVENTS} == set(get_args(Event))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_an_event_survives_json_unchanged(event):
    codec = event_codec()
    assert codec.validate_json(codec.dump_json(event)) == event


def test_an_event_is_either_durable_or_passing():
    durable, passing = set(get_args(DurableEvent)), set(get_args(PassingEvent))
    assert durable | passing == set(get_args(Event))
    assert not durable & passing
    assert {type(event) for event in EVENTS if is_durable(event)} == durable


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


async def test_the_events_of_a_run_survive_json_and_tell_the_same_conversation():
    model = ScriptedModel(
        Say(thinking="hm", text="Let me add.", calls=[("add", {"a": 1, "b": 2}), ("add", "{")]),
        "It is 3.",
    )
    run = await Agent("a", model=model, tools=[add]).run("1 + 2?")
    codec = event_codec()
    again = [codec.validate_json(codec.dump_json(event)) for event in run.events]
    assert again == run.events
    assert messages_of(again, run.run_id) == run.messages


def call(call_id: str) -> ToolCallPart:
    return ToolCallPart(call_id, "t", "{}")


def result(call_id: str) -> ToolResultPart:
    return ToolResultPart(call_id, "t", (TextPart(f"of {call_id}"),))


def test_results_are_told_in_the_order_of_their_calls():
    asked = Message("assistant", (call("a"), call("b")))
    events = [
        RunStarted("a", "agent", (user_message("x"),), run_id="r"),
        MessageFinished(asked, run_id="r"),
        ToolFinished("b", result("b"), 0.1, run_id="r"),
        ToolFinished("a", result("a"), 0.2, run_id="r"),
    ]
    assert messages_of(events, "r") == [
        user_message("x"),
        asked,
        Message("user", (result("a"), result("b"))),
    ]


def test_a_call_that_never_got_its_result_gets_one_that_says_so():
    asked = Message("assistant", (call("a"), call("b")))
    events = [MessageFinished(asked, run_id="r"), ToolFinished("a", result("a"), 0.1, run_id="r")]
    missing = ToolResultPart(
        "b",
        "t",
        (TextPart("Interrupted: the run was stopped before this tool answered."),),
        is_error=True,
    )
    assert messages_of(events, "r") == [asked, Message("user", (result("a"), missing))]


def test_the_same_call_id_in_two_turns_keeps_two_results():
    asked = Message("assistant", (call("a"),))
    first, second = (ToolResultPart("a", "t", (TextPart(text),)) for text in ("one", "two"))
    events = [
        MessageFinished(asked, run_id="r"),
        ToolFinished("a", first, 0.1, run_id="r"),
        MessageFinished(asked, run_id="r"),
        ToolFinished("a", second, 0.1, run_id="r"),
    ]
    assert messages_of(events, "r") == [
        asked,
        Message("user", (first,)),
        asked,
        Message("user", (second,)),
    ]


def test_the_conversation_of_a_run_leaves_out_what_other_runs_said():
    events = [
        RunStarted("a", "agent", (user_message("x"),), run_id="r"),
        RunStarted("b", "agent", (user_message("y"),), run_id="child"),
        MessageFinished(Message("assistant", (TextPart("child"),)), run_id="child"),
        MessageFinished(Message("assistant", (TextPart("root"),)), run_id="r"),
    ]
    assert [message.text for message in messages_of(events, "r")] == ["x", "root"]
    assert [message.text for message in messages_of(events, "child")] == ["y", "child"]
