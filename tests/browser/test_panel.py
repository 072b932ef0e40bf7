"""The panel of the labextension in a real JupyterLab: it answers, stops, and finds the cell."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.lab import LOADED

pytestmark = pytest.mark.browser

SETUP = """%load_ext nbagents
import asyncio
from typing import Annotated, Literal
from pydantic import BaseModel, Field, SecretStr
from nbagents import Agent, Question, RunContext, Say, ScriptedModel, tool
class Trip(BaseModel):
    city: str
    days: int = Field(2, ge=1, le=12)
    hotel: bool = False
    by: Literal["train", "ship"] = "train"
    extras: list[Literal["bread", "olives", "wine"]] = ["bread"]
    code: SecretStr = SecretStr("")
    more: dict[str, int] = {}
questions = {
    "name": Question("What is **your** name?", reason="It goes on the ticket."),
    "trip": Question("Where to?", Trip),
    "send": Question("Shall I send it?", bool, details={"to": "ada@example.org"}),
}; answers = {}
@tool
async def ask(ctx: RunContext, what: str) -> str:
    "Ask."
    answers[what] = await ctx.ask(questions[what])
    return "answered " + what
@tool
async def sleep() -> str:
    "Sleep."
    await asyncio.sleep(600)
    return "slept"
def asks(*whats):
    calls = [("ask", {"what": what}) for what in whats]
    return Agent("waiter", model=ScriptedModel(Say(calls=calls), "Thank you."), tools=[ask])
sleeper = Agent("sleeper", model=ScriptedModel(Say(calls=[("sleep", {})])), tools=[sleep])
"""


@pytest_asyncio.fixture(loop_scope="session")
async def cells(lab, notebook):
    """Open a notebook of the set-up and these cells, with the first one run."""

    async def open_(*sources: str):
        lab.write("panel.ipynb", SETUP, *sources)
        await notebook.open("panel.ipynb")
        await notebook.run(0)
        return notebook

    return open_


async def opened(page: Page):
    """Show the panel as the command palette does."""
    await page.evaluate("window.jupyterapp.commands.execute('nbagents:show')")
    panel = page.locator("#nbagents-panel")
    await expect(panel).to_be_visible()
    return panel


def toasts(page: Page):
    """The notifications of questions."""
    return page.locator(".Toastify__toast").filter(has_text="asks:")


async def test_the_panel_answers_while_a_sync_cell_blocks_the_kernel(cells):
    notebook = await cells("run = asks('name')('hi')", "print(answers)")
    panel = await opened(notebook.page)
    running = await notebook.begin(1)
    await panel.get_by_role("button", name="Answer").click()
    field = panel.get_by_label("Answer", exact=True).and_(panel.locator("input"))
    await expect(field).to_be_focused()
    await notebook.page.keyboard.type("ddbb Ada")
    await notebook.screenshot("panel-question")
    await notebook.page.keyboard.press("Enter")
    await running.finished(15)
    await expect(panel.get_by_text("Questions")).to_have_count(0)
    await expect(notebook.cell(1).output).to_contain_text("Answered by you")
    await notebook.run(2)
    assert await notebook.cell(2).text() == "{'name': 'ddbb Ada'}"


async def test_a_model_is_filled_in_and_what_does_not_fit_is_explained(cells):
    notebook = await cells("agent = asks('trip')\n%ask agent hi", "print(answers['trip'])")
    panel = await opened(notebook.page)
    running = await notebook.begin(1)
    await panel.get_by_role("button", name="Answer").click()
    await expect(panel.get_by_label("City")).to_be_focused()
    await panel.get_by_label("City").fill("Ghent")
    await panel.get_by_label("Days").fill("40")
    await panel.get_by_role("group", name="Hotel").get_by_text("Yes").click()
    await panel.get_by_role("group", name="By").get_by_text("ship").click()
    await panel.get_by_role("group", name="Extras").get_by_text("wine").click()
    await expect(panel.get_by_label("Code")).to_have_attribute("type", "password")
    await panel.get_by_label("Code").fill("tell-nobody")
    await panel.get_by_label("More").fill('{"bags": 3}')
    await panel.get_by_role("button", name="Send").click()
    await expect(panel).to_contain_text("Input should be less than or equal to 12")
    await expect(panel.get_by_label("Days")).to_be_focused()
    await expect(panel.get_by_label("City")).to_have_value("Ghent")
    await notebook.screenshot("panel-refused")
    await panel.get_by_label("Days").fill("12")
    await notebook.page.keyboard.press("Enter")
    await running.finished(15)
    await notebook.run(2)
    assert await notebook.cell(2).text() == (
        "city='Ghent' days=12 hotel=True by='ship' extras=['bread', 'wine'] "
        "code=SecretStr('**********') more={'bags': 3}"
    )
    assert "tell-nobody" not in await notebook.page.content()


async def test_a_notification_leads_to_the_question_and_to_the_cell_and_goes_with_the_answer(cells):
    notebook = await cells("agent = asks('name', 'send')\n%ask agent hi", "print(answers)")
    page = notebook.page
    running = await notebook.begin(1)
    await expect(toasts(page)).to_have_count(2)
    await notebook.cell(0).select()
    named = toasts(page).filter(has_text="waiter asks: What is your name?")
    await named.get_by_role("button", name="Go to cell").click()
    await expect(notebook.cell(1).node).to_be_focused()
    await expect(notebook.cell(1).output).to_be_in_viewport()
    await expect(toasts(page)).to_have_count(1)
    await page.wait_for_timeout(600)
    await notebook.screenshot("panel-notification")
    await toasts(page).get_by_role("button", name="Answer").click()
    panel = page.locator("#nbagents-panel")
    await expect(panel.locator("form.nbagents-form")).to_be_focused()
    await notebook.screenshot("panel-decision")
    await panel.get_by_role("button", name="Yes").click()
    await expect(toasts(page)).to_have_count(0)
    await notebook.cell(1).output.get_by_label("Answer").fill("Ada")
    await page.keyboard.press("Enter")
    await running.finished(15)
    await notebook.run(2)
    assert await notebook.cell(2).text() == "{'send': True, 'name': 'Ada'}"


async def test_a_question_that_is_answered_in_the_cell_takes_its_notification_along(cells):
    notebook = await cells("agent = asks('name')\n%ask agent hi")
    running = await notebook.begin(1)
    await expect(toasts(notebook.page)).to_have_count(1)
    await notebook.cell(1).output.get_by_label("Answer").fill("Ada")
    await notebook.page.keyboard.press("Enter")
    await running.finished(15)
    await expect(toasts(notebook.page)).to_have_count(0)


async def test_a_run_is_stopped_from_the_panel_and_its_cell_is_found(cells):
    notebook = await cells("%ask sleeper hi")
    panel = await opened(notebook.page)
    running = await notebook.begin(1)
    run = panel.get_by_role("listitem").filter(has_text="running")
    await expect(run).to_contain_text("2 s", timeout=10_000)
    await notebook.screenshot("panel-running")
    await panel.get_by_role("button", name="Stop sleeper").click()
    await running.finished(10)
    await expect(panel.get_by_role("listitem").filter(has_text="stopped")).to_have_count(1)
    await expect(panel.get_by_role("button", name="Stop sleeper")).to_have_count(0)
    await notebook.cell(0).select()
    await panel.get_by_role("button", name="sleeper").click()
    await expect(notebook.cell(1).node).to_be_focused()


async def test_a_run_of_plain_code_is_listed_found_and_stopped_and_left_as_one_line(cells):
    notebook = await cells("1", "run = await sleeper.run('hi')")
    panel = await opened(notebook.page)
    running = await notebook.begin(2)
    await expect(panel.get_by_role("listitem").filter(has_text="running")).to_have_count(1)
    await notebook.cell(0).select()
    found = panel.get_by_title("Go to the cell of this run")
    await found.click()
    await expect(notebook.cell(2).node).to_be_focused()
    await panel.get_by_role("button", name="Stop sleeper").click()
    await running.finished(15)
    output = notebook.cell(2).output
    await expect(output).to_contain_text("Stopped by you")
    crease = output.get_by_role("button", name="Run of sleeper")
    await expect(crease).to_have_attribute("aria-expanded", "false")
    await expect(output.get_by_role("treeitem")).to_have_count(0)
    await notebook.screenshot("panel-folded")
    await notebook.cell(0).select()
    await found.click()
    await expect(notebook.cell(2).node).to_be_focused()
    await crease.click()
    await expect(output.get_by_role("treeitem").first).to_be_visible()
    await notebook.screenshot("panel-unfolded")


async def test_many_runs_of_plain_code_are_one_line_and_each_of_them_is_found(cells):
    code = (
        "for name in ('ada', 'ben'):\n    Agent(name, model=ScriptedModel(f'I am {name}.'))('hi')"
    )
    notebook = await cells("1", code)
    panel = await opened(notebook.page)
    await notebook.run(2)
    output = notebook.cell(2).output
    heading = "2 runs · ada 1, ben 1 · 2 finished"
    whole = output.get_by_role("button", name=heading)
    await expect(whole).to_have_attribute("aria-expanded", "false")
    await expect(output).to_contain_text(heading)
    await notebook.screenshot("pile-folded")
    await whole.click()
    await output.get_by_role("button", name="Run of ben").click()
    await expect(output.get_by_role("treeitem")).to_have_text(["I am ben."])
    await notebook.screenshot("pile-unfolded")
    await notebook.cell(0).select()
    await panel.get_by_role("listitem").filter(has_text="ben").get_by_role("button").click()
    await expect(notebook.cell(2).node).to_be_focused()


async def test_it_says_what_to_do_where_there_is_nothing(lab, notebook):
    lab.write("empty.ipynb", "1 + 1", "%load_ext nbagents")
    await notebook.open("empty.ipynb")
    panel = await opened(notebook.page)
    await expect(panel).to_contain_text("Run %load_ext nbagents in this notebook")
    await notebook.run(1)
    for words in ("%ask helper", "Begin a cell with %%agent helper", "%session work"):
        await expect(panel).to_contain_text(words)
    await notebook.save()
    await notebook.choose("File", "Close Tab")
    await expect(panel).to_contain_text("Open a notebook")


async def test_a_restart_clears_it_and_the_next_kernel_fills_it(cells):
    notebook = await cells("agent = asks('name')\n%ask agent hi")
    panel = await opened(notebook.page)
    await notebook.begin(1)
    await expect(toasts(notebook.page)).to_have_count(1)
    await notebook.restart()
    await expect(panel).to_contain_text("Run %load_ext nbagents in this notebook")
    await expect(toasts(notebook.page)).to_have_count(0)
    await notebook.run(0)
    await expect(panel.get_by_role("listitem").filter(has_text="sleeper")).to_have_count(1)


async def test_a_page_that_is_loaded_again_is_told_all_once_more_and_can_answer(cells):
    notebook = await cells("agent = asks('name')\n%ask agent hi", "print(answers)")
    await notebook.begin(1)
    await expect(toasts(notebook.page)).to_have_count(1)
    await notebook.save()
    await notebook.reload()
    panel = await opened(notebook.page)
    # The page asks a kernel who it is, and does not wait longer than 3 s for a busy one.
    await expect(toasts(notebook.page)).to_have_count(1, timeout=15_000)
    await panel.get_by_role("button", name="Answer").click()
    await panel.get_by_label("Answer", exact=True).and_(panel.locator("input")).fill("Ada")
    await notebook.page.keyboard.press("Enter")
    await expect(panel.get_by_text("Questions")).to_have_count(0)
    await expect(toasts(notebook.page)).to_have_count(0)
    await notebook.run(2)
    assert await notebook.cell(2).text() == "{'name': 'Ada'}"


async def test_a_question_of_a_notebook_behind_brings_it_to_the_front(cells, lab):
    notebook = await cells("agent = asks('name')\n%ask agent hi")
    page = notebook.page
    lab.write("other.ipynb", "1 + 1")
    await page.evaluate(
        "window.jupyterapp.commands.execute('docmanager:open', {path: 'other.ipynb'})"
    )
    panel = await opened(page)
    await expect(panel).to_contain_text("Run %load_ext nbagents in this notebook")
    await page.get_by_role("tab", name="panel.ipynb").click()
    await notebook.begin(1)
    await expect(panel.get_by_role("button", name="Answer")).to_be_visible()
    await page.get_by_role("tab", name="other.ipynb").click()
    await expect(panel).to_contain_text("Run %load_ext nbagents in this notebook")
    await toasts(page).get_by_role("button", name="Answer").click()
    await expect(
        panel.get_by_label("Answer", exact=True).and_(panel.locator("input"))
    ).to_be_focused()
    await expect(page.locator(".lm-mod-current").filter(has_text="panel.ipynb")).to_have_count(1)


async def test_it_is_readable_in_the_dark(cells):
    notebook = await cells(
        "agent = asks('name', 'trip')\n%ask agent hi", "%session work", "%ask sleeper hi"
    )
    await notebook.dark()
    panel = await opened(notebook.page)
    await notebook.run(2)
    await notebook.begin(1)
    await expect(panel.get_by_role("button", name="Answer")).to_have_count(2)
    await panel.get_by_role("button", name="Answer").nth(1).click()
    await expect(panel.get_by_label("City")).to_be_visible()
    colours = await panel.evaluate(
        """panel => ['backgroundColor', 'color'].map(
          (name) => Number(getComputedStyle(panel)[name].match(/\\d+/)[0]))"""
    )
    assert colours[0] < 64 < 190 < colours[1]


async def test_notebook_7_has_the_panel_and_the_notifications_too(lab, notebook):
    lab.write("seven.ipynb", SETUP, "agent = asks('name')\n%ask agent hi")
    page = notebook.page
    await page.goto(f"{lab.url}notebooks/seven.ipynb?token={lab.token}")
    await page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=60_000)
    await page.evaluate(LOADED)
    await notebook.idle()
    await notebook.run(0)
    running = await notebook.begin(1)
    await toasts(page).get_by_role("button", name="Answer").click()
    panel = page.locator("#nbagents-panel")
    field = panel.get_by_label("Answer", exact=True).and_(panel.locator("input"))
    await expect(field).to_be_focused()
    await page.keyboard.type("Ada")
    await notebook.screenshot("panel-notebook7")
    await page.keyboard.press("Enter")
    await running.finished(15)
    await expect(toasts(page)).to_have_count(0)
