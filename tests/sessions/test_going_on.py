"""Going on: what a session knows of a run that was cut off is not done again."""

from __future__ import annotations

from collections import Counter

import pytest

from nbagents import MemoryStore, Run, Session
from nbagents.events import (
    DurableEvent,
    EdgeTaken,
    RunFinished,
    RunStarted,
    ToolFinished,
    ToolStarted,
)
from tests.sessions.systems import SYSTEMS, System


async def undisturbed(system: System, store: MemoryStore) -> tuple[Run, list[str], Session]:
    did: list[str] = []
    session = Session("whole", store=store)
    run = await system.make(did.append).run("go", session=session, answers=system.answers)
    return run, did, await session.load()


def cuts(events: list[DurableEvent]) -> list[int]:
    """Tell where a crash can have cut: between any two events but the edges of one node."""
    return [
        at
        for at in range(1, len(events))
        if not (
            isinstance(events[at], EdgeTaken)
            and isinstance(events[at - 1], EdgeTaken)
            and events[at].source == events[at - 1].source
        )
    ]


def ended(events: list[DurableEvent]) -> Counter[str]:
    """Count the functions and tools that have ended; what may not run twice, when it has begun."""
    functions = {
        e.run_id: e.name for e in events if isinstance(e, RunStarted) and e.kind == "function"
    }
    ends = ("run_finished", "run_failed")
    done = Counter(functions[e.run_id] for e in events if e.type in ends and e.run_id in functions)
    done.update(e.result.name for e in events if isinstance(e, ToolFinished))
    done["buy"] = sum(isinstance(e, ToolStarted) and e.name == "buy" for e in events)
    return done


@pytest.mark.parametrize("name", SYSTEMS)
async def test_a_run_goes_on_from_every_event_as_if_nothing_had_happened(name):
    system, store = SYSTEMS[name], MemoryStore()
    whole, did_once, session = await undisturbed(system, store)
    all_done = Counter(what.partition(" ")[0] for what in did_once)
    for at in cuts(session.events):
        part = await session.fork(f"cut at {at}", at)
        did: list[str] = []
        run = await system.make(did.append).run("go", session=part, answers=system.answers)
        assert (run.run_id, run.output, run.status) == (whole.run_id, whole.output, "finished"), at
        expected = all_done - ended(part.events[:at])
        assert Counter(what.partition(" ")[0] for what in did) == expected, at
        ends = Counter(e.run_id for e in run.events if isinstance(e, RunFinished))
        assert set(ends.values()) == {1}, at
        assert run.usage == whole.usage, at
        await part.load()
        unknown = any(
            "may have done its work" in e.result.text
            for e in run.events
            if isinstance(e, ToolFinished)
        )
        assert unknown or part.state == session.state, at
        assert len(part.runs) == 1, at
        for agent in session.agents:
            assert len(part.messages(agent)) == len(session.messages(agent)), (at, agent)


@pytest.mark.parametrize("name", SYSTEMS)
async def test_a_run_that_is_cut_off_twice_goes_on_twice(name):
    system, store = SYSTEMS[name], MemoryStore()
    whole, _, session = await undisturbed(system, store)
    places = cuts(session.events)
    for first in places[:: max(1, len(places) // 8)]:
        once = await session.fork(f"first {first}", first)
        await system.make(lambda _: None).run("go", session=once, answers=system.answers)
        await once.load()
        for second in range(first + 1, len(once.events), 5):
            if second not in cuts(once.events):
                continue
            twice = await once.fork(f"then {first} {second}", second)
            run = await system.make(lambda _: None).run("go", session=twice, answers=system.answers)
            assert (run.output, run.usage) == (whole.output, whole.usage), (first, second)
