"""Agents, teams, and models can be copied and pickled, and no key goes along."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import pytest

from nbagents import Agent, Graph, Question, ScriptedModel, Swarm, tool
from nbagents.agents.human import handoff_to_user
from nbagents.models.base import Model
from nbagents.providers.anthropic import AnthropicModel
from nbagents.providers.bedrock import BedrockModel
from nbagents.providers.openai import OpenAIModel
from nbagents.runnable import Runnable

KEY = "sk-test-4f9aBc7d2e1f8a6b"
ADDRESS = f"https://user:{KEY}@example.com/v1?api_key={KEY}"


@tool
def shout(text: str) -> str:
    """Shout."""
    return text.upper()


def whisper(text: str) -> str:
    """Whisper."""
    return text.lower()


class Diary:
    """Has a tool."""

    def __init__(self) -> None:
        self.lines = ["one"]

    @tool
    def read(self, line: int) -> str:
        """Read."""
        return self.lines[line]


MODELS: list[Model] = [
    OpenAIModel("gpt", api_key=KEY, base_url=ADDRESS),
    AnthropicModel("claude", api_key=KEY, base_url=ADDRESS.replace("/v1", "")),
    BedrockModel("nova", region="eu-west-1", endpoint_url=ADDRESS),
    ScriptedModel("done", repeat=True),
]


def runnables(model: Model) -> list[Runnable[Any]]:
    """All kinds, one in the other."""
    inner = Agent("inner", model="openai:gpt", output_type=list[int])
    tools = [shout, whisper, Diary().read, handoff_to_user, inner]
    agent = Agent("agent", "Help.", model=model, tools=tools, approve=["shout"])
    nodes: dict[str, Any] = {"agent": agent, "loud": shout, "quiet": whisper, "q": Question("?")}
    edges = [("agent", "loud"), ("agent", "quiet", "len(text) > 1"), ("quiet", "q")]
    return [agent, Swarm("swarm", [agent, inner]), Graph("graph", nodes, edges)]


WAYS = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "old pickle": lambda value: pickle.loads(pickle.dumps(value, 2)),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_copy_is_the_same_again(way: Any, model: Model):
    for one in runnables(model):
        other = way(one)
        assert other is not one
        assert (type(other), other.name, other.note) == (type(one), one.name, None)
        assert other.declared == one.declared
        assert other.topology().dot == one.topology().dot


async def test_a_copy_runs():
    for one in runnables(MODELS[-1])[:2]:
        for way in WAYS.values():
            assert (await way(one).run("go")).text == "done"
    copied = pickle.loads(pickle.dumps(runnables(MODELS[-1])[0]))
    read = copied.tool_table["read"]
    assert read.function(0) == "one"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_no_key_is_in_a_pickle(model: Model):
    for one in runnables(model):
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            assert KEY.encode() not in pickle.dumps(one, protocol)


def test_a_pickled_model_keeps_its_address_and_a_copy_its_key():
    for model in MODELS[:3]:
        again = pickle.loads(pickle.dumps(model))
        addresses = [value for value in vars(again).values() if str(value).startswith("https:")]
        assert [address.removesuffix("/v1") for address in addresses] == ["https://example.com"]
        assert copy.copy(model) is copy.deepcopy(model) is model


def test_a_tool_of_a_module_stays_itself():
    for way in WAYS.values():
        assert way(shout) is shout


def test_tools_of_a_script_can_be_pickled():
    code = """
import pickle
from nbagents import Agent, tool
@tool(name="other")
def shout(text: str) -> str:
    "Shout."
    return text.upper()
agent = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(Agent("a", tools=[shout])))))
print(agent.tool_table["other"]("x"), shout("y"), agent.tool_table["other"].is_outdated)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "X Y False\n"
