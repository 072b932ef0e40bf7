"""Who answers: what was prepared, or a person; and what becomes of the form."""

from __future__ import annotations

import asyncio
import threading

import pytest

from nbagents import InputReceived, OpenQuestion, Question, UserError
from nbagents.questions import Prepared, present_human
from tests.agents.support import never, others
from tests.people import answering, asks, present


@pytest.mark.parametrize(
    "answers",
    [
        {"q1": "x"},
        {"Which?": "x"},
        {"node": "x"},
        {"*": "x"},
        ["x"],
        ("x", "more"),
        {"*": "no", "node": "no", "Which?": "no", "q1": "x"},
        {"*": "no", "node": "x"},
    ],
)
async def test_prepared_answers_are_found_by_id_text_asker_or_star_or_in_order(answers):
    run = await asks("Which?").run("go", answers=answers)
    assert run.output == ["x"]


async def test_prepared_answers_in_order_serve_one_question_each():
    run = await asks("One?", "Two?", "Three?").run("go", answers=["1", "2"])
    assert run.status == "waiting"
    assert [question.prompt for question in run.questions] == ["Three?"]
    assert (await run.resume(["3"])).output == ["1", "2", "3"]


@pytest.mark.parametrize("answers", ["yes", b"yes", 7])
async def test_prepared_answers_that_are_neither_list_nor_dictionary(answers):
    with pytest.raises(UserError, match="must be a list or a dictionary"):
        await asks("Which?").run("go", answers=answers)
    with pytest.raises(UserError, match="must be a list"):
        Prepared(answers)


async def test_a_person_is_asked_when_nothing_is_prepared():
    with present(answering(**{"Which?": "x"})) as person:
        run = await asks("Which?").run("go", answers={"Other?": "no"})
    assert (run.output, person.left) == (["x"], 1)
    [received] = [event for event in run.events if isinstance(event, InputReceived)]
    assert received.via == "form"


async def test_a_person_is_not_bothered_when_an_answer_stands_ready():
    with present(answering()) as person:
        run = await asks("Which?").run("go", answers=["x"])
    assert (run.output, person.asked) == (["x"], [])


async def test_a_prepared_answer_that_does_not_fit_is_asked_of_the_person_with_the_reason():
    with present(answering(**{"How many?": 3})) as person:
        run = await asks(Question("How many?", int)).run("go", answers=["many"])
    assert run.output == [3]
    assert "valid integer" in person.asked[0].problem


async def test_a_person_who_says_later_leaves_the_run_waiting_and_is_asked_again_at_resume():
    async def later(question: OpenQuestion) -> None:
        """Leave."""

    with present(later) as person:
        run = await asks("Which?").run("go")
        assert (run.status, person.left) == ("waiting", 1)
        again = await run.resume()
        assert (again.status, person.left) == ("waiting", 2)
    with present(answering(**{"Which?": "x"})):
        assert (await again.resume()).output == ["x"]


async def test_what_goes_wrong_while_a_question_is_shown_is_raised_where_it_was_asked():
    async def broken(question: OpenQuestion) -> None:
        raise RuntimeError("no screen")

    with present(broken), pytest.raises(RuntimeError, match="no screen"):
        await asks("Which?").run("go")
    assert others() == set()


async def test_a_form_is_taken_down_when_its_question_is_answered_elsewhere():
    async def idle(question: OpenQuestion) -> None:
        await never().wait()

    with present(idle) as person:
        task = asyncio.create_task(asks("Which?").run("go"))
        await person.came.wait()
        threading.Thread(target=person.asked[0].answer, args=("x",)).start()
        run = await task
    assert (run.output, person.left) == (["x"], 1)
    assert others() == set()


async def test_stop_while_a_person_is_asked_takes_the_form_down_and_closes_the_question():
    async def idle(question: OpenQuestion) -> None:
        try:
            await never().wait()
        finally:
            await asyncio.sleep(0)

    with present(idle) as person:
        task = asyncio.create_task(asks("Which?").run("go"))
        await person.came.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    [question] = person.asked
    assert (person.left, question.is_open, others()) == (1, False, set())
    with pytest.raises(UserError, match="is over: the run was stopped"):
        question.answer("x")


def test_nobody_is_there_unless_somebody_came():
    assert present_human() is None
