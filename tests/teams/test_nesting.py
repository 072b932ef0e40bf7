"""Teams in teams: an agent with agents as tools in a swarm in a graph in a graph is one tree."""

from __future__ import annotations

import asyncio

import pytest

from nbagents import (
    Agent,
    Graph,
    LimitReached,
    Limits,
    MessageFinished,
    RunContext,
    RunFinished,
    RunStarted,
    Say,
    ScriptedModel,
    Swarm,
    ToolFinished,
    ToolStarted,
    event_codec,
)
from nbagents.messages import ZERO_USAGE
from tests.agents.support import never, others
from tests.teams.support import SPENT, hands, named, says


async def look(ctx: RunContext) -> str:
    """Look."""
    return f"depth {ctx.depth}"


def tree(tool=look) -> Graph:
    """Make a graph, of a graph, of a swarm, of an agent, whose tool is an agent that has a tool."""
    last = lambda request: Say(text=request.messages[-1].parts[0].text, usage=SPENT)  # noqa: E731
    digs = Say(calls=[(tool.__name__, {})], usage=SPENT)
    expert = Agent("expert", model=ScriptedModel(digs, last, repeat=True), tools=[tool])
    asks = Say(calls=[("expert", {"message": "look"})], usage=SPENT)
    boss = Agent("boss", model=ScriptedModel(asks, last, repeat=True), tools=[expert])
    swarm = Swarm("team", [says("guide", hands("boss")), boss])
    inner = Graph("inner", {"first": named("first"), "talk": swarm}, [("first", "talk")])
    return Graph("outer", {"work": inner, "print": says("print")}, [("work", "print")])


TREE = [
    ("outer", "graph", None, None, False),
    ("inner", "graph", "outer", "work", False),
    ("first", "function", "inner", "first", False),
    ("team", "swarm", "inner", "talk", False),
    ("guide", "agent", "team", "guide", False),
    ("boss", "agent", "team", "boss", False),
    ("expert", "agent", "boss", None, True),
    ("print", "agent", "outer", "print", False),
]


async def test_three_levels_of_teams_are_one_tree_of_events():
    run = await tree().run("go")
    starts = {event.run_id: event for event in run.events if isinstance(event, RunStarted)}
    told = [
        (
            start.name,
            start.kind,
            starts[start.parent_id].name if start.parent_id else None,
            start.node,
            start.call_id is not None,
        )
        for start in starts.values()
    ]
    assert told == TREE
    ended = [event.run_id for event in run.events if isinstance(event, RunFinished)]
    assert sorted(ended) == sorted(starts)
    assert {event.run_id for event in run.events} == set(starts)
    assert [event.seq for event in run.events] == sorted({event.seq for event in run.events})
    begun = {(e.run_id, e.call_id) for e in run.events if isinstance(e, ToolStarted)}
    finished = {(e.run_id, e.call_id) for e in run.events if isinstance(e, ToolFinished)}
    assert begun == finished
    assert len(begun) == 3
    assert run.output == "print"


async def test_only_the_outermost_run_tells_what_it_is_made_of():
    outer = tree()
    run = await outer.run("go")
    told = [event.topology for event in run.events if isinstance(event, RunStarted)]
    assert told == [outer.topology()] + [None] * 7
    assert run.topology() == outer.topology()


async def test_every_event_of_the_tree_survives_the_codec():
    codec = event_codec()
    async with tree().stream("go") as stream:
        events = [event async for event in stream]
    assert [codec.validate_json(codec.dump_json(event)) for event in events] == events
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


async def test_the_usage_of_the_tree_is_the_sum_of_its_calls():
    outer = tree()
    for _ in range(2):
        run = await outer.run("go")
        spent = [event.message.usage for event in run.events if isinstance(event, MessageFinished)]
        assert len(spent) == 6
        assert run.usage == sum(spent, ZERO_USAGE)
        assert run.usage.input_tokens == 60


async def test_the_depth_counts_every_level_and_its_limit_names_itself():
    run = await tree().run("go")
    results = [event.result.text for event in run.events if isinstance(event, ToolFinished)]
    assert "depth 5" in results
    assert (await tree().run("go", limits=Limits(depth=5))).status == "finished"
    for depth, reached in [(3, "team"), (2, "inner"), (1, "outer")]:
        run = await tree().run("go", limits=Limits(depth=depth))
        assert (run.status, run.reason) == ("limited", f"depth={depth}")
        starts = [event.name for event in run.events if isinstance(event, RunStarted)]
        assert reached in starts
        with pytest.raises(LimitReached, match="limit of depth"):
            _ = run.output


async def test_an_agent_as_a_tool_that_would_be_too_deep_is_told_to_the_model():
    run = await tree().run("go", limits=Limits(depth=4))
    assert run.status == "finished"
    told = [event.result for event in run.events if isinstance(event, ToolFinished)]
    assert [result.text.partition(". ")[0] for result in told if result.is_error] == [
        "expert failed: The run reached its limit of depth=4"
    ]


async def test_a_question_from_the_deepest_tool_waits_and_goes_on():
    done: list[str] = []

    async def ask(ctx: RunContext) -> str:
        """Ask."""
        done.append("before")
        return await ctx.ask("Which?")

    outer = tree(ask)
    run = await outer.run("go")
    assert (run.status, run.questions[0].asked.asker) == ("waiting", "expert")
    run = await run.resume(["the robin"])
    assert (run.status, done) == ("finished", ["before"])
    outputs = [event.output for event in run.events if isinstance(event, RunFinished)]
    assert outputs == ["first", "", *["the robin"] * 4, "print", "print"]


async def test_cancelling_the_outermost_run_reaches_the_deepest_tool():
    begun, cleaned = asyncio.Event(), []

    async def dig() -> None:
        """Dig."""
        begun.set()
        try:
            await never().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("dig")

    async with tree(dig).stream("go") as stream:
        await begun.wait()
        stream.cancel("enough")
        events = [event async for event in stream]
    assert (cleaned, others()) == (["dig"], set())
    ends = [event.run_id for event in events if event.type == "run_cancelled"]
    starts = [event for event in events if isinstance(event, RunStarted)]
    still_open = [start for start in starts if start.name != "first" and start.name != "guide"]
    assert ends == [start.run_id for start in reversed(still_open)]
    assert (stream.run.status, stream.run.reason) == ("cancelled", "enough")


async def test_a_graph_and_a_swarm_may_be_tools_of_an_agent():
    graph = Graph("check", {"a": named("checked")}, [], description="Checks.")
    swarm = Swarm("talk", [says("a", hands("b")), says("b")], description="Talks.")
    both = Say(calls=[(name, {"message": "x"}) for name in ("check", "talk")])
    boss = Agent("boss", model=ScriptedModel(both, "done"), tools=[graph, swarm])
    run = await boss.run("go")
    assert [part.text for part in run.messages[2].parts] == ["checked", "b"]
    assert [tool.description for tool in boss.model.requests[0].tools] == ["Checks.", "Talks."]


async def test_one_agent_may_stand_in_many_places_of_a_tree():
    shared = says("shared")
    swarm = Swarm("s", [shared])
    graph = Graph("g", {"one": shared, "two": shared, "s": swarm}, [("one", "two"), ("two", "s")])
    run = await graph.run("go")
    starts = [e for e in run.events if isinstance(e, RunStarted) and e.name == "shared"]
    assert [start.node for start in starts] == ["one", "two", "shared"]
    assert (await shared.run("go")).messages[0].text == "go"
