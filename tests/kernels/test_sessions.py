"""Sessions on real kernels: restarted, killed, stopped, shared; what was done is not done again."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from tests.kernels.harness import Execution, Kernel
from tests.kernels.test_forms import Page, forms, shown

SETUP = """
%load_ext nbagents
import asyncio, os
from nbagents import Agent, Graph, Question, Say, ScriptedModel, Session, handoff_to_user, tool

def heard(request):
    return f"Heard {sum(message.role == 'user' for message in request.messages)}."

talker = Agent("talker", model=ScriptedModel(heard, repeat=True))

def asks(request):
    if request.messages[-1].parts[0].type != "tool_result":
        return Say(calls=[("handoff_to_user", {"question": "What colour?"})])
    return "You said " + request.messages[-1].parts[0].text

painter = Agent("painter", model=ScriptedModel(asks, repeat=True), tools=[handoff_to_user])

def did(what):
    with open("did", "a") as file:
        file.write(what + "\\n")

def first():
    did("first")
    return 1

async def slow():
    did("slow")
    while not os.path.exists("go-on"):
        await asyncio.sleep(0.02)
    return 2

def last(slow: int):
    did("last")
    return slow + 1
"""
FLOW = "%%graph flow\nfirst -> slow -> last"


@pytest.fixture
def home(kernel: Kernel) -> Path:
    """The folder in which the kernel runs, without what other tests have left there."""
    place = Path(kernel.execute("import os; print(os.getcwd())").text.strip())
    for name in ("did", "go-on"):
        (place / name).unlink(missing_ok=True)
    return place


@pytest.fixture
def cells(kernel: Kernel, home: Path) -> Kernel:
    prepare(kernel)
    yield kernel
    kernel.execute("%session off")


def prepare(kernel: Kernel) -> None:
    done = kernel.execute(SETUP)
    assert done.error is None
    assert kernel.execute(FLOW).error is None


def restart(kernel: Kernel, *, kill: bool = False) -> None:
    """Restart the kernel, as the button does, or after it was killed; what ran in it is gone."""
    manager, client = kernel._manager, kernel._client
    if kill:
        os.kill(manager.provisioner.pid, signal.SIGKILL)
    with kernel._log.open("ab") as log:
        manager.restart_kernel(now=kill, stdout=log, stderr=log)
    client.wait_for_ready(timeout=60)
    kernel._cells.clear()
    prepare(kernel)


def lines(home: Path) -> list[str]:
    return (home / "did").read_text().split()


def until(cell: Execution, home: Path, what: str) -> None:
    """Wait until something was done."""
    cell.wait_for(lambda _: (home / "did").exists() and what in lines(home))


def test_a_conversation_goes_on_after_a_restart(cells: Kernel):
    new = cells.execute("%session work")
    assert "Session work · new" in new.text
    assert ".nbagents/sessions/work" in new.text
    assert "Heard 1." in cells.execute("%ask talker hello").text
    restart(cells)
    card = cells.execute("%session work")
    assert re.search(r"talker +2 messages · 1 run: 1 finished", card.text)
    assert "new" not in card.text
    assert sorted(card.outputs[0]["data"]) == ["text/html", "text/markdown", "text/plain"]
    assert "Heard 2." in cells.execute("%ask talker and again").text
    assert cells.execute("print(len(_.messages))").text == "4\n"


@pytest.mark.parametrize("again", ["%ask flow go", "%session resume", "%session resume flow"])
def test_a_graph_that_was_killed_goes_on_where_it_was(cells: Kernel, home: Path, again: str):
    session = "%session killed" + str(len(again))
    cells.execute(session)
    until(cells.begin("%ask flow go"), home, "slow")
    restart(cells, kill=True)
    card = cells.execute(session).text
    assert "ask flow the same question, or %session resume" in card
    assert "cut off" in card
    (home / "go-on").touch()
    done = cells.execute(again)
    assert done.error is None
    assert lines(home) == ["first", "slow", "slow", "last"]
    assert "after it was cut off" in done.text
    assert "[flow ✓ finished" in done.text
    assert cells.execute("print(_.output)").text == "3\n"


@pytest.mark.parametrize("again", ["%ask painter hi", "%session resume painter"])
def test_an_open_question_survives_a_restart(cells: Kernel, again: str):
    session = "%session asked" + str(len(again))
    cells.execute(session)
    Page(cells, cells.begin("%ask painter hi", allow_stdin=True))
    restart(cells)
    assert re.search(r"asks you +painter: What colour\?", cells.execute(session).text)
    cell = cells.begin(again, allow_stdin=True)
    Page(cells, cell).answer("blue")
    cell.result(10)
    assert cell.error is None
    assert "You said blue" in cell.text
    assert "Asked again at" in cell.text
    assert forms(cell) == []
    assert "asks you" not in cells.execute("%session").text


def test_the_form_of_a_question_that_was_answered_is_not_shown_again(cells: Kernel, home: Path):
    cells.execute('%%graph paint\ncolour -> slow\ncolour [ask="Which colour?"]')
    cells.execute("%session painted")
    cell = cells.begin("%ask paint go", allow_stdin=True)
    Page(cells, cell).answer("green")
    until(cell, home, "slow")
    restart(cells, kill=True)
    cells.execute('%%graph paint\ncolour -> slow\ncolour [ask="Which colour?"]')
    (home / "go-on").touch()
    cells.execute("%session painted")
    done = cells.execute("%ask paint go", allow_stdin=True)
    assert done.error is None
    assert re.search(r"you answered at \d\d:\d\d: green", done.text)
    assert not any("widget" in str(frame.content) for frame in done.frames)


def test_a_run_that_was_stopped_goes_on(cells: Kernel, home: Path):
    cells.execute("%session stopped")
    cell = cells.begin("%ask flow go")
    until(cell, home, "slow")
    cells.interrupt()
    assert cell.result().error == "Stopped: "
    assert "flow, which was stopped: %session resume" in cells.execute("%session").text
    (home / "go-on").touch()
    done = cells.execute("%session resume")
    assert "after it was stopped" in done.text
    assert lines(home) == ["first", "slow", "slow", "last"]
    nothing = cells.execute("%session resume")
    assert (
        nothing.error == "UserError: Nothing was cut off in session 'stopped': ask something new."
    )


def test_another_one_goes_on_in_the_place_of_one_that_is_gone(cells: Kernel):
    cells.execute("%session gone")
    cells.execute("%ask painter hi")
    restart(cells)
    cells.execute("other, painter = painter.replaced(name='other'), None\n%session gone")
    alone = cells.execute("%session resume")
    assert alone.error == (
        "UserError: The agent 'painter' is not defined in this kernel. "
        "Run the cell that defines it, then: %session resume painter"
    )
    cell = cells.begin("%session resume", allow_stdin=True)
    page = Page(cells, cell)
    assert "Which one should continue in its place?" in shown(cell)
    page.answer("other")
    cell.wait_for(lambda cell: forms(cell) and forms(cell) != [page.comm_id])
    Page(cells, cell).answer("red")
    assert "You said red" in cell.result(10).text


def test_a_second_kernel_is_a_conflict_that_says_the_way_out(
    cells: Kernel, home: Path, tmp_path: Path
):
    other = Kernel(cells.version, tmp_path)
    try:
        prepare(other)
        other.execute(f"%nbagents config sessions=file:{home / '.nbagents' / 'sessions'}")
        cells.execute("%session shared")
        cells.execute("%ask talker one")
        assert "1 run: 1 finished" in other.execute("%session shared").text
        assert "Heard 2." in other.execute("%ask talker two").text
        late = cells.execute("%ask talker three")
        assert late.error is not None
        assert late.error.startswith("SessionConflict: Somebody else wrote to session 'shared'")
        [error] = [output for output in late.outputs if output["output_type"] == "error"]
        assert len(error["traceback"]) == 1
        assert late.error.endswith(
            "Run again to go on from there, or branch off: %session fork NEW"
        )
        cells.execute("%session fork mine")
        assert "Heard 3." in cells.execute("%ask talker three").text
        cells.execute("%session shared")
        assert "Heard 3." in cells.execute("%ask talker three").text
    finally:
        other.stop()


def test_sessions_are_listed_shown_branched_off_and_removed(cells: Kernel):
    cells.execute("%session tea time")
    assert cells.execute("%session").text.startswith("No session")
    cells.execute('%session "tea time"')
    cells.execute("%ask talker one")
    cells.execute("%ask talker two")
    listed = cells.execute("%session list tea").text
    assert re.search(r"tea time +current +2 +\d{4}-\d\d-\d\d \d\d:\d\d", listed)
    shows = cells.execute("%session show")
    assert sorted(shows.outputs[0]["data"]) == ["text/html", "text/markdown", "text/plain"]
    assert re.search(r"talker: one\nHeard 1\.(.|\n)*talker: two\nHeard 2\.", shows.text)
    branch = cells.execute("%session fork tea2 --at 3")
    assert "branched off tea time of 6 events" in branch.text
    assert "Heard 2." in cells.execute("%ask talker three").text
    assert "tea2 is removed" in cells.execute("%session rm tea2").text
    assert cells.execute("%session").text.startswith("No session · what you ask is not recorded")
    assert "tea2" not in cells.execute("%session list").text
    assert "'tea time'?" in str(cells.execute("%session show teatime").error)


def test_prepared_answers_let_a_run_that_waits_go_on(cells: Kernel):
    cells.execute("%session prepared")
    assert "waiting for you" in cells.execute("%ask painter hi").text
    assert "You said blue" in cells.execute("%session resume --answers ['blue']").text


def test_what_is_wrong_in_the_store_is_told_and_what_stands_before_it_goes_on(
    cells: Kernel, home: Path
):
    cells.execute("%session torn")
    for words in ("one", "two"):
        cells.execute(f"%ask talker {words}")
    log = home / ".nbagents" / "sessions" / "torn" / "log.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole + whole.splitlines()[-1][:20])
    restart(cells)
    assert re.search(r"mended +\S.*torn", cells.execute("%session torn").text)
    assert "Heard 3." in cells.execute("%ask talker three").text
    log.write_bytes(whole + b"rubbish\n")
    restart(cells)
    broken = cells.execute("%session torn")
    assert broken.error is not None
    assert broken.error.startswith("SessionCorrupt: Record ")
    assert broken.error.endswith("Continue from there: %session fork torn NEW")
    assert "rubbish" not in cells.execute("%session list torn").text
    assert "2 runs: 2 finished" in cells.execute("%session fork torn whole").text
    assert "torn is removed" in cells.execute("%session rm torn").text
    assert not log.exists()


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("%session resume", "UserError: No session is active. Start or continue one: %session ID"),
        ("%session show", "UserError: No session is active. Start or continue one: %session ID"),
        ("%session rm", "UsageError: Which one? %session rm ID"),
        ("%session fork", "UsageError: Name the new branch: %session fork NEW"),
        ("%session fork list", "UsageError: 'list' is a command of %session"),
        ("%session ../x", "UserError: '../x' cannot be the id of a session: it looks like a path."),
        ("%session work now", "UsageError: %session work takes no 'now'. The commands are fork"),
        ("%session off now", "UsageError: %session off takes no 'now'."),
        ("%session work --at 3", "UsageError: --at belongs to %session fork."),
        ("%session work --turns 3", "UsageError: --turns belongs to %session resume."),
        ("%nbagents config session=x", "UserError: 'session=x' is not a setting. Write"),
        (
            "%nbagents config sessions=fil:x",
            "UserError: There is no place for sessions 'fil'. Did you mean 'file'?",
        ),
    ],
)
def test_mistakes_say_what_to_do(cells: Kernel, line: str, error: str):
    done = cells.execute(line)
    assert done.status == "error"
    assert f"{done.text}{done.error}".startswith(error)


def test_a_typo_is_a_new_session_that_says_what_it_is_like(cells: Kernel):
    assert "did you mean  %session list" in cells.execute("%session lst").text
    cells.execute("%session holiday")
    cells.execute("%ask talker one")
    assert "%session holiday" in cells.execute("%session holliday").text
    assert "did you mean" not in cells.execute("%session holiday2").text


def test_a_session_is_the_value_of_a_cell_and_so_is_a_diff(cells: Kernel):
    cells.execute("%session value")
    cells.execute("%ask talker one")
    value = cells.execute("await Session('value').load()")
    assert sorted(value.outputs[0]["data"]) == ["text/html", "text/markdown", "text/plain"]
    assert "talker     2 messages" in value.text
    unread = cells.execute("Session('value')")
    assert "await session.load()" in unread.text
    diff = cells.execute("s = await Session('value').load()\ns.diff(s.at(1))")
    assert "1 events in common" in diff.text
    assert "<pre" in diff.outputs[0]["data"]["text/html"]


def test_the_setting_says_where_sessions_lie(cells: Kernel):
    assert re.search(r"sessions +file:.nbagents/sessions", cells.execute("%nbagents config").text)
    cells.execute("%nbagents config sessions=memory:")
    table = cells.execute("%nbagents config").text
    assert re.search(r"sessions +memory: +NBAGENTS_SESSIONS is set", table)
    assert "sessions" in cells.execute("%nbagents doctor").text
    cells.execute("%session here")
    assert "Heard 1." in cells.execute("%ask talker one").text
    assert "Heard 2." in cells.execute("%ask talker two").text
    cells.execute("del os.environ['NBAGENTS_SESSIONS']")
    assert "here" not in cells.execute("%session list").text


def test_verbs_and_ids_are_completed_and_the_magic_tells_about_itself(cells: Kernel):
    cells.execute("%session finished-novel")
    cells.execute("%ask talker one")
    assert cells.complete("%session fin") == ["finished-novel"]
    assert cells.complete("%session fo") == ["fork"]
    assert cells.complete("%session show fin") == ["finished-novel"]
    assert cells.complete("%session resume ta") == ["talker"]
    assert "survives a restart" in cells.inspect("%session")


def test_unloading_takes_the_magic_and_the_cards_away(cells: Kernel):
    cells.execute("%unload_ext nbagents")
    assert "not found" in cells.execute("%session x").text + str(cells.execute("%session x").error)
    assert cells.execute("Session('x')").text.startswith("<Session 'x'")


def test_calls_that_await_and_calls_that_cannot_share_a_session(cells: Kernel):
    cells.execute("%session both")
    assert "Heard 1." in cells.execute("%ask talker one").text
    assert "Heard 2." in cells.execute("%%time\n%ask talker two").text
    cells.execute("def ask():\n    return get_ipython().run_line_magic('ask', 'talker three')")
    assert "Heard 3." in cells.execute("ask()").text
    printed = cells.execute("print(talker('four', session='both').output)").outputs[0]
    assert printed["text"] == "Heard 4.\n"
    printed = cells.execute("print((await talker.run('5', session='both')).output)").outputs[0]
    assert printed["text"] == "Heard 5.\n"


def test_a_call_that_cannot_await_is_cut_off_by_a_restart_and_not_stopped(
    cells: Kernel, home: Path
):
    cell = cells.begin("flow('go', session='sync')")
    until(cell, home, "slow")
    restart(cells)
    (home / "go-on").touch()
    assert "to continue" in cells.execute("%session sync").text
    printed = cells.execute("print(flow('go', session='sync').output)").outputs[0]
    assert printed["text"] == "3\n"
    assert lines(home) == ["first", "slow", "slow", "last"]
