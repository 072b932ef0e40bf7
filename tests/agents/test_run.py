"""One run of an agent: its events, its conversation, its usage, however it was started."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal

import pytest

from nbagents import (
    Agent,
    FilePart,
    Limits,
    Message,
    MessageFinished,
    ModelError,
    Run,
    RunContext,
    RunFailed,
    RunFinished,
    RunStarted,
    Say,
    ScriptedModel,
    Session,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    ToolCallDelta,
    ToolCallPart,
    ToolFinished,
    ToolResultPart,
    ToolStarted,
    TurnStarted,
    Usage,
    UserError,
)
from nbagents.events import is_durable, messages_of
from nbagents.messages import ZERO_USAGE, user_message
from nbagents.models.base import PartDone
from nbagents.notebook.view import RunView
from nbagents.sessions.memory import MemoryStore
from tests.agents.support import END, Chunks, others, story

CENT = Usage(100, 10, 50, Decimal("0.01"))


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


def adder() -> Agent:
    asks = Say(thinking="Sums.", text="Let me see.", calls=[("add", {"a": 1, "b": 2})], usage=CENT)
    return Agent("adder", model=ScriptedModel(asks, Say(text="It is 3.", usage=CENT)), tools=[add])


ASKED = Message(
    "assistant",
    (
        ThinkingPart("Sums."),
        TextPart("Let me see."),
        ToolCallPart("call_0", "add", '{"a": 1, "b": 2}'),
    ),
    "adder",
    CENT,
    "tools",
)
THREE = ToolResultPart("call_0", "add", (TextPart("3"),))
ANSWERED = Message("assistant", (TextPart("It is 3."),), "adder", CENT)
TOTAL = Usage(200, 20, 100, Decimal("0.02"))

DURABLE = [
    RunStarted("adder", "agent", (user_message("1 + 2?"),), model="scripted:scripted"),
    MessageFinished(ASKED),
    ToolStarted("call_0", "add", {"a": 1, "b": 2}),
    ToolFinished("call_0", THREE, 0.0),
    MessageFinished(ANSWERED),
    RunFinished("It is 3.", TOTAL),
]


def assert_is_the_sum(run: Run[str]) -> None:
    assert (run.name, run.status, run.reason, run.error) == ("adder", "finished", "", None)
    assert run.output == run.text == "It is 3."
    assert run.usage == TOTAL
    assert run.messages == [
        user_message("1 + 2?"),
        ASKED,
        Message("user", (THREE,)),
        ANSWERED,
    ]
    assert story(run.events) == DURABLE
    assert 0 <= run.seconds < 10
    assert repr(run) == f"<Run {run.run_id} of adder: finished>"


async def test_an_awaited_run_has_its_events_and_all_that_they_tell():
    assert_is_the_sum(await adder().run("1 + 2?"))


def test_a_called_agent_gives_the_same_run():
    assert_is_the_sum(adder()("1 + 2?"))


async def test_an_agent_may_also_be_called_while_a_loop_runs():
    assert_is_the_sum(adder()("1 + 2?"))


async def test_a_streamed_run_is_the_same_run_and_its_events_are_seen_in_order():
    async with adder().stream("1 + 2?") as stream:
        events = [event async for event in stream]
    assert_is_the_sum(stream.run)
    assert [event for event in events if is_durable(event)] == stream.run.events
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert story(events) == [
        DURABLE[0],
        TurnStarted(1),
        ThinkingDelta("Sums."),
        TextDelta("Let"),
        TextDelta(" me"),
        TextDelta(" see."),
        ToolCallDelta(0, "call_0", "add", ""),
        ToolCallDelta(0, "", "", '{"a": 1, "b": 2}'),
        *DURABLE[1:4],
        TurnStarted(2),
        TextDelta("It"),
        TextDelta(" is"),
        TextDelta(" 3."),
        *DURABLE[4:],
    ]


async def test_the_three_ways_number_their_events_alike():
    awaited, called = await adder().run("1 + 2?"), adder()("1 + 2?")
    async with adder().stream("1 + 2?") as stream:
        _ = [event async for event in stream]
    numbers = [[event.seq for event in run.events] for run in (awaited, called, stream.run)]
    assert numbers[0] == numbers[1] == numbers[2]


async def test_what_the_model_is_sent_is_what_the_events_tell():
    agent = adder()
    run = await agent.run("1 + 2?")
    before_the_answer = run.events[:4]
    assert list(agent.model.requests[-1].messages) == messages_of(before_the_answer, run.run_id)


async def test_a_conversation_goes_on_with_the_messages_of_the_last_run():
    agent = Agent("a", "Be kind.", model=ScriptedModel("one", "two"))
    first = await agent.run("first?")
    second = await agent.run([*first.messages, "second?"])
    assert [message.text for message in second.messages] == ["first?", "one", "second?", "two"]
    assert list(agent.model.requests[1].messages) == second.messages[:3]
    assert agent.model.requests[1].system == "Be kind."
    assert [message.text for message in first.messages] == ["first?", "one"]


async def test_files_go_beside_the_text():
    agent = Agent("a", model=ScriptedModel("a cat"))
    picture = FilePart("image/png", b"\x89PNG")
    run = await agent.run(["What is this?", picture])
    assert run.messages[0] == user_message("What is this?", picture)


async def test_tools_see_what_the_caller_handed_in():
    def whose(ctx: RunContext) -> str:
        """Whose."""
        return ctx.deps["owner"]

    model = ScriptedModel(Say(calls=[("whose", {})]), "done", repeat=True)
    agent = Agent("a", model=model, tools=[whose])
    for run in (
        await agent.run("?", deps={"owner": "me"}),
        agent("?", deps={"owner": "me"}),
    ):
        assert run.messages[2].parts[0].text == "me"


async def test_a_thousand_turns_in_one_run_cost_the_same_each():
    """No recursion and nothing copied: the same list, and in it the same messages, every turn."""
    lists: list[int] = []
    seen: list[Message] = []

    class Watching:
        async def select(self, messages, overflows, ask):
            lists.append(id(messages))
            assert all(map(lambda a, b: a is b, seen, messages))
            seen.extend(messages[len(seen) :])
            return messages

    steps = [Say(calls=[("add", {"a": 1, "b": 1})], usage=CENT)] * 1000
    model = ScriptedModel(*steps, Say(text="done", usage=CENT))
    agent = Agent("a", model=model, tools=[add], history=Watching())
    run = await agent.run("go", limits=Limits(turns=None))
    assert run.output == "done"
    assert len(lists) == 1001
    assert len(set(lists)) == 1
    assert len(run.messages) == 2002
    assert len(run.events) == 2 + 1001 + 2000
    assert run.usage == Usage(100_100, 10_010, 50_050, Decimal("10.01"))
    assert len({id(request.tools) for request in model.requests}) == 1


async def test_the_usage_of_a_run_is_the_sum_of_its_calls():
    first = Usage(10, 1, 0, Decimal("0.1"))
    second = Usage(20, 2, 5, Decimal("0.2"))
    call = ("add", {"a": 1, "b": 2})
    model = ScriptedModel(Say(calls=[call], usage=first), Say(text="3", usage=second))
    run = await Agent("a", model=model, tools=[add]).run("?")
    assert run.usage == Usage(30, 3, 5, Decimal("0.3"))
    assert [message.usage for message in run.messages if message.role == "assistant"] == [
        first,
        second,
    ]


async def test_one_call_of_unknown_price_makes_the_price_of_the_run_unknown():
    call = ("add", {"a": 1, "b": 2})
    model = ScriptedModel(Say(calls=[call], usage=CENT), Say(text="3", usage=Usage(1, 1)))
    run = await Agent("a", model=model, tools=[add]).run("?")
    assert run.usage == Usage(101, 11, 50, None)


async def test_two_runs_of_one_agent_at_once_do_not_mix():
    both_are_under_way = asyncio.Barrier(2)

    async def meet(name: str) -> str:
        """Meet."""
        await both_are_under_way.wait()
        return f"met {name}"

    def answer(request):
        last = request.messages[-1]
        if last.text:
            return Say(calls=[("meet", {"name": last.text})], usage=Usage(len(last.text), 0))
        return Say(text=last.parts[0].text, usage=Usage(0, 1))

    agent = Agent("a", model=ScriptedModel(answer, repeat=True), tools=[meet])
    first, second = await asyncio.gather(agent.run("Ann"), agent.run("Beate"))
    assert (first.output, second.output) == ("met Ann", "met Beate")
    assert (first.usage.input_tokens, second.usage.input_tokens) == (3, 5)
    assert {event.run_id for event in first.events} == {first.run_id}
    assert {event.run_id for event in second.events} == {second.run_id}
    assert [message.text for message in first.messages] == ["Ann", "", "", "met Ann"]


async def test_running_an_agent_does_not_change_it():
    agent = adder()
    before = repr(agent), dict(agent.tool_table), agent.tools, agent.model
    await agent.run("1 + 2?")
    assert (repr(agent), dict(agent.tool_table), agent.tools, agent.model) == before


async def test_an_empty_answer_is_an_answer():
    run = await Agent("a", model=ScriptedModel("")).run("hi")
    assert (run.status, run.output, run.text) == ("finished", "", "")


async def test_an_answer_that_was_cut_by_its_length_says_so():
    run = await Agent("a", model=ScriptedModel(Say(text="and so", stop="length"))).run("hi")
    assert run.messages[-1].stop == "length"


async def test_what_was_said_in_earlier_runs_is_not_what_this_run_said():
    agent = Agent("a", model=ScriptedModel("old", ValueError("broken")))
    first = await agent.run("first?")
    async with agent.stream([*first.messages, "second?"]) as stream:
        with pytest.raises(ValueError, match="broken"):
            _ = [event async for event in stream]
    assert stream.run.text == ""


async def test_a_run_that_failed_raises_with_the_run_at_hand():
    agent = Agent("a", model=ScriptedModel(UserError("Set a key.")))
    with pytest.raises(UserError, match=r"^Set a key\.$") as raised:
        await agent.run("hi")
    run = raised.value.run
    assert (run.status, run.reason, run.error) == ("failed", "Set a key.", raised.value)
    assert run.messages == [user_message("hi")]
    assert story(run.events)[1:] == [RunFailed("UserError", "Set a key.", ZERO_USAGE)]
    with pytest.raises(UserError, match=r"^Set a key\.$"):
        _ = run.output


async def test_a_run_that_could_not_even_begin_has_failed_and_is_not_running():
    with pytest.raises(UserError, match="There is no model provider 'opnai'") as raised:
        await Agent("a", model="opnai:gpt-5").run("hi")
    run = raised.value.run
    assert (run.status, run.events, run.messages, run.text) == ("failed", [], [], "")
    assert run.reason.startswith("There is no model provider 'opnai'")


async def test_parts_that_arrive_whole_are_kept_in_place():
    seal = ThinkingPart("I thought.", signature="c2VhbA==")
    image = FilePart("image/png", b"\x89PNG")
    model = Chunks([ThinkingDelta("I tho"), PartDone(seal), "Here: ", PartDone(image), "!", END])
    run = await Agent("a", model=model).run("draw")
    assert run.messages[-1].parts == (seal, TextPart("Here: "), image, TextPart("!"))
    assert run.output == "Here: !"


async def test_five_thousand_tokens_become_one_message_and_leave_no_task_behind():
    model = Chunks([*["word "] * 5000, END])
    async with Agent("a", model=model).stream("go") as stream:
        words = [event.text async for event in stream if isinstance(event, TextDelta)]
    assert len(words) == 5000
    assert stream.run.output == "word " * 5000
    assert [type(event) for event in stream.run.events] == [
        RunStarted,
        MessageFinished,
        RunFinished,
    ]
    assert others() == set()


async def test_a_clock_that_is_set_back_changes_no_duration(monkeypatch: pytest.MonkeyPatch):
    real = time.time

    def set_back() -> str:
        """Set the clock."""
        monkeypatch.setattr(time, "time", lambda: real() - 3600)
        return "done"

    model = ScriptedModel(Say(calls=[("set_back", {})]), "late")
    async with Agent("a", model=model, tools=[set_back]).stream("go") as stream:
        view = RunView()
        async for event in stream:
            view.apply(event)
            assert view.root is not None
            assert 0 <= view.root.seconds(view.now) < 60
    times = [event.at for event in stream.run.events]
    assert times == sorted(times)
    assert 0 <= stream.run.seconds < 60
    assert real() - 60 < times[0] <= real()


async def test_a_run_that_is_resumed_by_a_clock_that_is_behind_took_no_negative_time(
    monkeypatch: pytest.MonkeyPatch,
):
    real = time.time
    store = MemoryStore()
    agent = Agent("a", model=ScriptedModel(ModelError("off", provider="x"), "done"))
    with pytest.raises(ModelError):
        await agent.run("go", session=Session("s", store=store))
    monkeypatch.setattr(time, "time", lambda: real() - 3600)
    run = await agent.run(session=Session("s", store=store))
    assert run.events[-1].at < run.events[0].at
    assert 0 <= run.seconds < 60
    root = RunView(run.events).root
    assert root is not None
    assert root.seconds(0.0) == pytest.approx(run.seconds, abs=1)
