"""Pages that come and go, and cells that change while a run is under way: the end is shown, once."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import expect

from tests.browser.lab import Notebook
from tests.browser.test_reload import RUN, SETUP

pytestmark = pytest.mark.browser

WIDGETS = """import ipywidgets as W
from nbagents import handoff_to_user
def ask(request):
    if len(request.messages) == 1:
        return Say(calls=[("handoff_to_user", {"question": "Which seat?"})])
    return "You said " + request.messages[-1].parts[0].text
clerk = Agent("clerk", model=ScriptedModel(ask, repeat=True), tools=[handoff_to_user])
inside, pressed, button = W.Output(), W.Output(), W.Button(description="Book")
@button.on_click
def book(_):
    with pressed:
        clerk("go")
display(inside, button, pressed)
"""


def panel(page):
    """The panel of a page, brought before the eyes."""
    return page.locator("#nbagents-panel")


async def begun(notebook: Notebook, index: int):
    """Run a cell until it waits for the file."""
    await notebook.begin(index)
    await expect(notebook.cell(index).output).to_contain_text("wait()")


def ends(notebook: Notebook) -> list[tuple[str, list[str]]]:
    """The source of each saved cell that shows runs, and the last event of each of them."""
    cells = notebook.saved().cells
    shown = [
        (cell.source, [one.data[RUN] for one in cell.outputs if RUN in one.get("data", {})])
        for cell in cells
        if cell.cell_type == "code"
    ]
    return [(source, [run["events"][-1]["type"] for run in runs]) for source, runs in shown if runs]


async def test_two_pages_show_a_run_and_stop_it_and_one_is_loaded_again(lab, notebook, page):
    (lab.root / "go").unlink(missing_ok=True)
    renewed = "agent = writer()\nimport gc; gc.collect()"
    lab.write("pages.ipynb", SETUP, "%ask agent hi", renewed)
    await notebook.open("pages.ipynb")
    other = Notebook(await page.context.browser.new_page(), lab)
    address = f"{lab.url}lab/workspaces/other/tree/pages.ipynb?token={lab.token}"
    await other.page.goto(address)
    await other._loaded()
    await page.bring_to_front()
    await notebook.run(0)
    for stopping in (notebook, other):
        await page.bring_to_front()
        await notebook.run(2)
        await begun(notebook, 1)
        await stopping.page.bring_to_front()
        await stopping.page.evaluate("window.jupyterapp.commands.execute('nbagents:show')")
        await panel(stopping.page).get_by_role("button", name="Stop writer").click()
        await notebook.settled()
        await expect(notebook.cell(1).output).to_contain_text("stopped")
        await expect(panel(other.page).get_by_role("button", name="Stop writer")).to_have_count(0)
        await other.reload()
    await other.page.close()
    await page.bring_to_front()
    await notebook.run(2)
    (lab.root / "go").write_text("")
    await notebook.run(1)
    await expect(notebook.cell(1).output).to_contain_text("Then I end.")
    assert await page.get_by_text("Javascript Error").count() == 0
    await notebook.save()
    assert ends(notebook) == [("%ask agent hi", ["run_finished"])]


async def test_a_cell_that_is_moved_copied_or_cleared_ends_as_its_run_did(lab, notebook):
    (lab.root / "go").unlink(missing_ok=True)
    lab.write("moved.ipynb", SETUP, "%ask agent hi", "agent = writer()")
    await notebook.open("moved.ipynb")
    page = notebook.page
    await notebook.run(0)
    await begun(notebook, 1)
    await page.keyboard.press("Control+Shift+ArrowDown")
    await page.keyboard.press("c")
    await page.keyboard.press("v")
    copies = [notebook.cell(index) for index in (2, 3)]
    await expect(copies[1].output).to_contain_text("wait()")
    await notebook.stop()
    await notebook.settled()
    for copy in copies:
        await expect(copy.output).to_contain_text("stopped")
    await notebook.save()
    assert ends(notebook) == [("%ask agent hi", ["run_cancelled"])] * 2
    await notebook.run(1)
    await begun(notebook, 2)
    await notebook.choose("Edit", "Clear Cell Output")
    await expect(copies[0].output).not_to_contain_text("wait()")
    (lab.root / "go").write_text("")
    await expect(copies[0].output).to_contain_text("Then I end.")
    await notebook.settled()
    await notebook.save()
    assert [kinds for _, kinds in ends(notebook)] == [["run_finished"], ["run_cancelled"]]
    saved = json.dumps(notebook.saved().cells[2].outputs)
    assert saved.count('"text/markdown"') == 1


@pytest.mark.parametrize("way", ["form", "panel"])
async def test_output_widgets_show_answers_and_questions(lab, notebook, way: str):
    there = SETUP.replace("go.unlink(missing_ok=True)", "go.touch()")
    lab.write("widgets.ipynb", there + WIDGETS, "with inside:\n    %ask agent hi", "1 + 1")
    await notebook.open("widgets.ipynb")
    page = notebook.page
    await notebook.run(0)
    await notebook.run(1)
    shown = notebook.cell(0).output
    await expect(shown).to_contain_text("Then I end.")
    await page.get_by_role("button", name="Book", exact=True).click()
    place = shown
    if way == "panel":
        await page.evaluate("window.jupyterapp.commands.execute('nbagents:show')")
        await panel(page).get_by_role("button", name="Answer").click()
        place = panel(page)
    field = place.get_by_label("Answer", exact=True).and_(place.locator("input"))
    await field.fill("12A")
    await field.press("Enter")
    await expect(shown).to_contain_text("Answered by you")
    await expect(shown).not_to_contain_text("waiting for you", ignore_case=True)
    await expect(shown).to_contain_text("clerk ✓ finished")
    await notebook.run(2)
    assert await notebook.cell(2).text() == "2"
