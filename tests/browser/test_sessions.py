"""Sessions in a real JupyterLab: a question survives a restart from the menu, and is answered."""

from __future__ import annotations

import re
import shutil

import pytest
from playwright.async_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.plain]

SETUP = """%load_ext nbagents
from nbagents import Agent, Say, ScriptedModel, handoff_to_user

def did(what):
    with open("did", "a") as file:
        print(what, file=file)

def sketch() -> str:
    did("sketch")
    return "A lighthouse, in pencil."

def paint(sketch, colour: str) -> str:
    did("paint")
    return f"{sketch} Now it is {colour}."
"""
GRAPH = """%%graph studio
sketch -> {colour paint}
colour -> paint
colour [ask="Which colour shall it be?", out=str]"""


async def test_a_question_survives_a_restart_and_is_answered_with_the_keyboard(lab, notebook):
    lab.write("restart.ipynb", SETUP, GRAPH, "%session studio", "%ask studio Paint it")
    await notebook.open("restart.ipynb")
    for index in range(3):
        await notebook.run(index)
    await expect(notebook.cell(2).output).to_contain_text("new: everything you ask")
    await notebook.begin(3)
    asked = notebook.cell(3)
    form = asked.output.locator("form.nbagents-form")
    await expect(form).to_contain_text("Which colour shall it be?")
    page = notebook.page

    await notebook.choose("Kernel", "Restart Kernel…")
    await page.locator(".jp-Dialog .jp-mod-accept").click()
    await expect(page.locator(".jp-Dialog")).to_have_count(0)
    await notebook.idle()
    await notebook.choose("Run", "Run All Cells")
    await expect(notebook.cell(2).output).to_contain_text("waiting for you")
    await expect(notebook.cell(2).output).to_contain_text("colour: Which colour shall it be?")
    await expect(asked.output).to_contain_text("Asked again at")
    await expect(form).to_have_count(1)
    await notebook.screenshot("session-asked-again")

    await form.get_by_role("textbox").focus()
    await page.keyboard.type("blue")
    await page.keyboard.press("Enter")
    await notebook.settled()
    text = await asked.text()
    assert "A lighthouse, in pencil. Now it is blue." in text
    assert re.search(r"you answered at \d\d:\d\d: blue", text)
    assert await form.count() == 0
    assert (lab.root / "did").read_text().split() == ["sketch", "paint"]
    await notebook.screenshot("session-done")
    await notebook.dark()
    await notebook.screenshot("session-done-dark")
    await notebook.save()
    saved = notebook.saved()
    assert "widget" not in str(saved.cells[3].outputs)
    assert "Asked again at" in str(saved.cells[3].outputs)


@pytest.mark.local_model
async def test_the_notebook_of_the_tour_runs_and_after_a_restart_runs_again(lab, notebook):
    shutil.rmtree(lab.root / ".nbagents-tour", ignore_errors=True)
    await notebook.open("06-sessions.ipynb")
    sources = [cell.source for cell in notebook.saved().cells]
    chat, slider = sources.index("%session chat"), len(sources) - 3
    assert "IntSlider" in sources[slider]
    await notebook.run_all(120)
    await expect(notebook.cell(chat).output).to_contain_text("new: everything you ask")
    await notebook.restart()
    await notebook.run_all(120)
    await expect(notebook.cell(chat).output).to_contain_text("4 messages · 2 runs: 2 finished")
    cell = notebook.cell(slider)
    before = await cell.text()
    await cell.output.get_by_role("slider").focus()
    await notebook.page.keyboard.press("End")
    await expect(cell.output).to_contain_text("1 run: 1 finished")
    assert "1 cut off" in before
    await notebook.save()
    outputs = [o for each in notebook.saved().cells for o in each.get("outputs", ())]
    assert [o for o in outputs if o.output_type == "error"] == []
