"""The document of a run: what a notebook file keeps of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nbagents import (
    Agent,
    Capabilities,
    Graph,
    Question,
    Run,
    RunContext,
    Say,
    ScriptedModel,
    Swarm,
    tool,
)
from nbagents.notebook.comparing import events_of
from nbagents.notebook.document import document_of, write_document
from nbagents.runnable import Runnable

CITY = {"name": "Oslo", "country": "Norway", "at": {"lon": 10.7, "lat": 59.9}}


def as_saved(run: Run[Any]) -> dict[str, Any]:
    """Write it as `nbformat` does, which sorts all keys."""
    return json.loads(json.dumps(document_of(run.events), sort_keys=True))


async def ask(ctx: RunContext, whole: Any) -> Any:
    """Ask, remember, and answer."""
    ctx.state["city"] = CITY
    await ctx.ask(Question("This one?", dict[str, int], details=[CITY]))
    return [whole, CITY]


@tool
def find(zip: str, area: str) -> str:
    """Find it.

    Args:
        zip: A code.
        area: A place.
    """
    return zip + area


async def test_keys_keep_their_order():
    model = ScriptedModel(
        Say(calls=[("find", {"zip": "1", "area": "x"})]),
        json.dumps(CITY),
        capabilities=Capabilities(),
    )
    agent = Agent("agent", model=model, tools=[find], output_type=dict[str, Any])
    graph = Graph("graph", {"agent": agent, "ask": ask}, [("agent", "ask")])
    run = await graph.run("go", answers=[{"z": 1, "a": 2}])
    events = events_of(as_saved(run), "here")
    assert [json.dumps(event.output) for event in events if event.type == "run_finished"] == [
        json.dumps(CITY),
        json.dumps([CITY, CITY]),
        json.dumps([CITY, CITY]),
    ]
    [started] = [event for event in events if event.type == "tool_started"]
    [asked] = [event for event in events if event.type == "input_requested"]
    [changed] = [event for event in events if event.type == "state_changed"]
    [heard] = [event for event in events if event.type == "input_received"]
    assert (list(started.args), list(heard.answer)) == (["zip", "area"], ["z", "a"])
    assert json.dumps([asked.details, changed.value]) == json.dumps([[CITY], CITY])
    assert events == run.events


async def test_a_value_whose_keys_are_in_order_stays_readable():
    async def work(ctx: RunContext) -> dict[str, int]:
        """Count."""
        return {"a": 1, "b": 2}

    document = as_saved(await Graph("g", {"work": work}, []).run("go"))
    assert document["events"][-1]["output"] == {"a": 1, "b": 2}
    assert "ordered" not in json.dumps(document)


@pytest.mark.parametrize("ordered", [{"output": "{"}, {"output": 1}, {"seq": "99"}, 7, []])
async def test_a_document_that_was_tampered_with_changes_nothing_else(ordered: object):
    document = as_saved(await Agent("a", model=ScriptedModel("x")).run("go"))
    whole = events_of(document, "here")
    document["events"][-1]["ordered"] = ordered
    assert events_of(document, "here") == whole


def conversing() -> list[Runnable[Any]]:
    """Runnables that continue a conversation."""
    steps: list[Any] = [Say(calls=[("find", {"zip": "1", "area": "x"})]), "found it"]
    agent = Agent("agent", model=ScriptedModel(*steps, repeat=True), tools=[find])
    two = Agent("two", model=ScriptedModel("done", repeat=True))
    one = agent.replaced(name="one")
    return [agent, Swarm("swarm", [one, two]), Graph("graph", {"one": one}, [])]


@pytest.mark.parametrize("runnable", conversing(), ids=lambda each: each.name)
@pytest.mark.parametrize("how", ["unpacked", "appended", "read twice"])
async def test_a_conversation_is_saved_once(runnable: Runnable[Any], how: str):
    run = await runnable.run("The first question")
    sizes: list[int] = []
    for number in range(6):
        if how == "unpacked":
            given: list[Any] = [*run.messages, f"Question {number}"]
        elif how == "appended":
            given = run.messages
            given.append(f"Question {number}")
        else:
            given, _ = [*run.messages, f"Question {number}"], run.messages
        before, run = run, await runnable.run(given)
        document = as_saved(run)
        starts = [event for event in document["events"] if event["type"] == "run_started"]
        assert {start["follows"] for start in starts} == {before.run_id}
        assert [len(start["input"]) for start in starts] == [1] * len(starts)
        assert len(run.messages) > len(before.messages)
        sizes.append(len(json.dumps(document)))
    assert max(sizes) - min(sizes) < 50


async def test_a_conversation_that_was_changed_is_saved_whole(tmp_path: Any):
    agent = Agent("a", model=ScriptedModel("x", repeat=True))
    first = await agent.run("one")
    second = await agent.run([*first.messages, "two"])
    cut = await agent.run([*second.messages[1:], "three"])
    assert len(as_saved(cut)["events"][0]["input"]) == 4
    path = write_document(second, tmp_path / "second.nbagents.json")
    saved = json.loads(path.read_text("utf-8"))
    assert [message["parts"][0]["text"] for message in saved["events"][0]["input"]] == [
        "one",
        "x",
        "two",
    ]
