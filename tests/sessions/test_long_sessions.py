"""Long sessions: what is asked in them holds up nobody else."""

from __future__ import annotations

import asyncio

import pytest

from nbagents import (
    Agent,
    KeepLast,
    MemoryStore,
    Message,
    MessageFinished,
    RunFinished,
    RunStarted,
    ScriptedModel,
    Session,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from nbagents.agents.history import turns_of
from nbagents.events import stamp
from nbagents.messages import user_message
from nbagents.sessions.records import encode


async def test_a_long_session_lets_others_work_meanwhile():
    """Two who ask at once hear the same, in order, and a third task goes on beside them."""
    store = MemoryStore()
    await store.append("s", 0, encode(_runs(3000)))
    models = [ScriptedModel(str(number)) for number in range(2)]
    history = KeepLast(2)
    agents = [Agent("poet", model=model, history=history) for model in models]
    session = await Session("s", store=store).load()
    steps = 0

    async def work():
        nonlocal steps
        while True:
            await asyncio.sleep(0)
            steps += 1

    working = asyncio.create_task(work())
    runs = await asyncio.gather(*(agent.run("and now?", session=session) for agent in agents))
    working.cancel()
    assert steps > 30
    for run, model in zip(runs, models, strict=True):
        texts = [message.text for message in run.messages]
        assert texts[:6000] == [text for n in range(3000) for text in (f"q{n}", f"a{n}")]
        told = [message.text for message in model.requests[-1].messages]
        assert told == ["q2999", "a2999", "and now?"]


def _runs(count):
    events = []
    for number in range(count):
        said = Message("assistant", (TextPart(f"a{number}"),), "poet")
        each = [
            RunStarted("poet", "agent", (user_message(f"q{number}"),)),
            MessageFinished(said),
            RunFinished(f"a{number}"),
        ]
        for seq, event in enumerate(each, 1):
            stamp(event, f"r{number}", seq, float(number))
            events.append((event, None))
    return events


@pytest.mark.parametrize("turns", [1, 2, 3, 50])
@pytest.mark.parametrize("overflows", [0, 1, 2])
async def test_the_last_turns_are_those_of_the_whole_conversation(turns, overflows):
    call = ToolCallPart("c", "f", "{}")
    result = ToolResultPart("c", "f", (TextPart("x"),))
    one = [user_message("q"), Message("assistant", (call,)), Message("user", (result,))]
    for messages in ([], one, one[1:] + one, one * 4, one[1:]):
        whole = turns_of(messages)
        kept = min(turns, len(whole)) >> overflows
        expected = [message for turn in whole[-kept:] for message in turn] if kept else None
        chosen = await KeepLast(turns).select(messages, overflows, None)
        assert (chosen or None) == (expected or None)
