"""The model that says what it is told to: for tests, examples and notebooks without a key."""

from __future__ import annotations

import asyncio

import pytest

from nbagents import (
    Agent,
    ModelError,
    RetryPolicy,
    Say,
    ScriptedModel,
    TextDelta,
    ThinkingPart,
    ToolCallPart,
    Usage,
    UserError,
)
from nbagents.messages import user_message


async def test_it_says_its_steps_one_after_the_other_and_then_that_the_script_is_over():
    model = ScriptedModel("one", "two")
    agent = Agent("a", model=model)
    assert [(await agent.run("go")).output for _ in range(2)] == ["one", "two"]
    with pytest.raises(UserError, match="The script ran out after 2 answers"):
        await agent.run("go")
    assert repr(model) == "ScriptedModel(2 steps)"


async def test_it_may_start_again():
    agent = Agent("a", model=ScriptedModel("one", "two", repeat=True))
    assert [(await agent.run("go")).output for _ in range(5)] == ["one", "two"] * 2 + ["one"]


async def test_a_script_without_steps_has_nothing_to_say():
    with pytest.raises(UserError, match="The script ran out after 0 answers"):
        await Agent("a", model=ScriptedModel(repeat=True)).run("go")


@pytest.mark.parametrize("text", ["", " ", "one", " one two ", "one  two\nthree", "a\tb"])
async def test_text_arrives_word_by_word_and_nothing_of_it_is_lost(text):
    async with Agent("a", model=ScriptedModel(text)).stream("go") as stream:
        words = [event.text async for event in stream if isinstance(event, TextDelta)]
    assert "".join(words) == stream.run.output == text
    assert all(words)


async def test_a_say_may_think_call_cost_and_stop():
    say = Say(
        text="So.",
        thinking="Hm, hm.",
        calls=[("look", {"at": 1}), ("look", "{")],
        usage=Usage(7, 3),
        stop="length",
    )
    run = await Agent("a", model=ScriptedModel(say, "done")).run("go")
    message = run.messages[1]
    assert message.parts[0] == ThinkingPart("Hm, hm.")
    assert message.tool_calls == (
        ToolCallPart("call_0", "look", '{"at": 1}'),
        ToolCallPart("call_1", "look", "{"),
    )
    assert (message.usage, message.stop) == (Usage(7, 3), "length")


async def test_an_error_is_raised_and_a_function_is_asked():
    busy = ModelError("busy", provider="x", retryable=True)
    model = ScriptedModel(busy, lambda request: f"You said {request.messages[-1].text}")
    run = await Agent("a", model=model, retries=RetryPolicy(first=0.0)).run("hi")
    assert run.output == "You said hi"


async def test_it_may_wait_before_it_speaks():
    go_on = asyncio.Event()
    agent = Agent("a", model=ScriptedModel(Say(text="now", wait=go_on)))
    task = asyncio.create_task(agent.run("go"))
    await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    assert (await task).output == "now"


async def test_it_keeps_what_it_was_asked_as_it_was_when_it_was_asked():
    def look() -> str:
        """Look."""
        return "seen"

    model = ScriptedModel(Say(calls=[("look", {})]), "done")
    await Agent("a", "Be kind.", model=model, tools=[look]).run("go")
    first, second = model.requests
    assert first.messages == (user_message("go"),)
    assert len(second.messages) == 3
    assert (first.system, [spec.name for spec in first.tools]) == ("Be kind.", ["look"])
