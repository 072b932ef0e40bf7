"""Going on as another one: a changed model, tools, answers, parts, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from nbagents import (
    Agent,
    Graph,
    MemoryStore,
    Question,
    RunContext,
    RunResumed,
    Say,
    ScriptedModel,
    Session,
    Swarm,
    UserError,
    handoff_to_user,
    tool,
)


@pytest.fixture
def store():
    return MemoryStore()


def cut_off(name: str = "a", **declared: Any) -> Agent:
    """Make an agent that asks a person, and so can be left in the middle."""
    model = ScriptedModel(Say(calls=[("handoff_to_user", {"question": "Where?"})]), name="old")
    return Agent(name, model=model, tools=[handoff_to_user], **declared)


@tool
def more() -> str:
    """Do more."""
    return ""


async def test_another_model_and_other_tools_are_noted(store):
    session = Session("s", store=store)
    await cut_off().run("go", session=session)
    other = Agent("a", model=ScriptedModel("Fine.", name="new"), tools=[handoff_to_user, more])
    run = await other.run("go", session=session, answers=["here"])
    [resumed] = [event for event in run.events if isinstance(event, RunResumed)]
    assert resumed.note == (
        "The model of a was scripted:old, and is scripted:new now. a has now also: more."
    )
    assert (run.output, resumed.model) == ("Fine.", "scripted:new")


class Trip(BaseModel):
    place: str


@pytest.mark.parametrize("goes_on", [True, False])
async def test_another_type_of_answer_is_asked_about(store, goes_on):
    session = Session("s", store=store)
    await cut_off().run("go", session=session)
    final = Say(calls=[("final_answer", {"place": "Rome"})])
    other = Agent("a", model=ScriptedModel(final), tools=[handoff_to_user], output_type=Trip)
    waiting = await other.run("go", session=session)
    question = waiting.questions[0]
    assert question.prompt == (
        "The answers of a were text, and are Trip (place) now. Continue anyway?"
    )
    if goes_on:
        run = await waiting.resume([True])
        assert (await run.resume(["here"])).output == Trip(place="Rome")
    else:
        with pytest.raises(UserError, match=r"are Trip .* It was not continued"):
            await waiting.resume([False])


async def test_a_part_that_is_missing_is_asked_about(store):
    session = Session("s", store=store)
    ask = Question("Sure?", bool)
    graph = Graph("g", {"one": cut_off("one"), "two": ask}, [("one", "two")])
    await graph.run("go", session=session)
    smaller = Graph("g", {"one": Agent("one", model=ScriptedModel("Fine."))}, [])
    waiting = await smaller.run("go", session=session)
    assert [q.prompt for q in waiting.questions] == ["g has no longer: two. Continue anyway?"]


async def test_a_graph_does_not_go_on_in_the_place_of_an_agent_of_its_name(store):
    session = Session("s", store=store)
    await cut_off("same").run("go", session=session)
    run = await Graph("same", {"one": lambda: 1}, []).run("go", session=session)
    assert (run.output, [run.status for run in session.runs]) == (1, ["waiting", "finished"])


async def test_a_question_about_a_change_stands_until_it_is_answered(store):
    session = Session("s", store=store)
    await cut_off().run("go", session=session)
    other = cut_off(output_type=Trip)
    for _ in range(2):
        run = await other.run("go", session=session)
        assert [question.id for question in run.questions] == ["q2"]


async def test_a_node_that_was_left_must_lead_where_it_led(store):
    def graph(*edges: tuple[str, str]) -> Graph:
        nodes = {name: Question(f"{name}?") for edge in edges for name in edge}
        return Graph("g", nodes, edges)

    await graph(("a", "b"), ("b", "c")).run("go", session=Session("s", store=store), answers=["x"])
    session = await Session("s", store=store).load()
    elsewhere = graph(("a", "x"), ("x", "b"), ("b", "c"))
    with pytest.raises(UserError, match="g has left 'a', which led to b, and leads to x now"):
        await elsewhere.run("go", session=await session.fork("f"))
    behind = graph(("a", "b"), ("b", "x"), ("x", "c"))
    run = await behind.run("go", session=await session.fork("h"), answers=["1", "2", "3"])
    assert run.output == "3"


async def test_a_member_with_a_typed_answer_who_handed_over_is_not_asked_again(store):
    over = Say(calls=[("handoff", {"to": "last", "reason": "your turn"})])
    first = Agent("first", model=ScriptedModel(over), output_type=Trip)
    last = cut_off("last")
    session = Session("s", store=store)
    await Swarm("swarm", [first, last]).run("go", session=session)
    last = last.replaced(model=ScriptedModel("Fine."))
    run = await Swarm("swarm", [first, last]).run("go", session=session, answers=["here"])
    assert (run.output, len(first.model.requests)) == ("Fine.", 1)


@pytest.mark.parametrize("is_restarted", [True, False])
@pytest.mark.parametrize(
    ("prompt", "details"), [("Deploy to PRODUCTION?", "v1"), ("Deploy to staging?", "v2")]
)
async def test_the_answer_to_another_question_is_not_taken(store, prompt, details, is_restarted):
    def team(prompt: str, details: str) -> Graph:
        first = Question(prompt, bool, details=details)
        return Graph("g", {"ok": first, "sure": Question("Sure?", bool)}, [("ok", "sure")])

    session = Session("s", store=store)
    await team("Deploy to staging?", "v1").run("go", session=session, answers=[True])
    if is_restarted:
        session = await Session("s", store=store).load()
    with pytest.raises(
        UserError, match="'ok' of g was answered when it was 'Deploy to staging"
    ) as e:
        await team(prompt, details).run("go", session=await session.fork("f"), answers=[True])
    assert ("PRODUCTION" in str(e.value)) is (prompt == "Deploy to PRODUCTION?")
    run = await team("Deploy to staging?", "v1").run("go", session=session, answers={"Sure?": True})
    assert run.output is True


async def test_a_tool_that_asks_something_else_now_is_not_given_the_old_answer(store):
    def agent(*prompts: str) -> Agent:
        @tool(idempotent=True)
        async def work(ctx: RunContext) -> str:
            """Work."""
            return str([await ctx.ask(Question(prompt, bool)) for prompt in prompts])

        return Agent("a", model=ScriptedModel(Say(calls=[("work", {})]), "done"), tools=[work])

    first = agent("Shall I make tea?", "And coffee?")
    await first.run("go", session=Session("s", store=store), answers=[True])
    run = await agent("Wipe the disk?").run("go", session=Session("s", store=store))
    assert [question.prompt for question in run.questions] == ["Wipe the disk?"]
