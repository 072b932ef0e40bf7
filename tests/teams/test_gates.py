"""Questions in a graph: what they show is what is being decided."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from nbagents import Agent, Edge, Graph, Question, RunContext, ScriptedModel, UserError
from nbagents.events import InputRequested
from nbagents.teams.plan import Node


class Review(BaseModel):
    score: int
    advice: str


def draft() -> str:
    return "The report."


def check(draft: str) -> Review:
    return Review(score=9, advice="Fine.")


async def publish(draft: str, ctx: RunContext) -> str:
    return f"published {draft}"


def gate(ok: Node | Question, publish: Any = publish) -> Graph:
    """The workflow of the README: a draft, its review, a gate, and what publishes the draft."""
    return Graph(
        "report",
        {"draft": draft, "check": check, "ok": ok, "publish": publish},
        [
            ("draft", "check"),
            Edge("check", "ok", when="score >= 8"),
            Edge("ok", "publish", when="output"),
        ],
    )


async def shown(graph: Graph) -> Any:
    run = await graph.run("go", answers=[True])
    assert run.status == "finished"
    [question] = [event for event in run.events if isinstance(event, InputRequested)]
    return question.details


ASK = Question("Publish it?", bool)


async def test_a_gate_shows_what_the_next_node_takes():
    assert await shown(gate(ASK)) == "The report."


async def test_a_gate_shows_all_that_the_next_nodes_take():
    def both(draft: str, check: Review, ok: bool) -> str:
        return draft

    details = await shown(gate(ASK, both))
    assert details == {"draft": "The report.", "check": {"score": 9, "advice": "Fine."}}


@pytest.mark.parametrize("taken", [lambda answer: answer, Agent("a", model=ScriptedModel("ok"))])
async def test_a_gate_before_a_node_that_takes_nothing_by_name_shows_what_leads_to_it(taken):
    assert await shown(gate(ASK, taken)) == {"score": 9, "advice": "Fine."}


async def test_a_gate_shows_the_nodes_that_it_names():
    assert await shown(gate(Node(ASK, show=["check"]))) == {"score": 9, "advice": "Fine."}
    details = await shown(gate(Node(ASK, show=["check", "draft"])))
    assert list(details) == ["check", "draft"]


async def test_details_of_the_question_itself_are_kept():
    assert await shown(gate(Question("Publish it?", bool, details="Think."))) == "Think."


async def test_a_gate_does_not_show_a_node_that_has_not_run():
    def publish(draft: str, appendix: str = "") -> str:
        return draft

    graph = Graph(
        "g",
        {"draft": draft, "appendix": lambda: "A", "ok": ASK, "publish": publish},
        [
            ("draft", "ok"),
            Edge("draft", "appendix", when="False"),
            ("appendix", "ok"),
            ("ok", "publish"),
        ],
    )
    assert await shown(graph) == {"draft": "The report."}


@pytest.mark.parametrize(
    ("ok", "problem"),
    [
        (Node(ASK, show=["drft"]), "no node 'drft'. Did you mean 'draft'"),
        (Node(ASK, show=["publish"]), "nothing leads from there to it"),
        (Node(ASK, show="draft"), r"must be a list of nodes: show=\['draft'\]"),
        (Node(check, show=["draft"]), "Only a question shows the outputs of nodes; 'ok'"),
    ],
)
def test_a_gate_that_would_show_something_else_is_an_error(ok, problem):
    with pytest.raises(UserError, match=problem):
        gate(ok)


def sign(ok: bool) -> str:
    return "signed"


@pytest.mark.parametrize("second", [Question("Really?", bool), sign])
async def test_a_gate_looks_past_nodes_that_use_only_the_answer(second):
    graph = Graph(
        "report",
        {"draft": draft, "check": check, "ok": ASK, "second": second, "publish": publish},
        [("draft", "check"), ("check", "ok"), ("ok", "second"), ("second", "publish")],
    )
    run = await graph.run("go", answers=[True, True])
    assert run.output == "published The report."
    questions = [event for event in run.events if isinstance(event, InputRequested)]
    assert {question.details for question in questions} == {"The report."}


async def test_a_gate_before_an_agent_shows_what_else_leads_to_the_agent():
    graph = Graph(
        "report",
        {
            "draft": draft,
            "check": check,
            "ok": ASK,
            "editor": Agent("editor", model=ScriptedModel("ok")),
        },
        [("draft", "check"), ("check", "ok"), ("ok", "editor"), ("draft", "editor")],
    )
    assert await shown(graph) == "The report."


async def test_a_gate_says_that_a_node_which_it_names_has_no_output_yet():
    started = asyncio.Event()

    async def slow() -> str:
        await started.wait()
        return "SLOW"

    def fast() -> str:
        return "FAST"

    async def end(ok: bool) -> str:
        started.set()
        return "done"

    graph = Graph(
        "report",
        {"fast": fast, "slow": slow, "ok": Node(ASK, join="any", show=["slow"]), "end": end},
        [("fast", "ok"), ("slow", "ok"), ("ok", "end")],
    )
    run = await graph.run("go", answers={"*": True})
    first = next(event for event in run.events if isinstance(event, InputRequested))
    assert first.details == "slow has no output yet."
