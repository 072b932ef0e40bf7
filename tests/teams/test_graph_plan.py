"""Mistakes in a graph that show when it is built, before anything runs."""

from __future__ import annotations

import functools

import pytest

from nbagents import Edge, Graph, Node, RunContext, UserError
from tests.teams.support import gathered, named, says, visits

NODES = {"write": named("w"), "judge": named("j")}


@pytest.mark.parametrize(
    ("edges", "about", "problem"),
    [
        (
            [("write", "jugde")],
            {},
            r"There is no node 'jugde'. Did you mean 'judge'\? Known: judge, write.",
        ),
        ([("wirte", "judge")], {}, r"Did you mean 'write'\?"),
        (
            [("write", "judge")],
            {"entry": "wrte"},
            r"There is no node 'wrte'. Did you mean 'write'\?",
        ),
        ([("write", "judge")], {"entry": ["write", "x"]}, "There is no node 'x'"),
        ([("write", "write")], {"entry": "write"}, "Nothing leads from 'write' to 'judge'"),
        ([("write", "judge")], {"entry": "judge"}, "Nothing leads from 'judge' to 'write'"),
        ([("write", "judge")], {"max_steps": 0}, "max_steps=0 must be at least 1"),
        ([Edge("write", "judge", on="eror")], {}, r"Did you mean 'error'\?"),
    ],
)
def test_names_that_do_not_exist_and_nodes_that_nothing_leads_to(edges, about, problem):
    with pytest.raises(UserError, match=problem):
        Graph("g", NODES, edges, **about)


def test_a_circle_that_nothing_leads_to_is_unreachable():
    nodes = {name: named(name) for name in "abc"}
    with pytest.raises(UserError, match=r"Nothing leads from 'a' to 'b', 'c'\. Add an edge"):
        Graph("g", nodes, [("b", "c"), ("c", "b")])


def test_a_graph_without_nodes():
    with pytest.raises(UserError, match="The graph 'g' has no nodes"):
        Graph("g", {}, [])


@pytest.mark.parametrize(
    ("node", "problem"),
    [
        (7, "The node 'a' is an agent, a team, a function or a question, not int"),
        ("writer", "not str \\('writer'\\)"),
        (Node(gathered, join="al"), r"There is no join 'al'. Did you mean 'all'\?"),
        (Node(gathered, join=0), "join=0 of the node 'a' must be 1 or more"),
        (Node(gathered, on_error="skp"), r"Did you mean 'skip'\?"),
    ],
)
def test_a_node_that_is_none(node, problem):
    with pytest.raises(UserError, match=problem):
        Graph("g", {"a": node}, [])


async def two_of_its_own(one, two) -> None: ...


async def near_miss(wrtie, other) -> None: ...


async def positional(one, /) -> None: ...


async def undefined(one: Nowhere) -> None: ...  # noqa: F821


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (
            two_of_its_own,
            "parameters 'one' and 'two'. Name each after a node before it, or 'input'",
        ),
        (near_miss, r"'wrtie' and 'other'.* Did you mean 'write'\?"),
        (positional, "may not have one before a `/`"),
        (undefined, "cannot be read: name 'Nowhere' is not defined"),
    ],
)
def test_a_function_whose_parameters_cannot_be_filled(function, problem):
    with pytest.raises(UserError, match=problem):
        Graph("g", {"write": named("w"), "end": function}, [("write", "end")])


async def test_parameters_with_defaults_and_the_context_need_nothing():
    async def end(ctx: RunContext, given, limit: int = 3, *more, **rest) -> object:
        return given, limit, more, rest

    run = await Graph("g", {"write": named("w"), "end": end}, [("write", "end")]).run("go")
    assert run.output == ("w", 3, (), {})


async def test_the_entry_is_where_nothing_leads_to_or_else_the_first_node():
    nodes = {name: named(name) for name in "abc"}
    assert visits(await Graph("g", nodes, [("c", "a"), ("b", "a")]).run("go")) == ["b", "c", "a"]
    circle = Graph("g", nodes, [("a", "b"), ("b", "c"), ("c", "a", "visits < 1")])
    assert visits(await circle.run("go")) == ["a", "b", "c"]
    both = Graph("g", nodes, [("a", "c"), ("b", "c")], entry=["b", "a"])
    assert visits(await both.run("go")) == ["b", "a", "c"]


async def test_an_entry_that_is_named_twice_begins_once():
    assert visits(await Graph("g", {"a": named("a")}, [], entry=["a", "a"]).run("go")) == ["a"]


def test_building_a_graph_changes_neither_its_agents_nor_what_it_was_given():
    agent = says("agent")
    before = dict(agent.tool_table)
    nodes, edges = {"agent": agent, "b": gathered}, [("agent", "b")]
    Graph("g", nodes, edges)
    assert agent.tool_table == before
    assert (list(nodes), nodes["agent"], edges) == (["agent", "b"], agent, [("agent", "b")])


async def test_a_parameter_named_like_a_node_further_back_is_its_output():
    async def end(b: str, a: str) -> str:
        return f"{a} then {b}"

    nodes = {"a": named("a"), "b": named("b"), "end": end}
    assert (await Graph("g", nodes, [("a", "b"), ("b", "end")]).run("go")).output == "a then b"


def test_a_parameter_named_like_a_node_that_does_not_lead_here_is_an_error():
    async def end(b: str, other: str) -> str:
        return b + other

    nodes = {"a": named("a"), "b": named("b"), "other": named("other"), "end": end}
    edges = [("a", "b"), ("a", "other"), ("b", "end")]
    with pytest.raises(UserError, match="Add the edge other -> end, or give the parameter another"):
        Graph("g", nodes, edges)


async def test_outputs_are_given_by_name_to_a_function_that_takes_any():
    async def both(**outputs) -> dict:
        return outputs

    async def rest(a, **others) -> object:
        return a, others

    def listed(*outputs) -> None:
        """Take outputs by position, which have none."""

    nodes = {"a": named("a"), "b": named("b")}
    edges = [("a", "end"), ("b", "end")]
    assert (await Graph("g", nodes | {"end": both}, edges).run("go")).output == {"a": "a", "b": "b"}
    assert (await Graph("g", nodes | {"end": rest}, edges).run("go")).output == ("a", {"b": "b"})
    with pytest.raises(UserError, match="Write \\*\\*outputs"):
        Graph("g", nodes | {"end": listed}, edges)


async def test_a_partial_an_object_and_a_generator_can_be_nodes():
    class Adds:
        def __call__(self, part: int) -> int:
            return part + 1

    def count(adds: int):
        yield from range(adds + 1)

    def given(number: int, **_: object) -> int:
        return number

    nodes = {"part": functools.partial(given, 41), "adds": Adds(), "count": count}
    run = await Graph("g", nodes, [("part", "adds"), ("adds", "count")]).run("go")
    assert run.output == 42


@pytest.mark.parametrize(
    "make",
    [
        lambda: Node(named("a"), timeout="20"),
        lambda: Node(named("a"), retries=1.5),
        lambda: Node(named("a"), join=True),
    ],
)
def test_numbers_of_a_node_that_are_none_are_errors(make):
    with pytest.raises(UserError, match="are numbers, not"):
        Graph("g", {"a": make()}, [])


async def misspelt(drft) -> None: ...


async def one_misspelt(draft, revew) -> None: ...


async def takes_all(outputs) -> None: ...


def test_a_parameter_that_nearly_names_one_of_several_nodes_is_a_mistake():
    nodes = {name: named(name) for name in ("draft", "review")}
    edges = [("draft", "end"), ("review", "end")]
    for function, close in ((misspelt, "draft"), (one_misspelt, "review")):
        with pytest.raises(UserError, match=rf"Did you mean '{close}'\?"):
            Graph("g", {**nodes, "end": function}, edges)
    Graph("g", {**nodes, "end": takes_all}, edges)


def test_with_one_node_before_it_a_parameter_may_have_any_name():
    Graph("g", {"draft": named("d"), "end": misspelt}, [("draft", "end")])
