"""What is set while a session is chosen, on real kernels: its place, its limits, its answers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.kernels.harness import Kernel
from tests.kernels.test_sessions import SETUP


@pytest.fixture
def cells(kernel: Kernel) -> Kernel:
    assert kernel.execute(SETUP).error is None
    yield kernel
    kernel.execute("%session off")


def test_a_session_moves_to_where_sessions_are_kept_from_now_on(cells: Kernel, tmp_path: Path):
    cells.execute("%session moving")
    assert "Heard 1." in cells.execute("%ask talker one").text
    there = tmp_path / "there"
    told = cells.execute(f"%nbagents config sessions=file:{there}").text
    assert re.search(
        rf"session moving +{there}/moving/log.jsonl +it continues there; "
        r"earlier events stay in .nbagents/sessions/moving/log.jsonl",
        told,
    )
    assert "session moving" not in cells.execute(f"%nbagents config sessions=file:{there}").text
    assert "session moving" not in cells.execute("%nbagents config").text
    assert f"stored in  {there}" in cells.execute("%session").text
    assert "Heard 1." in cells.execute("%ask talker two").text
    assert (there / "moving" / "log.jsonl").exists()
    cells.execute("del os.environ['NBAGENTS_SESSIONS']")
    assert "1 run: 1 finished" in cells.execute("%session moving").text


def test_another_folder_to_work_in_begins_no_other_sessions(cells: Kernel, tmp_path: Path):
    cells.execute("%session walking")
    cells.execute("%ask talker one")
    home = cells.execute("print(os.getcwd())").text.strip()
    cells.execute(f"%cd -q {tmp_path}")
    assert "walking" in cells.execute("%session list").text
    assert f"stored in  {home}/.nbagents" in cells.execute("%session walking").text
    assert f"file:{home}/.nbagents/sessions" in cells.execute("%nbagents config").text
    assert "Heard 2." in cells.execute("%ask talker two").text
    cells.execute(f"%cd -q {home}")
    assert not any(tmp_path.rglob("log.jsonl"))


def test_a_session_is_kept_when_the_extension_is_loaded_anew(cells: Kernel):
    cells.execute("%session kept")
    assert "Heard 1." in cells.execute("%ask talker one").text
    told = cells.execute("%reload_ext nbagents").text
    assert told.startswith("Session kept continues · to leave it: %session off")
    assert "Heard 2." in cells.execute("%ask talker two").text
    cells.execute("%session off")
    assert cells.execute("%reload_ext nbagents").text == ""
    assert cells.execute("%session").text.startswith("No session")


def test_a_run_that_goes_on_may_be_given_other_limits(cells: Kernel):
    cells.execute(
        "@tool\ndef work():\n    return 'ok'\n"
        "steps = [Say(calls=[('work', {})])] * 3 + ['Done.']\n"
        "worker = Agent('worker', model=ScriptedModel(*steps), tools=[work])"
    )
    cells.execute("%session limited")
    assert "turns=1" in cells.execute("%ask worker --turns 1 go").text
    assert "turns=2" in cells.execute("%session resume --turns 2").text
    wrong = cells.execute("%session resume --turns 0")
    assert f"{wrong.text}{wrong.error}".startswith("UsageError: --turns must be more than 0")
    assert "cost=1.0" in cells.execute("%session resume worker --turns 9 --cost 1").text
    assert "Done." in cells.execute("%session resume --turns 9").text


def test_an_answer_to_what_was_never_asked_is_refused(cells: Kernel):
    cells.execute("%session refused")
    cells.execute("%ask painter hi")
    wrong = cells.execute("%session resume --answers \"{'q2': 'blue'}\"")
    assert str(wrong.error).startswith("UserError: There is no open question 'q2'. Known: q1.")
    right = cells.execute("%session resume --answers \"{'q1': 'blue'}\"")
    assert "You said blue" in right.text
