"""What of a long conversation is sent. What is remembered never changes."""

from __future__ import annotations

import pytest

from nbagents import (
    Agent,
    ContextOverflow,
    KeepAll,
    KeepLast,
    Message,
    ModelError,
    RetryPolicy,
    Say,
    ScriptedModel,
    Summarise,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
    UserError,
)
from nbagents.agents.history import turns_of
from nbagents.messages import user_message

TOO_LONG = ContextOverflow("too long", provider="x", status=400)
TOKEN = Usage(1, 1)


def said(text: str) -> Message:
    return Message("assistant", (TextPart(text),))


def called(name: str) -> tuple[Message, Message]:
    """A message with two calls, and the message with their results."""
    calls = tuple(ToolCallPart(f"{name}{index}", name, "{}") for index in range(2))
    results = tuple(ToolResultPart(call.call_id, name, (TextPart("ok"),)) for call in calls)
    return Message("assistant", calls), Message("user", results)


def talk(turns: int) -> list[Message]:
    """A conversation of so many questions, each answered with the help of two tools."""
    messages: list[Message] = []
    for turn in range(turns):
        messages += [user_message(f"q{turn}"), *called(f"t{turn}"), said(f"a{turn}")]
    return messages


def test_a_conversation_is_cut_where_a_person_speaks():
    messages = talk(2)
    assert turns_of(messages) == [messages[:4], messages[4:]]


def test_nothing_is_lost_and_no_call_leaves_its_result_wherever_a_conversation_begins():
    for start in range(12):
        messages = talk(3)[start:]
        turns = turns_of(messages)
        assert [message for turn in turns for message in turn] == messages
        for turn in turns[1:] if start % 4 in {0, 3} else turns[2:]:
            asked = [call.call_id for message in turn for call in message.tool_calls]
            told = [
                part.call_id
                for message in turn
                for part in message.parts
                if isinstance(part, ToolResultPart)
            ]
            assert asked == told


def test_an_empty_conversation_and_one_that_a_model_began():
    assert turns_of([]) == [[]]
    assert turns_of([said("hi"), user_message("q")]) == [[said("hi")], [user_message("q")]]


def texts(request) -> list[str]:
    return [message.text for message in request.messages]


async def run(history, *steps):
    """Run a conversation of four questions and a fifth; return the model and the run."""
    model = ScriptedModel(*steps)
    agent = Agent("a", "Be kind.", model=model, history=history, retries=RetryPolicy(first=0.0))
    return model, await agent.run([*talk(4), "last?"])


async def test_everything_is_sent_by_default():
    model, done = await run(KeepAll(), "answer")
    assert list(model.requests[0].messages) == [*talk(4), user_message("last?")]
    assert Agent("a").history == KeepAll()
    assert len(done.messages) == 18


async def test_keeping_all_of_what_is_too_long_is_an_error():
    with pytest.raises(ContextOverflow, match="too long"):
        await run(KeepAll(), TOO_LONG)


async def test_the_last_turns_are_sent_and_all_is_remembered():
    model, done = await run(KeepLast(2), "answer")
    assert list(model.requests[0].messages) == [*talk(4)[12:], user_message("last?")]
    assert done.messages == [*talk(4), user_message("last?"), done.messages[-1]]


async def test_half_as_many_turns_are_sent_after_each_refusal():
    model, done = await run(KeepLast(4), TOO_LONG, TOO_LONG, "answer")
    assert [len(request.messages) for request in model.requests] == [13, 5, 1]
    assert done.output == "answer"
    assert len(done.messages) == 18


async def test_it_gives_up_once_nothing_is_left_to_leave_out():
    model = ScriptedModel(*[TOO_LONG] * 9)
    agent = Agent("a", model=model, history=KeepLast(64))
    with pytest.raises(ContextOverflow, match="too long"):
        await agent.run([*talk(3), "last?"])
    assert [len(request.messages) for request in model.requests] == [13, 5, 1]


async def test_the_count_of_refusals_starts_anew_with_every_request():
    def look() -> str:
        """Look."""
        return "seen"

    model = ScriptedModel(TOO_LONG, Say(calls=[("look", {})]), TOO_LONG, "answer")
    agent = Agent("a", model=model, tools=[look], history=KeepLast(2))
    assert (await agent.run([*talk(2), "last?"])).output == "answer"
    assert [len(request.messages) for request in model.requests] == [5, 1, 7, 3]


@pytest.mark.parametrize("history", [KeepLast(0), KeepLast(-1), Summarise(keep=0, above=0)])
async def test_a_policy_that_sends_nothing_is_a_mistake_that_is_named(history):
    with pytest.raises(UserError, match="leaves nothing to send"):
        await run(history, "never said")


async def test_a_short_conversation_is_not_summarised():
    model, _ = await run(Summarise(above=40), "answer")
    assert len(model.requests) == 1
    assert len(model.requests[0].messages) == 17


async def test_the_old_turns_are_sent_as_a_summary_and_the_last_ones_as_they_are():
    model, done = await run(
        Summarise(keep=2, above=8), Say(text="They met.", usage=TOKEN), Say(text="ok", usage=TOKEN)
    )
    asked, request = model.requests
    assert asked.system.startswith("Summarise the conversation below")
    assert asked.tools == ()
    transcript = texts(asked)[0]
    assert "user: q0\nassistant called t0({})\nassistant called t0({})" in transcript
    assert "t0 answered: ok\nt0 answered: ok\nassistant: a0" in transcript
    assert "q2" in transcript
    assert "q3" not in transcript
    assert texts(request) == [
        "[What was said before, in short]\nThey met.q3",
        "",
        "",
        "a3",
        "last?",
    ]
    assert request.system == "Be kind."
    assert done.messages == [*talk(4), user_message("last?"), done.messages[-1]]
    assert done.usage.total_tokens == 4


async def test_a_summary_is_not_shown_as_if_it_were_the_answer():
    agent = Agent("a", model=ScriptedModel("They met.", "ok"), history=Summarise(keep=1, above=2))
    async with agent.stream([*talk(2), "last?"]) as stream:
        shown = "".join([event.text async for event in stream if event.type == "text_delta"])
    assert shown == "ok"


async def test_one_summary_serves_all_turns_of_a_run():
    def look() -> str:
        """Look."""
        return "seen"

    model = ScriptedModel(
        "They met.", Say(calls=[("look", {})]), Say(calls=[("look", {})]), "answer"
    )
    agent = Agent("a", model=model, tools=[look], history=Summarise(keep=1, above=4))
    done = await agent.run([*talk(2), "last?"])
    assert done.output == "answer"
    assert [request.system[:9] for request in model.requests] == ["Summarise", "", "", ""]
    assert [len(request.messages) for request in model.requests] == [1, 1, 3, 5]


async def test_what_is_too_long_is_summarised_whatever_its_length_and_then_more_of_it():
    steps = [TOO_LONG, "Three met.", TOO_LONG, "Four met.", "answer"]
    model, done = await run(Summarise(keep=4, above=100), *steps)
    assert [len(request.messages) for request in model.requests] == [17, 1, 5, 1, 1]
    assert done.output == "answer"


async def test_a_summary_gives_up_too():
    steps = [TOO_LONG, "s", TOO_LONG, "s", TOO_LONG]
    with pytest.raises(ContextOverflow, match="too long"):
        await run(Summarise(keep=4, above=100), *steps)


async def test_a_single_long_turn_cannot_be_summarised():
    model = ScriptedModel(TOO_LONG)
    with pytest.raises(ContextOverflow, match="too long"):
        await Agent("a", model=model, history=Summarise(above=0)).run("A very long question")
    assert len(model.requests) == 1


async def test_a_summary_is_asked_for_again_when_the_vendor_is_busy():
    busy = ModelError("busy", provider="x", retryable=True)
    model, done = await run(Summarise(keep=1, above=4), busy, "They met.", "answer")
    assert done.output == "answer"
    assert len(model.requests) == 3
