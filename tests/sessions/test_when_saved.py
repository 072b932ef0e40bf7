"""When a run is saved: what was asked before the model, each turn before its tools."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from nbagents import (
    Agent,
    Graph,
    MemoryStore,
    Say,
    ScriptedModel,
    Session,
    ToolFinished,
    tool,
)
from nbagents.sessions.records import decode
from tests.sessions.support import CountingStore, types, work, worker


async def test_what_was_asked_is_a_record_before_the_model_is_asked():
    store, stored = CountingStore("turn"), []

    def answer(request):
        stored.extend(types(record) for record in store.appended)
        return "Fine."

    await Agent("a", model=ScriptedModel(answer)).run("go", session=Session("s", store=store))
    assert stored == [["run_started"]]


async def test_a_plain_turn_is_two_records_and_nothing_is_read():
    store = CountingStore("turn")
    session = await Session("s", store=store).load()
    store.reads = 0
    await Agent("a", model=ScriptedModel("one", "two")).run("go", session=session)
    assert [types(record) for record in store.appended] == [
        ["run_started"],
        ["message_finished", "run_finished"],
    ]
    assert store.reads == 0


async def test_ten_tool_turns_are_twelve_records():
    store = CountingStore("turn")
    await worker(10).run("go", session=Session("s", store=store))
    assert len(store.appended) == 12
    assert types(store.appended[1]) == ["message_finished", "tool_started"]
    assert types(store.appended[2]) == ["tool_finished", "message_finished", "tool_started"]


@pytest.mark.parametrize("durable", ["turn", "exact"])
async def test_a_store_has_each_tool_before_it_runs(durable):
    store, seen = CountingStore(durable), []

    @tool
    def look() -> str:
        """Look."""
        seen.append(types(store.appended[-1]))
        return "ok"

    @tool(idempotent=True)
    def peek() -> str:
        """Look again."""
        seen.append(types(store.appended[-1]))
        return "ok"

    steps = [Say(calls=[("look", {})]), Say(calls=[("peek", {})]), "Done."]
    agent = Agent("a", model=ScriptedModel(*steps), tools=[look, peek])
    await agent.run("go", session=Session("s", store=store))
    assert [kinds[-2:] for kinds in seen] == [["message_finished", "tool_started"]] * 2


async def test_tools_that_start_together_are_one_record():
    store = CountingStore("turn")
    steps = [Say(calls=[("work", {"what": what}) for what in "abc"]), "Done."]
    agent = Agent("a", model=ScriptedModel(*steps), tools=[work])
    await agent.run("go", session=Session("s", store=store))
    assert types(store.appended[1]) == ["message_finished", *["tool_started"] * 3]
    assert len(store.appended) == 3


class TellingStore(MemoryStore):
    """Tells when it has got what one waits for."""

    def __init__(self, awaited: bytes) -> None:
        super().__init__()
        self.has_it = threading.Event()
        self._awaited = awaited

    async def append(self, session_id: str, expected_seq: int, record: bytes) -> int:
        seq = await super().append(session_id, expected_seq, record)
        if self._awaited in record:
            self.has_it.set()
        return seq


async def test_a_node_that_has_ended_is_stored_while_another_one_is_at_work():
    store = TellingStore(b'"output":"ended"')

    def quick() -> str:
        return "ended"

    def slow() -> bool:
        return store.has_it.wait(60)

    run = await Graph("g", {"quick": quick, "slow": slow}, []).run(
        "go", session=Session("s", store=store)
    )
    assert run.output == {"quick": "ended", "slow": True}


async def test_a_tool_that_has_ended_is_stored_while_another_one_is_at_work():
    store = TellingStore(b"this has ended")

    @tool
    def quick() -> str:
        """End."""
        return "this has ended"

    @tool
    def slow() -> str:
        """Wait."""
        return str(store.has_it.wait(60))

    model = ScriptedModel(Say(calls=[("quick", {}), ("slow", {})]), "Done.")
    agent = Agent("a", model=model, tools=[quick, slow])
    run = await agent.run("go", session=Session("s", store=store))
    assert [part.text for part in run.messages[2].parts] == ["this has ended", "True"]


async def test_when_a_tool_has_finished_all_that_came_before_it_is_stored():
    store, finished = CountingStore("turn"), 0
    seen: list[object] = []
    async with worker(5).stream("go", session=Session("s", store=store)) as stream:
        async for event in stream:
            if isinstance(event, ToolFinished):
                stored = [kind for record in store.appended for kind in types(record)]
                assert stored[: len(seen)] == seen
                finished += 1
            if "delta" not in event.type and event.type != "turn_started":
                seen.append(event.type)
    assert finished == 5


async def test_twenty_nodes_at_once_are_written_in_the_order_in_which_things_happened():
    store = CountingStore()
    nodes = {f"n{number}": replace(worker(3), name=f"w{number}") for number in range(20)}
    nodes = {
        name: agent.replaced(model=ScriptedModel(*[Say(calls=[("work", {})])] * 3, agent.name))
        for name, agent in nodes.items()
    }
    run = await Graph("g", nodes, []).run("go", session=Session("s", store=store))
    stored, note = decode([*store.appended], 1, "s")
    assert ([event.seq for event in stored], note) == ([event.seq for event in run.events], "")
    assert stored == run.events
    session = await Session("s", store=store).load()
    for number in range(20):
        assert session.messages(f"w{number}")[-1].text == f"w{number}"
    assert len(store.appended) < len(stored)
