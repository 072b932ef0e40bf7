"""A store that remembers what was written when, and an agent that works."""

from __future__ import annotations

import json

from nbagents import Agent, MemoryStore, Say, ScriptedModel, tool

__all__ = ["CountingStore", "types", "work", "worker"]


class CountingStore(MemoryStore):
    """Keeps what it was asked to do."""

    def __init__(self, durable: str = "exact") -> None:
        super().__init__()
        self.durable = durable
        self.appended: list[bytes] = []
        self.reads = 0

    async def append(self, session_id: str, expected_seq: int, record: bytes) -> int:
        seq = await super().append(session_id, expected_seq, record)
        self.appended.append(record)
        return seq

    async def read(self, session_id: str, after: int = 0) -> list[bytes]:
        self.reads += 1
        return await super().read(session_id, after)


@tool
def work(what: str = "") -> str:
    """Work."""
    return f"did {what}"


def worker(turns: int = 1, text: str = "Done.") -> Agent:
    steps = [Say(calls=[("work", {})])] * turns
    return Agent("worker", model=ScriptedModel(*steps, text), tools=[work])


def types(record: bytes) -> list[str]:
    return [event["type"] for event in json.loads(record)["events"]]
