"""The door: whatever text comes in, it can be sent, saved, and displayed, and nothing of it is litter."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import time
from collections.abc import AsyncGenerator
from decimal import Decimal
from typing import Any

import pytest

from nbagents import (
    Agent,
    Graph,
    Question,
    RunContext,
    Say,
    ScriptedModel,
    Session,
    Swarm,
    TextDelta,
    UserError,
    tool,
)
from nbagents.events import InputRequested, ThinkingDelta, ToolCallDelta, ToolFinished, ToolProgress
from nbagents.messages import FilePart, TextPart, ThinkingPart, ToolCallPart, message_codec
from nbagents.models.collect import Incoming
from nbagents.notebook.live import saved
from nbagents.notebook.view import RunView
from nbagents.runnable import Run
from nbagents.sessions.memory import MemoryStore
from nbagents.tools.rendering import render
from nbagents.untrusted import Pieces, printed, received, whole, whole_json_text

HALF = "caf\udce9.txt"
WHOLE = "caf\ufffd.txt"
RED = "\x1b[01;31mred\x1b[0m"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (RED, "red"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]8;id=1;http://x\x07link\x1b]8;;\x07", "link"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]0;no end\nnext line", "0;no end\nnext line"),
        ("\x1b(Bplain\x1b=\x1b>", "plain"),
        ("\x9b31mold\x9b0m", "old"),
        ("\x1bP+q544e\x1b\\x", "x"),
        ("a\x00b\x07\x7f", "ab"),
        ("kept\tas\r\nit\x0cis", "kept\tas\r\nit\x0cis"),
        (HALF, WHOLE),
        ("\ud83d\ude00", "\U0001f600"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("\x1b", ""),
        ("\x1b[31", "[31"),
    ],
)
def test_what_a_terminal_obeys_and_no_encoder_takes_is_gone(text: str, left: str):
    assert received(text) == received(left) == left
    assert received(text).encode() is not None


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("".join(f"\r{number}%" for number in range(100)), "99%"),
        ("10%\r100%\ndone\n", "100%\ndone\n"),
        ("working...\r\x1b[Kok", "ok"),
        ("working...\r\x1b[2Kok\x1b[K", "ok"),
        ("a long line\rA", "A long line"),
        ("\x1b[32m1/2\x1b[0m\r\x1b[32m2/2\x1b[0m", "2/2"),
        ("|\b/\b-\b\\\b", "\\"),
        ("b\bbo\bol\bld\bd", "bold"),
        ("one\r\ntwo\r\n", "one\r\ntwo\r\n"),
        ("50%\r", "50%"),
        ("\b\bx", "x"),
    ],
)
def test_of_a_progress_bar_the_last_state_is_left(text: str, left: str):
    assert printed(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (r'{"a": "\ud83d"}', '{"a": "\ufffd"}'),
        (r'{"a": "\ud83d\ude00"}', '{"a": "\U0001f600"}'),
        (r'{"a": "\\ud83d"}', r'{"a": "\\ud83d"}'),
        (r'{"a": "\\\ud83d"}', '{"a": "\\\\\ufffd"}'),
        ('{"a": "\ud83d"}', '{"a": "\ufffd"}'),
        ('{"a": "\ud83d\ude00"}', '{"a": "\U0001f600"}'),
    ],
)
def test_half_characters_in_json_are_replaced_also_where_they_are_escapes(text: str, left: str):
    assert json.loads(whole_json_text(text)) == json.loads(left)


@pytest.mark.parametrize(
    "text",
    [
        RED,
        "\x1b]8;;http://x\x1b\\link\x1b]8;;\x07",
        "\ud83d\ude00",
        "a\ud83d",
        "\x1b(Bx\x1b",
        "\x1b]",
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_it_is_the_same_in_pieces(text: str, size: int):
    pieces = Pieces()
    taken = [pieces.take(text[at : at + size]) for at in range(0, len(text), size)]
    assert "".join([*taken, pieces.rest()]) == received(text)


@pytest.mark.parametrize(
    "text", ["\x1b[", "\x1b]", "\x1b[0", "\r", "a\r\x1b[2K", "a\b", "\x1b", "\ud83d", "\\ud83d"]
)
def test_a_megabyte_takes_no_time(text: str):
    text *= 1_000_000 // len(text)
    began = time.process_time()
    for door in (printed, whole, whole_json_text):
        door(text)
    pieces = Pieces()
    for at in range(0, 100_000, 10):
        pieces.take(text[at : at + 10])
    assert time.process_time() - began < 8


def test_parts_are_fit_to_be_sent_however_they_are_made():
    assert TextPart(f"{RED} {HALF}").text == f"red {WHOLE}"
    assert ThinkingPart(f"{RED}{HALF}", "seal").text == f"{RED}{WHOLE}"
    assert FilePart("text/plain", b"", name=HALF).name == WHOLE
    call = ToolCallPart("c\udce9", "f", '{"a": "\udce9"}')
    assert (call.call_id, json.loads(call.args)) == ("c\ufffd", {"a": "\ufffd"})
    told = b'{"role": "user", "parts": [{"type": "text", "text": "\\u001b[1mx"}]}'
    assert message_codec().validate_json(told).text == "x"


def deltas(*texts: str) -> list[Any]:
    incoming = Incoming()
    chunks = [chunk for text in texts for chunk in incoming.take(TextDelta(text))]
    return [*chunks, *incoming.take(ToolCallDelta(0, "", "f", ""))]


def test_deltas_cut_anywhere_are_put_together_in_order():
    assert deltas("a\x1b[3", "1mb\ud83d", "\ude00") == [
        TextDelta("a"),
        TextDelta("b"),
        TextDelta("\U0001f600"),
        ToolCallDelta(0, "", "f", ""),
    ]
    assert deltas("end\ud83d")[-2:] == [TextDelta("\ufffd"), ToolCallDelta(0, "", "f", "")]
    incoming = Incoming()
    assert incoming.take(ThinkingDelta("\ud83d")) == ()
    assert incoming.take(TextDelta("x")) == (ThinkingDelta("\ufffd"), TextDelta("x"))


@tool
def ls(folder: str) -> str:
    """List files.

    Args:
        folder: Where.
    """
    return f"{RED} {folder} {HALF}\n\r1%\r2%"


@tool
def run_program() -> dict[str, Any]:
    """Run it."""
    return {"out": f"{RED}\n\r1%\r2%", "files": [HALF], HALF: 1}


@dataclasses.dataclass
class Found:
    path: str


@tool
def find() -> Found:
    """Find it."""
    return Found(HALF)


@tool
def fails() -> str:
    """Fail."""
    raise ValueError(f"{RED} {HALF}")


@tool
async def slow() -> AsyncGenerator[str]:
    """Report."""
    yield f"\r1%\r{RED}2%"


@tool
async def remembers(ctx: RunContext) -> str:
    """Write down."""
    ctx.state["file"] = HALF
    ctx.state[HALF] = [HALF]
    return "noted"


@tool
async def asks(ctx: RunContext) -> str:
    """Ask."""
    question = Question(f"Which? {RED}", choices=[HALF, "other"], reason=HALF, details={HALF: HALF})
    return repr(await ctx.ask(question))


@pytest.mark.parametrize(
    ("call", "result"),
    [
        (("ls", {"folder": "x"}), f"red x {WHOLE}\n2%"),
        (("ls", '{"folder": "\ud83d"}'), f"red \ufffd {WHOLE}\n2%"),
        (("ls", r'{"folder": "\ud83d"}'), f"red \ufffd {WHOLE}\n2%"),
        (
            ("run_program", {}),
            json.dumps(
                {"out": "red\n2%", "files": [WHOLE], WHOLE: 1},
                ensure_ascii=False,
                separators=(",", ":"),
            ),
        ),
        (("find", {}), f'{{"path":"{WHOLE}"}}'),
        (("fails", {}), f"ValueError: red {WHOLE}"),
        (("slow", {}), "red2%"),
        (("remembers", {}), "noted"),
        (("asks", {}), repr(HALF)),
        (("no\udce9", {}), "no"),
    ],
)
async def test_tools_and_sessions_work_with_any_text(call: tuple[str, Any], result: str):
    tools = [ls, run_program, find, fails, slow, remembers, asks]
    model = ScriptedModel(Say(calls=[call], text=f"{RED}\ud83d", thinking=HALF), f"done {HALF}")
    agent = Agent("a", f"Be {HALF} {RED}", model=model, tools=tools)
    store = MemoryStore()
    stream = agent.stream(f"{RED} {HALF}", session=Session("s", store=store), answers={"*": WHOLE})
    async with stream:
        events = [event async for event in stream]
    run = stream.run
    assert run.text == f"done {WHOLE}"
    [ended] = [event for event in run.events if isinstance(event, ToolFinished)]
    assert result in ended.result.text
    assert "\x1b" not in repr(run.events)
    assert [event.data for event in events if isinstance(event, ToolProgress)] in ([], ["red2%"])
    for request in model.requests:
        assert request.system == f"Be {WHOLE} red"
        assert "".join(map(repr, request.messages)).encode()
    again = await Session("s", store=store).load()
    assert [event for event in again.events if event.type != "run_started"] == run.events[1:]
    assert (await agent.replaced(model=ScriptedModel("two")).run("on", session=again)).text == "two"
    forms = saved(RunView(run.events), run)
    assert all(json.dumps(form).encode() and "[01;31m" not in str(form) for form in forms.values())


@pytest.mark.parametrize(
    "details",
    [
        dt.date(2026, 1, 2),
        {"when": dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "price": Decimal("1.50")},
        b"\xff\x00",
        {"bytes": [b"ab"], "set": {1}},
        10**5000,
        float("nan"),
        object(),
        {HALF: RED},
    ],
    ids=lambda value: type(value).__name__,
)
async def test_a_question_is_about_any_value(details: Any):
    async def work(ctx: RunContext) -> str:
        """Ask."""
        return await ctx.ask(Question("Well?", details=details))

    store = MemoryStore()
    run = await Graph("g", {"work": work}, []).run(
        "go", answers=["yes"], session=Session("s", store=store)
    )
    assert run.output == "yes"
    [asked] = [event for event in run.events if isinstance(event, InputRequested)]
    assert json.dumps(asked.details) == json.dumps(json.loads(json.dumps(asked.details)))
    assert (await Session("s", store=store).load()).events[1:] == run.events[1:]
    assert all(saved(RunView(run.events), run).values())


def test_approvals_show_what_runs():
    """Nothing is taken out of what a person allows: it is displayed with escapes."""
    shown: list[InputRequested] = []

    @tool(approve=True)
    def delete(path: str) -> str:
        """Delete."""
        return path

    model = ScriptedModel(Say(calls=[("delete", {"path": "a\x1b[2Kb"})]), "done")
    run: Run[str] = Agent("a", model=model, tools=[delete])("go", answers=[True])
    shown += [event for event in run.events if isinstance(event, InputRequested)]
    assert shown[0].details == {"path": "a\x1b[2Kb"}


def test_names_that_cannot_be_written_are_refused():
    agent = Agent("a", model=ScriptedModel("x"))
    for make in (
        lambda: Graph(HALF, {"a": agent}, []),
        lambda: Graph("g", {HALF: agent}, []),
        lambda: Graph("g", {" ": agent}, []),
        lambda: Swarm(RED, [agent]),
    ):
        with pytest.raises(UserError, match="Choose another one"):
            make()


@pytest.mark.parametrize("what", ["instructions", "description"])
def test_instructions_are_text(what: str):
    values: dict[str, Any] = {what: None}
    with pytest.raises(UserError, match=f"{what}=None must be text"):
        Agent("a", **values)


def test_values_in_prompts_lose_their_colors():
    [part] = render({"log": [RED, "\r1%\r2%"]})
    assert isinstance(part, TextPart)
    assert json.loads(part.text) == {"log": ["red", "2%"]}


async def test_a_handoff_with_half_a_character():
    first = Agent(
        "first",
        model=ScriptedModel(Say(calls=[("handoff", r'{"to": "second", "reason": "\ud83d"}')])),
    )
    second = Agent("second", model=ScriptedModel("done"))
    run = await Swarm("team", [first, second]).run("go")
    assert run.text == "done"
    assert [event.reason for event in run.events if event.type == "handed_off"] == ["\ufffd"]


async def test_a_note_needs_a_key():
    model = ScriptedModel(Say(calls=[("note", {"key": " ", "value": "x"})]), "done")
    other = Agent("other", model=ScriptedModel())
    run = await Swarm("team", [Agent("a", model=model), other]).run("go")
    [ended] = [event for event in run.events if isinstance(event, ToolFinished)]
    assert (ended.result.is_error, "blank" in ended.result.text) == (True, True)
    assert not [event for event in run.events if event.type == "state_changed"]
