"""From the schema of an answer to the fields of a form, and back to the answer."""

from __future__ import annotations

import datetime as dt
import enum
import json
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr

from nbagents import Approval, FilePart, Question, UserError
from nbagents.events import InputRequested
from nbagents.notebook.forms.fields import assemble, decision, explain, fields_of
from nbagents.notebook.forms.frozen import draw, shown_answer
from nbagents.notebook.forms.stdin import answer_by_lines
from nbagents.questions import OpenQuestion


class Colour(enum.Enum):
    red = "red"
    blue = "blue"


class Address(BaseModel):
    street: str


Long = Annotated[str, Field(json_schema_extra={"format": "textarea"})]


class Everything(BaseModel):
    """A model with one field of each kind."""

    name: str
    notes: Annotated[Long, Field(description="As much as you like.")] = ""
    age: int = Field(3, gt=0, le=9)
    price: float | None = None
    exact: Decimal = Decimal("1.5")
    day: dt.date
    at: dt.datetime | None = None
    hour: dt.time | None = None
    agreed: bool = True
    colour: Colour = Colour.red
    picked: list[Literal["a", "b"]] = ["a"]
    home_address: Address | None = None
    tags: list[str] = []
    file: FilePart | None = None
    files: list[FilePart] = []
    secret: SecretStr = SecretStr("x")
    titled: str = Field("", title="A title")


def fields(schema: Any, **question: Any):
    return fields_of(Question("?", schema, **question).adapter.json_schema())


def open_question(schema: Any, **question: Any) -> OpenQuestion:
    """Make a question as a run does; to be called in a loop."""
    asked = Question("What <now>?", schema, **question)
    return OpenQuestion(
        asked,
        InputRequested(
            "q1", asked.prompt, asked.adapter.json_schema(), "writer", asked.reason, asked.details
        ),
    )


def answer(schema: Any, values: dict[str, Any]) -> Any:
    """What the asker gets for what stands in the fields."""
    return Question("?", schema).adapter.validate_json(assemble(fields(schema), values))


def test_a_model_has_a_field_for_each_property():
    kinds = {field.name: field.kind for field in fields(Everything)}
    assert kinds == {
        "name": "text",
        "notes": "long",
        "age": "integer",
        "price": "number",
        "exact": "text",
        "day": "date",
        "at": "datetime",
        "hour": "time",
        "agreed": "yesno",
        "colour": "choice",
        "picked": "choices",
        "home_address": "json",
        "tags": "lines",
        "file": "file",
        "files": "files",
        "secret": "password",
        "titled": "text",
    }


@pytest.mark.parametrize(
    ("schema", "typed", "answer"),
    [
        (list[str], "one\n two, three \n\n[4]\r\n", ["one", "two, three", "[4]"]),
        (list[str], "", []),
        (set[str] | None, "a\na", {"a"}),
        (list[str] | None, " \n", None),
    ],
)
def test_a_list_of_texts_takes_one_per_line(schema: Any, typed: str, answer: Any):
    adapter = Question("?", schema).adapter
    assert adapter.validate_json(assemble(fields(schema), {"": typed})) == answer


def test_an_item_of_several_lines_is_kept_whole():
    class Poem(BaseModel):
        verses: list[str] = ["one\ntwo"]

    assert [field.kind for field in fields(Poem)] == ["json"]


def test_a_field_says_what_may_stand_in_it():
    by_name = {field.name: field for field in fields(Everything)}
    age, colour = by_name["age"], by_name["colour"]
    assert (age.minimum, age.maximum, age.default, age.required) == (1, 9, 3, False)
    assert (colour.options, colour.default, colour.label) == (("red", "blue"), "red", "Colour")
    assert by_name["day"].required
    assert by_name["price"].nullable
    assert by_name["notes"].help == "As much as you like."
    assert by_name["home_address"].label == "Home address"
    assert by_name["titled"].label == "A title"


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        (str, "text"),
        (Long, "long"),
        (bool, "yesno"),
        (int, "integer"),
        (float, "number"),
        (Decimal, "text"),
        (dt.date, "date"),
        (Colour, "choice"),
        (Literal["a", 1], "choice"),
        (set[Colour], "choices"),
        (FilePart, "file"),
        (FilePart | None, "file"),
        (list[FilePart], "files"),
        (dict[str, int], "json"),
        (list[str], "lines"),
        (set[str] | None, "lines"),
        (tuple[str, ...], "lines"),
        (tuple[str, int], "json"),
        (list[int], "json"),
        (int | str, "text"),
        (int | bool, "json"),
        (Any, "text"),
        (Everything | None, "json"),
    ],
    ids=str,
)
def test_a_single_type_is_one_field(schema: Any, kind: str):
    (field,) = fields(schema)
    assert (field.name, field.label, field.kind) == ("", "", kind)


def test_choices_of_a_question_are_its_options():
    (one,) = fields(str, choices=["a", "b"])
    (several,) = fields(list[str], choices=["a", "b"])
    assert (one.kind, one.options) == ("choice", ("a", "b"))
    assert (several.kind, several.options) == ("choices", ("a", "b"))


@pytest.mark.parametrize(
    ("schema", "values", "given"),
    [
        (str, {"": "hello"}, "hello"),
        (str, {"": ""}, ""),
        (str | None, {"": ""}, None),
        (bool, {"": False}, False),
        (int, {"": "42"}, 42),
        (float, {"": "1e3"}, 1000.0),
        (Decimal, {"": "0.10"}, Decimal("0.1")),
        (int | None, {"": ""}, None),
        (Literal["a", 1], {"": 1}, 1),
        (list[Colour], {"": ["blue"]}, [Colour.blue]),
        (list[Colour], {"": []}, []),
        (dt.date, {"": "2026-12-24"}, dt.date(2026, 12, 24)),
        (dict[str, int], {"": '{"a": 1}'}, {"a": 1}),
        (Literal["a"] | None, {"": None}, None),
        (Literal["a"] | None, {}, None),
        (bool | None, {"": None}, None),
    ],
    ids=str,
)
def test_what_stands_in_a_field_becomes_the_answer(schema: Any, values: Any, given: Any):
    assert answer(schema, values) == given


def test_a_file_arrives_with_its_bytes_and_its_name():
    part = {"media_type": "text/plain", "name": "a.txt", "data": "+/+/"}
    assert answer(FilePart, {"": part}) == FilePart("text/plain", b"\xfb\xff\xbf", name="a.txt")


def test_what_is_left_empty_is_left_to_the_default():
    left = {field.name: "" for field in fields(Everything)} | {
        "picked": [],
        "agreed": None,
        "exact": "1.5",
    }
    given = answer(Everything, left | {"name": "Ada", "day": "2026-12-24"})
    assert given.model_dump(exclude={"secret"}) == Everything(
        name="Ada", day=dt.date(2026, 12, 24), picked=[]
    ).model_dump(exclude={"secret"})
    assert given.secret.get_secret_value() == "x"


def test_problems_are_told_by_field():
    everything = fields(Everything)
    with pytest.raises(UserError, match="home_address: Not valid JSON") as broken:
        assemble(everything, {"home_address": "{"})
    assert list(explain(everything, broken.value)) == ["home_address"]


async def test_what_the_check_says_belongs_to_its_fields():
    question = open_question(Everything)
    everything = fields(Everything)
    with pytest.raises(UserError) as refused:
        question.answer(assemble(everything, {"name": "x", "age": "x", "picked": [1]}), json=True)
    problems = explain(everything, refused.value)
    assert sorted(problems) == ["age", "day", "picked"]
    assert problems["day"] == "Field required"
    assert question.is_open


async def test_what_belongs_to_no_field_is_told_too():
    question = open_question(int)
    with pytest.raises(UserError) as refused:
        question.answer(assemble(fields(int), {"": "x; y: z"}), json=True)
    assert "valid integer" in explain(fields(int), refused.value)[""]


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        (bool, ""),
        (Colour, ""),
        (Approval, "approve"),
        (str, None),
        (bool | None, None),
        (Literal[1, 2, 3, 4, 5, 6, 7], None),
        (Everything, None),
    ],
    ids=str,
)
def test_buttons_answer_at_once_when_nothing_else_can_be_forgotten(schema: Any, name: str | None):
    chosen = decision(fields(schema))
    assert (chosen and chosen.name) == name


@pytest.mark.parametrize(
    ("schema", "json_answer", "shown"),
    [
        (bool, True, "Yes"),
        (str, "", "(empty)"),
        (str | None, None, "(nothing)"),
        (SecretStr, "hush", "•••••••• (not shown)"),
        (list[Colour], ["red", "blue"], "red, blue"),
        (dict[str, int], {"a": 1}, '{"a": 1}'),
        (
            FilePart,
            {"name": "a.txt", "media_type": "text/plain", "data": "aGk="},
            "a.txt (2 bytes)",
        ),
    ],
    ids=str,
)
def test_an_answer_is_written_for_a_reader(schema: Any, json_answer: Any, shown: str):
    assert shown_answer(fields(schema)[0], json_answer) == shown


async def test_what_stays_says_who_what_why_and_the_answer_and_nothing_is_markup():
    question = open_question(
        Everything, reason="Because <b>", details={"to": "<script>", "text": "```"}
    )
    secret = {"name": "<i>Ada</i>\nand **Bob**", "day": "2026-12-24", "secret": "hush"}
    question.answer(assemble(fields(Everything), secret), via="form", json=True)
    bundle = draw(question, fields(Everything), "answered")
    for form in bundle.values():
        assert "writer" in form
        assert "Answered by you" in form
        assert "hush" not in form
    assert "<script>" not in bundle["text/html"]
    assert "&lt;i&gt;Ada&lt;/i&gt;\nand **Bob**" in bundle["text/html"]
    assert "&lt;i&gt;Ada" in bundle["text/markdown"]
    assert "Name: <i>Ada</i>\nand **Bob**" in bundle["text/plain"]


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ("open", "Waiting for you."),
        ("stopped", "Stopped before an answer."),
        ("later", 'Postponed. To continue: await run.resume(answers={"q1": ...})'),
        ("closed", "The form was closed before an answer."),
    ],
)
async def test_what_stays_says_how_it_ended(ending: Any, words: str):
    assert words in draw(open_question(str), fields(str), ending)["text/plain"]


class Typist:
    """Types one line after the other, and notes what was asked."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)
        self.prompts: list[str] = []
        self.secrets: list[bool] = []

    async def ask(self, prompt: str, secret: bool) -> str:
        self.prompts.append(prompt)
        self.secrets.append(secret)
        if not self.lines:
            raise EOFError
        return self.lines.pop(0)


async def typed(schema: Any, *lines: str, **asked: Any) -> tuple[Any, Typist]:
    question, typist = open_question(schema, **asked), Typist(*lines)
    await answer_by_lines(question, fields(schema, **asked), typist.ask)
    assert question.via == "stdin"
    return question.answer_json, typist


@pytest.mark.parametrize(
    ("schema", "line", "given"),
    [
        (str, "  as it is ", "  as it is "),
        (str, "", ""),
        (bool, "N", False),
        (int, " 7 ", 7),
        (Colour, "2", "blue"),
        (Colour, "blue", "blue"),
        (list[Colour], "2, red", ["blue", "red"]),
        (dict[str, int], '{"a": 1}', {"a": 1}),
    ],
    ids=str,
)
async def test_a_line_is_read_as_its_field_wants(schema: Any, line: str, given: Any):
    assert (await typed(schema, line))[0] == given


async def test_a_file_is_typed_as_its_path(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"hi")
    part, typist = await typed(FilePart, "nowhere.txt", str(tmp_path / "a.txt"))
    assert (part["name"], part["media_type"], part["data"]) == ("a.txt", "text/plain", "aGk=")
    assert typist.prompts[1].startswith("There is no file 'nowhere.txt'.\n")


async def test_only_the_line_that_does_not_fit_is_asked_again():
    class Guest(BaseModel):
        name: str
        age: int = Field(ge=18)
        code: SecretStr
        vegan: bool = False

    given, typist = await typed(Guest, "Ada", "12", "hush", "", "36")
    assert given == {"name": "Ada", "age": 36, "code": "**********", "vegan": False}
    assert typist.secrets == [False, False, True, False, False]
    assert typist.prompts[-1] == "Input should be greater than or equal to 18\nAge: "


async def test_choices_are_numbered_and_another_one_is_refused():
    given, typist = await typed(str, "3", "1", choices=["tea", "coffee"])
    assert given == "tea"
    assert typist.prompts == [
        "1. tea\n2. coffee\nNumber: ",
        "'3' is not among the choices: type its number.\n1. tea\n2. coffee\nNumber: ",
    ]


async def test_the_end_of_the_input_leaves_the_question_open():
    question = open_question(str)
    with pytest.raises(EOFError):
        await answer_by_lines(question, fields(str), Typist().ask)
    assert question.is_open
    question.answer("in the end")
    assert json.dumps(question.answer_json) == '"in the end"'
