"""Conditions of edges: what they may look at, and mistakes in them that show before anything runs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TypedDict

import pytest
from pydantic import BaseModel

from nbagents import Agent, Graph, Outcome, Question, RunContext, Say, ScriptedModel, UserError
from tests.teams.support import gathered, named, says, visits


class Review(BaseModel):
    score: int
    remarks: list[str] = []


@dataclass
class Bird:
    name: str
    legs: int = 2


class Row(TypedDict):
    colour: str


async def review() -> Review:
    return Review(score=7, remarks=["long", "dull"])


async def bird() -> Bird:
    return Bird("robin")


async def row() -> Row:
    return {"colour": "red"}


async def words() -> dict[str, object]:
    return {"colour": "red", "n": 3}


async def is_taken(source, when) -> bool:
    run = await Graph("g", {"a": source, "b": named("b")}, [("a", "b", when)]).run("go")
    return visits(run) == ["a", "b"]


@pytest.mark.parametrize(
    ("source", "when", "expected"),
    [
        (named("a"), "text == 'a'", True),
        (named("a"), "output == 'b'", False),
        (named("a"), "visits == 1 and not state", True),
        (review, "score < 8", True),
        (review, "score < 8 and 'dull' in remarks", True),
        (review, "output.score > 7", False),
        (review, "any(remark.startswith('d') for remark in remarks)", True),
        (review, "[r for r in remarks if len(r) > 9]", False),
        (review, "(lambda limit: score > limit)(6)", True),
        (review, "sorted(remarks, key=lambda word: len(word))[0] == 'long'", True),
        (review, "(top := max(len(r) for r in remarks)) and top == 4", True),
        (review, "{r: len(r) for r in remarks}['long'] == 4", True),
        (bird, "name == 'robin' and legs == 2", True),
        (row, "colour == 'red'", True),
        (words, "output['n'] == 3", True),
        (review, "'\"score\":7' in text", True),
        (named("a"), " 1 < 2 ", True),
        (named(""), "output", False),
    ],
)
async def test_an_expression_sees_the_output_its_fields_its_text_the_state_and_the_visits(
    source, when, expected
):
    assert await is_taken(source, when) is expected


async def test_a_condition_sees_the_fields_of_an_agents_typed_answer():
    model = ScriptedModel(Say(calls=[("final_answer", {"score": 3})]), repeat=True)
    judge = Agent("judge", model=model, output_type=Review)
    assert await is_taken(judge, "score < 8 and remarks == []")


async def test_a_condition_sees_the_answer_of_a_person():
    graph = Graph("g", {"a": Question("Go on?", bool), "b": named("b")}, [("a", "b", "output")])
    assert visits(await graph.run("go", answers=[True])) == ["a", "b"]
    assert visits(await graph.run("go", answers=[False])) == ["a"]


async def test_a_condition_sees_what_nodes_have_put_into_the_state():
    async def node(ctx: RunContext) -> None:
        ctx.state["mood"] = "good"

    assert await is_taken(node, "state['mood'] == 'good'")
    assert not await is_taken(node, "state.get('mood') == 'bad'")


async def test_a_condition_may_be_a_function_or_an_async_one():
    def plain(outcome: Outcome) -> bool:
        return outcome.text == "a" and outcome.visits == 1

    async def slow(outcome: Outcome) -> bool:
        await asyncio.sleep(0)
        return outcome.output == "a" and outcome.state == {}

    class Asking:
        async def __call__(self, outcome: Outcome) -> bool:
            await asyncio.sleep(0)
            return outcome.result.output == "b"

    assert await is_taken(named("a"), plain)
    assert await is_taken(named("a"), slow)
    assert not await is_taken(named("a"), Asking())
    assert await is_taken(named("b"), Asking())


@pytest.mark.parametrize("awaitable", [True, False])
async def test_a_run_is_not_waiting_while_a_condition_makes_up_its_mind(awaitable):
    decided = asyncio.Event()
    deciding = asyncio.Event()

    async def slow(outcome: Outcome) -> bool:
        deciding.set()
        await decided.wait()
        return True

    when = (lambda outcome: slow(outcome)) if awaitable else slow
    nodes = {"ask": Question("Which?"), "a": named("a"), "b": named("b")}
    task = asyncio.create_task(Graph("g", nodes, [("a", "b", when)]).run("go"))
    await deciding.wait()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not task.done()
    decided.set()
    run = await task
    assert (run.status, visits(run)) == ("waiting", ["ask", "a", "b"])


@pytest.mark.parametrize(
    ("when", "error"),
    [
        ("output['score'] < 8", "KeyError: 'score'"),
        ("output.score < 8", "AttributeError: 'dict' object has no attribute 'score'"),
        (lambda outcome: 1 / 0, "ZeroDivisionError"),
    ],
)
async def test_a_condition_that_raises_is_the_users_to_mend_and_is_named(when, error):
    graph = Graph("g", {"a": words, "b": named("b")}, [("a", "b", when)])
    label = when if isinstance(when, str) else "<lambda>"
    with pytest.raises(UserError) as raised:
        await graph.run("go")
    told = f"The edge a -> b: The condition {label!r} failed: {error}"
    assert str(raised.value).startswith(told)
    assert raised.value.run.status == "failed"


@pytest.mark.parametrize(
    ("source", "when", "problem"),
    [
        (review, "scor < 8", r"There is no name 'scor'. Did you mean 'score'\?"),
        (review, "state2", r"Did you mean 'state'\?"),
        (named("a"), "outptu == 1", r"Did you mean 'output'\?"),
        (named("a"), "score < 8", r"For a part of the output: output\['score'\]"),
        (named("a"), "__import__('os')", "There is no name '__import__'"),
        (named("a"), "open('x')", "There is no name 'open'"),
        (named("a"), "text ==", "The condition isn't a valid Python expression"),
        (named("a"), "text = 'a'", "The condition isn't a valid Python expression"),
        (named("a"), "", "The condition isn't a valid Python expression"),
        (named("a"), "import os", "The condition isn't a valid Python expression"),
    ],
)
def test_a_bad_condition_is_refused_when_the_graph_is_built(source, when, problem):
    with pytest.raises(UserError, match=problem) as raised:
        Graph("g", {"a": source, "b": named("b")}, [("a", "b", when)])
    assert str(raised.value).startswith("The edge a -> b: ")


def test_a_syntax_error_points_at_its_place():
    with pytest.raises(UserError) as raised:
        Graph("g", {"a": named("a"), "b": named("b")}, [("a", "b", "  len(text) >> > 3")])
    expression, pointer = str(raised.value).splitlines()[-2:]
    assert expression == "  len(text) >> > 3"
    assert pointer.index("^") == expression.index("> 3")


def test_the_fields_of_a_typed_agent_are_told_in_the_message():
    judge = says("judge", "", output_type=Review)
    with pytest.raises(UserError, match="Known: output, remarks, score, state, text, visits"):
        Graph("g", {"a": judge, "b": gathered}, [("a", "b", "points > 3")])


async def test_each_edge_of_a_node_is_decided_by_itself():
    nodes = {"a": review} | {name: named(name) for name in "bcd"}
    edges = [("a", "b", "score > 5"), ("a", "c", "score > 8"), ("a", "d", "score < 8")]
    run = await Graph("g", nodes, edges).run("go")
    assert run.output == {"b": "b", "d": "d"}
