"""Forms on a real page with older kernels, in cells that await and in cells that block."""

from __future__ import annotations

import json

import nbformat
import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.kernels.harness import NEWEST, VERSIONS, command_of

pytestmark = [pytest.mark.browser, pytest.mark.plain]

SETUP = """%load_ext nbagents
from nbagents import Graph, Question
ask = Graph("ask", {"name": Question("What is your name?"), "sure": Question("Sure?", bool)}, [("name", "sure")])"""


@pytest_asyncio.fixture(
    loop_scope="session", params=[version for version in VERSIONS if version != NEWEST]
)
async def old(request, lab, notebook):
    """A notebook whose kernel is an older ipykernel."""
    name = f"python-{request.param}"
    folder = lab.home / "data/kernels" / name
    folder.mkdir(parents=True, exist_ok=True)
    spec = {"argv": command_of(request.param), "display_name": name, "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    path = lab.write(
        "old.ipynb", SETUP, "run = %ask ask hi", "run = ask('hi')", "print(run.output)"
    )
    file = nbformat.read(path, as_version=4)
    file.metadata["kernelspec"] = {"name": name, "display_name": name, "language": "python"}
    nbformat.write(file, path)
    await notebook.open("old.ipynb")
    await notebook.run(0)
    return notebook


@pytest.mark.parametrize("cell", [1, 2], ids=["awaits", "blocks"])
async def test_a_form_is_answered_while_the_cell_runs_and_the_next_cell_runs_after_it(old, cell):
    running = await old.begin(cell)
    form = old.cell(cell).output.locator("form.nbagents-form")
    await form.get_by_label("Answer").fill("Grace")
    after = await old.begin(3)  # It waits in the queue.
    await form.get_by_role("button", name="Send").click()
    await form.get_by_role("button", name="Yes").click()
    await running.finished()
    await after.finished()
    await expect(old.cell(3).output).to_contain_text("True")
    assert "Grace" in await old.cell(cell).text()
