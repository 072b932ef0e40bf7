"""Limits: a run that reaches one ends by itself, names it, and keeps what there is."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from nbagents import (
    Agent,
    Graph,
    LimitReached,
    Limits,
    MessageFinished,
    RunCancelled,
    RunFinished,
    Say,
    ScriptedModel,
    Swarm,
    Usage,
    UserError,
)
from nbagents.messages import user_message
from tests.agents.support import Chunks, never, others, story

SPENT = Usage(100, 10, 0, Decimal("0.25"))


def look() -> str:
    """Look."""
    return "seen"


def looker(**declared) -> Agent:
    again = Say(text="Again.", calls=[("look", {})], usage=SPENT)
    return Agent("a", model=ScriptedModel(again, repeat=True), tools=[look], **declared)


@pytest.mark.parametrize(
    ("limits", "reason", "turns"),
    [
        (Limits(turns=3), "turns=3", 3),
        (Limits(), "turns=25", 25),
        (Limits(tokens=220), "tokens=220", 2),
        (Limits(tokens=221), "tokens=221", 3),
        (Limits(cost=0.5), "cost=0.5", 2),
        (Limits(cost=Decimal("0.51")), "cost=0.51", 3),
    ],
    ids=str,
)
async def test_a_run_ends_at_its_limit_and_names_it(limits, reason, turns):
    run = await looker().run("go", limits=limits)
    assert (run.status, run.reason) == ("limited", reason)
    assert len(run.messages) == 1 + 2 * turns
    assert run.usage.total_tokens == 110 * turns
    assert story(run.events)[-1] == RunFinished(None, run.usage, reason)
    with pytest.raises(LimitReached) as raised:
        _ = run.output
    assert f"{raised.value.limit}={raised.value.value}" == reason


@pytest.mark.parametrize("limit", ["turns", "depth", "tokens", "cost", "seconds", "parallel_tools"])
@pytest.mark.parametrize("value", [0, -1, "5", True, float("nan"), Decimal("nan")])
def test_a_limit_that_would_hold_nothing_is_an_error(limit, value):
    with pytest.raises(UserError, match=rf"Limits\({limit}=.*must be a (whole )?number above 0"):
        Limits(**{limit: value})


@pytest.mark.parametrize("limit", ["turns", "depth", "tokens", "parallel_tools"])
def test_what_is_counted_is_limited_by_a_whole_number(limit):
    with pytest.raises(UserError, match="a whole number"):
        Limits(**{limit: 1.5})


def test_a_called_agent_ends_at_its_limit_in_the_same_way():
    run = looker()("go", limits=Limits(turns=1))
    assert (run.status, run.reason, run.text) == ("limited", "turns=1", "Again.")


async def test_a_streamed_run_ends_at_its_limit_in_the_same_way():
    async with looker().stream("go", limits=Limits(turns=1)) as stream:
        last = [event async for event in stream][-1]
    assert isinstance(last, RunFinished)
    assert (stream.run.status, stream.run.reason) == ("limited", "turns=1")


async def test_a_limited_run_can_be_gone_on_with():
    agent = looker()
    first = await agent.run("go", limits=Limits(turns=1))
    second = await agent.run([*first.messages, "go on"], limits=Limits(turns=1))
    assert second.messages[:4] == [*first.messages, user_message("go on")]


async def test_an_unknown_price_ends_a_run_with_a_limit_of_cost_before_it_spends_more():
    unpriced = Say(calls=[("look", {})], usage=Usage(1, 1))
    agent = Agent("a", model=ScriptedModel(unpriced, repeat=True), tools=[look])
    run = await agent.run("go", limits=Limits(cost=1.5))
    assert (run.status, run.reason) == ("limited", "cost=1.5 (a price is unknown)")
    assert len(run.messages) == 3


async def test_a_child_whose_price_is_unknown_does_not_lift_its_parents_limit_of_cost():
    child = Agent("child", model=ScriptedModel(Say(text="hi", usage=Usage(1, 1)), repeat=True))
    asks = Say(calls=[("child", {"message": "hi"})], usage=Usage(1, 1, cost=Decimal(1)))
    boss = Agent("boss", model=ScriptedModel(asks, repeat=True), tools=[child])
    run = await boss.run("go", limits=Limits(cost=1.5))
    assert run.status == "limited"
    assert len(run.messages) == 3


async def test_time_that_is_up_ends_a_model_that_says_no_more_and_keeps_what_it_said():
    model = Chunks(["Once upon", never()])
    run = await Agent("a", model=model).run("tell", limits=Limits(seconds=0.01))
    assert (run.status, run.reason, run.text) == ("limited", "seconds=0.01", "Once upon")
    assert run.messages[-1].stop == "interrupted"
    assert model.closed == 1
    assert others() == set()
    with pytest.raises(LimitReached, match=r"seconds=0\.01"):
        _ = run.output


async def test_time_that_is_up_ends_a_tool_too_and_its_call_has_a_result():
    async def wait() -> None:
        """Wait."""
        await never().wait()

    agent = Agent("a", model=ScriptedModel(Say(calls=[("wait", {})])), tools=[wait])
    run = await agent.run("go", limits=Limits(seconds=0.01))
    assert (run.status, run.reason) == ("limited", "seconds=0.01")
    assert run.messages[-1].parts[0].is_error


async def test_a_timeout_of_somebody_else_is_not_the_limit_of_the_run():
    model = ScriptedModel(TimeoutError("the disk sleeps"))
    with pytest.raises(TimeoutError, match="the disk sleeps"):
        await Agent("a", model=model).run("go", limits=Limits(seconds=60))


async def test_the_model_is_asked_no_more_once_a_child_has_spent_the_tokens():
    child = Agent("child", model=ScriptedModel(Say(text="done", usage=Usage(300, 0))))
    model = ScriptedModel(Say(calls=[("child", {"message": "go"})]), "never said")
    run = await Agent("a", model=model, tools=[child]).run("go", limits=Limits(tokens=200))
    assert (run.status, run.reason) == ("limited", "tokens=200")
    assert run.usage.total_tokens == 300
    assert len(model.requests) == 1


async def test_a_child_without_limits_of_its_own_stops_at_those_of_its_parent():
    child = looker()
    model = ScriptedModel(Say(calls=[("a", {"message": "go"})]), "never said")
    run = await Agent("boss", model=model, tools=[child]).run("go", limits=Limits(tokens=200))
    assert run.reason == "tokens=200"
    assert len(child.model.requests) == 2
    assert run.messages[-1].parts[0].text.startswith("a failed: The run reached its limit")


async def test_the_turns_of_a_child_are_its_own():
    child = looker(limits=Limits(turns=2))
    model = ScriptedModel(Say(calls=[("a", {"message": "go"})]), "done")
    run = await Agent("boss", model=model, tools=[child]).run("go", limits=Limits(turns=2))
    assert (run.status, run.output) == ("finished", "done")
    assert [event.limit for event in run.events if isinstance(event, RunFinished)] == [
        "turns=2",
        None,
    ]


async def test_the_time_of_a_child_is_its_own():
    child = Agent("child", model=Chunks([never()]), limits=Limits(seconds=0.01))
    model = ScriptedModel(Say(calls=[("child", {"message": "go"})]), "done")
    run = await Agent("boss", model=model, tools=[child]).run("go")
    assert run.output == "done"
    assert "seconds=0.01" in run.messages[2].parts[0].text


async def test_the_time_of_a_parent_ends_its_children_too():
    child = Agent("child", model=Chunks(["So", never()]))
    model = ScriptedModel(Say(calls=[("child", {"message": "go"})]))
    run = await Agent("boss", model=model, tools=[child]).run("go", limits=Limits(seconds=0.01))
    assert (run.status, run.reason) == ("limited", "seconds=0.01")
    said, ended = [
        event
        for event in run.events
        if event.run_id != run.run_id and isinstance(event, (MessageFinished, RunCancelled))
    ]
    assert (said.message.text, type(ended)) == ("So", RunCancelled)
    assert others() == set()


def nested(levels: int, **declared) -> Agent:
    """A chain of agents, each with the next one as its only tool; the last one answers."""
    agent = Agent(f"level{levels}", model=ScriptedModel("the bottom"))
    for level in range(levels - 1, 0, -1):
        asks = Say(calls=[(f"level{level + 1}", {"message": "go"})])
        answer = ScriptedModel(asks, lambda request: request.messages[-1].parts[0].text)
        agent = Agent(f"level{level}", model=answer, tools=[agent], **declared)
    return agent


async def test_runs_nest_as_deep_as_the_limit_and_no_deeper():
    assert (await nested(3).run("go", limits=Limits(depth=3))).output == "the bottom"
    run = await nested(4).run("go", limits=Limits(depth=3))
    assert run.output.startswith("level4 failed: The run reached its limit of depth=3")
    assert (await nested(8).run("go")).output == "the bottom"
    assert "depth=8" in (await nested(9).run("go")).output


async def test_a_child_with_limits_of_its_own_does_not_escape_the_depth_of_its_parent():
    agents = nested(4, limits=Limits(turns=5))
    assert "depth=3" in (await agents.run("go", limits=Limits(depth=3))).output


async def test_the_depth_of_a_child_counts_from_the_child():
    shallow = nested(2, limits=Limits(depth=2))
    asks = Say(calls=[("level1", {"message": "go"})])
    model = ScriptedModel(asks, lambda request: request.messages[-1].parts[0].text)
    assert (await Agent("top", model=model, tools=[shallow]).run("go")).output == "the bottom"


async def test_no_more_tools_run_at_once_than_allowed_and_all_of_them_run():
    running, most = 0, 0

    async def count() -> None:
        """Count."""
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    model = ScriptedModel(Say(calls=[("count", {})] * 10), "done")
    run = await Agent("a", model=model, tools=[count]).run("go", limits=Limits(parallel_tools=3))
    assert most == 3
    assert len(run.messages[2].parts) == 10


@pytest.mark.parametrize(
    "make",
    [
        lambda limits: Agent("a", limits=limits),
        lambda limits: Swarm("s", [Agent("a")], limits=limits),
        lambda limits: Graph("g", {"one": look}, [], limits=limits),
        lambda limits: looker().stream("go", limits=limits),
    ],
)
@pytest.mark.parametrize("limits", [{"turns": 3}, 3, "turns=3"])
def test_limits_of_another_type_are_an_error_before_anything_runs(make, limits):
    with pytest.raises(UserError, match=r"must be a Limits: limits=Limits\(turns=10\)"):
        make(limits)


def test_settings_of_another_type_are_an_error():
    with pytest.raises(UserError, match=r"must be a Settings: settings=Settings\(temperature=0\)"):
        looker(settings={"temperature": 0})
