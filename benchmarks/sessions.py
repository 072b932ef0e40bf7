"""Sessions: what writing a run down costs, and reading it again."""

from __future__ import annotations

import gc
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from benchmarks.pause import longest_pause
from nbagents import (
    Agent,
    FileStore,
    Limits,
    Message,
    S3Store,
    Say,
    ScriptedModel,
    Session,
    SessionStore,
    TextPart,
    tool,
)
from nbagents.events import DurableEvent, MessageFinished, RunFinished, RunStarted, stamp
from nbagents.messages import Usage, user_message
from nbagents.record import Journal
from nbagents.sessions.records import encode
from tests.sessions.s3_server import client_for, new_bucket, proxy

TURNS = 2500
TEXT = "What one says in a sentence or two, as people and models do. " * 3
_NAMES = itertools.count()


def said(text: str = TEXT) -> MessageFinished:
    return MessageFinished(Message("assistant", (TextPart(text),), "poet", Usage(20, 30)))


def plain_turns(count: int) -> list[list[DurableEvent]]:
    """The events of so many plain runs of an agent, each of which is one record."""
    runs: list[list[DurableEvent]] = []
    for number in range(count):
        begun = RunStarted("poet", "agent", (user_message(TEXT),), model="scripted:scripted")
        events = [begun, said(), RunFinished(TEXT, Usage(20, 30))]
        for seq, event in enumerate(events, 1):
            stamp(event, f"{number:012x}", seq, float(seq))
        runs.append(events)
    return runs


def records(runs: Sequence[Sequence[DurableEvent]]) -> list[bytes]:
    return [
        encode([(event, None) for event in events], number) for number, events in enumerate(runs, 1)
    ]


async def append_by_hand(file: BinaryIO) -> None:
    """Write a JSON line, and flush it to the disk."""
    line = {"role": "assistant", "content": TEXT, "agent": "poet", "usage": [20, 30]}
    file.write(json.dumps(line).encode() + b"\n")
    os.fsync(file)


class Appended:
    """A session with so many messages, to which one is added."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @classmethod
    async def make(cls, folder: Path, messages: int) -> Appended:
        store, name = FileStore(folder), f"s{next(_NAMES)}"
        body = b"".join(records(plain_turns(messages // 2)))
        (folder / name).mkdir()
        (folder / name / "log.jsonl").write_bytes(body)
        begun = await Session(name, store=store).begin("poet", "agent", (user_message(TEXT),))
        start = RunStarted("poet", "agent", begun.messages)
        stamp(start, "ours", 1, 1.0)
        begun.journal.add(start)
        await begun.journal.keep()
        return cls(begun.journal)

    async def append(self) -> None:
        event = said()
        stamp(event, "ours", 2, 2.0)
        self._journal.add(event)
        await self._journal.keep()


async def seconds_each(do: Callable[[], Awaitable[object]], times: int) -> float:
    """The median of the wall times."""
    taken: list[float] = []
    for _ in range(times):
        before = time.perf_counter()
        await do()
        taken.append(time.perf_counter() - before)
    return statistics.median(taken)


def row(name: str, hand: Sequence[float], ours: Sequence[float], goal: str) -> list[str]:
    """Tell of pairs of milliseconds."""
    share = statistics.median(our / by_hand for by_hand, our in zip(hand, ours, strict=True))
    one, other = (f"{statistics.median(each):.2f} ms" for each in (hand, ours))
    return [name, one, other, f"{share:.2f}", goal]


async def of_appending(folder: Path, pairs: int) -> list[list[str]]:
    """An append that is flushed to the disk, and whether it is as quick in a long session."""
    short, long = [await Appended.make(folder, messages) for messages in (10, 10_000)]
    taken: list[list[float]] = []
    with (folder / "by-hand.jsonl").open("ab", buffering=0) as file:
        store, count = FileStore(folder), itertools.count()
        body = records(plain_turns(1))[0]

        async def alone() -> None:
            await store.append("alone", next(count), body)

        sides = (lambda: append_by_hand(file), alone, short.append, long.append)
        for _ in range(pairs + 1):
            gc.collect()
            taken.append([await seconds_each(side, 100) * 1e3 for side in sides])
    hand, by_store, few, many = zip(*taken[1:], strict=True)
    return [
        row("an append of the store, flushed to the disk", hand, by_store, "3.00"),
        row("the same for an event of a run, all the way", hand, few, "3.00"),
        row("an append to 10,000 messages, against one to 10", few, many, "1.20"),
    ]


async def of_restoring(folder: Path, pairs: int) -> list[str]:
    """Reading 5,000 messages, against `json.loads` of the same lines."""
    (folder / "long").mkdir()
    log = folder / "long" / "log.jsonl"
    log.write_bytes(b"".join(records(plain_turns(TURNS))))
    hand: list[float] = []
    ours: list[float] = []
    for _ in range(pairs + 1):
        gc.collect()
        before = time.process_time()
        told = [json.loads(line) for line in log.read_bytes().splitlines()]
        hand.append((time.process_time() - before) * 1e3)
        assert len(told) == TURNS
        del told
        gc.collect()
        before = time.process_time()
        session = await Session("long", store=FileStore(folder)).load()
        messages = session.messages()
        ours.append((time.process_time() - before) * 1e3)
        assert len(messages) == 2 * TURNS
        assert [entry.name for entry in log.parent.iterdir()] == ["log.jsonl"]
    name = "restoring 5,000 messages, which are one file, against `json.loads`"
    return row(name, hand[1:], ours[1:], "40 ms")


def digger(turns: int) -> Agent:
    """An agent that calls a tool in each turn."""

    @tool(idempotent=True)
    async def dig(depth: int) -> str:
        """Dig."""
        return f"{depth} deep"

    steps = [Say(text=TEXT, calls=[("dig", {"depth": depth})]) for depth in range(turns)]
    model = ScriptedModel(*steps, TEXT, repeat=True)
    return Agent("digger", model=model, tools=[dig], limits=Limits(turns=None))


async def of_requests() -> list[list[str]]:
    """What is asked of S3."""
    s3 = proxy()
    bucket = new_bucket()
    client = client_for(s3.url)
    session = Session("work", store=S3Store(bucket, client=client))
    poet = Agent("poet", model=ScriptedModel(TEXT, repeat=True))
    await poet.run("hi", session=session)
    rows: list[list[str]] = []
    for name, agent, goal in (
        ("S3: requests of a plain turn", poet, "1"),
        ("S3: requests of ten tool calls", digger(10), "12"),
    ):
        s3.methods()
        await agent.run("go", session=session)
        asked = s3.methods()
        assert set(asked) == {"PUT"}
        rows.append([name, "", f"{len(asked)} PUT", "", goal])
    long = {
        f"long/{number:012}.jsonl": record.decode()
        for number, record in enumerate(records(plain_turns(500)), 1)
    }
    s3.fill(bucket, long)
    await Session("long", store=S3Store(bucket, client=client)).load()
    s3.methods()
    restored = await Session("long", store=S3Store(bucket, client=client)).load()
    assert len(restored.messages()) == 1000
    asked = len(s3.methods())
    rows.append(["S3: requests to restore 1,000 messages", "", f"{asked}", "", "10"])
    return rows


async def of_pauses(folder: Path, pairs: int) -> list[list[str]]:
    """How long the loop is held up while 200 turns are written, beside those that are not."""
    stores: dict[str, SessionStore] = {
        "with fsync": FileStore(folder),
        "with S3": S3Store(new_bucket(), client=client_for(proxy().direct_url)),
    }
    rows: list[list[str]] = []
    agent = digger(200)
    for name, store in stores.items():
        taken: list[tuple[float, float]] = []
        for _ in range(pairs + 1):
            pauses: list[float] = []
            for session in (None, Session(f"p{next(_NAMES)}", store=store)):
                gc.collect()
                pauses.append(await longest_pause(agent.run("go", session=session)) * 1e3)
            taken.append((pauses[0], pauses[1]))
        hand, ours = zip(*taken[1:], strict=True)
        rows.append(row(f"200 turns {name}: longest pause, against no session", hand, ours, "5 ms"))
    return rows


async def rows_of_sessions(pairs: int) -> AsyncIterator[list[str]]:
    """Measure all of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for one in await of_appending(folder, pairs):
            yield one
        yield await of_restoring(folder, pairs)
        for one in [*await of_requests(), *await of_pauses(folder, pairs)]:
            yield one
