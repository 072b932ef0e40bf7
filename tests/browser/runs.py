"""Runs and documents for the browser: of a team, hostile, and big ones."""

from __future__ import annotations

import json
import time
from typing import Any

from nbformat import v4

from nbagents import Agent, Run, Say, ScriptedModel, Swarm
from nbagents.events import (
    Event,
    MessageFinished,
    RunFinished,
    RunStarted,
    ToolFinished,
    ToolStarted,
    stamp,
)
from nbagents.messages import Message, TextPart, ToolCallPart, ToolResultPart, Usage, user_message
from nbagents.notebook.document import document_of
from nbagents.notebook.live import saved
from nbagents.notebook.pictures import picture_bundle
from nbagents.notebook.view import RunView

__all__ = ["HOSTILE", "HOSTILE_PICTURE", "add", "big", "team_outputs", "team_run"]

HOSTILE = """<script>window.hacked = 1</script> <img src=x onerror="window.hacked = 2">
[a](javascript:window.hacked=3) ![p](https://evil.example/p.png) [good](https://example.org/)
"""
HOSTILE_PICTURE = """<svg xmlns="http://www.w3.org/2000/svg" width="200" height="50" onload="hacked=4">
<script>window.hacked = 5</script><image href="https://evil.example/i.png"/>
<foreignObject><img xmlns="http://www.w3.org/1999/xhtml" src="x" onerror="hacked=6"/></foreignObject>
<g data-node="writer" onclick="window.hacked = 7"><rect width="150" height="40"
style="fill:url(https://evil.example/f)"/><text x="9" y="20">writer<tspan/></text></g></svg>"""


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


async def team_run() -> tuple[Swarm, Run[Any]]:
    hands = Say(text="One moment.", calls=[("handoff", {"to": "waiter", "reason": "you know"})])
    counts = Say(
        thinking="Hm.",
        text="I count **twice**:\n\n- once\n- again",
        calls=[("add", {"a": 1, "b": 2}), ("add", {"a": 2, "b": "x"})],
    )
    members = [
        Agent("host", model=ScriptedModel(hands)),
        Agent("waiter", model=ScriptedModel(counts, "**Three** cups."), tools=[add]),
    ]
    team = Swarm("house", members)
    run = await team.run("tea for three")
    return team, run


async def team_outputs() -> list[Any]:
    """What `%ask house` leaves in a notebook."""
    team, run = await team_run()
    view, now = RunView(run.events), run.events[-1].at
    picture = picture_bundle(view, team.topology(), now)
    shown = saved(view, run, now)
    return [v4.new_output("display_data", data) for data in (picture, shown)]


def big(count: int) -> dict[str, Any]:
    """A document of so many events."""
    events: list[Event] = []

    def tell(event: Event) -> None:
        stamp(event, "big", len(events) + 1, time.time())
        events.append(event)

    tell(RunStarted("big", "agent", (user_message("do much"),), model="scripted:scripted"))
    for step in range((count - 3) // 7):
        calls = tuple(
            ToolCallPart(f"c{step}_{n}", "search", json.dumps({"q": f"question {step} {n}"}))
            for n in range(3)
        )
        text = TextPart(f"Step {step}: I look further, since *more* is needed.")
        tell(MessageFinished(Message("assistant", (text, *calls), "big", Usage(1000, 50))))
        for call in calls:
            tell(ToolStarted(call.call_id, "search", json.loads(call.args)))
        for call in calls:
            found = (TextPart("Found: " + "lorem ipsum " * 10),)
            result = ToolResultPart(call.call_id, "search", found)
            tell(ToolFinished(call.call_id, result, 0.1))
    tell(MessageFinished(Message("assistant", (TextPart("All done."),), "big", Usage(9, 9))))
    tell(RunFinished("All done.", Usage(9, 9)))
    document = document_of(events)
    for event in document["events"]:
        event["at"] = 1.7e9 + event["seq"] / 20
    return document
