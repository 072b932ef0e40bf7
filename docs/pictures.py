"""Take the README's picture: a real run in a real JupyterLab.

    .venv/bin/python -m docs.pictures

It needs what `make test` sets up: Chromium, and the weights of the local model.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from playwright.async_api import Page, async_playwright

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
OPEN_ALL = "document.querySelectorAll('.jp-OutputArea details').forEach(d => d.open = true)"


async def first_agent(lab: JupyterLab, page: Page) -> None:
    """An agent that calls another one, with everything unfolded."""
    lab.write("first-agent.ipynb", *CELLS)
    notebook = Notebook(page, lab)
    await notebook.open("first-agent.ipynb")
    await notebook.choose("View", "Appearance", "Show Left Sidebar")
    for index in range(len(CELLS)):
        await notebook.run(index, seconds=120)
    await page.evaluate(OPEN_ALL)
    await notebook.cell(0).select()
    panel = page.locator(".jp-NotebookPanel-notebook")
    await panel.screenshot(path=IMAGES / "first-agent.png")
    await notebook.close()


async def main() -> None:
    """Take all pictures."""
    IMAGES.mkdir(exist_ok=True)
    lab = JupyterLab(Path(tempfile.mkdtemp()))
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium_path())
            page = await browser.new_page(
                viewport={"width": 1180, "height": 960}, device_scale_factor=1.5
            )
            await first_agent(lab, page)
            await browser.close()
    finally:
        lab.stop()


if __name__ == "__main__":
    asyncio.run(main())
