"""The extension in the oldest JupyterLab and Notebook that it is for: panel, viewer, highlighting."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.lab import LOADED, ROOT
from tests.browser.test_highlight import AGENT, tokens
from tests.browser.test_panel import SETUP, opened, toasts

pytestmark = pytest.mark.browser

BLOCKS = "run = asks('name')('hi')"


@pytest.fixture
def lab(labs):
    """A server of the oldest versions."""
    python = ROOT / ".cache" / "oldest" / "bin" / "python"
    assert python.exists(), f"There is no {python}: `make test` makes it."
    return labs(python=str(python))


async def answer_in_the_panel(page, notebook):
    """Run the cell that blocks its kernel, and answer its question in the panel."""
    running = await notebook.begin(1)
    await toasts(page).get_by_role("button", name="Answer").click()
    panel = page.locator("#nbagents-panel")
    field = panel.get_by_label("Answer", exact=True).and_(panel.locator("input"))
    await expect(field).to_be_focused()
    await page.keyboard.type("Ada")
    await page.keyboard.press("Enter")
    await running.finished(15)
    await expect(toasts(page)).to_have_count(0)
    output = notebook.cell(1).output
    await output.get_by_role("button", name="Run of waiter").click()
    await expect(output.get_by_role("treeitem").last).to_contain_text("Thank you.")


async def test_jupyterlab_4_4_has_panel_notification_viewer_and_highlighting(lab, notebook):
    lab.write("oldest.ipynb", SETUP, BLOCKS, AGENT)
    await notebook.open("oldest.ipynb")
    page = notebook.page
    assert (await page.evaluate("window.jupyterapp.version")).startswith("4.4.")
    assert ("EmphasisMark", "**") in await tokens(notebook, 2)
    await notebook.run(0)
    await opened(page)
    await answer_in_the_panel(page, notebook)
    await notebook.screenshot("oldest-lab")
    await notebook.save()
    await notebook.reload()
    crease = notebook.cell(1).output.get_by_role("button", name="Run of waiter")
    await expect(crease).to_be_visible()


async def test_notebook_7_4_has_them_too(lab, notebook):
    lab.write("oldest7.ipynb", SETUP, BLOCKS)
    page = notebook.page
    await page.goto(f"{lab.url}notebooks/oldest7.ipynb?token={lab.token}")
    await page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=60_000)
    await page.evaluate(LOADED)
    assert (await page.evaluate("window.jupyterapp.version")).startswith("7.4.")
    await notebook.idle()
    await notebook.run(0)
    await answer_in_the_panel(page, notebook)
    await notebook.screenshot("oldest-notebook")
