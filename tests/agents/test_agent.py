"""The declaration of an agent: what it may be given, and what it says of a mistake."""

from __future__ import annotations

import dataclasses

import pytest

from nbagents import Agent, Capabilities, Limits, Say, ScriptedModel, UserError, tool


def look() -> str:
    """Look."""
    return "seen"


def test_an_agent_is_a_value_that_nobody_can_change():
    agent = Agent("a", "Be kind.")
    with pytest.raises(dataclasses.FrozenInstanceError):
        agent.name = "b"
    assert (agent.instructions, agent.output_type, agent.limits) == ("Be kind.", str, None)


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("my agent", "my_agent"),
        ("é", "e"),
        ("größe", "grosse"),
        ("助手", "agent"),
        ("2nd", "agent_2nd"),
        ("", "agent"),
        ("a" * 65, "a"),
    ],
)
def test_a_name_must_be_an_identifier_and_the_error_suggests_one(name, better):
    with pytest.raises(UserError, match=f"only A-Z, a-z, 0-9 and _.*For example: '{better}"):
        Agent(name)


def test_the_name_of_the_person_is_taken():
    with pytest.raises(UserError, match="'human' stands for you"):
        Agent("human")
    assert Agent("Human").name == "Human"


def test_tools_may_be_functions_tools_and_agents():
    other = Agent("other", description="Knows birds.")
    agent = Agent(
        "a", tools=[look, tool(name="gaze")(look), other, other.as_tool("bird", "Birds.")]
    )
    assert list(agent.tool_table) == ["look", "gaze", "other", "bird"]
    described = [made.spec.description for made in agent.tool_table.values()]
    assert described == ["Look.", "Look.", "Knows birds.", "Birds."]
    assert repr(agent) == "Agent('a', model=None, tools=['look', 'gaze', 'other', 'bird'])"


def test_two_tools_of_one_name_are_refused():
    with pytest.raises(UserError, match="'a' has two tools named 'look'"):
        Agent("a", tools=[look, look])


def test_the_name_of_the_answer_is_taken_only_when_there_is_a_typed_answer():
    def final_answer() -> str:
        """Answer."""

    assert "final_answer" in Agent("a", tools=[final_answer]).tool_table
    with pytest.raises(UserError, match="'final_answer' is taken"):
        Agent("a", tools=[final_answer], output_type=int)


def test_what_is_no_tool_is_refused():
    with pytest.raises(UserError, match=r"A tool is a typed function, .* not int \(7\)"):
        Agent("a", tools=[7])


def test_it_tells_the_model_that_it_would_ask(monkeypatch):
    small = ScriptedModel(name="tiny", capabilities=Capabilities(note="small"))
    agent = Agent("a", model=small)
    assert (agent.model_name, agent.note) == ("scripted:tiny", "small")
    assert Agent("a", model="opnai:x").name == "a"  # A name is only looked up when it is needed.


async def test_limits_of_the_agent_hold_unless_a_run_has_its_own():
    def look() -> str:
        """Look."""
        return "seen"

    model = ScriptedModel(Say(calls=[("look", {})]), "hi", repeat=True)
    agent = Agent("a", model=model, tools=[look], limits=Limits(turns=1))
    assert (await agent.run("hi")).status == "limited"
    assert (await agent.replaced(limits=None).run("hi")).text == "hi"
    assert (await agent.run("hi", limits=Limits(turns=2))).status == "finished"


def test_tools_that_can_be_read_only_once_are_kept_for_every_copy():
    def one() -> str:
        """One."""
        return ""

    agent = Agent("a", model=ScriptedModel("x"), tools=(tool for tool in [one]))
    assert list(agent.replaced(instructions="new").tool_table) == ["one"]


def test_a_tool_that_is_in_no_list_is_a_mistake_that_says_so():
    with pytest.raises(UserError, match=r"tools=\[\.\.\.\]"):
        Agent("a", model=ScriptedModel("x"), tools=print)


async def test_a_stream_is_entered_once():
    stream = Agent("a", model=ScriptedModel("x")).stream("go")
    async with stream:
        with pytest.raises(UserError, match="A stream is one run"):
            await stream.__aenter__()
