"""What a model is told of a function: its signature and docstring, as a JSON Schema."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pytest
from pydantic import BaseModel, Field

from nbagents import Agent, RunContext, UserError, tool
from nbagents.errors import NbAgentsError


class Unit(enum.Enum):
    CELSIUS = "c"
    KELVIN = "k"


class Place(BaseModel):
    city: str = Field(description="The city.")
    zip: int | None = None


@dataclass
class Span:
    days: int = 1


def weather(
    place: Place,
    unit: Unit,
    span: Span,
    source: Literal["radar", "model"],
    tags: list[str],
    limit: Annotated[int, Field(ge=1, le=10, description="How many.")] = 3,
    since: dt.date | None = None,
    nested: dict[str, list[Place]] | None = None,
) -> str:
    """Tell the weather.

    It is never wrong.

    Args:
        place: Where.
        unit: The unit to tell it in.
        limit: Not used, since the annotation says more.
    """


def test_the_schema_of_a_function_says_all_that_its_signature_says():
    spec = tool(weather).spec
    assert spec.name == "weather"
    assert spec.description == "Tell the weather.\nIt is never wrong."
    place = {"$ref": "#/$defs/Place"}
    assert spec.parameters == {
        "type": "object",
        "additionalProperties": False,
        "required": ["place", "unit", "span", "source", "tags"],
        "properties": {
            "place": {**place, "description": "Where."},
            "unit": {"$ref": "#/$defs/Unit", "description": "The unit to tell it in."},
            "span": {"$ref": "#/$defs/Span"},
            "source": {"enum": ["radar", "model"], "type": "string"},
            "tags": {"items": {"type": "string"}, "type": "array"},
            "limit": {
                "default": 3,
                "description": "How many.",
                "maximum": 10,
                "minimum": 1,
                "type": "integer",
            },
            "since": {
                "anyOf": [{"format": "date", "type": "string"}, {"type": "null"}],
                "default": None,
            },
            "nested": {
                "anyOf": [
                    {"additionalProperties": {"items": place, "type": "array"}, "type": "object"},
                    {"type": "null"},
                ],
                "default": None,
            },
        },
        "$defs": {
            "Place": {
                "properties": {
                    "city": {"description": "The city.", "type": "string"},
                    "zip": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
                },
                "required": ["city"],
                "type": "object",
            },
            "Span": {
                "additionalProperties": False,
                "properties": {"days": {"default": 1, "type": "integer"}},
                "type": "object",
            },
            "Unit": {"enum": ["c", "k"], "type": "string"},
        },
    }


def test_a_parameter_may_have_any_name_even_one_that_schemas_use():
    def odd(title: str, schema: int, properties: list[str], type: str = "x") -> None:
        """Odd."""

    properties = tool(odd).spec.parameters["properties"]
    assert list(properties) == ["title", "schema", "properties", "type"]
    assert properties["title"] == {"type": "string"}


def test_a_function_without_parameters_takes_none():
    def now() -> str:
        """Now."""

    assert tool(now).spec.parameters == {
        "type": "object",
        "properties": {},
        "additionalProperties": False,
    }


def test_a_parameter_without_annotation_takes_anything_and_the_author_is_told():
    def show(value, *, twice=False):
        """Show."""

    with pytest.warns(UserWarning, match="'show' has no type for value, twice; the model has to"):
        made = tool(show)
    assert made.spec.parameters["properties"] == {"value": {}, "twice": {"default": False}}


def test_the_context_is_filled_in_and_never_shown():
    def look(here: RunContext, what: str, deep: bool = False) -> None:
        """Look.

        Args:
            here: Not for the model.
            what: At what.
        """

    assert list(tool(look).spec.parameters["properties"]) == ["what", "deep"]


@pytest.mark.parametrize(
    "docstring",
    [
        "Add.\n\nArgs:\n    a: The first.",
        "Add.\n\n:param a: The first.",
        "Add.\n\nParameters\n----------\na : int\n    The first.",
    ],
    ids=["google", "sphinx", "numpy"],
)
def test_the_docstring_may_be_in_any_of_the_usual_styles(docstring):
    def add(a: int) -> int:
        return a

    add.__doc__ = docstring
    spec = tool(add).spec
    assert spec.description == "Add."
    assert spec.parameters["properties"]["a"]["description"] == "The first."


def test_without_a_docstring_the_name_must_do_and_the_author_is_told():
    def find_birds(): ...

    with pytest.warns(UserWarning, match="'find_birds' has no docstring"):
        made = tool(find_birds)
    assert made.spec.description == "find birds"


def test_name_description_and_examples_may_be_given():
    examples = [("Find tits", {"what": "tit"})]

    @tool(name="find", description="Find birds.", examples=examples)
    def find_birds(what: str) -> str:
        """Find."""
        return f"two {what}s"

    assert (find_birds.spec.name, find_birds.spec.description) == ("find", "Find birds.")
    assert find_birds.spec.examples == tuple(examples)
    assert find_birds("tit") == "two tits"
    assert (find_birds.__name__, find_birds.__doc__) == ("find", "Find.")
    assert repr(find_birds) == "<tool find(what: 'str') -> 'str'>"


def test_a_method_may_be_a_tool():
    class Garden:
        def count(self, what: str) -> int:
            """Count."""
            return len(what)

    spec = tool(Garden().count).spec
    assert (spec.name, list(spec.parameters["properties"])) == ("count", ["what"])


def test_the_fields_of_pydantic_may_also_stand_where_a_default_stands():
    def look(
        what: str = Field(description="What."), often: int = Field(default=3, ge=1, le=9)
    ) -> str:
        """Look."""
        return what * often

    made = tool(look)
    assert made.spec.parameters["required"] == ["what"]
    assert made.spec.parameters["properties"] == {
        "what": {"type": "string", "description": "What."},
        "often": {"type": "integer", "default": 3, "minimum": 1, "maximum": 9},
    }
    assert made.parse('{"what": "a"}') == {"what": "a", "often": 3}


class Opaque:
    pass


class Pair(enum.Enum):
    a = (1, 2)


def takes_opaque(value: Opaque): ...
def takes_function(value: Callable[[int], int]): ...
def takes_missing(value: Missing): ...  # noqa: F821 - that is the mistake
def takes_many(*values: int): ...
def takes_named(**values: int): ...
def takes_array(value: np.ndarray): ...
def takes_pairs(pair: Pair): ...


class Adder:
    def __call__(self, a: int) -> int:
        return a


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (
            takes_opaque,
            "'value' of the tool 'takes_opaque' is a Opaque, which a model cannot write",
        ),
        (takes_function, "'value' of the tool 'takes_function' is a .*Callable"),
        (
            takes_array,
            "'value' of the tool 'takes_array' is a ndarray.*make the ndarray in the function",
        ),
        (takes_pairs, r"'pair' of the tool 'takes_pairs' is an enumeration of \[1, 2\]"),
        (takes_missing, "'takes_missing' has an annotation that is not defined.*Missing"),
        (takes_many, r"cannot have the parameter \*values"),
        (takes_named, r"cannot have the parameter \*\*values"),
        (Adder(), "A tool is a function"),
        (lambda x: x, "'<lambda>' cannot be a tool's name"),
    ],
    ids=lambda value: getattr(value, "__name__", "")[:40],
)
@pytest.mark.filterwarnings("ignore:The tool")
def test_what_no_model_could_call_is_refused_when_the_tool_is_made(function, problem):
    with pytest.raises(UserError, match=problem):
        tool(function)
    with pytest.raises(NbAgentsError, match=problem):
        Agent("a", tools=[function])


@pytest.mark.parametrize("name", ["get weather", " ", "é", "a" * 65, "a.b"])
def test_a_name_that_vendors_refuse_is_refused_at_once(name):
    with pytest.raises(UserError, match=r"cannot be a tool's name"):
        tool(name=name)(weather)
    with pytest.raises(UserError, match=r"cannot be a tool's name"):
        Agent("a").as_tool(name)
