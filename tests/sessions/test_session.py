"""A session to be read, branched off, compared; and what is said when it goes on as another one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from nbagents import (
    Agent,
    FilePart,
    Graph,
    InputReceived,
    InputRequested,
    MemoryStore,
    Question,
    Result,
    Run,
    RunContext,
    Say,
    ScriptedModel,
    Session,
    SessionConflict,
    SessionError,
    Swarm,
    Usage,
    UserError,
    tool,
)


@pytest.fixture
def store():
    return MemoryStore()


async def talk(store: MemoryStore, *asked: str) -> Session:
    session = Session("s", store=store)
    for number, text in enumerate(asked):
        spent = Usage(10, number)
        await Agent("a", model=ScriptedModel(Say(text=f"to {text}", usage=spent))).run(
            text, session=session
        )
    return await session.load()


async def test_it_tells_runs_agents_messages_and_usage(store):
    session = await talk(store, "one", "two")
    assert repr(session) == "<Session 's': 2 runs, 6 events>"
    assert session.agents == ["a"]
    assert [message.text for message in session.messages()] == ["one", "to one", "two", "to two"]
    assert (session.usage.input_tokens, session.usage.output_tokens) == (20, 1)
    assert [run.usage.output_tokens for run in session.runs] == [0, 1]
    assert (session.questions, session.state, session.note) == ([], {}, "")


async def test_it_tells_what_agents_said_deep_inside_of_others(store):
    inner = Agent("inner", model=ScriptedModel("deep"))
    ask = Say(calls=[("inner", {"message": "well?"})])
    outer = Agent("outer", model=ScriptedModel(ask, "Fine."), tools=[inner])
    await Graph("g", {"outer": outer}, []).run("go", session=Session("s", store=store))
    session = await Session("s", store=store).load()
    assert session.agents == ["g", "outer", "inner"]
    assert [message.text for message in session.messages("inner")] == ["well?", "deep"]
    assert [message.text for message in session.messages("g")] == ["go", "Fine."]


async def test_a_fork_has_what_was_before_and_goes_its_own_way(store):
    session = await talk(store, "one", "two")
    fork = await session.fork("f", at=3)
    model = ScriptedModel("else")
    await Agent("a", model=model).run("three", session=fork)
    assert [message.text for message in model.requests[0].messages] == ["one", "to one", "three"]
    assert len((await session.load()).runs) == 2
    diff = session.diff(await fork.load())
    assert diff.common == 3
    assert str(diff).splitlines() == [
        "  3 events in common",
        "- a (2): began with two",
        "- a (2): to two",
        "- a (2): finished",
        "+ a (2): began with three",
        "+ a (2): else",
        "+ a (2): finished",
    ]


async def test_a_step_of_the_past_can_be_looked_at_and_branched_off(store):
    session = await talk(store, "one", "two")
    seen = [len(session.at(step).messages()) for step in range(len(session.events) + 1)]
    assert seen == [0, 0, 2, 2, 2, 4, 4]
    branch = await session.at(3).fork("f")
    assert [run.status for run in branch.runs] == ["finished"]
    assert [run.status for run in session.at(4).runs] == ["finished", "cut off"]
    with pytest.raises(UserError, match="has no step 7: it has those from 0 to 6"):
        session.at(7)


async def test_a_diff_names_a_run_though_it_began_in_what_is_common(store):
    session = await talk(store, "one", "two")
    cut = session.at(5)
    assert str(session.diff(cut)).splitlines() == ["  5 events in common", "- a (2): finished"]
    again = await (await session.fork("f", at=1)).load()
    await Agent("a", model=ScriptedModel("else")).run(session=again)
    told = str(session.diff(await again.load())).splitlines()
    assert [line for line in told if line.startswith("+")] == [
        "+ a: went on.",
        "+ a: else",
        "+ a: finished",
    ]


@pytest.mark.parametrize("step", ["3", 3.0, True, (3,)])
async def test_a_step_that_is_no_number_of_events_is_told(store, step):
    session = await talk(store, "one")
    with pytest.raises(UserError, match="A step is a number of events, such as 12, not") as told:
        await session.fork("f", at=step)
    assert repr(step) in str(told.value)
    with pytest.raises(UserError, match="has no step -1: it has those from 0 to 3"):
        await session.fork("f", at=-1)
    assert await store.list() == ["s"]


async def test_a_fork_never_takes_the_place_of_another_session(store):
    session = await talk(store, "one")
    await session.fork("f")
    with pytest.raises(UserError, match="There is a session 'f' already"):
        await session.fork("f")
    with pytest.raises(UserError, match=r"nothing in .* to begin 'g' with"):
        await Session("new", store=store).fork("g")
    with pytest.raises(UserError, match="cannot be the id"):
        await session.fork("../f")


async def test_a_deleted_session_begins_anew(store):
    session = await talk(store, "one")
    await session.delete()
    assert (await store.list(), session.runs) == ([], [])
    model = ScriptedModel("again")
    await Agent("a", model=model).run("one", session=Session("s", store=store))
    assert len(model.requests[0].messages) == 1


@dataclass
class Bird:
    name: str
    seen: date


def stopping(first: Any, second: Any) -> Graph:
    """Make a graph whose second node asks, and is then given what the first one made."""

    async def node(first: Any, ctx: RunContext) -> object:
        await ctx.ask("Well?")
        return second(first)

    return Graph("g", {"first": first, "node": node}, [("first", "node")])


def bird() -> Bird:
    return Bird("robin", date(2026, 3, 1))


def birds() -> list[Bird]:
    return [bird()]


class Trip(BaseModel):
    place: str


def trip() -> Annotated[Trip | None, Field()]:
    return Trip(place="Rome")


def plain():
    return {"a": [1, None, {"b": "c"}]}


PICTURE = FilePart("image/png", b"\x89PNG", name="x.png")


def picture():
    return [PICTURE, "text"]


def with_files():
    return Result("told", (PICTURE,))


def number() -> float:
    return 1.5


@pytest.mark.parametrize("first", [bird, birds, trip, plain, picture, number])
async def test_what_a_node_had_given_comes_back_in_its_type(store, first):
    run = await stopping(first, repr).run("go", session=Session("s", store=store))
    assert run.status == "waiting"
    cut = await Session("s", store=store).fork("elsewhere")
    again = await stopping(first, repr).run("go", session=cut, answers=["x"])
    assert again.output == repr(first())


async def test_files_beside_an_output_come_back_too(store):
    async def node(first: Result, ctx: RunContext) -> object:
        await ctx.ask("Well?")
        return [first.output, *first.files]

    graph = Graph("g", {"first": with_files, "node": node}, [("first", "node")])
    session = Session("s", store=store)
    await graph.run("go", session=session)
    cut = await session.fork("elsewhere")
    assert (await graph.run("go", session=cut, answers=["x"])).output == ["told", PICTURE]


def table():
    return {1, 2}


async def test_what_no_record_can_hold_is_said_when_it_is_needed(store):
    run = await stopping(table, str).run("go", session=Session("s", store=store))
    assert (await run.resume(["x"])).output == "{1, 2}"
    cut = await Session("s", store=store).fork("elsewhere", at=6)
    with pytest.raises(SessionError, match=r"'first' had given a set, .* Return JSON values"):
        await stopping(table, str).run("go", session=cut, answers=["x"])


async def test_a_secret_is_asked_for_again(store):
    key = Annotated[str, Field(json_schema_extra={"format": "password"})]

    async def node(ctx: RunContext) -> str:
        secret = await ctx.ask(Question("Key?", key))
        await ctx.ask("Which?")
        return f"{len(secret)}"

    graph = Graph("g", {"node": node}, [])
    session = Session("s", store=store)
    run = await graph.run("go", session=session, answers={"Key?": "hush"})
    assert [question.prompt for question in run.questions] == ["Which?"]
    cut = await session.fork("elsewhere")
    again = await graph.run("go", session=cut)
    assert [(question.id, question.prompt) for question in again.questions] == [("q1", "Key?")]
    end = await (await again.resume(["hushed"])).resume(["x"])
    assert (end.output, "hush" in str(end.events)) == ("6", False)


async def test_an_answer_that_was_given_is_not_asked_for_again(store):
    async def node(ctx: RunContext) -> str:
        one = await ctx.ask(Question("How many?", int))
        return f"{one + 1} {await ctx.ask('Which?')}"

    graph = Graph("g", {"node": node}, [])
    session = Session("s", store=store)
    await graph.run("go", session=session, answers={"How many?": 1})
    cut = await session.fork("elsewhere")
    run = await graph.run("go", session=cut, answers={"Which?": "x"})
    assert run.output == "2 x"
    asked = [event.question_id for event in run.events if isinstance(event, InputRequested)]
    answered = [event.question_id for event in run.events if isinstance(event, InputReceived)]
    assert (asked, answered) == (["q1", "q2"], ["q1", "q2"])


def counted(done: list[str], *, idempotent: bool) -> Agent:
    @tool(idempotent=idempotent)
    async def ask_inside(ctx: RunContext) -> str:
        """Ask."""
        done.append("begun")
        return await ctx.ask("Which?")

    def answer(request: Any) -> str:
        return request.messages[-1].parts[0].text

    model = ScriptedModel(
        lambda request: (
            Say(calls=[("ask_inside", {})]) if len(request.messages) == 1 else answer(request)
        ),
        repeat=True,
    )
    return Agent("a", model=model, tools=[ask_inside])


async def waiting_elsewhere(store: MemoryStore, agent: Agent) -> Run:
    session = Session("s", store=store)
    await agent.run("go", session=session)
    return await agent.run("go", session=await session.fork("elsewhere"))


async def test_a_tool_that_may_run_twice_asks_its_question_again(store):
    done: list[str] = []
    run = await waiting_elsewhere(store, counted(done, idempotent=True))
    assert [(question.id, question.prompt) for question in run.questions] == [("q1", "Which?")]
    assert ((await run.resume(["x"])).output, done) == ("x", ["begun", "begun"])


async def test_a_tool_that_may_not_run_twice_is_run_again_by_the_answer_it_waited_for(store):
    done: list[str] = []
    run = await waiting_elsewhere(store, counted(done, idempotent=False))
    [question] = run.questions
    assert (question.id, question.prompt, done) == ("q1", "Which?", ["begun"])
    assert question.asked.reason == "Your answer runs ask_inside again from its start."
    assert ((await run.resume(["x"])).output, done) == ("x", ["begun", "begun"])


@pytest.mark.parametrize(
    ("schema", "wrong", "right"),
    [
        (int, "banana", 3),
        (Literal["a", "b"], "c", "b"),
        (Annotated[list[int], Field(max_length=2)], [1, 2, 3], [1]),
        (date, "tomorrow", "2026-12-24"),
    ],
)
async def test_an_answer_after_a_restart_is_checked_as_before(store, schema, wrong, right):
    asked: list[str] = []

    @tool
    async def pick(ctx: RunContext) -> str:
        """Pick."""
        asked.append("asked")
        return str(await ctx.ask(Question("Which?", schema)))

    model = ScriptedModel(Say(calls=[("pick", {})]), "Done.", repeat=True)
    run = await waiting_elsewhere(store, Agent("a", model=model, tools=[pick]))
    with pytest.raises(UserError, match=r"The answer to q1 .* does not fit"):
        await run.resume([wrong])
    assert (run.status, asked) == ("waiting", ["asked"])
    assert ((await run.resume([right])).status, asked) == ("finished", ["asked", "asked"])


async def test_a_prepared_answer_serves_a_tool_that_was_cut_off(store):
    done: list[str] = []
    await counted(done, idempotent=False).run("go", session=Session("s", store=store))
    cut = await Session("s", store=store).fork("elsewhere")
    run = await counted(done, idempotent=False).run("go", session=cut, answers={"q1": "x"})
    assert (run.output, done) == ("x", ["begun", "begun"])


async def test_a_step_does_not_part_the_edges_of_one_node(store):
    def node() -> str:
        return ""

    graph = Graph("g", dict.fromkeys("abc", node), [("a", "b"), ("a", "c")])
    await graph.run("go", session=Session("s", store=store))
    session = await Session("s", store=store).load()
    assert [len(session.at(step).events) for step in (3, 4, 5, 6)] == [3, 5, 5, 6]


async def test_what_is_not_a_number_is_not_nothing(store):
    def measure(ctx: RunContext) -> dict[str, float]:
        ctx.state["best"] = math.inf
        return {"loss": math.nan}

    graph = stopping(measure, repr)
    await graph.run("go", session=Session("s", store=store))
    session = await Session("s", store=store).fork("elsewhere")
    run = await graph.run("go", session=session, answers=["x"])
    assert (run.output, session.state) == ("{'loss': nan}", {"best": math.inf})


async def test_a_conflict_names_the_way_out(store):
    here, there = (Session("s", store=store) for _ in range(2))
    await store.append("s", 0, b'{"v":1,"n":1,"events":[]}\n')
    await here.load()
    await store.append("s", 1, b'{"v":1,"n":2,"events":[]}\n')
    with pytest.raises(
        SessionConflict, match="Run again to go on from there, or branch off: %session fork NEW"
    ):
        await Agent("a", model=ScriptedModel("x")).run("go", session=there)


async def test_a_swarm_that_answered_is_not_asked_again_as_a_node(store):
    model = ScriptedModel("said")
    swarm = Swarm("swarm", [Agent("member", model=model)])
    graph = Graph("g", {"swarm": swarm, "ask": Question("Sure?", bool)}, [("swarm", "ask")])
    session = Session("s", store=store)
    await graph.run("go", session=session)
    run = await graph.run("go", session=await session.fork("elsewhere"), answers=[True])
    assert (run.output, len(model.requests)) == (True, 1)
