"""Agents as tools: runs inside runs."""

from __future__ import annotations

import asyncio
import json
import threading
from decimal import Decimal

import pytest
from pydantic import BaseModel

from nbagents import (
    Agent,
    Message,
    MessageFinished,
    ModelError,
    RunContext,
    RunFailed,
    RunFinished,
    Runnable,
    RunStarted,
    Say,
    ScriptedModel,
    TextPart,
    ToolCallPart,
    ToolFinished,
    ToolResultPart,
    ToolStarted,
    Usage,
    UserError,
    tool,
)
from nbagents._portal import in_thread, portal
from nbagents.messages import ZERO_USAGE, user_message
from nbagents.runnable import Result, call
from tests.agents.support import Chunks, never, others, story

CENT = Usage(10, 1, 0, Decimal("0.01"))


def echo(request):
    return Say(text=f"[{request.messages[-1].text}]", usage=CENT)


def expert(name: str = "expert", **declared) -> Agent:
    return Agent(name, "Know it.", model=ScriptedModel(echo, repeat=True), **declared)


def boss(*messages: str, tools, name: str = "expert") -> Agent:
    asks = Say(calls=[(name, {"message": message}) for message in messages], usage=CENT)
    return Agent("boss", model=ScriptedModel(asks, Say(text="done", usage=CENT)), tools=tools)


async def test_a_child_is_a_run_of_its_own_inside_the_record_of_its_parent():
    asking = boss("birds?", tools=[expert()])
    run = await asking.run("go")
    question = {"message": "birds?"}
    asked = ToolCallPart("call_0", "expert", json.dumps(question))
    told = ToolResultPart("call_0", "expert", (TextPart("[birds?]"),))
    model = "scripted:scripted"
    child = {"run_id": "1"}
    assert story(run.events) == [
        RunStarted("boss", "agent", (user_message("go"),), model=model, topology=asking.topology()),
        MessageFinished(Message("assistant", (asked,), "boss", CENT, "tools")),
        ToolStarted("call_0", "expert", question),
        RunStarted("expert", "agent", (user_message("birds?"),), "", "call_0", model, **child),
        MessageFinished(Message("assistant", (TextPart("[birds?]"),), "expert", CENT), **child),
        RunFinished("[birds?]", CENT, **child),
        ToolFinished("call_0", told, 0.0),
        MessageFinished(Message("assistant", (TextPart("done"),), "boss", CENT)),
        RunFinished("done", Usage(30, 3, 0, Decimal("0.03"))),
    ]
    assert [message.agent for message in run.messages] == [None, "boss", None, "boss"]


async def test_a_child_sees_only_what_it_was_asked():
    agent = expert()
    await boss("birds?", tools=[agent]).run("a long story")
    [request] = agent.model.requests
    assert list(request.messages) == [user_message("birds?")]
    assert request.system == "Know it."


async def test_one_agent_may_be_asked_several_times_in_one_turn_and_answers_at_once():
    meeting = asyncio.Barrier(3)

    async def meet() -> str:
        """Meet."""
        await meeting.wait()
        return "met"

    def answer(request):
        if len(request.messages) == 1:
            return Say(calls=[("meet", {})], usage=CENT)
        return echo(request.__class__(request.messages[:1]))

    agent = Agent("expert", model=ScriptedModel(answer, repeat=True), tools=[meet])
    run = await boss("a", "b", "c", tools=[agent]).run("go")
    starts = [event for event in run.events if isinstance(event, RunStarted)][1:]
    assert [start.input[0].text for start in starts] == ["a", "b", "c"]
    assert [start.call_id for start in starts] == ["call_0", "call_1", "call_2"]
    assert {start.parent_id for start in starts} == {run.run_id}
    assert len({start.run_id for start in starts}) == 3
    assert [part.text for part in run.messages[2].parts] == ["[a]", "[b]", "[c]"]
    assert run.usage == Usage(80, 8, 0, Decimal("0.08"))


async def test_what_all_descendants_spend_is_counted_once():
    deepest = expert("deepest")
    middle = boss("x", "y", tools=[deepest], name="deepest")
    top = boss("x", tools=[middle.as_tool("expert")])
    run = await top.run("go")
    ends = [event for event in run.events if isinstance(event, RunFinished)]
    assert [end.usage.input_tokens for end in ends] == [10, 10, 40, 60]
    spent = [event.message.usage for event in run.events if isinstance(event, MessageFinished)]
    assert sum(spent, ZERO_USAGE) == run.usage == Usage(60, 6, 0, Decimal("0.06"))
    starts = [event for event in run.events if isinstance(event, RunStarted)]
    assert [start.name for start in starts] == ["boss", "boss", "deepest", "deepest"]
    assert starts[1].parent_id == starts[0].run_id
    assert {start.parent_id for start in starts[2:]} == {starts[1].run_id}


async def test_a_child_of_unknown_price_makes_the_price_of_the_whole_unknown():
    agent = Agent("expert", model=ScriptedModel(Say(text="?", usage=Usage(5, 5))))
    run = await boss("birds?", tools=[agent]).run("go")
    assert run.usage == Usage(25, 7, 0, None)


async def test_a_child_that_fails_is_an_error_result_that_its_parent_reads():
    broken = ModelError("no such model", provider="openai", status=404)
    agent = Agent("expert", model=ScriptedModel(broken))
    run = await boss("birds?", tools=[agent]).run("go")
    [told] = run.messages[2].parts
    assert told.is_error
    assert told.text == "expert failed: openai (HTTP 404): no such model"
    failed = [event for event in run.events if isinstance(event, RunFailed)]
    assert [(event.error, event.run_id == run.run_id) for event in failed] == [
        ("ModelError", False)
    ]
    assert run.output == "done"


async def test_a_child_whose_answer_never_fits_is_an_error_result_too():
    agent = Agent("expert", model=ScriptedModel("no", "no", "no"), output_type=int)
    run = await boss("birds?", tools=[agent]).run("go")
    assert run.messages[2].parts[0].text.startswith("expert failed: expert's answer didn't match")


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("opnai:gpt-5", "Did you mean 'openai'"),
        (ScriptedModel(UserError("OPENAI_API_KEY is not set.")), "OPENAI_API_KEY is not set"),
    ],
)
async def test_what_only_the_user_can_put_right_in_a_child_fails_the_whole_run(model, problem):
    agent = Agent("expert", model=model)
    with pytest.raises(UserError, match=problem) as raised:
        await boss("birds?", tools=[agent]).run("go")
    run = raised.value.run
    assert (run.name, run.status) == ("boss", "failed")
    assert run.messages[-1].parts[0].is_error


class Report(BaseModel):
    birds: int


async def test_a_typed_answer_reaches_the_parent_as_json():
    model = ScriptedModel(Say(calls=[("final_answer", {"birds": 2})]))
    agent = Agent("expert", model=model, output_type=Report)
    run = await boss("birds?", tools=[agent]).run("go")
    assert run.messages[2].parts[0].text == '{"birds":2}'
    assert [event.output for event in run.events if isinstance(event, RunFinished)] == [
        {"birds": 2},
        "done",
    ]


@pytest.mark.parametrize(
    "args",
    ["", "{", "7", "[]", "{}", '{"message": ""}', '{"message": 7}', '{"message": "x", "to": 1}'],
)
async def test_a_child_never_runs_on_guessed_arguments(args):
    agent = expert()
    model = ScriptedModel(Say(calls=[("expert", args)]), "done")
    run = await Agent("boss", model=model, tools=[agent]).run("go")
    [told] = run.messages[2].parts
    assert told.is_error
    assert told.text.startswith("The arguments ")
    assert agent.model.requests == []


async def test_deps_and_state_are_shared_with_children():
    def note(ctx: RunContext) -> str:
        """Note."""
        ctx.state["notes"] = [*ctx.state.get("notes", []), ctx.name]
        return f"{ctx.deps} {ctx.depth} {ctx.state['notes']}"

    def says_what_it_read(request):
        return request.messages[-1].parts[0].text

    inner = Agent(
        "expert", model=ScriptedModel(Say(calls=[("note", {})]), says_what_it_read), tools=[note]
    )
    model = ScriptedModel(
        Say(calls=[("note", {})]), Say(calls=[("expert", {"message": "x"})]), says_what_it_read
    )
    run = await Agent("boss", model=model, tools=[note, inner]).run("go", deps="birds")
    assert run.output == "birds 2 ['boss', 'expert']"


async def test_an_async_tool_may_run_an_agent_as_a_child():
    agent = expert()

    async def delegate(ctx: RunContext, topic: str) -> str:
        """Delegate."""
        result = await call(ctx, agent, [user_message(topic)])
        return result.output

    model = ScriptedModel(Say(calls=[("delegate", {"topic": "birds"})], usage=CENT), "done")
    run = await Agent("boss", model=model, tools=[delegate]).run("go")
    assert run.messages[2].parts[0].text == "[birds]"
    start = [event for event in run.events if isinstance(event, RunStarted)][1]
    assert (start.parent_id, start.call_id) == (run.run_id, "call_0")
    assert run.usage.input_tokens == 20


@pytest.mark.parametrize("awaited", [True, False])
async def test_a_plain_tool_may_call_an_agent_in_its_thread(awaited):
    agent = expert()

    def delegate(topic: str) -> str:
        """Delegate."""
        return agent(topic).output

    model = ScriptedModel(Say(calls=[("delegate", {"topic": "birds"})]), "done")
    outer = Agent("boss", model=model, tools=[delegate])
    run = await outer.run("go") if awaited else outer("go")
    assert run.messages[2].parts[0].text == "[birds]"


@pytest.mark.parametrize("seconds", [None, 0.01])
async def test_an_agent_called_in_the_thread_of_a_tool_is_stopped_with_the_tool(seconds):
    silent = Chunks(["Well", never()])
    agent = Agent("expert", model=silent)

    @tool(timeout=seconds)
    def delegate() -> str:
        """Delegate."""
        return agent("go").output

    model = ScriptedModel(Say(calls=[("delegate", {})]), "done")
    async with Agent("boss", model=model, tools=[delegate]).stream("go") as stream:
        await in_thread(lambda: portal().call(silent.begun.wait))
        if seconds is not None:
            _ = [event async for event in stream]
    assert stream.run.status == ("cancelled" if seconds is None else "finished")
    await in_thread(lambda: portal().call(lambda: ended_but_this(portal().loop)))
    assert silent.closed == 1


async def ended_but_this(loop: asyncio.AbstractEventLoop) -> None:
    """Wait until a loop has nothing else to do."""
    if rest := asyncio.all_tasks(loop) - {asyncio.current_task()}:
        await asyncio.wait(rest)


async def test_an_agent_called_by_a_tool_that_was_stopped_meanwhile_asks_nobody():
    begun, go_on, left = asyncio.Event(), threading.Event(), threading.Event()
    loop, agent = asyncio.get_running_loop(), expert()

    def delegate() -> str:
        """Delegate."""
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(10)
        try:
            return agent("go").output
        finally:
            left.set()

    model = ScriptedModel(Say(calls=[("delegate", {})]))
    async with Agent("boss", model=model, tools=[delegate]).stream("go"):
        await begun.wait()
    go_on.set()
    assert await asyncio.to_thread(left.wait, 10)
    assert agent.model.requests == []


async def test_an_async_tool_that_calls_instead_of_awaiting_in_the_background_is_told_so():
    agent = expert()

    async def delegate(topic: str) -> str:
        """Delegate."""
        return agent(topic).output

    model = ScriptedModel(Say(calls=[("delegate", {"topic": "birds"})]), "done")
    with pytest.raises(UserError, match=r"await agent\.run"):
        Agent("boss", model=model, tools=[delegate])("go")


async def test_whatever_can_be_run_may_be_a_tool():
    class Oracle(Runnable[list[int]]):
        kind = "oracle"
        name = "expert"
        description = ""

        async def execute(self, ctx, messages):
            return Result([len(messages[0].text), ctx.depth])

    run = await boss("birds?", tools=[Oracle()]).run("go")
    assert run.messages[2].parts[0].text == "[6,2]"
    start = [event for event in run.events if isinstance(event, RunStarted)][1]
    assert (start.kind, start.model) == ("oracle", None)
    assert (await Oracle().run("hi")).output == [2, 1]


async def test_a_child_is_cancelled_with_its_parent_down_to_the_last_one():
    silent = Chunks(["Well", never()])
    deepest = Agent("deepest", model=silent)
    middle = boss("x", tools=[deepest], name="deepest")
    async with boss("x", tools=[middle.as_tool("expert")]).stream("go") as stream:
        await silent.begun.wait()
        stream.cancel("enough")
        _ = [event async for event in stream]
    run = stream.run
    assert (run.status, run.reason) == ("cancelled", "enough")
    ends = [(event.type, event.run_id) for event in run.events if event.type == "run_cancelled"]
    starts = [event.run_id for event in run.events if isinstance(event, RunStarted)]
    assert ends == [("run_cancelled", run_id) for run_id in reversed(starts)]
    assert all(part.is_error for part in run.messages[-1].parts)
    assert silent.closed == 1
    assert others() == set()
