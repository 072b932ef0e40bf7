"""Notebook 7 shows what JupyterLab shows."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

pytestmark = pytest.mark.browser

SETUP = """%load_ext nbagents
from nbagents import Agent, Say, ScriptedModel
def add(a: int, b: int) -> int:
    "Add."
    return a + b
model = ScriptedModel(Say(calls=[("add", {"a": 1, "b": 2})]), "It is **three**.")
agent = Agent("agent", model=model, tools=[add])"""


async def test_an_answer_is_shown_under_its_cell(lab, page):
    lab.reset()
    lab.write("seven.ipynb", SETUP, "%ask agent What is one and two?")
    await page.goto(f"{lab.url}notebooks/seven.ipynb?token={lab.token}")
    cells = page.locator(".jp-Notebook .jp-CodeCell")
    await expect(cells).to_have_count(2, timeout=60_000)
    await expect(
        page.locator(".jp-NotebookKernelStatus, .jp-Toolbar-kernelStatus").first
    ).to_be_visible(timeout=60_000)
    for index in range(2):
        await cells.nth(index).locator(".cm-content").click()
        await page.keyboard.press("Control+Enter")
    output = cells.nth(1).locator(".jp-OutputArea")
    await expect(output).to_contain_text("It is three.", timeout=60_000)
    await expect(output).to_contain_text("add(a=1, b=2)")
    await expect(output.locator("strong")).to_have_text("three")
