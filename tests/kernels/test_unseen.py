"""Runs that plain code begins, on a real kernel: their cell saves them, the panel lists them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from nbagents.notebook.wire import RUN_MIME
from tests.kernels.harness import Execution, Kernel
from tests.kernels.test_bridge import Page, page

__all__ = ["page"]

pytestmark = pytest.mark.kernel

SETUP = """
%load_ext nbagents
import asyncio
from nbagents import Agent, Say, ScriptedModel, tool

def echo(request):
    return "You said " + request.messages[-1].parts[0].text

parrot = Agent("parrot", model=ScriptedModel(echo, repeat=True))
broken = Agent("broken", model=ScriptedModel(ValueError("No power"), repeat=True))
"""


@pytest.fixture
def parrots(kernel: Kernel) -> Kernel:
    """A kernel in which there is somebody to ask."""
    assert kernel.execute(SETUP).error is None
    return kernel


def _documents(cell: Execution) -> list[dict[str, Any]]:
    bundles = (output.get("data", {}) for output in cell.outputs)
    told = [bundle[RUN_MIME] for bundle in bundles if RUN_MIME in bundle]
    return [document for first in told for document in (first, *first.get("more", ()))]


def _lines(cell: Execution) -> list[dict[str, Any]]:
    documents = _documents(cell)
    assert all(document["folded"] for document in documents)
    return documents


@pytest.mark.parametrize("code", ["run = await parrot.run('hi')", "run = parrot('hi')"])
def test_a_run_that_nobody_shows_is_saved_as_one_line_that_opens(parrots: Kernel, code: str):
    cell = parrots.execute(code)
    (output,) = cell.outputs
    (document,) = _lines(cell)
    kinds = [event["type"] for event in document["events"]]
    assert kinds == ["run_started", "message_finished", "run_finished"]
    shown = output["data"]["text/html"]
    assert re.match('<details class="[^"]*"><summary', shown)
    line, whole = shown.split("</summary>")
    assert "parrot ✓ finished" in line
    assert "You said hi" not in line
    assert "You said hi" in whole
    assert output["data"]["text/plain"].startswith("[parrot ✓ finished")


def test_a_stream_that_plain_code_reads_is_saved(parrots: Kernel):
    code = "async with parrot.stream('hi') as stream:\n    async for _ in stream:\n        pass"
    assert len(_lines(parrots.execute(code))) == 1


def test_what_its_cell_shows_is_not_saved_once_more(parrots: Kernel):
    for code in ("run = parrot('hi')\nrun", "run = parrot('hi')\ndisplay(run)", "%ask parrot hi"):
        (document,) = _documents(parrots.execute(code))
        assert not document["folded"]


def test_a_semicolon_shows_and_saves_nothing(parrots: Kernel):
    assert parrots.execute("run = parrot('hi');").outputs == []
    assert parrots.execute("print(run.text)").text == "You said hi\n"


def test_several_runs_of_a_cell_are_one_line_with_a_line_for_each(parrots: Kernel):
    cell = parrots.execute("for n in range(3):\n    parrot(f'{n}')")
    (output,) = cell.outputs
    heading = "3 runs · parrot 3 · 3 finished"
    assert output["data"]["text/plain"] == f"[{heading}]"
    assert output["data"][RUN_MIME]["heading"] == heading
    assert output["data"]["text/html"].count("<details") == 4
    said = [document["events"][-1]["output"] for document in _lines(cell)]
    assert said == ["You said 0", "You said 1", "You said 2"]


def test_many_runs_are_saved_up_to_a_bound_that_is_told(parrots: Kernel):
    code = "runs = await asyncio.gather(*[parrot.run(f'{n}') for n in range(1030)])"
    cell = parrots.execute(code)
    assert len(_lines(cell)) == 100
    heading = "1,030 runs · parrot 1,030 · 1,030 finished · only the first 100 are saved here"
    assert cell.text == f"[{heading}]"
    assert parrots.execute("print(runs[1029].text)").text == "You said 1029\n"
    code = "for n in range(3):\n    parrot('x' * 500_000)"
    assert "3 finished · one is saved here" in parrots.execute(code).text


def test_a_run_that_fails_is_saved_beneath_its_error(parrots: Kernel):
    cell = parrots.execute("broken('hi')")
    assert cell.error is not None
    assert "No power" in cell.error
    (document,) = _lines(cell)
    assert document["events"][-1]["type"] == "run_failed"


def test_a_run_inside_of_a_tool_is_no_run_of_the_cell(parrots: Kernel):
    parrots.execute("""
@tool
async def ask_parrot(what: str) -> str:
    "Ask the parrot."
    return (await parrot.run(what)).text

model = ScriptedModel(Say(calls=[("ask_parrot", {"what": "hello"})]), "Done.", repeat=True)
boss = Agent("boss", model=model, tools=[ask_parrot])
""")
    (document,) = _lines(parrots.execute("run = boss('hi')"))
    names = [event["name"] for event in document["events"] if event["type"] == "run_started"]
    assert names == ["boss"]


def test_a_run_in_the_background_is_saved_by_the_cell_in_which_it_ends(parrots: Kernel):
    parrots.execute("""
go = asyncio.Event()

@tool
async def wait() -> str:
    "Wait."
    await go.wait()
    return "It came."

model = ScriptedModel(Say(calls=[("wait", {})]), "You said hi", repeat=True)
task = asyncio.create_task(Agent("late", model=model, tools=[wait]).run("hi"))
await asyncio.sleep(0)
""")
    cell = parrots.execute("go.set()\nprint((await task).text)")
    assert cell.outputs[0]["text"] == "You said hi\n"
    assert len(_lines(cell)) == 1


def test_the_runs_of_a_kernel_are_all_listed(parrots: Kernel):
    parrots.execute("run = parrot('what is listed')")
    assert "what is listed" in parrots.execute("%runs").text


@pytest.mark.parametrize("code", ["await slow.run('hi')", "slow('hi')"])
def test_it_is_listed_and_stopped_in_the_panel(page: Page, code: str):
    cell = page.kernel.begin(code, allow_stdin=True)
    page.wait_for(lambda: [run["status"] for run in page.state["runs"]] == ["running"])
    page.send(type="stop", run_id=page.state["runs"][0]["run_id"])
    assert cell.result().error is not None
    (document,) = _lines(cell)
    assert document["events"][-1]["reason"] == "Stopped by you"
    page.wait_for(lambda: page.state["runs"][0]["status"] == "cancelled")
    assert page.kernel.execute("1 + 1").text == "2"


def test_its_question_is_answered_in_the_panel(page: Page):
    cell = page.kernel.begin("run = await painter.run('hi')", allow_stdin=True)
    page.wait_for(lambda: page.state["questions"])
    asked = page.state["questions"][0]
    assert asked["run_id"] == page.state["runs"][0]["run_id"]
    page.send(type="answer", run_id=asked["run_id"], question_id="q1", answer="red")
    assert "You said red" in str(_lines(cell.result()))
    page.wait_for(lambda: not page.state["questions"])
