"""Logs that are torn, cut off, or not ours: what is said, and what can be read all the same."""

from __future__ import annotations

import re

import pytest

from nbagents import Agent, FileStore, ScriptedModel, Session, SessionCorrupt


async def test_a_torn_last_record_is_left_out_and_reported_and_the_next_takes_its_place(kept):
    path, store = kept
    path.write_bytes(path.read_bytes()[:-20])
    session = await Session("s", store=store).load()
    assert session.note == (
        f"Record 5 of {path} was torn by a crash while it was written, and is left out."
    )
    assert [run.status for run in session.runs] == ["finished"] * 4
    await Agent("a", model=ScriptedModel("again")).run("ask 4", session=session)
    again = await Session("s", store=FileStore(path.parents[1])).load()
    assert (again.note, again.messages()[-1].text, len(again.runs)) == ("", "again", 5)


async def test_a_file_that_was_cut_off_at_any_byte_is_read_up_to_there(kept):
    path, _ = kept
    data = path.read_bytes()
    ends = [match.end() for match in re.finditer(b"\n", data)]
    for size in range(0, len(data), 97):
        path.write_bytes(data[:size])
        session = await Session("s", store=FileStore(path.parents[1])).load()
        assert len(session.runs) == sum(end <= size for end in ends)


@pytest.mark.parametrize(
    ("rubbish", "why"),
    [
        (b"\x00\xff rubbish\n", "is not JSON"),
        (b'{"v":1,"n":3,"events":[{"type":"run_started"}]}\n', "cannot be read"),
        (b'{"v":1,"n":3,"events":[{"type":"dream"}]}\n', "tells of something .* Upgrade nbagents"),
        (b'{"v":2,"things":[]}\n', r"by a newer version \(format 2.*Upgrade nbagents"),
        (b"[]\n", "is no record of nbagents"),
        (b"\n", "is not JSON"),
    ],
)
async def test_a_record_that_cannot_be_read_is_named_and_what_stands_before_it_can_be(
    kept, rubbish, why
):
    path, store = kept
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = rubbish
    path.write_bytes(b"".join(lines))
    session = Session("s", store=store)
    with pytest.raises(SessionCorrupt, match=f"Record 3 of {re.escape(str(path))} .*{why}"):
        await session.load()
    assert [run.start.input[0].text for run in session.runs] == ["ask 0", "ask 1"]
    with pytest.raises(SessionCorrupt, match="Record 3"):
        await Agent("a", model=ScriptedModel("x")).run("go", session=Session("s", store=store))
    saved = await session.fork("saved")
    assert (await Agent("a", model=ScriptedModel("x")).run("go", session=saved)).output == "x"


@pytest.mark.parametrize(
    ("order", "wrong", "own"),
    [([0, 1, 3, 4], 3, 4), ([0, 1, 1, 2, 3, 4], 3, 2), ([0, 2, 1, 3, 4], 2, 3), ([1, 2], 1, 2)],
)
async def test_records_that_were_removed_doubled_or_moved_are_noticed(kept, order, wrong, own):
    path, store = kept
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[place] for place in order))
    session = Session("s", store=store)
    told = (
        f"Record {wrong} of {re.escape(str(path))} was written as record {own}: some were removed"
    )
    with pytest.raises(SessionCorrupt, match=told):
        await session.load()
    assert [run.start.input[0].text for run in session.runs] == ["ask 0", "ask 1"][: wrong - 1]


@pytest.mark.parametrize(
    "left_behind",
    [
        lambda log: log.replace(b"\n", b"\r\n"),
        lambda log: log + b"\n\n",
        lambda log: log + b"\n \t",
        lambda log: log.replace(b"\n", b"\r\n") + b"\r\n\r\n",
    ],
)
async def test_what_an_editor_leaves_behind_does_no_harm(kept, left_behind):
    path, store = kept
    path.write_bytes(left_behind(path.read_bytes()))
    session = await Session("s", store=store).load()
    assert (session.note, len(session.runs)) == ("", 5)
    await Agent("a", model=ScriptedModel("6")).run("ask 5", session=session)
    again = await Session("s", store=FileStore(path.parents[1])).load()
    assert (again.note, len(again.runs), again.messages()[-1].text) == ("", 6, "6")
