"""What flows through a graph: texts, typed values and files; and nodes that do not wait for others."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from nbagents import (
    Agent,
    FilePart,
    Graph,
    Message,
    Question,
    Result,
    RunContext,
    Say,
    ScriptedModel,
    TextPart,
    ToolProgress,
    tool,
)
from nbagents.messages import user_message
from nbagents.models.base import PartDone
from tests.agents.support import END, Chunks
from tests.offline import child_environment
from tests.teams.support import gathered, named, prompts, says, visits

PICTURE = FilePart("image/png", b"\x89PNG", name="bird.png")
PAPER = FilePart("application/pdf", b"%PDF", name="paper.pdf")


async def test_files_flow_along_edges_from_functions_and_agents():
    async def draw():
        return ["a bird", PICTURE]

    painter = Agent("painter", model=Chunks(["Here it is.", PartDone(PAPER), END]))
    end = says("end")
    nodes = {"draw": draw, "paint": painter, "end": end}
    await Graph("g", nodes, [("draw", "end"), ("paint", "end")]).run("go")
    [request] = end.model.requests
    texts = TextPart("go"), TextPart("draw:\na bird"), TextPart("paint:\nHere it is.")
    told = (texts[0], texts[1], PICTURE, texts[2], PAPER)
    assert list(request.messages) == [Message("user", told)]


async def test_files_of_the_input_reach_agents_and_functions():
    agent = says("agent")
    seen: list[Result] = []

    async def look(given: Result) -> str:
        seen.append(given)
        return "seen"

    graph = Graph("g", {"agent": agent, "look": look, "end": says("end")}, [("agent", "end")])
    await graph.run(["What is it?", PICTURE])
    assert list(agent.model.requests[0].messages) == [user_message("What is it?", PICTURE)]
    assert seen == [Result("What is it?", (PICTURE,))]
    assert PICTURE in graph.nodes["end"].runs.model.requests[0].messages[0].parts


async def test_files_of_the_last_node_are_files_of_the_run_and_of_a_tool_made_of_the_graph():
    async def draw() -> FilePart:
        return PICTURE

    graph = Graph("draw", {"draw": draw}, [], description="Draws.")
    boss = Agent(
        "boss",
        model=ScriptedModel(Say(calls=[("draw", {"message": "a bird"})]), "done"),
        tools=[graph],
    )
    run = await boss.run("go")
    [told] = run.messages[2].parts
    assert told.content == (TextPart("bird.png"), PICTURE)


async def test_a_file_that_a_person_gives_flows_along_edges_as_a_file():
    agent = says("agent")
    graph = Graph("g", {"ask": Question("Which?", FilePart), "a": agent}, [("ask", "a")])
    await graph.run("go", answers=[PICTURE])
    [message] = agent.model.requests[0].messages
    assert PICTURE in message.parts
    assert "data" not in message.text


async def test_a_function_is_given_typed_outputs_by_the_names_of_nodes():
    async def count() -> int:
        return 2

    async def items() -> list[str]:
        return ["a", "b"]

    async def end(count: int, items: list[str], input: str, ctx: RunContext) -> object:
        return count, items, input, type(ctx), ctx.name

    nodes = {"count": count, "items": items, "end": end}
    run = await Graph("g", nodes, [("items", "end"), ("count", "end")]).run("go")
    assert run.output == (2, ["a", "b"], "go", RunContext, "end")


async def test_a_node_that_did_not_lead_here_is_the_default_or_none():
    async def end(b, c="nothing", d: Result | None = None, a: Result | None = None) -> object:
        return b, c, d, a

    nodes = {name: named(name) for name in "abcd"} | {"end": end}
    edges = [("a", "b", "False"), ("a", "c", "False"), ("a", "d", "False"), ("a", "end")]
    edges += [("b", "end"), ("c", "end"), ("d", "end")]
    run = await Graph("g", nodes, edges).run("go")
    assert run.output == (None, "nothing", None, "a")


async def test_a_function_is_given_output_and_files_together_as_a_result():
    async def draw() -> Result[str]:
        return Result("a bird", (PICTURE,))

    async def end(draw: Result[str]) -> Result[str]:
        return draw

    run = await Graph("g", {"draw": draw, "end": end}, [("draw", "end")]).run("go")
    assert run.output == "a bird"


async def test_a_plain_function_runs_in_a_thread_and_a_tool_is_a_function_too():
    @tool
    def shout(text: str) -> str:
        """Shout."""
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        return text.upper()

    run = await Graph("g", {"shout": shout}, []).run("go")
    assert run.output == "GO"


async def test_an_async_generator_reports_its_progress_and_its_last_item_is_the_output():
    async def steps():
        yield 1
        yield 2

    async with Graph("g", {"steps": steps}, []).stream("go") as stream:
        progress = [event.data async for event in stream if isinstance(event, ToolProgress)]
    assert (progress, stream.run.output) == ([1, 2], 2)


async def test_a_conversation_goes_in_whole():
    agent = says("agent")
    talk = [user_message("hello"), Message("assistant", (TextPart("hi"),), "x"), user_message("go")]
    await Graph("g", {"a": named("a"), "agent": agent}, [("a", "agent")]).run(talk)
    assert prompts(agent) == [["hello", "hi", "go\na:\na"]]


async def test_a_slow_sibling_does_not_delay_another_branch():
    far = asyncio.Event()
    order: list[str] = []

    async def slow() -> None:
        await far.wait()
        order.append("slow")

    async def last() -> None:
        order.append("last")
        far.set()

    nodes = {"start": named("s"), "slow": slow, "a": named("a"), "b": named("b"), "last": last}
    edges = [("start", "slow"), ("start", "a"), ("a", "b"), ("b", "last")]
    await Graph("g", nodes, edges).run("go")
    assert order == ["last", "slow"]


async def test_two_runs_of_one_graph_at_once_do_not_touch_each_other():
    meeting = asyncio.Barrier(2)

    async def node(input: str, ctx: RunContext) -> str:
        ctx.state.setdefault("seen", []).append(input)
        await meeting.wait()
        return f"{input} {ctx.state['seen']}"

    agent = Agent("echo", model=ScriptedModel(lambda r: r.messages[-1].text, repeat=True))
    edges = [("a", "a", "visits < 3"), ("a", "echo", "visits == 3")]
    graph = Graph("g", {"a": node, "echo": agent}, edges)
    one, two = await asyncio.gather(graph.run("one"), graph.run("two"))
    assert one.output == "onea:\none ['one', 'one', 'one']"
    assert two.output == "twoa:\ntwo ['two', 'two', 'two']"
    assert visits(one) == visits(two) == ["a", "a", "a", "echo"]
    assert not {event.run_id for event in one.events} & {event.run_id for event in two.events}


SEEDED = """
import asyncio
from nbagents import Agent, Graph, ScriptedModel

async def main():
    names = ["zebra", "ant", "moth", "bee", "cow", "owl", "fox", "eel"]
    end = Agent("end", model=ScriptedModel("done"))
    nodes = {name: Agent(name, model=ScriptedModel(name)) for name in names} | {"end": end}
    run = await Graph("g", nodes, [(name, "end") for name in reversed(names)]).run("go")
    print([m for r in end.model.requests for m in r.messages])
    print([e.node for e in run.events if e.type == "run_started"], run.topology())

asyncio.run(main())
"""


def test_the_order_is_independent_of_the_hash_seed():
    def printed(seed: str) -> bytes:
        done = subprocess.run(
            [sys.executable, "-c", SEEDED],
            env=child_environment(PYTHONHASHSEED=seed, PYTHONPATH=os.fspath(Path.cwd())),
            capture_output=True,
            check=True,
        )
        return done.stdout

    first = printed("1")
    assert b"eel:\\neel" in first
    assert printed("2") == first


async def test_a_chain_of_a_thousand_nodes():
    async def more(given) -> int:
        return 1 if given == "go" else given + 1

    names = [f"n{number}" for number in range(1000)]
    graph = Graph("g", dict.fromkeys(names, more), list(pairwise(names)))
    run = await graph.run("go")
    assert (run.output, visits(run)) == (1000, names)


async def test_one_to_five_hundred_to_one():
    names = [f"n{number}" for number in range(500)]

    async def end(given) -> object:
        return given

    nodes = {"start": named("s")} | {name: named(name) for name in names} | {"end": end}
    edges = [("start", name) for name in names] + [(name, "end") for name in names]
    run = await Graph("g", nodes, edges).run("go")
    assert list(run.output.items()) == [(name, name) for name in names]
    assert visits(run) == ["start", *names, "end"]


async def test_a_graph_runs_from_code_that_cannot_await():
    graph = Graph("g", {"a": named("a"), "b": gathered}, [("a", "b")])
    assert graph("go").output == "a"
