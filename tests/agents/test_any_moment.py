"""What is true of every run that has ended, at whatever moment it was stopped."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from itertools import pairwise

from nbagents import (
    Agent,
    MessageFinished,
    ModelError,
    RetryPolicy,
    Run,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunStarted,
    ThinkingDelta,
    ToolCallDelta,
    ToolFinished,
    ToolResultPart,
    ToolStarted,
)
from nbagents.events import messages_of
from nbagents.messages import ZERO_USAGE, user_message
from tests.agents.support import END, Chunks, others

ENDS = (RunFinished, RunFailed, RunCancelled)
BUSY = ModelError("busy", provider="x", retryable=True)


class Slowly(Chunks):
    """A model that lets others have a turn after each chunk, also after the last one."""

    async def stream(self, request):
        async with aclosing(super().stream(request)) as chunks:
            async for chunk in chunks:
                yield chunk
                await asyncio.sleep(0)


def busy_agent() -> Agent:
    """Make an agent in whose run all happens that can: thinking, tools of each kind, a child."""

    async def wait() -> str:
        """Wait."""
        await asyncio.sleep(0)
        return "waited"

    async def count():
        """Count."""
        for number in range(2):
            yield number
            await asyncio.sleep(0)

    def work() -> str:
        """Work."""
        return "worked"

    words = [ThinkingDelta("Hm."), "So: ", "yes."]
    child = Agent("child", model=Slowly([*words, END]))
    names = ["wait", "count", "child", "work", "missing"]
    calls = [
        ToolCallDelta(index, f"c{index}", name, '{"message": "go"}' if name == "child" else "{}")
        for index, name in enumerate(names)
    ]
    model = Slowly([*words, *calls, replace(END, stop="tools")], ["Hel", BUSY], ["Done.", END])
    tools = [wait, count, child, work]
    return Agent("a", model=model, tools=tools, retries=RetryPolicy(first=0.0))


def assert_is_whole(run: Run[str]) -> None:
    """Check what is true of every run that has ended, however it did."""
    runs = {event.run_id for event in run.events if isinstance(event, RunStarted)}
    ends = [event.run_id for event in run.events if isinstance(event, ENDS)]
    assert sorted(ends) == sorted(runs)
    assert ends[-1] == run.run_id
    for run_id in runs:
        messages = messages_of(run.events, run_id)
        for asked, told in pairwise([*messages, user_message("next")]):
            wanted = [call.call_id for call in asked.tool_calls]
            got = [part.call_id for part in told.parts if isinstance(part, ToolResultPart)]
            assert wanted == got
    said = [event.message for event in run.events if isinstance(event, MessageFinished)]
    assert all(message.parts for message in said)
    spent = [message.usage for message in said if message.usage is not None]
    assert run.usage == sum(spent, ZERO_USAGE)
    begun = [event.call_id for event in run.events if isinstance(event, ToolStarted)]
    ended = [event.call_id for event in run.events if isinstance(event, ToolFinished)]
    assert set(begun) <= set(ended)
    assert len(ended) == len(set(ended))


async def test_a_run_stopped_at_any_moment_is_whole():
    statuses: list[str] = []
    for moment in range(2, 81):  # Its own task begins in the second.
        async with busy_agent().stream("go") as stream:
            for _ in range(moment):
                await asyncio.sleep(0)
        assert_is_whole(stream.run)
        assert others() == set()
        statuses.append(stream.run.status)
    assert statuses[0] == "cancelled"
    assert {"cancelled", "finished"} == set(statuses)
