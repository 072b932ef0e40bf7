"""Where a run's output cannot be updated, on real kernels: its end is shown there, once."""

from __future__ import annotations

from typing import Any

import pytest

from nbagents.notebook.wire import RUN_MIME
from tests.kernels.harness import Execution, Kernel
from tests.kernels.test_bridge import Page
from tests.kernels.test_bridge import page as empty_page

__all__ = ["empty_page"]

SETUP = """
%load_ext nbagents
import asyncio
import ipywidgets as W
from IPython.display import clear_output, display
from nbagents import Agent, Graph, Say, ScriptedModel, handoff_to_user, tool

@tool
def wipe(wait: bool) -> str:
    "Wipe the cell."
    print("step 1")
    clear_output(wait=wait)
    print("step 2")
    return "wiped"

def wiper(wait):
    model = ScriptedModel(Say(calls=[("wipe", {"wait": wait})]), "The answer is 42.", repeat=True)
    return Agent("wiper", model=model, tools=[wipe])

def ask(request):
    if len(request.messages) == 1:
        return Say(calls=[("handoff_to_user", {"question": "Which seat?"})])
    return "You said " + request.messages[-1].parts[0].text

now, later = wiper(False), wiper(True)
team = Graph("team", {"draft": wiper(False), "loud": lambda text: text.upper()}, [("draft", "loud")])
parrot = Agent("parrot", model=ScriptedModel("The answer is 42.", repeat=True))
clerk = Agent("clerk", model=ScriptedModel(ask, repeat=True), tools=[handoff_to_user])
"""


@pytest.fixture
def cells(kernel: Kernel) -> Kernel:
    assert kernel.execute(SETUP).error is None
    return kernel


@pytest.fixture
def page(empty_page: Page) -> Page:
    assert empty_page.kernel.execute(SETUP).error is None
    return empty_page


def ends(cell: Execution) -> list[dict[str, Any]]:
    """The documents that stay in the cell."""
    bundles = (output.get("data", {}) for output in cell.outputs)
    return [bundle[RUN_MIME] for bundle in bundles if RUN_MIME in bundle]


def click(kernel: Kernel, name: str) -> None:
    """Press the button that this variable holds."""
    comm_id = kernel.execute(f"print({name}.comm.comm_id)").text.strip()
    data = {"method": "custom", "content": {"event": "click"}}
    kernel.send("comm_msg", comm_id=comm_id, data=data)


@pytest.mark.parametrize("watched", [True, False], ids=["watched", "headless"])
@pytest.mark.parametrize("name", ["now", "later", "team"])
def test_what_a_tool_has_cleared_is_shown_again_once(cells: Kernel, name: str, watched: bool):
    cell = cells.execute(f"%ask {name} go", allow_stdin=watched)
    (end,) = ends(cell)
    assert end["events"][-1]["type"] == "run_finished"
    assert cell.text.count("The answer is 42.") == 1
    assert "step 2" in cell.text
    assert "step 1" not in cell.text


@pytest.mark.parametrize("code", ["%ask parrot hi", "r = %ask parrot hi", "parrot('hi')"])
def test_a_console_prints_the_end_once(cells: Kernel, code: str):
    cell = cells.execute(code, allow_stdin=True, console=True)
    (output,) = cell.outputs
    assert output["data"]["text/plain"].startswith("The answer is 42.\n[parrot ✓ finished")
    assert not [frame for frame in cell.frames if frame.type == "update_display_data"]


def test_a_console_prints_a_question_and_takes_the_answer_at_once(cells: Kernel):
    cell = cells.begin("%ask clerk go", allow_stdin=True, console=True)
    cell.wait_for(lambda now: now.question and "Which seat?" in now.text, timeout=10)
    cell.answer("12A")
    assert "You said 12A" in cell.result().text
    assert cell.text.count("Waiting for you.") == 1
    assert not [frame for frame in cell.frames if frame.type == "update_display_data"]


@pytest.mark.parametrize(
    "code",
    [
        "with W.Output():\n    %ask parrot hi",
        "with W.Output():\n    r = parrot('hi'); display(r)",
        "_ = W.interactive_output(lambda: display(parrot('hi')), {})",
        "%%capture said\n%ask parrot hi",
    ],
    ids=["output", "display", "interact", "capture"],
)
def test_what_takes_outputs_for_itself_gets_the_end_once(cells: Kernel, code: str):
    cell = cells.execute(code, allow_stdin=True)
    if "capture" in code:
        cell = cells.execute("said()", allow_stdin=True)
    shown = [frame.content["data"] for frame in cell.frames if frame.type == "display_data"]
    said = [data["text/plain"] for data in shown if "42" in data.get("text/plain", "")]
    assert len(said) == 1
    assert not [frame for frame in cell.frames if frame.type == "update_display_data"]


def test_a_run_that_a_button_began_is_not_shown_under_the_next_cell(page: Page):
    kernel = page.kernel
    kernel.execute("b = W.Button(); b.on_click(lambda _: parrot('hi'))", allow_stdin=True)
    click(kernel, "b")
    page.wait_for(lambda: page.state["runs"] and page.state["runs"][0]["status"] == "finished")
    assert kernel.execute("1 + 1", allow_stdin=True).text == "2"
    assert "parrot" in kernel.execute("%runs", allow_stdin=True).text


@pytest.mark.parametrize("where", ["if True", "with W.Output()"])
def test_a_question_that_a_button_brings_is_answered_in_the_panel(page: Page, where: str):
    kernel = page.kernel
    kernel.execute(
        "said = []\nb = W.Button()\n@b.on_click\ndef pressed(_):\n"
        f"    {where}:\n        said.append(clerk('go'))",
        allow_stdin=True,
    )
    click(kernel, "b")
    page.wait_for(lambda: page.state["questions"])
    asked = page.state["questions"][0]
    page.send(type="answer", run_id=asked["run_id"], question_id="q1", answer="12A")
    page.wait_for(lambda: not page.state["questions"])
    assert kernel.execute("print(said[0].output)").text == "You said 12A\n"


def test_a_question_that_nobody_can_see_waits_and_holds_nothing_up(cells: Kernel):
    cells.execute("%unload_ext nbagents")
    cells.execute("%load_ext nbagents", allow_stdin=True)
    cells.execute(
        "said = []\nb = W.Button(); b.on_click(lambda _: said.append(clerk('go')))",
        allow_stdin=True,
    )
    click(cells, "b")
    assert cells.execute("print(said[0].status)").text == "waiting\n"
