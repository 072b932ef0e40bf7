"""What must be true of a session after a crash, and of a run that went on after some."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbagents import FileStore, MemoryStore, Session
from nbagents.events import DurableEvent, RunFinished, RunStarted, ToolFinished, ToolStarted
from nbagents.messages import Message
from tests.sessions.crash_server import CRASHING, OTHERS, CrashServer, Told

__all__ = ["Whole", "goes_on", "in_folder", "undisturbed"]

ONCE = {"buy", "charge", "pay"}
"""Tools that are not idempotent."""
UNKNOWN = "it may have done its work, or a part of it, or nothing"
PASSING = {"turn_started", "text_delta", "thinking_delta", "tool_call_delta"}


@dataclass(frozen=True)
class Place:
    """Where a session is kept: as a child is told, and how a new process opens it."""

    job: dict[str, Any]
    session: Callable[[], Session]


def in_folder(folder: Path) -> Place:
    return Place({"folder": str(folder)}, lambda: Session("s", store=FileStore(folder)))


@dataclass(frozen=True)
class Whole:
    """A run that nothing happened to."""

    session: Session
    did: Counter[str]
    length: int
    """Events that its consumer sees."""


async def undisturbed(name: str) -> Whole:
    system, did, length = (CRASHING | OTHERS)[name], [], 0
    session = Session("whole", store=MemoryStore())
    runnable = system.make(did.append)
    async with runnable.stream("go", session=session, answers=system.answers) as stream:
        async for _ in stream:
            length += 1
    assert stream.run.status == "finished"
    return Whole(await session.load(), what_of(did), length)


def what_of(lines: Sequence[str]) -> Counter[str]:
    return Counter(line.partition(" ")[0] for line in lines)


async def goes_on(
    server: CrashServer, name: str, whole: Whole, place: Place, diary: Path, chance: random.Random
) -> int:
    """Kill a run some times until it has ended, check it each time; return how often it was killed."""
    answers, kills, wanted = CRASHING[name].answers, 0, chance.choice([1, 1, 2, 3, 5])
    before: list[DurableEvent] = []
    done: list[str] = []
    while not any(isinstance(e, RunFinished) and e.run_id == before[0].run_id for e in before):
        is_last = kills >= wanted
        ready = answers if is_last else some(answers, chance)
        again = None if before and chance.random() < 0.3 else "go"
        after = None if is_last else chance.randrange(whole.length)
        spin = chance.choice([0.0, chance.uniform(0, 0.004)])
        job = {"system": name, "diary": str(diary), "input": again, "answers": ready, **place.job}
        child = server.start(after, **job)
        if child.status in {"", "waiting"}:
            end = time.perf_counter() + spin
            while time.perf_counter() < end:
                pass
            kills += server.kill(child)
        else:
            assert server.reap(child) == 0
        session = await place.session().load()
        was_done, done = done, read(diary)
        events = list(session.events)
        assert events[: len(before)] == before, "the log was rewritten"
        nothing_is_lost(child.told, events)
        not_again = whole.did - ended(before)
        extra = what_of(done[len(was_done) :]) - not_again
        assert not extra, f"done again: {extra}"
        assert all(what_of(done)[tool] <= whole.did[tool] for tool in ONCE)
        before = events
    is_as_undisturbed(session, whole, what_of(done))
    return kills


def read(diary: Path) -> list[str]:
    return diary.read_text().splitlines() if diary.exists() else []


def some(answers: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    return {prompt: answer for prompt, answer in answers.items() if chance.random() < 0.7}


def ended(events: Sequence[DurableEvent]) -> Counter[str]:
    """Count what must not be done again: what has ended, or must not run twice and has begun."""
    functions = {
        event.run_id: event.name
        for event in events
        if isinstance(event, RunStarted) and event.kind == "function"
    }
    done: Counter[str] = Counter()
    for event in events:
        if event.type in {"run_finished", "run_failed"} and event.run_id in functions:
            done[functions[event.run_id]] += 1
        elif isinstance(event, ToolFinished) and event.result.name not in ONCE - {"pay"}:
            done[event.result.name] += 1
        elif isinstance(event, ToolStarted) and event.name in ONCE - {"pay"}:
            done[event.name] += 1  # One that asks has done nothing yet, and may be allowed anew.
    return done


def nothing_is_lost(told: list[Told], events: list[DurableEvent]) -> None:
    """Check that the log has what the consumer had seen."""
    logged = {(event.type, event.run_id, event.seq, event.at) for event in events}
    lost = [event for event in acknowledged(told) if event[:4] not in logged]
    assert not lost, f"lost: {lost}"


def acknowledged(told: Sequence[Told]) -> list[Told]:
    """Return what has to be in the store when its consumer has seen all of `told`.

    That is all that had happened anywhere when the outermost run or a part of a team started and
    then did something, when a tool started that has finished, and when a question was asked that
    has been answered.
    """
    last: dict[str, int] = {}
    begun: dict[tuple[str, str | None], int] = {}
    safe = -1
    for at, event in enumerate(told):
        before = last.get(event.run_id, -1)
        started = before >= 0 and told[before].type == "run_started"
        if started and (told[before].node or event.run_id == told[0].run_id):
            safe = max(safe, before)
        place = (event.run_id, event.place)
        if event.type in {"input_requested", "tool_started"}:
            begun[place] = at
        elif event.type in {"input_received", "tool_finished"}:
            safe = max(safe, begun.pop(place, -1))
        if event.type not in PASSING:
            last[event.run_id] = at
    return [event for event in told[: safe + 1] if event.type not in PASSING]


def is_as_undisturbed(session: Session, whole: Whole, did: Counter[str]) -> None:
    """See that a run that was killed has come to what the undisturbed one has."""
    (run,), (same,) = session.runs, whole.session.runs
    assert isinstance(run.end, RunFinished)
    assert isinstance(same.end, RunFinished)
    assert (run.status, run.end.output, run.usage) == ("finished", same.end.output, same.usage)
    ends = Counter(event.run_id for event in run.events if isinstance(event, RunFinished))
    assert set(ends.values()) == {1}
    unknown = [e for e in run.events if isinstance(e, ToolFinished) and UNKNOWN in e.result.text]
    for tool in ONCE:
        unsure = sum(event.result.name == tool for event in unknown)
        assert whole.did[tool] - unsure <= did[tool] <= whole.did[tool], tool
    assert sorted(session.agents) == sorted(whole.session.agents)
    for agent in session.agents:
        said, expected = (
            [
                spoken(each)
                for each in told.messages(agent)
                if each.role == "assistant" or not unknown
            ]
            for told in (session, whole.session)
        )
        assert said == expected, agent
    if unknown:
        heard = [result.text for agent in session.agents for result in results(session, agent)]
        assert sum(UNKNOWN in text for text in heard) >= len(unknown)
    else:
        assert session.state == whole.session.state


def spoken(message: Message) -> tuple[Any, ...]:
    return message.role, message.parts, message.usage


def results(session: Session, agent: str) -> list[Any]:
    messages = session.messages(agent)
    return [part for each in messages for part in each.parts if part.type == "tool_result"]
