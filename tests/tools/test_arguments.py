"""Arguments: they arrive as the annotated types, or the tool does not run."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, BaseModel, Field

from nbagents import Agent, Say, ScriptedModel, ToolFinished, ToolStarted, tool
from nbagents.tools.base import Tool

MODEL = Literal["radar", "model"]


class Unit(enum.Enum):
    CELSIUS = "c"


class Place(BaseModel):
    city: str
    zip: int | None = None


@dataclass
class Span:
    days: int = 1


def broken(value: int) -> int:
    raise KeyError(value)


class Recorder:
    """Tools that write down what they were called with."""

    def __init__(self):
        self.calls = []

    def record(
        self,
        place: Place,
        unit: Unit = Unit.CELSIUS,
        span: Span | None = None,
        source: MODEL = "radar",
        places: list[Place] | None = None,
        day: dt.date | None = None,
        often: Annotated[int, Field(ge=1)] = 1,
    ) -> str:
        """Record."""
        self.calls.append((place, unit, span, source, places, day, often))
        return "recorded"

    def validated(self, value: Annotated[int, AfterValidator(broken)]) -> None:
        """Validate."""
        self.calls.append(value)


async def result_of(args, *, name: str = "record"):
    """Let a model call a tool with these arguments; return what was called and what came of it."""
    recorder = Recorder()
    tools = [recorder.record, recorder.validated]
    agent = Agent("a", model=ScriptedModel(Say(calls=[(name, args)]), "done"), tools=tools)
    run = await agent.run("go")
    assert run.output == "done"
    [result] = run.messages[2].parts
    return recorder.calls, result, run


async def test_arguments_arrive_as_the_annotated_types():
    args = {
        "place": {"city": "Bern", "zip": 3000},
        "unit": "c",
        "span": {"days": 2},
        "source": "model",
        "places": [{"city": "Thun"}],
        "day": "2026-01-02",
        "often": 2,
    }
    calls, result, _ = await result_of(args)
    assert calls == [
        (
            Place(city="Bern", zip=3000),
            Unit.CELSIUS,
            Span(2),
            "model",
            [Place(city="Thun")],
            dt.date(2026, 1, 2),
            2,
        )
    ]
    assert [type(value) for value in calls[0][:3]] == [Place, Unit, Span]
    assert (result.text, result.is_error) == ("recorded", False)


async def test_what_is_left_out_has_its_default():
    calls, _, _ = await result_of({"place": {"city": "Bern"}})
    assert calls == [(Place(city="Bern"), Unit.CELSIUS, None, "radar", None, None, 1)]


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        ("{", "Invalid JSON"),
        ('{"place": {"city": "Bern"}', "Invalid JSON"),
        ("Bern", "Invalid JSON"),
        ("[]", "Input should be an object"),
        ("", "place: Field required"),
        ({}, "place: Field required"),
        ({"place": "Bern"}, "place: Input should be an object"),
        ({"place": {"zip": 3000}}, "place.city: Field required"),
        ({"place": {"city": 7}}, "place.city: Input should be a valid string"),
        ({"place": {"city": "B"}, "unit": "f"}, "unit: Input should be 'c'"),
        ({"place": {"city": "B"}, "source": "x"}, "source: Input should be 'radar' or 'model'"),
        ({"place": {"city": "B"}, "places": [{"city": "T"}, {}]}, "places.1.city: Field required"),
        ({"place": {"city": "B"}, "often": 0}, "often: Input should be greater than or equal to 1"),
        ({"place": {"city": "B"}, "wind": 1}, "wind: Extra inputs are not permitted"),
        ({"place": {"city": "B"}, "often": "two", "wind": 1}, "often: Input should be a valid int"),
    ],
    ids=str,
)
async def test_what_does_not_fit_goes_back_with_the_reason_and_the_tool_does_not_run(args, problem):
    calls, result, run = await result_of(args)
    assert calls == []
    assert result.is_error
    assert result.text.startswith("Invalid arguments: ")
    assert problem in result.text
    assert not any(isinstance(event, ToolStarted) for event in run.events)
    [finished] = [event for event in run.events if isinstance(event, ToolFinished)]
    assert finished.traceback is None


async def test_all_that_is_wrong_is_said_at_once():
    _, result, _ = await result_of({"place": {"city": 7}, "often": 0})
    assert result.text == (
        "Invalid arguments: place.city: Input should be a valid string; "
        "often: Input should be greater than or equal to 1"
    )


async def test_a_check_of_the_users_own_that_breaks_is_an_error_result_too():
    calls, result, _ = await result_of({"value": 7}, name="validated")
    assert (calls, result.is_error) == ([], True)
    assert result.text == "Invalid arguments: KeyError: 7"


async def test_a_tool_that_does_not_exist_is_named_with_the_closest_one_that_does():
    calls, result, run = await result_of({}, name="recrod")
    assert (calls, result.is_error) == ([], True)
    assert result.text == (
        "There is no tool 'recrod'. Did you mean 'record'? Known: record, validated."
    )
    assert run.messages[2].parts[0].name == "recrod"


def test_a_tool_may_be_asked_to_check_arguments_by_hand():
    made = tool(Recorder().record)
    assert isinstance(made, Tool)
    parsed = made.parse('{"place": {"city": "Bern"}, "often": 2}')
    assert (parsed["place"], parsed["often"]) == (Place(city="Bern"), 2)
    assert parsed["source"] == "radar"  # The default of what a model may leave out.
