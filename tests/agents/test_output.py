"""Typed answers: what the model is held to, and what happens when it does not hold to it."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from nbagents import (
    Agent,
    Capabilities,
    Limits,
    MessageFinished,
    OutputError,
    Retrying,
    RunFailed,
    RunFinished,
    Say,
    ScriptedModel,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
    UserError,
)
from nbagents.messages import user_message
from nbagents.models.base import ModelRequest
from tests.agents.support import story

NATIVE = Capabilities(native_output=True)
TOKEN = Usage(1, 1)


class City(BaseModel):
    name: str
    people: int = Field(ge=0)


class Country(BaseModel):
    cities: list[City]
    capital: City | None = None


@dataclass
class Point:
    x: float
    y: float = 0.0


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    sizes: tuple[int, ...]
    colour: Colour


class Tree(BaseModel):
    name: str
    children: list[Tree] = []


TYPES = [
    (City, {"name": "Bern", "people": 7}, City(name="Bern", people=7)),
    (Point, {"x": 1}, Point(1.0, 0.0)),
    (Country, {"cities": [{"name": "B", "people": 1}]}, Country(cities=[City(name="B", people=1)])),
    (dict[str, int], {"a": 1}, {"a": 1}),
    (Tree, {"name": "a", "children": [{"name": "b"}]}, Tree(name="a", children=[Tree(name="b")])),
    (int, 42, 42),
    (bool, False, False),
    (list[City], [{"name": "B", "people": 1}], [City(name="B", people=1)]),
    (Literal["yes", "no"], "no", "no"),
    (Colour, "red", Colour.RED),
    (int | None, None, None),
    (tuple[int, str], [1, "a"], (1, "a")),
    (
        list[Strict],
        [{"sizes": [1, 2], "colour": "red"}],
        [Strict(sizes=(1, 2), colour=Colour.RED)],
    ),
]


def travels_as(output_type, value):
    """Give what the model must write: vendors want an object on the outside."""
    return value if output_type in {City, Point, Country, dict[str, int]} else {"value": value}


@pytest.mark.parametrize(
    ("output_type", "value", "output"), TYPES, ids=lambda value: str(value)[:40]
)
async def test_any_type_is_answered_by_the_output_tool(output_type, value, output):
    answer = travels_as(output_type, value)
    model = ScriptedModel(Say(calls=[("final_answer", answer)], usage=TOKEN))
    run = await Agent("a", model=model, output_type=output_type).run("?")
    assert run.output == output
    assert type(run.output) is type(output)
    [request] = model.requests
    assert (request.tool_choice, request.output) == ("required", None)
    assert [spec.name for spec in request.tools] == ["final_answer"]
    assert request.tools[0].parameters["type"] == "object"
    assert run.text == json.dumps(answer)


@pytest.mark.parametrize(
    ("output_type", "value", "output"), TYPES, ids=lambda value: str(value)[:40]
)
async def test_any_type_is_answered_in_the_native_way(output_type, value, output):
    answer = json.dumps(travels_as(output_type, value))
    model = ScriptedModel(answer, capabilities=NATIVE)
    run = await Agent("a", model=model, output_type=output_type).run("?")
    assert run.output == output
    [request] = model.requests
    assert (request.tool_choice, request.tools) == ("auto", ())
    assert request.output.schema["type"] == "object"
    assert run.text == answer


def schema_of(output_type) -> dict:
    return Agent("a", output_type=output_type).output.spec.schema


def test_an_object_is_its_own_schema_and_allows_nothing_else():
    assert schema_of(City) == {
        "title": "City",
        "type": "object",
        "properties": {
            "name": {"title": "Name", "type": "string"},
            "people": {"minimum": 0, "title": "People", "type": "integer"},
        },
        "required": ["name", "people"],
        "additionalProperties": False,
    }


def test_a_type_that_is_no_object_travels_in_one_and_its_definitions_stay_in_reach():
    schema = schema_of(list[City])
    assert (schema["type"], schema["required"]) == ("object", ["value"])
    assert schema["additionalProperties"] is False
    assert schema["properties"]["value"]["items"] == {"$ref": "#/$defs/City"}
    assert schema["$defs"]["City"]["properties"]["people"]["minimum"] == 0
    assert schema_of(Literal["yes", "no"])["properties"]["value"]["enum"] == ["yes", "no"]
    recursive = schema_of(Tree)
    assert recursive["properties"]["value"] == {"$ref": "#/$defs/Tree"}


@pytest.mark.parametrize(
    ("output_type", "name"),
    [(City, "City"), (list[City], "list"), (Literal["a"], "Literal"), (int | None, "answer")],
)
def test_a_schema_has_a_name_that_vendors_take(output_type, name):
    assert Agent("a", output_type=output_type).output.spec.name == name


def test_a_type_without_a_schema_is_refused_when_the_agent_is_made():
    class Opaque:
        pass

    with pytest.raises(UserError, match="has no JSON Schema"):
        Agent("a", output_type=Opaque)
    with pytest.raises(UserError, match="has no JSON Schema"):
        Agent("a", output_type=Callable[[], int])
    with pytest.raises(UserError, match="has no JSON Schema"):
        Agent("a", output_type=list["Missing"])  # noqa: F821 - that is the mistake


BAD = {"name": "Bern", "people": -7}
GOOD = {"name": "Bern", "people": 7}
PROBLEM = "The answer does not fit: people: Input should be greater than or equal to 0"


async def test_an_answer_that_does_not_fit_goes_back_and_none_of_that_is_remembered():
    model = ScriptedModel(
        Say(calls=[("final_answer", BAD)], usage=TOKEN),
        Say(calls=[("final_answer", {"name": "Bern"})], usage=TOKEN),
        Say(calls=[("final_answer", GOOD)], usage=TOKEN),
    )
    async with Agent("a", model=model, output_type=City).stream("?") as stream:
        retries = [event async for event in stream if isinstance(event, Retrying)]
    run = stream.run
    assert run.output == City(name="Bern", people=7)
    assert [message.text for message in run.messages] == ["?", json.dumps(GOOD)]
    assert run.messages[1].parts == (TextPart(json.dumps(GOOD)),)
    assert run.messages[1].stop == "end"
    assert run.usage.total_tokens == 6
    assert story(retries) == [
        Retrying(1, 0.0, PROBLEM, restart=True),
        Retrying(2, 0.0, "The answer does not fit: people: Field required", restart=True),
    ]


async def test_the_model_is_shown_its_last_answer_and_what_is_wrong_with_it_field_by_field():
    model = ScriptedModel(Say(calls=[("final_answer", BAD)]), Say(calls=[("final_answer", GOOD)]))
    await Agent("a", model=model, output_type=City).run("?")
    asked, answered, told = model.requests[1].messages
    assert asked == user_message("?")
    assert answered.tool_calls == (ToolCallPart("call_0", "final_answer", json.dumps(BAD)),)
    assert told.parts == (
        ToolResultPart("call_0", "final_answer", (TextPart(PROBLEM),), is_error=True),
    )


async def test_in_the_native_way_it_is_told_so_in_words():
    model = ScriptedModel(json.dumps(BAD), json.dumps(GOOD), capabilities=NATIVE)
    run = await Agent("a", model=model, output_type=City).run("?")
    assert run.output.people == 7
    assert [message.text for message in model.requests[1].messages] == [
        "?",
        json.dumps(BAD),
        f"{PROBLEM}. Answer again, as JSON that fits the schema.",
    ]
    assert [message.text for message in run.messages] == ["?", json.dumps(GOOD)]


async def test_the_third_answer_that_does_not_fit_is_an_error_that_says_why():
    model = ScriptedModel(Say(calls=[("final_answer", BAD)], usage=TOKEN), repeat=True)
    with pytest.raises(OutputError, match="a's answer didn't match its output type") as raised:
        await Agent("a", model=model, output_type=City).run("?")
    run = raised.value.run
    assert len(model.requests) == 3
    assert (run.status, run.usage.total_tokens) == ("failed", 6)
    assert PROBLEM in run.reason
    assert story(run.events)[1:] == [RunFailed("OutputError", run.reason, run.usage)]


async def test_a_model_that_answers_in_words_is_told_to_call_the_tool():
    model = ScriptedModel("It is Bern.", Say(calls=[("final_answer", GOOD)]))
    run = await Agent("a", model=model, output_type=City).run("?")
    assert run.output.name == "Bern"
    assert (
        model.requests[1]
        .messages[-1]
        .text.endswith("Answer again, as JSON that fits the schema. Call final_answer.")
    )
    assert len(run.messages) == 2


async def test_a_model_that_writes_the_answer_instead_of_calling_the_tool_is_understood():
    model = ScriptedModel(f"```json\n{json.dumps(GOOD)}\n```")
    assert (await Agent("a", model=model, output_type=City).run("?")).output.people == 7


@pytest.mark.parametrize(
    "written",
    [
        "{}",
        "```\n{}\n```",
        "Here it is:\n```json\n{}\n```\nHave fun with `it`!",
        "Sure! {} That is all.",
        "<think>maybe {{1}}</think>\n{}",
        "maybe {{1}}\n</think>\n\n```json\n{}\n```",
        "```python\nx = {{}}\n```\n\n```json\n{}\n```",
    ],
)
@pytest.mark.parametrize("name", ["Bern", "```\n{x}\n```"])
async def test_json_is_found_among_words_fences_and_thoughts(written, name):
    model = ScriptedModel(written.format(json.dumps({**GOOD, "name": name})), capabilities=NATIVE)
    assert (await Agent("a", model=model, output_type=City).run("?")).output.name == name
    assert len(model.requests) == 1


@pytest.mark.parametrize(
    ("say", "words"),
    [
        (Say(text="I cannot help with that.", stop="filtered"), "refused.*I cannot help with that"),
        (Say(text="", stop="filtered"), "refused, or its vendor's content filter"),
        (Say(text='{"name": "Be', stop="length"), r"limit of tokens.*Settings\(max_tokens="),
    ],
)
async def test_a_typed_answer_that_ended_early_says_why_and_is_not_asked_for_again(say, words):
    model = ScriptedModel(say, capabilities=NATIVE)
    with pytest.raises(OutputError, match=words):
        await Agent("a", model=model, output_type=City).run("?")
    assert len(model.requests) == 1


async def test_a_final_call_that_is_cut_again_and_again_says_what_to_raise():
    cut = Say(calls=[("final_answer", '{"name": "Be')], stop="length")
    with pytest.raises(OutputError, match=r"limit of tokens.*Settings\(max_tokens="):
        await Agent("a", model=ScriptedModel(cut, repeat=True), output_type=City).run("?")


async def test_a_whole_answer_counts_whatever_its_end():
    say = Say(text=json.dumps(GOOD), stop="length")
    model = ScriptedModel(say, capabilities=NATIVE)
    assert (await Agent("a", model=model, output_type=City).run("?")).output.people == 7


async def test_a_schema_that_excludes_tools_is_replaced_by_a_tool_only_beside_them():
    able = Capabilities(native_output_with_tools=False)
    model = ScriptedModel(Say(calls=[("final_answer", GOOD)]), json.dumps(GOOD), capabilities=able)
    for tools in ([look], []):
        run = await Agent("a", model=model, tools=tools, output_type=City).run("?")
        assert run.output.people == 7
    assert [request.output is None for request in model.requests] == [True, False]


async def test_a_model_that_says_nothing_at_all_is_asked_again():
    model = ScriptedModel("", Say(calls=[("final_answer", GOOD)]))
    assert (await Agent("a", model=model, output_type=City).run("?")).output.people == 7
    assert [message.role for message in model.requests[1].messages] == ["user", "user"]


def look() -> str:
    """Look."""
    return "Bern has 7 people"


async def test_tools_come_first_and_the_answer_afterwards():
    model = ScriptedModel(Say(calls=[("look", {})]), Say(calls=[("final_answer", GOOD)]))
    run = await Agent("a", model=model, tools=[look], output_type=City).run("?")
    assert run.output.people == 7
    assert [spec.name for spec in model.requests[0].tools] == ["look", "final_answer"]
    assert [type(event) for event in run.events if isinstance(event, MessageFinished)] == [
        MessageFinished
    ] * 2
    assert story(run.events)[-1] == RunFinished(GOOD, run.usage)


async def test_what_was_wrong_is_forgotten_once_the_model_has_gone_back_to_its_tools():
    model = ScriptedModel(
        Say(calls=[("final_answer", BAD)]),
        Say(calls=[("look", {})]),
        Say(calls=[("final_answer", GOOD)]),
    )
    run = await Agent("a", model=model, tools=[look], output_type=City).run("?")
    assert len(model.requests[1].messages) == 3
    assert list(model.requests[2].messages) == run.messages[:3]
    assert "final_answer" not in str(run.messages[:3])


async def test_an_answer_beside_other_calls_is_the_answer():
    looked = []

    def peek() -> None:
        """Peek."""
        looked.append(True)

    calls = [("peek", {}), ("final_answer", GOOD)]
    model = ScriptedModel(Say(calls=calls))
    run = await Agent("a", model=model, tools=[peek], output_type=City).run("?")
    assert (run.output.people, looked) == (7, [])


async def test_every_call_of_a_rejected_message_gets_a_result():
    calls = [("look", {}), ("final_answer", BAD)]
    model = ScriptedModel(Say(calls=calls), Say(calls=[("final_answer", GOOD)]))
    await Agent("a", model=model, tools=[look], output_type=City).run("?")
    results = model.requests[1].messages[-1].parts
    assert [result.call_id for result in results] == ["call_0", "call_1"]


async def test_asking_again_counts_as_a_turn():
    model = ScriptedModel(Say(calls=[("final_answer", BAD)]), repeat=True)
    run = await Agent("a", model=model, output_type=City).run("?", limits=Limits(turns=2))
    assert (run.status, run.reason, len(model.requests)) == ("limited", "turns=2", 2)


async def test_text_is_not_checked_and_asks_for_nothing_special():
    model = ScriptedModel("{")
    assert (await Agent("a", model=model).run("?")).output == "{"
    assert model.requests == [ModelRequest((user_message("?"),))]
