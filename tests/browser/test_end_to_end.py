"""A notebook is run with the local model, shared, opened without a network, and replayed without a model."""

from __future__ import annotations

import json
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import v4
from playwright.async_api import expect

from nbagents.notebook.wire import RUN_MIME
from tests.offline import child_environment

pytestmark = [pytest.mark.browser, pytest.mark.local_model]

TOOL = """
@tool(examples=[("How warm is it in Athens?", {"city": "Athens"})])
def temperature(city: str) -> str:
    "Get the current temperature in a city."
    with open("ran.txt", "a") as file:
        file.write(city)
    return {"Oslo": "-3.5 °C", "Lisbon": "17.0 °C"}[city]
"""
AGENT = """%%agent forecaster --tools temperature
You report the weather. Answer in one short sentence."""
CELLS = [
    "%load_ext nbagents\nfrom nbagents import tool",
    TOOL,
    AGENT,
    "run = %ask forecaster How warm is it in Lisbon?",
    "print(run.output)",
]


async def test_run_share_open_replay(browser, tmp_path):
    path = tmp_path / "trip.ipynb"
    made = v4.new_notebook(cells=[v4.new_code_cell(source) for source in CELLS])
    client = NotebookClient(made, resources={"metadata": {"path": str(tmp_path)}}, timeout=300)
    nbformat.write(await client.async_execute(), path)
    (tmp_path / "ran.txt").unlink(missing_ok=True)
    asked = nbformat.read(path, as_version=4).cells[3].outputs[0].data
    assert "local:" in json.dumps(asked[RUN_MIME])
    answer = asked["text/plain"].splitlines()[-2].strip()

    def nbagents(*words: str) -> subprocess.CompletedProcess[str]:
        # There are no weights where this looks for them.
        environment = child_environment(NBAGENTS_CACHE=str(tmp_path / "nothing"))
        command = [sys.executable, "-m", "nbagents", *words]
        return subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    shared = nbagents("share", "trip.ipynb")
    assert shared.returncode == 0, shared.stderr
    context = await browser.new_context(offline=True)
    page = await context.new_page()
    asked_for: list[str] = []
    page.on("request", lambda request: asked_for.append(request.url))
    await page.goto((tmp_path / "trip.shared.html").as_uri())
    viewer = page.locator(".nba-viewer")
    await expect(viewer).to_contain_text("forecaster")
    await expect(viewer).to_contain_text(answer[:20])
    await viewer.get_by_role("button", name="Time").click()
    await expect(viewer.get_by_role("group", name="When it ran")).to_be_visible()
    assert asked_for == [(tmp_path / "trip.shared.html").as_uri()]

    replayed = nbagents("replay", "--check", "trip.ipynb")
    assert replayed.returncode == 0, replayed.stderr
    again = nbagents("replay", "--check", "trip.shared.ipynb")
    assert again.returncode == 0, again.stderr
    assert not (tmp_path / "ran.txt").exists()
