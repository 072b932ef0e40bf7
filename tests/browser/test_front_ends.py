"""Notebook 7 and nbclassic show what JupyterLab shows, and ask as it asks."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from tests.browser.lab import LOADED, Notebook

pytestmark = [pytest.mark.browser, pytest.mark.plain]

SETUP = """%load_ext nbagents
from pydantic import BaseModel
from nbagents import Agent, Question, RunContext, Say, ScriptedModel, tool
class Guest(BaseModel):
    name: str
    tea: bool = False
guests = []
@tool
async def ask(ctx: RunContext, language: str) -> str:
    "Ask."
    guests.append(await ctx.ask(Question("Who are you?", Guest)))
    return "A guest."
def new():
    model = ScriptedModel(Say(calls=[("ask", {"language": "en"})]), "It is **you**.")
    return Agent("agent", model=model, tools=[ask])
agent = new()"""
AWAITS = "%ask agent Who is it?"
BLOCKS = "new()('Who is it?')"
"""The same question from a cell that awaits its run, and from one whose thread waits for it."""


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """Where a page of the server is, and how its parts are found."""

    path: str
    connected: str
    """JavaScript that is over, with something true, once a cell can be run."""
    cell: str
    editor: str
    output: str
    prompt: str
    stop: str


FRONT_ENDS = {
    "notebook7": FrontEnd(
        "notebooks",
        f"({LOADED})().then(() => true)",
        ".jp-Notebook .jp-CodeCell",
        ".cm-content",
        ".jp-Cell-outputWrapper",
        ".jp-InputPrompt",
        "[data-jp-item-name=interrupt] jp-button",
    ),
    "nbclassic": FrontEnd(
        "nbclassic/notebooks",
        "window.Jupyter?.notebook?.kernel?.widget_manager && Jupyter.notebook.kernel.is_connected()",
        ".code_cell",
        ".CodeMirror",
        ".output_wrapper",
        ".input_prompt",
        "[data-jupyter-action='jupyter-notebook:interrupt-kernel']",
    ),
}


class Opened:
    """A notebook that is open in such a page."""

    def __init__(self, page: Page, front: FrontEnd) -> None:
        self.page = page
        self.cells = page.locator(front.cell)
        self._front = front

    def output(self, index: int) -> Locator:
        """What is below a cell."""
        return self.cells.nth(index).locator(self._front.output)

    def form(self, index: int) -> Locator:
        """The form in the output of a cell."""
        return self.output(index).locator("form.nbagents-form")

    async def begin(self, index: int) -> None:
        """Click into a cell and press Ctrl-Enter."""
        await self.cells.nth(index).locator(self._front.editor).first.click()
        await self.page.keyboard.press("Control+Enter")

    async def ended(self, index: int) -> None:
        """Wait until the cell has its number."""
        prompt = self.cells.nth(index).locator(self._front.prompt)
        await expect(prompt).to_have_text(re.compile(r"\[\d+\]"), timeout=60_000)

    async def stop(self) -> None:
        """Press the toolbar's Stop button."""
        await self.page.locator(self._front.stop).click()


@pytest_asyncio.fixture(loop_scope="session", params=FRONT_ENDS.values(), ids=FRONT_ENDS)
async def opened(request, lab, page):
    """Open a notebook of the set-up and these cells, with the first one run."""

    async def open_(*sources: str) -> Opened:
        front = request.param
        lab.reset()
        lab.write("front.ipynb", SETUP, *sources)
        await page.goto(f"{lab.url}{front.path}/front.ipynb?token={lab.token}")
        notebook = Opened(page, front)
        await expect(notebook.cells).to_have_count(1 + len(sources), timeout=60_000)
        await page.wait_for_function(front.connected, timeout=60_000)
        await notebook.begin(0)
        await notebook.ended(0)
        return notebook

    server = Notebook(page, lab)
    yield open_
    await server.screenshot(re.sub(r"\W+", "-", request.node.name))
    await server.close()


@pytest.mark.parametrize("asks", [AWAITS, BLOCKS], ids=["awaits", "blocks"])
async def test_a_form_is_answered_while_its_cell_runs_and_the_next_cell_runs_after_it(opened, asks):
    notebook = await opened(asks, "print(guests)")
    await notebook.begin(1)
    form = notebook.form(1)
    await form.get_by_label("Name").press_sequentially("ddbb Ada")
    await form.get_by_role("group", name="Tea").get_by_text("Yes").click()
    await notebook.begin(2)  # It waits in the queue.
    await form.get_by_role("button", name="Send").click()
    await notebook.ended(1)
    await notebook.ended(2)
    await expect(notebook.output(1)).to_contain_text("Answered by you")
    await expect(form).to_have_count(0)
    await expect(notebook.output(2)).to_contain_text("[Guest(name='ddbb Ada', tea=True)]")
    await expect(notebook.cells).to_have_count(3)


async def test_stop_ends_a_cell_whose_form_is_open_and_the_next_cell_runs(opened):
    notebook = await opened(AWAITS, "print('next')", BLOCKS, "print('next')")
    for index in (1, 3):
        await notebook.begin(index)
        await notebook.form(index).get_by_label("Name").fill("half an ans")
        await notebook.stop()
        await notebook.ended(index)
        await expect(notebook.output(index)).to_contain_text("Stopped before an answer.")
        await expect(notebook.form(index)).to_have_count(0)
        await notebook.begin(index + 1)
        await expect(notebook.output(index + 1)).to_contain_text("next")


async def test_what_an_agent_does_and_says_is_shown_under_its_cell(opened):
    notebook = await opened(AWAITS)
    await notebook.begin(1)
    await notebook.form(1).get_by_label("Name").fill("Ada")
    await notebook.page.keyboard.press("Enter")
    await notebook.ended(1)
    await expect(notebook.output(1)).to_contain_text('ask(language="en")')
    await expect(notebook.output(1).locator("strong").get_by_text("you")).to_be_visible()
