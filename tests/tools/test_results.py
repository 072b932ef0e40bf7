"""What becomes of what a tool returns and raises, and of calls that are not quite right."""

from __future__ import annotations

import sys
from decimal import Decimal

import pandas as pd
import pytest

from nbagents import (
    Agent,
    FilePart,
    Limits,
    TextPart,
    ToolCallDelta,
    ToolError,
    ToolFinished,
    ToolResult,
    ToolRetry,
    UserError,
    tool,
)
from nbagents.messages import Usage
from nbagents.models.base import ModelDone
from tests.agents.support import Chunks
from tests.tools.support import asking, finished, results

PICTURE = FilePart("image/png", b"\x89PNG")


# Errors


def fail_deep_inside() -> None:
    raise ValueError("bad key sk-4f9aBc7d2e1f")


def fails() -> None:
    """Fail."""
    fail_deep_inside()


async def fails_on_the_loop() -> None:
    """Fail."""
    fail_deep_inside()


async def fails_in_a_generator():
    """Fail."""
    yield 1
    fail_deep_inside()


@tool(thread="main")
def fails_on_the_main_thread() -> None:
    """Fail."""
    fail_deep_inside()


FAILING = [fails, fails_on_the_loop, fails_in_a_generator, fails_on_the_main_thread]


@pytest.mark.parametrize("function", FAILING, ids=lambda function: function.__name__)
async def test_an_exception_is_an_error_result_and_its_traceback_is_for_people(function):
    event = await finished(function)
    assert (event.result.is_error, event.result.text) == (True, "ValueError: bad key [redacted]")
    lines = event.traceback.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "ValueError: bad key [redacted]"
    frames = [line.rpartition(" in ")[2] for line in lines if line.startswith("  File ")]
    assert frames == [function.__name__, "fail_deep_inside"]
    assert "sk-4f9" not in event.traceback


def test_the_traceback_of_a_called_agents_tool_is_that_of_the_tool_too():
    run = asking(fails_on_the_main_thread)("go")
    [event] = [event for event in run.events if isinstance(event, ToolFinished)]
    frames = [line for line in event.traceback.splitlines() if line.startswith("  File ")]
    assert len(frames) == 2


@pytest.mark.parametrize("error", [ToolError("Try Bern."), ToolRetry("Try Bern.")])
async def test_what_a_tool_wants_to_tell_the_model_is_told_without_a_traceback(error):
    def look() -> None:
        """Look."""
        raise error

    event = await finished(look)
    assert (event.result.is_error, event.result.text, event.traceback) == (True, "Try Bern.", None)


@pytest.mark.parametrize("function", ["plain", "async"])
async def test_a_tool_that_wants_to_end_the_process_is_a_failure_like_any_other(function):
    def plain() -> None:
        """Leave."""
        sys.exit("usage: ...")

    async def on_the_loop() -> None:
        """Leave."""
        sys.exit("usage: ...")

    event = await finished(plain if function == "plain" else on_the_loop)
    assert (event.result.is_error, event.result.text) == (True, "SystemExit: usage: ...")


async def test_what_only_the_user_can_put_right_fails_the_run():
    def look() -> None:
        """Look."""
        raise UserError("Set a key.")

    with pytest.raises(UserError, match="Set a key") as raised:
        await asking(look).run("go")
    assert raised.value.run.messages[-1].parts[0].is_error


async def test_a_very_long_error_is_shortened():
    def look() -> None:
        """Look."""
        raise ValueError("x" * 1_000_000)

    event = await finished(look)
    assert len(event.result.text) < 31_000
    assert len(event.traceback) <= 20_000


# Results


class Odd:
    def __str__(self) -> str:
        return "an odd one"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain text", "plain text"),
        ("", ""),
        (None, "null"),
        (7, "7"),
        ({"a": [1, None, 2.5]}, '{"a":[1,null,2.5]}'),
        ([], "[]"),
        (["a", "b"], '["a","b"]'),
        (("a", 1), '["a",1]'),
        (Decimal("0.10"), "0.10"),
        (Odd(), "an odd one"),
        ({"odd": Odd()}, '{"odd":"an odd one"}'),
        (pd.DataFrame({"a": [1, 2]}), "A table of 2 rows and 1 column: a (int64).\na\n1\n2"),
        (pd.Timestamp("2026-01-02"), "2026-01-02T00:00:00"),
        (b"bytes", "bytes"),
        ((number for number in range(3)), "[0,1,2]"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_whatever_a_function_returns_is_something_that_a_model_can_read(value, text):
    def look():
        """Look."""
        return value

    [told] = await results(look)
    assert (told.text, told.is_error) == (text, False)


@pytest.mark.parametrize(
    ("value", "content"),
    [
        (PICTURE, (PICTURE,)),
        (TextPart("so"), (TextPart("so"),)),
        (["Here:", PICTURE], (TextPart("Here:"), PICTURE)),
        ((PICTURE, TextPart("there")), (PICTURE, TextPart("there"))),
        (ToolResult((TextPart("no"),), is_error=True), (TextPart("no"),)),
    ],
    ids=["file", "text", "list", "tuple", "result"],
)
async def test_files_and_texts_reach_the_model_as_they_are(value, content):
    async def look():
        """Look."""
        return value

    [told] = await results(look)
    assert told.content == content
    assert told.is_error == isinstance(value, ToolResult)


async def test_fifty_megabytes_are_shortened_and_say_so():
    def read() -> str:
        """Read."""
        return "x" * 50_000_000

    [told] = await results(read)
    assert len(told.text) < 31_000
    assert "\n[49,970,000 characters left out here: ask for a part of it]\n" in told.text


async def test_a_result_that_nobody_can_tell_is_an_error_result():
    class Mute:
        def __str__(self) -> str:
            raise ValueError("I am mute")

    def look():
        """Look."""
        return Mute()

    [told] = await results(look)
    assert told.is_error
    assert "I am mute" in told.text


async def test_a_result_that_holds_itself_is_an_error_result():
    def look() -> list:
        """Look."""
        endless: list = []
        endless.append(endless)
        return endless

    [told] = await results(look)
    assert told.is_error
    assert "Circular reference" in told.text


# Calls


def echo(text: str = "") -> str:
    """Echo."""
    return text


def calls(*deltas: ToolCallDelta) -> Chunks:
    done = ModelDone("tools", Usage(1, 1))
    return Chunks([*deltas, done], ["done", ModelDone("end", Usage(1, 1))])


async def test_two_calls_with_one_id_get_ids_of_their_own_and_a_result_each():
    model = calls(
        ToolCallDelta(0, "same", "echo", '{"text": "one"}'),
        ToolCallDelta(1, "same", "echo", '{"text": "two"}'),
        ToolCallDelta(2, "same_2", "echo", '{"text": "three"}'),
    )
    run = await Agent("a", model=model, tools=[echo]).run("go")
    asked, told = run.messages[1].tool_calls, run.messages[2].parts
    assert [call.call_id for call in asked] == [part.call_id for part in told]
    assert len({call.call_id for call in asked}) == 3
    assert [part.text for part in told] == ["one", "two", "three"]


async def test_a_call_without_an_id_gets_one():
    model = calls(
        ToolCallDelta(0, "", "echo", '{"text": "one"}'), ToolCallDelta(1, "", "echo", "{}")
    )
    run = await Agent("a", model=model, tools=[echo]).run("go")
    asked = run.messages[1].tool_calls
    assert all(call.call_id for call in asked)
    assert [part.call_id for part in run.messages[2].parts] == [call.call_id for call in asked]
    assert [part.text for part in run.messages[2].parts] == ["one", ""]


async def test_calls_whose_pieces_come_in_turn_are_told_apart():
    model = calls(
        ToolCallDelta(0, "a", "echo", '{"te'),
        ToolCallDelta(1, "b", "echo", '{"text": '),
        ToolCallDelta(0, "", "", 'xt": "one"}'),
        ToolCallDelta(1, "", "", '"two"}'),
    )
    run = await Agent("a", model=model, tools=[echo]).run("go")
    assert [part.text for part in run.messages[2].parts] == ["one", "two"]


async def test_no_tool_is_kept_waiting_by_the_limit_on_tools_at_once():
    agent = asking(echo, calls=[("echo", {"text": str(number)}) for number in range(100)])
    run = await agent.run("go", limits=Limits(parallel_tools=1))
    assert [part.text for part in run.messages[2].parts] == [str(n) for n in range(100)]
