"""A page that is loaded again while a run goes on: the saved notebook ends with the whole run."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import expect

pytestmark = pytest.mark.browser

RUN = "application/vnd.nbagents.run+json"
PICTURE = "application/vnd.nbagents.picture+json"

SETUP = """%load_ext nbagents
import asyncio, pathlib, time
from nbagents import Agent, Graph, Say, ScriptedModel, tool
go = pathlib.Path("go")
go.unlink(missing_ok=True)
@tool
async def wait() -> str:
    "Wait for the file."
    while not go.exists():
        await asyncio.sleep(0.05)
    return "it is there"
def writer():
    model = ScriptedModel(Say(text="First I wait.", calls=[("wait", {})]), "Then I end.")
    return Agent("writer", model=model, tools=[wait])
agent = writer()
flow = Graph("flow", {"draft": writer(), "log": lambda text: text.upper()}, [("draft", "log")])
"""


@pytest_asyncio.fixture(loop_scope="session")
async def midway(lab, notebook):
    """Run a cell until it waits for a file, save, and load the page again."""

    async def run(source: str):
        (lab.root / "go").unlink(missing_ok=True)
        lab.write("reload.ipynb", SETUP, source)
        await notebook.open("reload.ipynb")
        await notebook.run(0)
        await notebook.begin(1)
        await expect(notebook.cell(1).output).to_contain_text("wait()")
        await notebook.save()
        assert documents(notebook)[0]["live"]
        await notebook.reload()
        # What a kernel says while nobody listens is lost, so the page has to listen first.
        await notebook.page.evaluate("window.jupyterapp.commands.execute('nbagents:show')")
        stop = notebook.page.locator("#nbagents-panel").get_by_role("button", name="Stop")
        await expect(stop).to_be_visible(timeout=15_000)
        return notebook

    return run


def documents(notebook, mime: str = RUN) -> list[dict]:
    """What the saved outputs of the second cell hold of this kind."""
    outputs = notebook.saved().cells[1].outputs
    return [output.data[mime] for output in outputs if mime in output.get("data", {})]


async def ended(notebook, text: str):
    """Let the run end, wait until the page says so, and save."""
    (notebook.lab.root / "go").write_text("")
    await expect(notebook.cell(1).output).to_contain_text(text, timeout=15_000)
    await notebook.idle()
    await notebook.save()


async def test_a_run_that_ends_after_a_reload_is_whole_in_the_saved_notebook(midway):
    notebook = await midway("%ask agent hi")
    await ended(notebook, "Then I end.")
    (run,) = documents(notebook)
    kinds = [event["type"] for event in run["events"]]
    assert not run["live"]
    assert kinds == [
        "run_started",
        "message_finished",
        "tool_started",
        "tool_finished",
        "message_finished",
        "run_finished",
    ]
    (output,) = [one for one in notebook.saved().cells[1].outputs if RUN in one.get("data", {})]
    for form in ("text/html", "text/markdown", "text/plain"):
        assert "Then I end." in output.data[form]


async def test_the_picture_of_a_team_ends_as_the_run_did(midway):
    notebook = await midway("%ask flow hi")
    before = notebook.saved().cells[1].outputs
    await ended(notebook, "THEN I END.")
    after = notebook.saved().cells[1].outputs
    (run,) = documents(notebook)
    (picture,) = documents(notebook, PICTURE)
    assert (run["live"], picture["run_id"]) == (False, run["run_id"])
    assert len(after) == len(before)
    (old,) = [one.data["text/html"] for one in before if PICTURE in one.get("data", {})]
    (new,) = [one.data["text/html"] for one in after if PICTURE in one.get("data", {})]
    assert old != new


async def test_a_kernel_that_a_sync_cell_blocks_is_healed_too(midway):
    notebook = await midway("for _ in range(1):\n    %ask agent hi")
    await ended(notebook, "Then I end.")
    (run,) = documents(notebook)
    assert run["events"][-1]["type"] == "run_finished"
    panel = notebook.page.locator("#nbagents-panel")
    await expect(panel.get_by_role("listitem").filter(has_text="finished")).to_have_count(1)


async def test_a_run_whose_cell_was_not_saved_is_shown_when_it_ends(lab, notebook):
    (lab.root / "go").unlink(missing_ok=True)
    lab.write("reload.ipynb", SETUP, "%ask agent hi")
    await notebook.open("reload.ipynb")
    await notebook.run(0)
    await notebook.begin(1)
    await expect(notebook.cell(1).output).to_contain_text("wait()")
    await notebook.reload()
    await notebook.page.evaluate("window.jupyterapp.commands.execute('nbagents:show')")
    stop = notebook.page.locator("#nbagents-panel").get_by_role("button", name="Stop")
    await expect(stop).to_be_visible(timeout=15_000)
    await ended(notebook, "Then I end.")
    (run,) = documents(notebook)
    assert run["events"][-1]["type"] == "run_finished"


async def test_a_page_that_is_not_loaded_again_shows_each_output_once(lab, notebook):
    (lab.root / "go").write_text("")
    lab.write("reload.ipynb", SETUP.replace("go.unlink(missing_ok=True)", ""), "%ask flow hi")
    await notebook.open("reload.ipynb")
    await notebook.run(0)
    await notebook.run(1)
    await notebook.save()
    assert [len(documents(notebook, mime)) for mime in (RUN, PICTURE)] == [1, 1]
    assert not documents(notebook)[0]["live"]
