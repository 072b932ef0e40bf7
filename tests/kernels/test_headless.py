"""Notebooks that nobody watches: executed, exported, read without style or script."""

from __future__ import annotations

import re
import subprocess
import sys

import nbformat
import papermill
import pytest
from nbconvert import HTMLExporter, MarkdownExporter
from nbformat import v4

pytestmark = pytest.mark.kernel

CELLS = [
    "topic = 'tea'",
    (
        "%load_ext nbagents\n"
        "from nbagents import Agent, Say, ScriptedModel\n"
        "def add(a: int, b: int) -> int:\n    'Add.'\n    return a + b\n"
        "model = ScriptedModel(Say(thinking='Hm.', calls=[('add', {'a': 1, 'b': 2})]),\n"
        "    lambda request: f'**Three** cups of {request.messages[0].text}.')"
    ),
    "%%agent waiter -m model -t add\nYou serve.",
    "%ask waiter {{ topic }}",
]


@pytest.fixture
def path(tmp_path):
    cells = [v4.new_code_cell(source) for source in CELLS]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, tmp_path / "n.ipynb")
    return tmp_path / "n.ipynb"


def executed(path):
    command = [sys.executable, "-m", "jupyter", "execute", "--inplace", str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return nbformat.read(path, as_version=4)


def test_jupyter_execute_leaves_every_form_in_the_file(path):
    notebook = executed(path)
    [output] = notebook.cells[-1].outputs
    assert sorted(output.data) == ["text/html", "text/markdown", "text/plain"]
    assert all("cups of tea" in form for form in output.data.values())
    assert "widgets" not in notebook.metadata


def test_papermill_gives_parameters_and_stops_at_a_mistake(path, tmp_path):
    done = papermill.execute_notebook(
        str(path), str(tmp_path / "out.ipynb"), {"topic": "coffee"}, progress_bar=False
    )
    assert "cups of coffee" in done.cells[-1].outputs[0].data["text/plain"]
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[-1].source = "%ask waitre hello"
    nbformat.write(notebook, path)
    with pytest.raises(papermill.PapermillExecutionError, match="Did you mean 'waiter'"):
        papermill.execute_notebook(str(path), str(tmp_path / "out.ipynb"), progress_bar=False)


def test_exported_html_reads_well_also_when_style_and_folding_are_stripped(path):
    notebook = executed(path)
    page, _ = HTMLExporter().from_notebook_node(notebook)
    assert "<strong>Three</strong> cups of tea." in page
    clean, _ = HTMLExporter(sanitize_html=True).from_notebook_node(notebook)
    text = re.sub(r"<[^>]+>", " ", clean)
    for words in ("waiter", "finished", "Hm.", "add(a=1, b=2)", "cups of tea."):
        assert words in text


def test_exported_markdown_holds_the_answer(path):
    page, _ = MarkdownExporter().from_notebook_node(executed(path))
    assert "cups of tea." in page
