"""Joins: when a node with several ways to it starts, and with what."""

from __future__ import annotations

import asyncio

import pytest

from nbagents import Edge, Graph, Node, Result
from tests.teams.support import gathered, named, prompts, says, taken, visits

UNEVEN = [("a", "d"), ("a", "b"), ("b", "c"), ("c", "d")]


async def test_an_uneven_diamond_joins_once_with_all_inputs_in_the_order_of_the_edges():
    nodes = {name: named(name) for name in "abc"} | {"d": gathered}
    run = await Graph("g", nodes, UNEVEN).run("go")
    assert run.output == [("a", "a"), ("c", "c")]
    assert visits(run) == ["a", "b", "c", "d"]
    # The join was ready when its last way was taken, and not before.
    assert taken(run) == [("a", "d"), ("a", "b"), ("b", "c"), ("c", "d")]


async def test_the_inputs_are_in_the_order_of_the_edges_however_the_nodes_end():
    last_first = asyncio.Event()

    async def a() -> str:
        await last_first.wait()
        return "a"

    async def b() -> str:
        last_first.set()
        return "b"

    end = says("end")
    graph = Graph("g", {"b": b, "a": a, "end": end}, [("a", "end"), ("b", "end")])
    await graph.run("go")
    assert prompts(end) == [["go\na:\na\nb:\nb"]]


async def test_an_agent_is_given_the_original_input_and_the_named_outputs():
    writer, critic = says("writer", "A poem."), says("critic", "Nice.")
    graph = Graph("g", {"write": writer, "judge": critic}, [("write", "judge")])
    run = await graph.run("Write a poem")
    assert prompts(writer) == [["Write a poem"]]
    assert prompts(critic) == [["Write a poem\nwrite:\nA poem."]]
    assert (run.output, run.text) == ("Nice.", "Nice.")


async def test_a_branch_that_is_not_taken_does_not_block_a_join():
    nodes = {name: named(name) for name in ("a", "b", "deeper", "c")} | {"d": gathered}
    edges = [("a", "b", "False"), ("a", "c"), ("b", "deeper"), ("deeper", "d"), ("c", "d")]
    run = await Graph("g", nodes, edges).run("go")
    assert visits(run) == ["a", "c", "d"]
    assert run.output == "c"


async def test_a_join_that_nothing_leads_to_is_passed_over_with_all_behind_it():
    nodes = {name: named(name) for name in "abcde"}
    edges = [("a", "b", "False"), ("a", "c", "False"), ("b", "d"), ("c", "d"), ("d", "e")]
    run = await Graph("g", nodes, edges).run("go")
    assert (visits(run), run.output, taken(run)) == (["a"], "a", [])


async def test_a_join_waits_for_the_slowest_way_and_then_runs_once():
    others_ended = asyncio.Event()

    async def slow() -> str:
        await others_ended.wait()
        return "slow"

    async def fast() -> str:
        others_ended.set()
        return "fast"

    run = await Graph(
        "g", {"slow": slow, "fast": fast, "d": gathered}, [("fast", "d"), ("slow", "d")]
    ).run("go")
    assert run.output == [("fast", "fast"), ("slow", "slow")]
    assert visits(run) == ["slow", "fast", "d"]


async def fan(join, ways: int = 3):
    """Let `ways` nodes end one after the other; tell when the join ran, and with what."""
    turns = [asyncio.Event() for _ in range(ways + 1)]
    turns[0].set()
    ended: list[int] = []

    def way(number: int):
        async def node() -> int:
            await turns[number].wait()
            ended.append(number)
            turns[number + 1].set()
            if number + 1 < ways:
                await turns[number + 1].wait()
            return number

        return node

    seen: list[object] = []

    async def joined(inputs) -> str:
        seen.append(inputs)
        return "joined"

    names = [f"w{number}" for number in range(ways)]
    nodes = {name: way(number) for number, name in enumerate(names)}
    run = await Graph(
        "g", {**nodes, "end": Node(joined, join=join)}, [(name, "end") for name in names]
    ).run("go")
    assert visits(run).count("end") == 1
    assert len(ended) == ways
    return seen


async def test_any_join_starts_at_the_first_and_only_once():
    assert await fan("any") == [0]


async def test_a_join_of_n_starts_at_the_nth_and_only_once():
    assert await fan(2) == [{"w0": 0, "w1": 1}]
    assert await fan(3) == [{"w0": 0, "w1": 1, "w2": 2}]


async def test_any_join_does_not_wait_for_a_slow_way():
    joined = asyncio.Event()

    async def slow() -> str:
        await joined.wait()
        return "slow"

    async def end(inputs: Result) -> str:
        joined.set()
        return inputs.output

    nodes = {"slow": slow, "fast": named("fast"), "end": Node(end, join="any")}
    run = await Graph("g", nodes, [("slow", "end"), ("fast", "end")]).run("go")
    assert run.output == "fast"
    assert taken(run) == [("fast", "end"), ("slow", "end")]


@pytest.mark.parametrize(("join", "ran"), [("any", True), (1, True), (2, False)])
async def test_a_join_that_too_few_ways_lead_to_is_passed_over(join, ran):
    nodes = {"a": named("a"), "b": named("b"), "c": named("c"), "d": Node(gathered, join=join)}
    edges = [("a", "b"), ("a", "c", "False"), ("b", "d"), ("c", "d")]
    run = await Graph("g", nodes, edges).run("go")
    assert ("d" in visits(run)) is ran


async def test_several_last_nodes_are_the_output_by_name_in_the_order_of_the_nodes():
    gate = asyncio.Event()

    async def late() -> str:
        await gate.wait()
        return "late"

    async def early() -> str:
        gate.set()
        return "early"

    graph = Graph(
        "g", {"late": late, "a": named("a"), "early": early}, [("a", "early"), ("a", "late")]
    )
    assert list((await graph.run("go")).output.items()) == [("late", "late"), ("early", "early")]


async def test_two_edges_between_the_same_nodes_lead_there_once():
    nodes = {"a": named("a"), "b": gathered}
    edges = [Edge("a", "b", "text == 'a'"), Edge("a", "b", "visits == 1")]
    run = await Graph("g", nodes, edges).run("go")
    assert (visits(run), run.output) == (["a", "b"], "a")
