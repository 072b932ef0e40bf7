"""The log: what is written, what is read back, and what is said when it cannot be."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64decode
from dataclasses import replace

import pytest

from nbagents import (
    Agent,
    FilePart,
    FileStore,
    Graph,
    MemoryStore,
    MessageFinished,
    RunContext,
    Say,
    ScriptedModel,
    Session,
    SessionError,
    TextPart,
    UserError,
    tool,
)
from nbagents.events import is_durable
from nbagents.sessions.records import decode, encode
from nbagents.untrusted import received
from tests.sessions.support import CountingStore, work, worker
from tests.test_events import EVENTS


async def test_no_key_reaches_the_store(monkeypatch, kept):
    path, store = kept
    monkeypatch.setenv("MY_API_KEY", 'very"secret\\value')

    @tool
    def leak() -> str:
        """Leak."""
        return 'a very"secret\\value\nsk-abcdef1234567890 b'

    agent = Agent("a", model=ScriptedModel(Say(calls=[("leak", {})]), "Fine."), tools=[leak])
    run = await agent.run("Bearer abcdefghijk", session=Session("s", store=store))
    assert "very" in str(run.events)
    text = path.read_text()
    assert "very" not in text
    assert "abcdef" not in text
    stored = (await Session("s", store=FileStore(path.parents[1])).load()).events
    assert stored[-3].result.text == "a [redacted]\n[redacted] b"


async def test_a_hook_may_change_what_is_stored_and_not_what_runs(tmp_path):
    def hide(event):
        if isinstance(event, MessageFinished):
            return replace(event, message=replace(event.message, parts=(TextPart("hidden"),)))
        return event

    session = Session("s", store=FileStore(tmp_path), redact=hide)
    run = await Agent("a", model=ScriptedModel("plain")).run("go", session=session)
    assert run.text == "plain"
    again = await Session("s", store=FileStore(tmp_path)).load()
    assert again.messages("a")[-1].text == "hidden"


@pytest.mark.parametrize("size", [10, 300_000])
async def test_files_keep_their_bytes_and_texts_among_them_lose_their_keys(tmp_path, size):
    data = b"\xff" + urlsafe_b64decode("a-sk-abcdefgh1234567" * (size // 10) + "aaaa")
    secret = f"OPENAI_API_KEY=sk-proj-abcdefgh1234567 {'x' * size}".encode()
    parts = [FilePart("image/png", data), FilePart("text/plain", secret, name=".env")]
    session = Session("s", store=FileStore(tmp_path))
    await Agent("a", model=ScriptedModel("x")).run(parts, session=session)
    stored = (await Session("s", store=FileStore(tmp_path)).load()).runs[0].start.input[0].parts
    assert stored[0].data == data
    assert stored[1].data == f"OPENAI_API_KEY=[redacted] {'x' * size}".encode()


async def test_a_hook_must_return_an_event(tmp_path):
    session = Session("s", store=FileStore(tmp_path), redact=lambda _: None)
    with pytest.raises(SessionError, match="redact must return the RunStarted that it was given"):
        await Agent("a", model=ScriptedModel("x")).run("go", session=session)


@pytest.mark.parametrize("kind", [KeyError, SystemExit, KeyboardInterrupt, asyncio.CancelledError])
async def test_a_hook_that_fails_ends_the_run_and_names_itself(tmp_path, kind):
    def broken(event):
        raise kind("nothing")

    store, agent = FileStore(tmp_path), Agent("a", model=ScriptedModel("plain", repeat=True))
    with pytest.raises(SessionError, match=rf"written down\. {kind.__name__}: '?nothing"):
        await agent.run("go", session=Session("s", store=store, redact=broken))
    assert (await agent.run("go", session=Session("s", store=store))).text == "plain"
    with pytest.raises(SessionError if kind is KeyError else kind, match="nothing"):
        await Session("s", store=store, redact=broken).fork("branch")


@pytest.mark.parametrize("text", ["\ud800 alone", "\x00\u2028\x1b[31m\ttwo", "𝕏" * 5000])
async def test_any_text_can_be_stored(tmp_path, text):
    session = Session("s", store=FileStore(tmp_path))
    await Agent("a", model=ScriptedModel(Say(text=text))).run(text, session=session)
    again = await Session("s", store=FileStore(tmp_path)).load()
    expected = received(text)
    assert [message.text for message in again.messages()] == [expected, expected]


async def test_a_store_that_fails_in_its_own_way_is_told_as_a_session_error():
    class Broken(MemoryStore):
        async def append(self, session_id: str, expected_seq: int, record: bytes) -> int:
            raise ConnectionError("no line")

    agent = Agent("a", model=ScriptedModel("plain"))
    with pytest.raises(
        SessionError, match=r"The session 's' \(.*written. ConnectionError: no line"
    ):
        await agent.run("go", session=Session("s", store=Broken()))


async def test_a_store_that_fails_in_the_middle_loses_nothing_before():
    class Full(CountingStore):
        async def append(self, session_id: str, expected_seq: int, record: bytes) -> int:
            if len(self.appended) == 2 and not self.has_room:
                raise SessionError("The disk is full.")
            return await super().append(session_id, expected_seq, record)

        has_room = False

    store = Full("turn")
    with pytest.raises(SessionError, match="disk is full"):
        await worker(3).run("go", session=Session("s", store=store))
    store.has_room = True
    session = await Session("s", store=store).load()
    assert [run.status for run in session.runs] == ["cut off"]
    agent = worker().replaced(model=ScriptedModel(Say(calls=[("work", {})]), "Done."))
    run = await agent.run("go", session=session)
    assert (run.output, len(run.messages)) == ("Done.", 6)


async def test_what_was_written_is_what_is_read():
    events = [(event, None) for event in (await worker().run("go")).events]
    records = [encode(events), encode(events, 2)]
    assert decode(records, 1, "s")[0] == [e for e, _ in events] * 2


async def test_the_state_is_kept_with_all_that_is_done_to_it():
    store = MemoryStore()

    def change(ctx: RunContext) -> str:
        ctx.state["list"] = [1]
        ctx.state["gone"] = True
        return ""

    def change_more(ctx: RunContext) -> str:
        ctx.state["list"].append(2)
        del ctx.state["gone"]
        return ""

    graph = Graph("g", {"a": change, "b": change_more}, [("a", "b")])
    run = await graph.run("go", session=Session("s", store=store))
    changes = [(e.key, e.value, e.removed) for e in run.events if e.type == "state_changed"]
    assert changes == [
        ("list", [1], False),
        ("gone", True, False),
        ("gone", None, True),
        ("list", [1, 2], False),
    ]
    session = await Session("s", store=store).load()
    assert session.state == {"list": [1, 2]}

    def look(ctx: RunContext) -> str:
        return str(ctx.state)

    assert (await Graph("h", {"look": look}, []).run("go", session=session)).output == str(
        {"list": [1, 2]}
    )


async def test_a_state_that_is_no_json_is_refused():
    def change(ctx: RunContext) -> str:
        ctx.state["table"] = object()
        return ""

    with pytest.raises(UserError, match=r"ctx.state\['table'\] is not JSON \(object\)"):
        await Graph("g", {"a": change}, []).run("go")


async def test_a_session_that_is_read_by_many_at_once_is_read_once(kept):
    _, store = kept
    sessions = [Session("s", store=store) for _ in range(10)]
    await asyncio.gather(*(session.load() for session in sessions))
    assert [len(session.runs) for session in sessions] == [5] * 10
    assert [len(session.events) for session in sessions] == [15] * 10


async def test_more_sessions_than_are_kept_in_mind_are_as_good(tmp_path):
    store = FileStore(tmp_path)
    agent = Agent("a", model=ScriptedModel("x", repeat=True))
    for _ in range(2):
        await asyncio.gather(
            *(agent.run("go", session=Session(f"s{number}", store=store)) for number in range(50))
        )
    for number in range(50):
        assert len((await Session(f"s{number}", store=store).load()).runs) == 2


def test_a_loop_that_ends_in_the_middle_leaves_a_run_that_goes_on(tmp_path):
    async def leave() -> None:
        begun = asyncio.Event()

        @tool(idempotent=True)
        async def wait() -> str:
            """Wait."""
            begun.set()
            await asyncio.Event().wait()
            return ""

        model = ScriptedModel(Say(calls=[("work", {})]), Say(calls=[("wait", {})]))
        agent = Agent("a", model=model, tools=[work, wait])
        session = Session("s", store=FileStore(tmp_path))
        task = asyncio.create_task(agent.run("go", session=session))
        await begun.wait()
        assert not task.done()

    async def go_on() -> list[str]:
        @tool(idempotent=True)
        async def wait() -> str:
            """Wait."""
            return "waited"

        agent = Agent("a", model=ScriptedModel("Done."), tools=[work, wait])
        run = await agent.run("go", session=Session("s", store=FileStore(tmp_path)))
        return [
            part.text
            for message in run.messages
            for part in message.parts
            if part.type != "tool_call"
        ]

    asyncio.run(leave())
    assert asyncio.run(go_on()) == ["go", "did ", "waited", "Done."]


def test_every_event_is_read_as_it_was_written():
    stored = [event for event in EVENTS if is_durable(event)]
    assert decode([encode([(event, None) for event in stored])], 1, "s")[0] == stored
