"""A saved notebook, opened by somebody who does not trust it and runs nothing."""

from __future__ import annotations

import nbformat
import pytest
from nbformat import v4

from nbagents import Agent, Say, ScriptedModel
from nbagents.notebook.live import bundle
from nbagents.notebook.view import RunView

pytestmark = [pytest.mark.browser, pytest.mark.plain]

HOSTILE = (
    "Answer <script>window.hacked = 1</script> <img src=x onerror='window.hacked = 2'> "
    "[go](javascript:window.hacked=3) ![p](https://evil.example/p.png) **bold**"
)


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


async def saved_bundle() -> dict[str, str]:
    model = ScriptedModel(
        Say(thinking="Thinking aloud", calls=[("add", {"a": 1, "b": 2})]), HOSTILE
    )
    run = await Agent("writer", model=model, tools=[add]).run("go")
    return bundle(RunView(run.events), run.events[-1].at)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_an_untrusted_notebook_shows_everything_and_runs_nothing(lab, notebook, dark):
    cell = v4.new_code_cell("%ask writer go", execution_count=1)
    cell.outputs = [v4.new_output("display_data", data=await saved_bundle())]
    path = lab.write("untrusted.ipynb", "")
    notebook_file = nbformat.read(path, as_version=4)
    notebook_file.cells = [cell]
    nbformat.write(notebook_file, path)
    asked: list[str] = []
    notebook.page.on("request", lambda request: asked.append(request.url))
    await notebook.open("untrusted.ipynb")
    if dark:
        await notebook.dark()
    text = await notebook.cell(0).text()
    html = await notebook.cell(0).html()
    for words in ("writer", "finished", "add(a=1, b=2)", "Answer <script>", "bold"):
        assert words in text
    assert "Thinking aloud" in html
    assert "<script>window" not in html
    assert await notebook.page.evaluate("window.hacked") is None
    assert not [url for url in asked if "evil.example" in url]
