"""Take the README's pictures: real runs in a real JupyterLab, mostly of the tour.

`make pictures` takes all of them, after it has renewed the outputs that the tour holds. To take some again:

    .venv/bin/python -m docs.pictures form swarm
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import async_playwright, expect

from tests.browser.lab import JupyterLab, Notebook, chromium_path

IMAGES = Path(__file__).parent / "images"
CELLS = (
    "%load_ext nbagents",
    """from nbagents import tool

@tool(examples=[("How warm is it in Athens?", {"city": "Athens"})])
def temperature(city: str) -> str:
    \"\"\"Get the current temperature in a city.\"\"\"
    return {"Oslo": "-3.5 °C", "Lisbon": "17.0 °C"}[city]""",
    """%%agent forecaster --tools temperature
You report the weather. Answer in one short sentence.""",
    """%%agent planner --uses forecaster
You plan trips. To learn the weather in a city, ask forecaster.""",
    "run = %ask planner Ask forecaster how warm it is in Lisbon.",
    "run.output, run.usage.total_tokens",
)
CLOSED = ".nba-row[aria-expanded=false]"


async def first_agent(notebook: Notebook) -> None:
    """An agent that calls another one, with everything unfolded."""
    notebook.lab.write("first-agent.ipynb", *CELLS)
    await notebook.open("first-agent.ipynb")
    await notebook.choose("View", "Appearance", "Show Left Sidebar")
    for index in range(len(CELLS)):
        await notebook.run(index, seconds=120)
    while await notebook.page.locator(CLOSED).count():
        await notebook.page.locator(CLOSED).first.click()
    await notebook.cell(0).select()
    panel = notebook.page.locator(".jp-NotebookPanel-notebook")
    await panel.screenshot(path=IMAGES / "first-agent.png")
    await notebook.close()


async def form(notebook: Notebook) -> None:
    """The form of the second notebook, before it is answered."""
    await notebook.open("02-human-in-the-loop.ipynb")
    await notebook.run(index(notebook, "answers ="))
    await notebook.run(index(notebook, "%load_ext"))
    await notebook.run(index(notebook, "%%agent"))
    asking = index(notebook, "%ask")
    await notebook.begin(asking)
    cell = notebook.cell(asking)
    form = cell.output.locator("form.nbagents-form")
    await form.wait_for(timeout=120_000)
    await form.get_by_label("Name").fill("Ada")
    await form.get_by_label("Day").fill("2027-05-14")
    await expect(form.get_by_role("button", name="Send")).to_be_enabled()  # After its first moment.
    # The notification of the question would cover a part of it.
    await notebook.page.add_style_tag(content=".Toastify { display: none }")
    await cell.node.screenshot(path=IMAGES / "form.png")
    await notebook.close()


async def team(notebook: Notebook, file: str, picture: str) -> None:
    """What a notebook of the tour holds of the run of a team."""
    await notebook.page.set_viewport_size({"width": 1180, "height": 1600})
    await notebook.open(file)
    cell = notebook.cell(index(notebook, "run = %ask"))
    await cell.node.scroll_into_view_if_needed()
    await cell.output.locator(".nba-map svg").first.wait_for()
    await cell.node.screenshot(path=IMAGES / picture)
    await notebook.close()


async def viewer(notebook: Notebook) -> None:
    """The viewer of a saved run of a team, with its time axis."""
    await notebook.page.set_viewport_size({"width": 1180, "height": 1600})
    await notebook.open("05-nesting.ipynb")
    cell = notebook.cell(index(notebook, "run = %ask"))
    await cell.node.scroll_into_view_if_needed()
    await cell.output.get_by_role("button", name="Time").click()
    await cell.output.get_by_role("button", name="Replay").click()
    await cell.node.screenshot(path=IMAGES / "viewer.png")
    await notebook.close()


async def session(notebook: Notebook) -> None:
    """The card of a session that was cut off, and the run that goes on."""
    await notebook.page.set_viewport_size({"width": 1180, "height": 1600})
    await notebook.open("06-sessions.ipynb")
    top = notebook.cell(index(notebook, "%session trip"))
    end = notebook.cell(index(notebook, "%ask collector"))
    await end.node.scroll_into_view_if_needed()
    first, last = await top.node.bounding_box(), await end.node.bounding_box()
    clip = {**first, "height": last["y"] + last["height"] - first["y"]}
    await notebook.page.screenshot(path=IMAGES / "session.png", clip=clip)
    await notebook.close()


def index(notebook: Notebook, start: str) -> int:
    """The first cell whose source starts so."""
    sources = [cell.source for cell in notebook.saved().cells]
    return next(i for i, source in enumerate(sources) if source.startswith(start))


async def main() -> None:
    """Take all pictures, or those that are named: `python -m docs.pictures form swarm`."""
    wanted = sys.argv[1:] or ["first-agent", "form", "swarm", "graph", "session", "viewer"]
    IMAGES.mkdir(exist_ok=True)
    lab = JupyterLab(Path(tempfile.mkdtemp()))
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium_path())
            page = await browser.new_page(
                viewport={"width": 1180, "height": 960}, device_scale_factor=1.5
            )
            notebook = Notebook(page, lab)
            if "first-agent" in wanted:
                await first_agent(notebook)
            if "form" in wanted:
                await form(notebook)
            if "swarm" in wanted:
                await team(notebook, "03-swarm.ipynb", "swarm.png")
            if "graph" in wanted:
                await team(notebook, "04-graph.ipynb", "graph.png")
            if "session" in wanted:
                await session(notebook)
            if "viewer" in wanted:
                await viewer(notebook)
            await browser.close()
    finally:
        lab.stop()


if __name__ == "__main__":
    asyncio.run(main())
