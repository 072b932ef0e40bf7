"""A run that waits for a person: it stands still, and goes on without repeating what was done."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from nbagents import (
    Agent,
    Graph,
    InputReceived,
    MessageFinished,
    OpenQuestion,
    Question,
    RunContext,
    RunStarted,
    Say,
    ScriptedModel,
    UserError,
    handoff_to_user,
)
from nbagents._portal import portal
from tests.agents.support import never, others
from tests.people import present


def counting(done: list[str], *prompts: str | Question, name: str = "node"):
    """Make a function for a node that does something, asks, and does something again."""

    async def node(ctx: RunContext) -> list[object]:
        done.append(f"{name} before")
        answers = [await ctx.ask(prompt) for prompt in prompts]
        done.append(f"{name} after")
        return answers

    return node


def one(done: list[str], *prompts: str | Question) -> Graph:
    return Graph("g", {"node": counting(done, *prompts)}, [])


def two(done: list[str]) -> Graph:
    """Make a graph in which two nodes ask at once."""
    nodes = {
        "a": counting(done, Question("A?", int), name="a"),
        "b": counting(done, "B?", name="b"),
    }
    return Graph("g", nodes, [])


async def test_a_run_that_nobody_answers_is_waiting_and_says_how_to_go_on():
    run = await one([], "Which?").run("go")
    assert (run.status, run.reason) == ("waiting", "Waiting for an answer to q1.")
    assert run.how_to_go_on == 'Continue with: await run.resume(answers={"q1": ...})'
    assert [(question.id, question.prompt) for question in run.questions] == [("q1", "Which?")]
    with pytest.raises(
        UserError, match=r"Waiting for an answer to q1. Continue with: await run.res"
    ):
        _ = run.output


async def test_resuming_does_not_repeat_what_was_done():
    done: list[str] = []
    run = await one(done, "Which?").run("go")
    assert done == ["node before"]
    run = await run.resume({"q1": "x"})
    assert (run.status, run.output, run.reason) == ("finished", ["x"], "")
    assert done == ["node before", "node after"]
    assert (run.questions, run.how_to_go_on) == ([], "")
    assert sum(isinstance(event, RunStarted) for event in run.events) == 2
    assert [event.seq for event in run.events] == sorted({event.seq for event in run.events})


async def test_a_tool_that_asks_has_done_once_what_it_did_before():
    done: list[str] = []

    async def book(ctx: RunContext) -> str:
        """Book."""
        done.append("before")
        day = await ctx.ask("Which day?")
        done.append("after")
        return day

    model = ScriptedModel(Say(calls=[("book", {})]), "done")
    run = await Agent("a", model=model, tools=[book]).run("go")
    assert (run.status, run.messages[-1].parts[0].is_error) == ("waiting", True)
    run = await run.resume(["Monday"])
    assert (run.output, done, len(model.requests)) == ("done", ["before", "after"], 2)
    assert run.messages[2].parts[0].text == "Monday"


async def test_a_run_waits_only_when_nothing_else_can_go_on():
    gate, done = asyncio.Event(), []

    async def slow() -> str:
        await gate.wait()
        return "slow"

    async def last() -> None:
        done.append("last")

    nodes = {"ask": Question("Which?"), "slow": slow, "last": last}
    task = asyncio.create_task(Graph("g", nodes, [("slow", "last")]).run("go"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not task.done()
    gate.set()
    run = await task
    assert (run.status, done) == ("waiting", ["last"])
    assert run.reason == "Waiting for an answer to q1."
    assert (await run.resume(["x"])).output == {"ask": "x", "last": None}


async def test_a_run_still_waits_when_the_end_of_a_child_was_its_last_event():
    async def quick() -> None:
        await asyncio.sleep(0)

    run = await Graph("g", {"ask": Question("Which?"), "quick": quick}, []).run("go")
    assert run.events[-1].type == "run_finished"
    assert (run.status, len(run.questions)) == ("waiting", 1)
    assert run.how_to_go_on


async def test_a_model_that_still_speaks_keeps_the_run_going():
    gate = asyncio.Event()
    agent = Agent("a", model=ScriptedModel(Say(text="hello", wait=gate)))
    task = asyncio.create_task(Graph("g", {"ask": Question("?"), "a": agent}, []).run("go"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not task.done()
    gate.set()
    run = await task
    said = [event.message.text for event in run.events if isinstance(event, MessageFinished)]
    assert (run.status, said) == ("waiting", ["hello"])


async def test_an_answer_to_some_of_the_questions_leaves_the_rest_open():
    done: list[str] = []
    run = await two(done).run("go")
    assert [question.id for question in run.questions] == ["q1", "q2"]
    assert run.how_to_go_on.endswith('answers={"q1": ..., "q2": ...})')
    rest = await run.resume({"q2": "x"})
    assert (rest.status, [question.id for question in rest.questions]) == ("waiting", ["q1"])
    assert done == ["a before", "b before", "b after"]
    end = await rest.resume({"q1": 3})
    assert end.output == {"a": [3], "b": ["x"]}
    assert done == ["a before", "b before", "b after", "a after"]


async def test_answers_may_come_in_the_order_of_the_questions():
    assert (await (await two([]).run("go")).resume([3, "x"])).output == {"a": [3], "b": ["x"]}
    run = await (await two([]).run("go")).resume([3])
    assert [question.id for question in run.questions] == ["q2"]


async def test_a_node_that_asks_again_waits_again():
    done: list[str] = []
    run = await one(done, "One?", "Two?").run("go")
    run = await run.resume(["1"])
    assert (run.status, run.questions[0].id) == ("waiting", "q2")
    assert (await run.resume({"q2": "2"})).output == ["1", "2"]
    assert done == ["node before", "node after"]


async def test_resuming_with_nobody_there_waits_again():
    run = await one([], "Which?").run("go")
    again = await run.resume()
    assert (again.status, again.questions) == ("waiting", run.questions)
    assert (await again.resume(["x"])).output == ["x"]


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ({"q3": "x"}, "There is no open question 'q3'. Known: q1, q2"),
        ({"q1": "three"}, "The answer to q1 .*valid integer"),
        ({"q2": "x", "q1": "three"}, "The answer to q1"),
        (["x"], "The answer to q1"),
        ([1, "x", "y"], "Too many answers: 3 for 2 open questions"),
        ("yes", "must be a list or a dictionary"),
    ],
)
async def test_answers_that_do_not_fit_are_refused_and_nothing_is_delivered(answers, problem):
    done: list[str] = []
    run = await two(done).run("go")
    with pytest.raises(UserError, match=problem):
        await run.resume(answers)
    assert (run.status, [question.is_open for question in run.questions]) == ("waiting", [True] * 2)
    assert done == ["a before", "b before"]
    assert (await run.resume({"q1": 3, "q2": "x"})).status == "finished"


async def test_what_was_answered_already_is_not_answered_again():
    run = await two([]).run("go")
    rest = await run.resume({"q2": "x"})
    with pytest.raises(UserError, match="q2 was answered already; the first answer counts"):
        await run.resume({"q2": "y"})
    assert (await rest.resume({"q1": 3})).output["b"] == ["x"]


async def test_a_run_that_was_resumed_to_its_end_cannot_be_resumed_again():
    run = await one([], "Which?").run("go")
    end = await run.resume(["x"])
    with pytest.raises(UserError, match="cannot continue: it was resumed to its end"):
        await run.resume(["y"])
    with pytest.raises(UserError, match="is not waiting for an answer"):
        await end.resume(["y"])


async def test_a_question_of_the_run_is_answered_directly_and_then_it_goes_on():
    run = await one([], "Which?").run("go")
    run.questions[0].answer("x")
    assert (await run.resume()).output == ["x"]


async def test_a_question_is_answered_from_another_thread():
    run = await one([], "Which?").run("go")
    thread = threading.Thread(target=run.questions[0].answer, args=("x",))
    thread.start()
    thread.join()
    assert (await run.resume()).output == ["x"]


async def test_two_that_resume_at_once_both_hear_the_end():
    run = await two([]).run("go")
    async with asyncio.timeout(2):
        ends = await asyncio.gather(run.resume({"q1": 3}), run.resume({"q2": "x"}))
    assert [end.status for end in ends] == ["finished", "finished"]


async def test_a_run_made_by_a_plain_call_is_resumed_by_await():
    done: list[str] = []
    run = one(done, "Which?")("go")
    assert run.status == "waiting"
    run = await run.resume({"q1": "x"})
    assert (run.output, done) == (["x"], ["node before", "node after"])


async def test_a_run_is_resumed_from_the_loop_of_another_thread():
    run = await one([], "Which?").run("go")
    there = asyncio.to_thread(lambda: portal().call(lambda: run.resume(["x"])))
    assert (await there).output == ["x"]


def test_a_run_whose_loop_has_ended_goes_on_from_its_record():
    run = asyncio.run(one([], "Which?").run("go"))
    assert asyncio.run(run.resume(["x"])).output == ["x"]


async def test_each_of_many_askers_gets_its_own_answer():
    def asks(name: str) -> Agent:
        ask = Say(calls=[("handoff_to_user", {"question": f"{name}?"})])
        heard = lambda request: request.messages[-1].parts[0].text  # noqa: E731
        return Agent(name, model=ScriptedModel(ask, heard), tools=[handoff_to_user])

    def deep(name: str) -> Graph:
        return Graph(f"of_{name}", {"in": Graph(f"in_{name}", {"agent": asks(name)}, [])}, [])

    names = ["a", "b", "c", "d"]
    run = await Graph("g", {name: deep(name) for name in names}, []).run("go")
    assert [question.prompt for question in run.questions] == ["a?", "b?", "c?", "d?"]
    assert [question.asked.asker for question in run.questions] == names
    rest = await run.resume({"q3": "C", "q1": "A"})
    end = await rest.resume({"q4": "D", "q2": "B"})
    assert end.output == {"a": "A", "b": "B", "c": "C", "d": "D"}


async def test_each_of_many_askers_gets_the_answer_of_the_person_whenever_it_comes():
    names = ["a", "b", "c"]
    turns = {name: asyncio.Event() for name in names}
    turns["c"].set()

    async def last_first(question: OpenQuestion) -> None:
        name = question.prompt
        await turns[name].wait()
        question.answer(name.upper(), via="form")
        if name != "a":
            turns[chr(ord(name) - 1)].set()

    with present(last_first) as person:
        run = await Graph("g", {name: Question(name) for name in names}, []).run("go")
    assert run.output == {"a": "A", "b": "B", "c": "C"}
    received = [event for event in run.events if isinstance(event, InputReceived)]
    assert [event.answer for event in received] == ["C", "B", "A"]
    assert (person.left, others()) == (3, set())


async def test_one_who_answers_later_does_not_keep_the_others_from_going_on():
    async def some(question: OpenQuestion) -> None:
        if question.prompt == "b":
            question.answer("B", via="form")

    with present(some):
        run = await Graph("g", {name: Question(name) for name in "abc"}, []).run("go")
    assert run.status == "waiting"
    assert [question.prompt for question in run.questions] == ["a", "c"]
    assert (await run.resume(["A", "C"])).output == {"a": "A", "b": "B", "c": "C"}


async def test_a_waiting_run_that_nobody_keeps_is_let_go():
    cleaned = asyncio.Event()

    async def node(ctx: RunContext) -> None:
        try:
            await ctx.ask("Which?")
        finally:
            cleaned.set()

    run = await Graph("g", {"node": node}, []).run("go")
    gc.collect()
    await asyncio.sleep(0)
    assert not cleaned.is_set()
    question = run.questions[0]
    del run
    gc.collect()
    async with asyncio.timeout(2):
        await cleaned.wait()
        if left := others():
            await asyncio.wait(left)
    with pytest.raises(UserError, match="is over"):
        question.answer("x")


async def test_a_waiting_run_survives_the_collector_as_long_as_it_is_kept():
    run = await one([], "Which?").run("go")
    gc.collect()
    assert (await run.resume(["x"])).output == ["x"]


async def test_stopping_a_run_that_goes_on_cleans_it_up():
    begun, cleaned = asyncio.Event(), []

    async def node(ctx: RunContext) -> None:
        await ctx.ask("Which?")
        begun.set()
        try:
            await never().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("node")

    run = await Graph("g", {"node": node}, []).run("go")
    task = asyncio.create_task(run.resume(["x"]))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (cleaned, others()) == (["node"], set())


async def test_stopping_a_run_that_goes_on_in_another_loop_cleans_it_up_too():
    begun, cleaned = threading.Event(), []

    async def node(ctx: RunContext) -> None:
        await ctx.ask("Which?")
        begun.set()
        try:
            await never().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("node")

    run = Graph("g", {"node": node}, [])("go")
    task = asyncio.create_task(run.resume(["x"]))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned == ["node"]


async def test_an_error_after_the_answer_is_raised_by_resume_with_the_run():
    async def node(ctx: RunContext) -> None:
        raise UserError(await ctx.ask("Which?"))

    run = await Graph("g", {"node": node}, []).run("go")
    with pytest.raises(UserError, match="x") as raised:
        await run.resume(["x"])
    assert raised.value.run.status == "failed"


async def test_a_stream_ends_when_its_run_waits_and_its_run_goes_on():
    async with one([], "Which?").stream("go") as stream:
        types = [event.type async for event in stream]
    assert types == ["run_started", "run_started", "input_requested"]
    assert stream.run.status == "waiting"
    assert (await stream.run.resume(["x"])).output == ["x"]


async def test_a_waiting_run_is_not_changed_by_what_happens_later():
    run = await one([], "Which?").run("go")
    before = list(run.events)
    end = await run.resume(["x"])
    assert run.events == before == end.events[: len(before)]
    assert len(end.events) > len(before)
