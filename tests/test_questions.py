"""Questions: of every type, answered once, from anywhere; and whoever brings them before a person."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr

from nbagents import (
    FilePart,
    Graph,
    InputReceived,
    InputRequested,
    OpenQuestion,
    Question,
    RunContext,
    UserError,
)
from nbagents.events import event_codec
from tests.people import asks, present


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Trip(BaseModel):
    to: str
    days: int = 1


@dataclass
class Bird:
    name: str
    seen: date


PICTURE = FilePart("image/png", b"\x89PNG", name="x.png")


def open_question(question: Question) -> OpenQuestion:
    schema = question.adapter.json_schema()
    return OpenQuestion(question, InputRequested("q1", question.prompt, schema, "a"))


KINDS = [
    (str, "a", "a", "a"),
    (str, "", "", ""),
    (bool, False, False, False),
    (bool, "yes", True, True),
    (int, "7", 7, 7),
    (float, 2, 2.0, 2.0),
    (date, "2026-03-01", date(2026, 3, 1), "2026-03-01"),
    (date, date(2026, 3, 1), date(2026, 3, 1), "2026-03-01"),
    (str | None, None, None, None),
    (None, None, None, None),
    (Literal["x", "y"], "y", "y", "y"),
    (Colour, "blue", Colour.BLUE, "blue"),
    (list[int], [1, 2], [1, 2], [1, 2]),
    (list[int], "[1, 2]", [1, 2], [1, 2]),
    (list[str], [], [], []),
    (Trip, {"to": "Rome"}, Trip(to="Rome"), {"to": "Rome", "days": 1}),
    (Trip, '{"to": "Rome", "days": 2}', Trip(to="Rome", days=2), {"to": "Rome", "days": 2}),
    (Trip, Trip(to="Rome"), Trip(to="Rome"), {"to": "Rome", "days": 1}),
    (
        Bird,
        {"name": "robin", "seen": "2026-03-01"},
        Bird("robin", date(2026, 3, 1)),
        {"name": "robin", "seen": "2026-03-01"},
    ),
    (Annotated[int, Field(ge=3)], 3, 3, 3),
]


@pytest.mark.parametrize(("schema", "given", "typed", "recorded"), KINDS)
async def test_an_answer_arrives_in_the_type_that_was_asked_for(schema, given, typed, recorded):
    run = await asks(Question("?", schema)).run("go", answers=[given])
    assert run.status == "finished"
    assert run.output == [typed]
    assert type(run.output[0]) is type(typed)
    [received] = [event for event in run.events if isinstance(event, InputReceived)]
    assert (received.answer, received.via) == (recorded, "prepared")
    codec = event_codec()
    assert [codec.validate_json(codec.dump_json(event)) for event in run.events] == run.events


async def test_a_file_is_an_answer_and_survives_the_record():
    told: list[object] = []

    async def node(ctx: RunContext) -> None:
        told.append(await ctx.ask(Question("?", FilePart)))

    run = await Graph("g", {"node": node}, []).run("go", answers=[PICTURE])
    assert told == [PICTURE]
    [received] = [event for event in run.events if isinstance(event, InputReceived)]
    again = event_codec().validate_json(event_codec().dump_json(received))
    assert Question("?", FilePart).adapter.validate_json(json.dumps(again.answer)) == PICTURE


async def test_a_secret_is_given_to_the_asker_and_never_stands_in_the_record():
    class Login(BaseModel):
        user: str
        password: SecretStr

    for schema, given in [
        (SecretStr, "hush-hush"),
        (Login, {"user": "x", "password": "hush-hush"}),
    ]:
        told: list[object] = []

        async def node(ctx: RunContext, schema=schema, told=told) -> None:
            told.append(await ctx.ask(Question("Password?", schema)))

        run = await Graph("g", {"node": node}, []).run("go", answers=[given])
        secret = told[0] if schema is SecretStr else told[0].password
        assert secret.get_secret_value() == "hush-hush"
        assert all(b"hush" not in event_codec().dump_json(event) for event in run.events)
        assert "hush" not in repr(run.events)


CHOICES = [
    (Question("?", choices=["x", "y"]), "y", "y"),
    (Question("?", choices=["7", "8"]), "7", "7"),
    (Question("?", choices=[1, 2]), "2", 2),
    (Question("?", choices=[True, False]), False, False),
    (Question("?", list, choices=["x", "y", "z"]), ["z", "x"], ["z", "x"]),
    (Question("?", list[str], choices=["x", "y"]), [], []),
    (Question("?", list[int], choices=[1, 2]), "[2]", [2]),
]


@pytest.mark.parametrize(("question", "given", "typed"), CHOICES)
async def test_an_answer_is_one_or_several_of_the_choices(question, given, typed):
    run = await asks(question).run("go", answers=[given])
    assert run.output == [typed]


WRONG = [
    (Question("?", int), "seven", "unable to parse string as an integer"),
    (Question("?", int), None, "valid integer"),
    (Question("?", str), None, "valid string"),
    (Question("?", bool), "perhaps", "valid boolean"),
    (Question("?", date), "tomorrow", "valid date"),
    (Question("?", Colour), "green", "'red' or 'blue'"),
    (
        Question("?", Trip),
        {"days": "x"},
        "to: Field required; days: Input should be a valid integer",
    ),
    (Question("?", choices=["x", "y"]), "z", "'x' or 'y'"),
    (Question("?", list, choices=["x", "y"]), ["x", "z"], "1: Input should be 'x' or 'y'"),
    (Question("?", list, choices=["x", "y"]), "x", "valid list"),
    (Question("?", Annotated[int, Field(ge=3)]), 2, "greater than or equal to 3"),
]


@pytest.mark.parametrize(("question", "given", "problem"), WRONG)
async def test_an_answer_of_a_wrong_type_leaves_the_question_open_and_says_why(
    question, given, problem
):
    pending = open_question(question)
    with pytest.raises(UserError) as raised:
        pending.answer(given)
    assert str(raised.value).startswith("The answer to q1 ('?') does not fit. ")
    assert problem in str(raised.value)
    assert pending.is_open
    run = await asks(question).run("go", answers=[given])
    assert run.status == "waiting"
    assert problem in run.questions[0].problem


async def test_a_wrong_answer_that_looks_like_a_key_is_not_repeated():
    pending = open_question(Question("Key sk-abcdefghijklmnopqrstuvwx?", int))
    with pytest.raises(UserError) as raised:
        pending.answer("sk-abcdefghijklmnopqrstuvwx")
    assert "sk-abc" not in str(raised.value)


async def test_a_question_is_answered_once_and_a_second_answer_is_refused():
    pending = open_question(Question("Which?"))
    assert (repr(pending), pending.is_open) == ("<q1, open: 'Which?'>", True)
    pending.answer("first")
    with pytest.raises(UserError, match=r"q1 \('Which\?'\) was answered already; the first answer"):
        pending.answer("second")
    assert await pending.answered() == "first"
    assert (repr(pending), pending.answer_json) == ("<q1, closed: 'Which?'>", "first")


async def test_of_many_answers_from_many_threads_one_counts():
    pending = open_question(Question("Which?", int))
    start, counted = threading.Barrier(8), []

    def answer(number: int) -> None:
        start.wait()
        try:
            pending.answer(number)
        except UserError:
            return
        counted.append(number)

    threads = [threading.Thread(target=answer, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    answered = await pending.answered()
    for thread in threads:
        thread.join()
    assert counted == [answered]


async def test_an_answer_may_come_as_json_text():
    pending = open_question(Question("Where?", Trip))
    pending.answer('{"to": "Rome"}', json=True)
    assert await pending.answered() == Trip(to="Rome")
    as_text = open_question(Question("Which?"))
    with pytest.raises(UserError, match="does not fit"):
        as_text.answer("not quoted", json=True)
    as_text.answer('"quoted"', json=True)
    assert await as_text.answered() == "quoted"


def test_a_type_that_nobody_can_be_asked_for_is_the_users_to_mend():
    class Nothing:
        pass

    with pytest.raises(UserError, match="A person cannot be asked for"):
        _ = Question("?", Nothing).adapter


async def test_a_question_to_a_loop_that_has_ended_says_so():
    made: list[OpenQuestion] = []

    async def make() -> None:
        made.append(open_question(Question("Which?")))

    await asyncio.to_thread(lambda: asyncio.run(make()))
    with pytest.raises(UserError, match=r"event loop that has ended\. Ask again"):
        made[0].answer("x")


async def test_the_record_tells_the_question_as_it_was_asked():
    question = Question("Which?", int, reason="I do not know.", details={"a": 1})
    run = await asks(question).run("go", answers=[3])
    [asked] = [event for event in run.events if isinstance(event, InputRequested)]
    assert (asked.question_id, asked.prompt, asked.asker) == ("q1", "Which?", "node")
    assert (asked.reason, asked.details, asked.schema) == (
        "I do not know.",
        {"a": 1},
        {"type": "integer"},
    )


async def test_a_node_that_is_a_question_shows_what_leads_there():
    async def draft() -> dict[str, int]:
        return {"pages": 2}

    graph = Graph("g", {"draft": draft, "ok": Question("Print it?", bool)}, [("draft", "ok")])
    run = await graph.run("go")
    assert run.questions[0].asked.details == {"pages": 2}
    assert (await run.resume([False])).output is False


async def test_a_password_anywhere_in_an_answer_stays_out_of_the_record():
    password = Annotated[str, Field(json_schema_extra={"format": "password"})]

    class Account(BaseModel):
        name: str
        key: password

    class Accounts(BaseModel):
        first: Account
        others: list[Account] = []
        spare: password | None = None

    account = {"name": "a", "key": "hush-hush"}
    given = {"first": account, "others": [account], "spare": "hush-hush"}

    async def node(ctx: RunContext) -> str:
        answer = await ctx.ask(Question("Accounts?", Accounts))
        assert answer.others[0].key == answer.spare == "hush-hush"
        return "done"

    run = await Graph("g", {"node": node}, []).run("go", answers=[given])
    assert run.output == "done"
    assert "hush-hush" not in str(run.events)
    [received] = [event for event in run.events if isinstance(event, InputReceived)]
    assert received.answer["first"]["name"] == "a"


async def test_an_answer_that_crosses_with_the_stop_of_its_run_is_in_the_record():
    async def node(ctx: RunContext) -> str:
        return await ctx.ask("Which?")

    async def act(question: OpenQuestion) -> None:
        question.answer("this", via="form")
        stream.cancel("Stopped by you")

    stream = Graph("g", {"node": node}, []).stream("go")
    with present(act):
        async with stream:
            types = [event.type async for event in stream]
    assert stream.run.status == "cancelled"
    assert types[-3:] == ["input_received", "run_cancelled", "run_cancelled"]
