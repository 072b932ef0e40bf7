"""Conversations in a session: who hears what of before, and which run goes on."""

from __future__ import annotations

import asyncio

import pytest

from nbagents import (
    Agent,
    FileStore,
    Graph,
    LimitReached,
    Limits,
    MemoryStore,
    ModelError,
    RunContext,
    Say,
    ScriptedModel,
    Session,
    SessionConflict,
    SessionError,
    Swarm,
    UserError,
    handoff_to_user,
    tool,
)


def heard(model: ScriptedModel, request: int = -1) -> list[str]:
    return [message.text for message in model.requests[request].messages]


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def place(tmp_path):
    """Make a store that shares nothing with another one but the folder, as in two processes."""
    return lambda: FileStore(tmp_path / "sessions")


async def test_an_agent_goes_on_with_its_conversation(store):
    model = ScriptedModel("Hello.", "You said hi.")
    agent = Agent("poet", model=model)
    session = Session("s", store=store)
    await agent.run("hi", session=session)
    run = await agent.run("What did I say?", session=session)
    assert heard(model) == ["hi", "Hello.", "What did I say?"]
    assert [message.text for message in run.messages] == [*heard(model), "You said hi."]
    assert [message.text for message in session.messages("poet")] == [*heard(model), "You said hi."]


async def test_another_process_goes_on_with_it_too(place):
    await Agent("poet", model=ScriptedModel("Hello.")).run(
        "hi", session=Session("s", store=place())
    )
    model = ScriptedModel("You said hi.")
    await Agent("poet", model=model).run("What?", session=Session("s", store=place()))
    assert heard(model) == ["hi", "Hello.", "What?"]


async def test_agents_of_one_session_have_conversations_of_their_own(store):
    session = Session("s", store=store)
    one, two = (Agent(name, model=ScriptedModel("a", "b")) for name in ("one", "two"))
    for agent in (one, two, one, two):
        await agent.run("go", session=session)
    assert heard(one.model) == heard(two.model) == ["go", "a", "go"]
    assert [run.name for run in session.runs] == ["one", "two", "one", "two"]


async def test_a_swarm_remembers_and_a_graph_begins_anew(store):
    session = Session("s", store=store)
    model = ScriptedModel("a", "b", "c", "d")
    swarm = Swarm("swarm", [Agent("member", model=model)])
    graph = Graph("graph", {"node": Agent("node", model=model)}, [])
    for team in (swarm, swarm, graph, graph):
        await team.run("go", session=session)
    assert [heard(model, number) for number in range(4)] == [
        ["go"],
        ["go", "a", "go"],
        ["go"],
        ["go"],
    ]


async def test_what_was_asked_and_never_answered_is_no_part_of_the_conversation(store):
    session = Session("s", store=store)
    model = ScriptedModel(ModelError("No.", provider="x"), "Yes.")
    agent = Agent("a", model=model)
    with pytest.raises(ModelError):
        await agent.run("first", session=session)
    await agent.run("second", session=session)
    assert heard(model) == ["second"]
    assert [run.status for run in session.runs] == ["failed", "finished"]


async def test_asked_the_same_twice_it_answers_twice(store):
    session = Session("s", store=store)
    agent = Agent("a", model=ScriptedModel("one", "two"))
    assert [(await agent.run("go", session=session)).output for _ in range(2)] == ["one", "two"]


async def test_asked_something_else_a_run_that_was_cut_off_is_history(store):
    session = Session("whole", store=store)
    look = Say(text="Let me see.", calls=[("handoff_to_user", {"question": "Where?"})])
    model = ScriptedModel(look, "Fine.", "Else.")
    agent = Agent("a", model=model, tools=[handoff_to_user])
    await agent.run("go", session=session, answers=["here"])
    part = await session.fork("part", at=3)
    assert [run.status for run in part.runs] == ["cut off"]
    await agent.run("something else", session=part)
    assert heard(model)[:2] == ["go", "Let me see."]
    assert heard(model)[-1] == "something else"
    assert [run.status for run in part.runs] == ["cut off", "finished"]


async def test_the_same_asked_twice_at_once_is_two_runs(store):
    session = Session("s", store=store)
    agent = Agent("a", model=ScriptedModel("one", "two"))
    runs = await asyncio.gather(*(agent.run("go", session=session) for _ in range(2)))
    assert {run.output for run in runs} == {"one", "two"}
    assert [run.status for run in session.runs] == ["finished", "finished"]


async def test_without_an_input_it_takes_up_a_run_that_failed(store):
    session, done = Session("s", store=store), []

    @tool
    def work() -> str:
        """Work."""
        done.append(1)
        return "ok"

    model = ScriptedModel(Say(calls=[("work", {})]), ModelError("No.", provider="x"), "Done.")
    agent = Agent("a", model=model, tools=[work])
    with pytest.raises(ModelError):
        await agent.run("go", session=session)
    run = await agent.run(session=session)
    assert (run.output, done) == ("Done.", [1])
    assert [run.status for run in session.runs] == ["finished"]


async def test_a_node_that_has_failed_is_tried_again_and_the_others_are_not(store):
    session, done = Session("s", store=store), []

    def first() -> str:
        done.append("first")
        return "1"

    def second() -> str:
        done.append("second")
        if done.count("second") == 1:
            raise ValueError("no")
        return "2"

    graph = Graph("g", {"first": first, "second": second}, [("first", "second")])
    with pytest.raises(ValueError, match="no"):
        await graph.run("go", session=session)
    assert (await session.resume(graph)).output == "2"
    assert done == ["first", "second", "second"]


async def test_a_run_that_reached_a_limit_goes_on_with_a_higher_one(store):
    session = Session("s", store=store)
    ask = Say(calls=[("work", {})])

    @tool
    def work() -> str:
        """Work."""
        return "ok"

    agent = Agent("a", model=ScriptedModel(ask, ask, "Done."), tools=[work])
    run = await agent.run("go", session=session, limits=Limits(turns=2))
    assert (run.status, run.reason) == ("limited", "turns=2")
    again = await agent.run(session=session)
    assert (again.output, len(again.messages)) == ("Done.", 6)
    assert isinstance(run.error, LimitReached)


async def test_a_run_that_was_stopped_goes_on_when_it_is_told_to_and_not_by_itself(store):
    session, begun = Session("s", store=store), asyncio.Event()

    @tool(idempotent=True)
    async def work() -> str:
        """Work."""
        if begun.is_set():
            return "ok"
        begun.set()
        await asyncio.Event().wait()
        return ""

    model = ScriptedModel(Say(calls=[("work", {})]), "Done.", "New.")
    agent = Agent("a", model=model, tools=[work])
    async with agent.stream("go", session=session) as stream:
        await begun.wait()
        stream.cancel("Stopped by you")
        assert [event.type async for event in stream][-2:] == ["tool_finished", "run_cancelled"]
    assert [run.status for run in session.runs] == ["cancelled"]
    run = await agent.run(session=session)
    assert run.output == "Done."
    assert [message.role for message in run.messages] == ["user", "assistant", "user", "assistant"]
    assert session.runs[0].status == "finished"


async def test_nothing_to_go_on_with_is_said(store):
    session = Session("s", store=store)
    agent = Agent("a", model=ScriptedModel("Fine."))
    with pytest.raises(UserError, match=r"a was not cut off in .*: give it something to do"):
        await agent.run(session=session)
    await agent.run("go", session=session)
    with pytest.raises(UserError, match="was not cut off"):
        await agent.run(session=session)
    with pytest.raises(UserError, match="not nothing"):
        await agent.run()


async def test_an_open_question_survives_and_its_answer_goes_on_from_there(place):
    done: list[str] = []

    async def node(ctx: RunContext) -> str:
        done.append("before")
        answer = await ctx.ask("Which?")
        done.append(answer)
        return answer

    def first() -> str:
        done.append("first")
        return "1"

    def graph() -> Graph:
        return Graph("g", {"first": first, "node": node}, [("first", "node")])

    run = await graph().run("go", session=Session("s", store=place()))
    assert run.status == "waiting"
    elsewhere = await Session("s", store=place()).load()
    assert [(question.question_id, question.prompt) for question in elsewhere.questions] == [
        ("q1", "Which?")
    ]
    assert [run.status for run in elsewhere.runs] == ["waiting"]
    again = await graph().run("go", session=elsewhere)
    assert (again.status, [question.id for question in again.questions]) == ("waiting", ["q1"])
    end = await again.resume({"q1": "this"})
    assert (end.output, end.run_id) == ("this", run.run_id)
    assert done == ["first", "before", "before", "this"]
    with pytest.raises(SessionConflict):
        await run.resume(["late"])


async def test_a_run_that_waits_is_not_ended_by_the_end_of_its_process(place):
    agent = Agent(
        "a",
        model=ScriptedModel(Say(calls=[("handoff_to_user", {"question": "Where?"})]), "Fine."),
        tools=[handoff_to_user],
    )
    run = await asyncio.to_thread(
        lambda: asyncio.run(agent.run("go", session=Session("s", store=place())))
    )
    session = await Session("s", store=place()).load()
    assert (run.status, session.runs[0].status) == ("waiting", "waiting")
    assert (await run.resume(["here"])).output == "Fine."
    assert [event.type for event in (await session.load()).events].count("input_received") == 1


async def test_an_answer_given_in_code_is_written_down_though_the_run_waited(place):
    async def node(ctx: RunContext) -> str:
        return await ctx.ask("Which?")

    run = await Graph("g", {"node": node}, []).run("go", session=Session("s", store=place()))
    run.questions[0].answer("this")
    assert (await run.resume()).output == "this"
    assert (await Session("s", store=place()).load()).runs[0].status == "finished"


async def test_a_run_that_is_taken_over_in_the_same_process_says_so(store):
    session = Session("s", store=store)

    async def node(ctx: RunContext) -> str:
        return await ctx.ask("Which?")

    graph = Graph("g", {"node": node}, [])
    first = await graph.run("go", session=session)
    second = await graph.run("go", session=session)
    assert (await second.resume(["x"])).output == "x"
    with pytest.raises(SessionError, match="was resumed elsewhere"):
        await first.resume(["y"])


async def test_the_second_to_write_gets_a_conflict_and_can_reload(place):
    def agent(*steps: str) -> Agent:
        return Agent("a", model=ScriptedModel(*steps))

    here, there = (Session("s", store=place()) for _ in range(2))
    await here.load()
    await there.load()
    await agent("one").run("go", session=here)
    with pytest.raises(SessionConflict, match="Run again"):
        await agent("lost").run("and?", session=there)
    model = ScriptedModel("two")
    await Agent("a", model=model).run("and?", session=there)
    assert heard(model) == ["go", "one", "and?"]
    with pytest.raises(SessionConflict):
        await agent("lost").run("more?", session=here)


async def test_a_call_that_cannot_await_is_in_the_session_too(store):
    session = Session("s", store=store)
    model = ScriptedModel("one", "two", "three")
    agent = Agent("a", model=model)
    await agent.run("1", session=session)
    await asyncio.to_thread(lambda: agent("2", session=session))
    await agent.run("3", session=session)
    assert heard(model) == ["1", "one", "2", "two", "3"]


async def test_asked_all_again_what_had_ended_is_asked_anew_and_what_was_cut_off_goes_on(store):
    session = Session("s", store=store)
    steps = (Say(calls=[("handoff_to_user", {"question": "Where?"})]), "To there.")
    agent = Agent("a", model=ScriptedModel("one", *steps), tools=[handoff_to_user])
    await agent.run("first", session=session)
    assert (await agent.run("second", session=session)).status == "waiting"
    again = Agent("a", model=ScriptedModel("one", "To there."), tools=[handoff_to_user])
    fork = await session.fork("after the restart")
    await again.run("first", session=fork)
    assert (await again.run("second", session=fork, answers=["there"])).output == "To there."
    told = [(run.start.input[0].text, run.status) for run in fork.runs]
    assert told == [("first", "finished"), ("second", "finished"), ("first", "finished")]


def asks(*prompts: str) -> Graph:
    async def node(ctx: RunContext) -> str:
        return " ".join([await ctx.ask(prompt) for prompt in prompts])

    return Graph("g", {"node": node}, [])


async def test_an_answer_to_what_was_never_asked_is_refused_and_changes_nothing(store):
    session = Session("s", store=store)
    first = await asks("Which?", "Where?").run("go", session=session, answers={"q1": "this"})
    fork = await session.fork("elsewhere")
    for wrong in ("q3", "Q2"):
        with pytest.raises(UserError, match=f"no open question '{wrong}'.*q2"):
            await fork.resume(asks("Which?", "Where?"), answers={wrong: "there"})
        with pytest.raises(UserError, match=f"no open question '{wrong}'"):
            await asks("Which?", "Where?").run(session=session, answers={wrong: "there"})
    assert (await first.resume({"q2": "here"})).output == "this here"
    run = await fork.resume(asks("Which?", "Where?"), answers={"q2": "there"})
    assert run.output == "this there"


async def test_an_answer_may_be_to_a_question_that_is_still_to_come(store):
    session = Session("s", store=store)
    await asks("Which?", "Where?").run("go", session=session)
    run = await session.resume(asks("Which?", "Where?"), {"q1": "this", "Where?": "there"})
    assert run.output == "this there"


async def test_an_answer_to_what_was_never_asked_is_refused_when_the_loop_has_ended(store):
    run = await asyncio.to_thread(lambda: asyncio.run(asks("Which?").run("go")))
    with pytest.raises(UserError, match=r"no open question 'q2'. Known: q1."):
        await run.resume({"q2": "this"})
    assert (await run.resume({"q1": "this"})).output == "this"


async def test_a_run_that_waits_names_the_answers_that_nothing_was_asked_for(store):
    session = Session("s", store=store)
    ready = {"Wich?": "this", "q9": "x"}
    run = await asks("Which?").run("go", session=session, answers=ready)
    assert run.reason == (
        "Waiting for an answer to q1. Nothing was asked yet by the name 'Wich?', 'q9'."
    )
    again = await asks("Which?").run("go", session=session, answers=ready)
    assert again.reason == run.reason
    assert (await again.resume(["this"])).output == "this"
