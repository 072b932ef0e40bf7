"""Teams in a real JupyterLab: the picture lights up, questions are answered, the file shows it all."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

import nbformat
import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.lab import Cell, Notebook

pytestmark = [pytest.mark.browser, pytest.mark.plain]

SETUP = """%load_ext nbagents
import asyncio, os
from nbagents import Agent, Say, ScriptedModel

def hands(to, reason):
    return Say(text="Let me see. ", calls=[("handoff", {"to": to, "reason": reason})])

greeter = Agent("greeter", model=ScriptedModel(hands("planner", "wants to travel"), repeat=True))
planner = Agent("planner", model=ScriptedModel("By train to **Vienna**.", repeat=True))
writer = Agent("writer", model=ScriptedModel("A draft.", "A better draft.", repeat=True))

async def figures() -> int:
    while not os.path.exists("go-on"):
        await asyncio.sleep(0.05)
    return 7

def check(writer: str) -> dict:
    return {"score": len(writer)}

def publish(ok) -> str:
    return "published"

def archive(ok) -> str:
    return "kept"
"""
SWARM = """%%swarm desk
greeter: finds out what is wanted -> planner
planner: plans trips -> human"""
GRAPH = """%%graph report
figures -> writer -> check
check -> writer [when="output['score'] < 10"]
check -> ok     [when="output['score'] >= 10"]
ok [ask="Publish it?", out=bool]
ok -> publish [when="output"]
ok -> archive [when="not output"]"""


@pytest_asyncio.fixture(loop_scope="session")
async def cells(lab, notebook):
    """Open a notebook of the set-up and these cells, with the first two run."""

    async def open_(*sources: str) -> Notebook:
        lab.write("teams.ipynb", SETUP, *sources)
        await notebook.open("teams.ipynb")
        await notebook.run(0)
        await notebook.run(1)
        return notebook

    return open_


async def picture(cell: Cell) -> str:
    """The SVG that a cell shows, and really draws."""
    image = cell.output.locator("img[src^='data:image/svg']").first
    await expect(image).to_be_visible()
    assert await image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    return _decoded(await image.get_attribute("src"))


def _decoded(source: str | None) -> str:
    assert source is not None
    return base64.b64decode(source.partition("base64,")[2]).decode()


async def until(cell: Cell, holds: Callable[[str], Any]) -> str:
    """Wait for a picture of which something holds."""
    for _ in range(100):
        svg = await picture(cell)
        if holds(svg):
            return svg
        await cell.output.page.wait_for_timeout(100)
    raise AssertionError(svg)


def words(svg: str) -> str:
    """What the picture says to somebody who does not see it."""
    label = re.search(r'aria-label="([^"]*)"', svg)
    assert label is not None
    return label[1]


async def test_a_swarm_is_drawn_when_it_is_defined_and_lit_when_it_has_run(cells):
    notebook = await cells(SWARM, "%ask desk I want to travel")
    before = await picture(notebook.cell(1))
    await notebook.run(2)
    cell = notebook.cell(2)
    after = await until(cell, lambda svg: "greeter: done" in words(svg))
    text = await cell.text()
    assert "done" not in words(before)
    assert "planner: done" in words(after)
    assert "greeter hands over to planner: wants to travel" in text
    assert "By train to Vienna." in text
    assert await cell.output.locator("b", has_text="planner").count() > 0
    await notebook.screenshot("swarm")


async def test_a_graph_lights_up_asks_and_is_answered_with_the_mouse(cells, lab):
    notebook = await cells(GRAPH, "%ask report Go")
    running = await notebook.begin(2)
    cell = notebook.cell(2)
    svg = await until(cell, lambda svg: "figures: running" in words(svg))
    assert "writer" not in words(svg)
    (lab.root / "go-on").touch()
    svg = await until(cell, lambda svg: "ok: waiting" in words(svg))
    assert "writer: done" in words(svg)
    assert "×2" in svg
    await expect(cell.output.get_by_text("waiting for you").first).to_be_visible()
    await notebook.screenshot("graph-asks")
    form = cell.output.locator("form.nbagents-form")
    await form.get_by_role("button", name="Yes").click()
    await running.finished()
    svg = await until(cell, lambda svg: "report: done" in words(svg))
    assert "publish: done" in words(svg)
    assert "archive: skipped" in words(svg)
    assert "published" in await cell.text()
    await notebook.screenshot("graph-done")
    await notebook.dark()
    await notebook.screenshot("graph-done-dark")


async def test_the_file_shows_question_answer_and_picture_before_anything_runs(cells, lab):
    notebook = await cells(GRAPH.replace("figures ->", ""), "%ask report Go")
    running = await notebook.begin(2)
    form = notebook.cell(2).output.locator("form.nbagents-form")
    await expect(form.get_by_role("button", name="No")).to_be_enabled()
    page = notebook.page
    await page.keyboard.press("Tab")
    for _ in range(40):  # From the cell to its form, with the keyboard alone.
        focused = "document.activeElement?.textContent?.trim() ?? ''"
        if (await page.evaluate(focused)).startswith("No"):
            break
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await running.finished()
    await until(notebook.cell(2), lambda svg: "archive: done" in words(svg))
    await notebook.save()
    saved = notebook.saved()
    await notebook.close()
    path = lab.write("shared.ipynb", "")
    nbformat.write(saved, path)
    await notebook.open("shared.ipynb")
    cell = notebook.cell(2)
    svg = await picture(cell)
    assert "archive: done" in words(svg)
    assert "publish: skipped" in words(svg)
    text = await cell.text()
    assert "Publish it?" in text
    assert re.search(r"[Yy]ou.* at \d\d:\d\d", text)
    assert await cell.output.locator("form").count() == 0
    assert "widget" not in nbformat.writes(saved)
    await notebook.screenshot("graph-shared")
