"""Answers that end before they are complete: none of their calls run, whatever has arrived of them."""

from __future__ import annotations

import pytest

from nbagents import Agent, ModelError, RetryPolicy, Say, Settings, tool
from nbagents.agents.incomplete import INCOMPLETE
from nbagents.models.scripted import ScriptedModel
from nbagents.providers.anthropic import AnthropicModel
from tests.contract.vendors import Vendor
from tests.wire.anthropic import AnthropicWire
from tests.wire.server import Call, Thinking, reply

ARGUMENTS = ["", "{}", '{"path": "/tmp/x"}', '{"path": "/tm']
ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def wiped():
    return []


@pytest.fixture
def wipe(wiped):
    @tool
    def wipe(path: str = ".") -> str:
        """Delete a folder."""
        wiped.append(path)
        return "gone"

    return wipe


@pytest.mark.parametrize("args", ARGUMENTS)
@pytest.mark.parametrize("stop", ["length", "filtered", "moonrise"])
async def test_a_call_of_an_incomplete_answer_does_not_run_and_the_model_is_told(
    vendor: Vendor, stop: str, args: str, wipe, wiped
):
    cut = reply("I delete it.", Call("wipe", args), stop=stop)
    async with vendor.wire([cut, reply("Fine.")]) as server:
        run = await Agent("a", model=vendor.make(server.url), tools=[wipe]).run("Delete /tmp/x")
        sent = server.requests[1].body.decode()
    reason = INCOMPLETE["unknown" if stop == "moonrise" else stop]
    assert (wiped, run.output) == ([], "Fine.")
    assert f"Your answer ended before it was complete: {reason}" in sent
    (result,) = run.messages[2].parts
    assert result.is_error


async def test_none_of_several_calls_runs(vendor: Vendor, wipe, wiped):
    calls = [Call("wipe", '{"path": "a"}', "c1"), Call("wipe", "", "c2")]
    async with vendor.wire([reply(*calls, stop="length"), reply("Fine.")]) as server:
        run = await Agent("a", model=vendor.make(server.url), tools=[wipe]).run("go")
    assert wiped == []
    assert [part.call_id for part in run.messages[2].parts] == ["c1", "c2"]


@pytest.mark.parametrize("end", ["cut", "error"])
@pytest.mark.parametrize("after", range(2, 7))
async def test_a_call_of_a_broken_stream_does_not_run(
    vendor: Vendor, end: str, after: int, wipe, wiped
):
    broken = reply(Call("wipe", '{"path": "/tmp/x"}'), end=end, after=after)
    async with vendor.wire([broken]) as server:
        agent = Agent("a", model=vendor.make(server.url), tools=[wipe], retries=ONCE)
        with pytest.raises(ModelError):
            await agent.run("Delete /tmp/x")
    assert wiped == []


async def test_a_paused_answer_is_continued(wipe, wiped):
    answers = [
        reply(Thinking("Hm.", "c2VhbA=="), "Let me search.", stop="pause_turn"),
        reply(Call("wipe", "{}"), stop="pause_turn"),
        reply("It is 42."),
    ]
    async with AnthropicWire(answers) as server:
        model = AnthropicModel("claude-sonnet-4-5", base_url=server.url, api_key="k")
        run = await Agent("a", model=model, tools=[wipe]).run("Search.")
        continued = server.requests[1].json["messages"][-1]
    assert (run.output, run.messages[1].stop, wiped) == ("It is 42.", "paused", [])
    assert (continued["role"], continued["content"][-1]["text"]) == ("assistant", "Let me search.")


@pytest.mark.parametrize(
    ("stop", "status"), [("length", "limited"), ("filtered", "failed"), ("unknown", "failed")]
)
async def test_three_incomplete_answers_in_a_row_end_the_run(stop, status, wipe, wiped):
    model = ScriptedModel(Say(calls=[("wipe", {})], stop=stop), repeat=True)
    agent = Agent("a", model=model, tools=[wipe], settings=Settings(max_tokens=9))
    try:
        run = await agent.run("go")
    except ModelError as error:
        run = error.run
    assert (run.status, len(model.requests), wiped) == (status, 3, [])
    if stop == "length":
        assert "max_tokens" in run.reason


@pytest.mark.parametrize("args", ["{}", '{"value": [1, 2'])
async def test_an_incomplete_final_answer_is_not_taken(args):
    cut = Say(calls=[("final_answer", args)], stop="length")
    model = ScriptedModel(cut, Say(calls=[("final_answer", {"value": [1, 2, 3]})]))
    run = await Agent("a", model=model, output_type=list[int]).run("go")
    assert run.output == [1, 2, 3]
    assert "before it was complete" in model.requests[1].messages[-1].parts[0].content[0].text
