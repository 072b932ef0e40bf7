"""Schemas for a grammar: bounded, moved, sketched."""

from __future__ import annotations

import json
from enum import Enum
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from nbagents.providers.local.schema import grammar, object_schema, rooted, sketch, tamed


class Mood(Enum):
    good = "good"
    bad = "bad"


class City(BaseModel):
    name: str
    population: Annotated[int, Field(description="people,\n in all")]


class Trip(BaseModel):
    stops: list[City]
    mood: Mood
    kind: Literal["train"] = "train"
    note: str | None = None


class Tree(BaseModel):
    value: float
    left: Tree | None = None


def test_a_sketch_tells_the_form_and_the_descriptions_in_a_line():
    assert sketch(City.model_json_schema()) == (
        '{"name": string, "population": integer (people, in all)}'
    )
    assert sketch(Trip.model_json_schema()) == (
        '{"stops": [{"name": string, "population": integer (people, in all)}, ...], '
        '"mood": "good" | "bad", "kind": "train", "note": string | null}'
    )


def test_a_sketch_of_what_holds_itself_ends():
    assert sketch(Tree.model_json_schema()) == '{"value": number, "left": ... | null}'


@pytest.mark.parametrize(
    ("schema", "form"),
    [
        ({}, "any"),
        ({"type": "array"}, "[any, ...]"),
        ({"type": "array", "items": True}, "[any, ...]"),
        ({"type": "object"}, "object"),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "boolean"}}}, "boolean"),
    ],
)
def test_a_sketch_of_a_schema_that_says_little_says_little(schema, form):
    assert sketch(schema) == form


def test_whatever_could_go_on_for_ever_is_given_an_end():
    schema = object_schema(
        text={"type": "string"},
        code={"type": "string", "pattern": "^[A-Z]{3}$"},
        short={"type": "string", "maxLength": 5},
        count={"type": "integer"},
        month={"type": "integer", "minimum": 1, "maximum": 12},
        tags={"type": "array", "items": {"type": "string"}},
        pair={"type": "array", "minItems": 30},
    )
    assert tamed(schema, 600)["properties"] == {
        "text": {"type": "string", "maxLength": 600},
        "code": {"type": "string", "pattern": "^[A-Z]{3}$"},
        "short": {"type": "string", "maxLength": 5},
        "count": {"type": "integer", "minimum": -(10**15), "maximum": 10**15},
        "month": {"type": "integer", "minimum": 1, "maximum": 12},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 600}, "maxItems": 20},
        "pair": {"type": "array", "minItems": 30, "maxItems": 30},
    }


def test_an_object_is_closed_unless_it_is_one_half_of_another():
    half = {"type": "object", "properties": {"a": {}}, "additionalProperties": False}
    assert tamed({"properties": {}}, 9) == {"properties": {}, "additionalProperties": False}
    assert tamed({"allOf": [half]}, 9) == {"allOf": [{"type": "object", "properties": {"a": {}}}]}
    assert (
        tamed({"properties": {}, "additionalProperties": True}, 9)["additionalProperties"] is True
    )


@pytest.mark.parametrize("pattern", [r"^(?=a)b$", r"(?<!a)b", r"(a)\1", r"(?i)a"])
def test_a_pattern_that_is_not_regular_is_left_to_the_validation(pattern):
    assert "pattern" not in tamed({"type": "string", "pattern": pattern}, 9)


def test_taming_changes_nothing_that_it_was_given():
    schema = Trip.model_json_schema()
    before = json.dumps(schema)
    tamed(schema, 600)
    rooted(schema, "#/$defs/trip")
    assert json.dumps(schema) == before


def test_what_only_looks_like_a_word_of_a_schema_is_left_alone():
    words = {"type": "string", "$ref": "#", "pattern": "(?=a)", "properties": {}, "allOf": {}}
    mine = {"properties": {key: {"const": words} for key in words}, "additionalProperties": False}
    assert tamed(mine, 600) == mine
    assert rooted(mine, "#/$defs/t") == mine


def test_a_schema_that_moves_takes_its_references_along():
    schema = {"$defs": {"A": {"$ref": "#"}}, "properties": {"a": {"$ref": "#/$defs/A"}}}
    assert rooted(schema, "#/$defs/t") == {
        "$defs": {"A": {"$ref": "#/$defs/t"}},
        "properties": {"a": {"$ref": "#/$defs/t/$defs/A"}},
    }


def test_a_grammar_holds_the_schema_and_leaves_no_free_space():
    head, _, text = grammar({"type": "string"}).partition("%json ")
    assert head == "%llguidance {}\nstart: "
    assert json.loads(text) == {
        "type": "string",
        "x-guidance": {
            "whitespace_flexible": False,
            "item_separator": ", ",
            "key_separator": ": ",
            "lenient": True,
        },
    }
