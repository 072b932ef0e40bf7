"""Notebooks that nobody watches: executed, exported, read without style or script."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

import nbformat
import papermill
import pytest
from nbconvert import HTMLExporter, MarkdownExporter
from nbformat import v4
from playwright.async_api import Error, async_playwright
from pypdf import PdfReader
from traitlets.config import Config

from nbagents.notebook.wire import PICTURE_MIME, RUN_MIME
from tests.browser.conftest import FLAGS
from tests.browser.lab import JupyterLab, chromium_path
from tests.offline import child_environment

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
TEAM = [
    (
        "hands = Say(text='A moment.', calls=[('handoff', {'to': 'cook', 'reason': 'you know'})])\n"
        "greets, cooks = ScriptedModel(hands), ScriptedModel('**Soup** is ready.')"
    ),
    "%%agent host -m greets\nYou greet.",
    "%%agent cook -m cooks\nYou cook.",
    "%%swarm house\nhost -> cook\ncook",
    "%ask house dinner",
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
    document = output.data.pop(RUN_MIME)
    assert sorted(output.data) == ["text/html", "text/markdown", "text/plain"]
    assert all("cups of tea" in form for form in output.data.values())
    assert "cups of tea" in document["events"][-1]["output"]
    assert not document["live"]
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


@pytest.fixture
def team(path):
    notebook = executed(path)
    notebook.cells.extend(v4.new_code_cell(source) for source in TEAM)
    nbformat.write(notebook, path)
    executed(path)
    return path


def assert_tells_everything(page):
    """Assert that a page has the runs once, in words, with the picture, and no raw JSON."""
    assert page.count("<strong>Soup</strong> is ready.") == 1
    for words in ("waiter", "add(a=1, b=2)", "cups of tea", "host", "you know"):
        assert words in page
    assert page.count("What house is made of, and how far it is") == 1
    assert "data:image/svg+xml;base64," in page
    for raw in ("run_started", "message_finished", RUN_MIME, PICTURE_MIME, "digraph"):
        assert raw not in page


def test_every_export_shows_answers_tools_and_topology_and_no_raw_json(team):
    notebook = nbformat.read(team, as_version=4)
    shown = [output.data for output in notebook.cells[-1].outputs]
    assert sorted(mime for data in shown for mime in data if "nbagents" in mime) == [
        PICTURE_MIME,
        RUN_MIME,
    ]
    for exporter in (HTMLExporter(), HTMLExporter(template_name="classic"), MarkdownExporter()):
        page, _ = exporter.from_notebook_node(notebook)
        assert_tells_everything(page)
    plain = Config(NbConvertBase={"display_data_priority": ["text/markdown", "text/plain"]})
    page, _ = MarkdownExporter(config=plain).from_notebook_node(notebook)
    assert page.count("\n**Soup** is ready.\n") == 1
    assert "run_started" not in page


def exported_by(lab, kind):
    address = f"{lab.url}nbconvert/{kind}/n.ipynb?download=true"
    request = Request(address, headers={"Authorization": f"token {lab.token}"})
    end = time.monotonic() + 30
    while True:
        try:
            with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
                return answer.read().decode()
        except URLError as error:  # The server says where it will be just before it is there.
            if not isinstance(error.reason, ConnectionRefusedError) or time.monotonic() > end:
                raise
            time.sleep(0.05)


def test_jupyterlabs_own_export_shows_the_same(team, tmp_path):
    lab = JupyterLab(tmp_path / "lab")
    try:
        (lab.root / "n.ipynb").write_bytes(team.read_bytes())
        for kind in ("html", "markdown"):
            assert_tells_everything(exported_by(lab, kind))
    finally:
        lab.stop()


@pytest.fixture
async def browser_of_nbconvert(tmp_path, monkeypatch):
    """Put the system's Chromium where nbconvert wants the one that Playwright would fetch."""
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "browsers"))
    async with async_playwright() as playwright:
        with pytest.raises(Error, match="Executable doesn't exist") as missing:
            await playwright.chromium.launch()
    install_browser(re.search(r"exist at (\S+)", str(missing.value))[1])


def install_browser(path):
    Path(path).parent.mkdir(parents=True)
    Path(path).write_text(f'#!/bin/sh\nexec {chromium_path()} --headless {" ".join(FLAGS)} "$@"\n')
    Path(path).chmod(0o755)


@pytest.mark.usefixtures("browser_of_nbconvert")
def test_a_pdf_through_html_shows_the_same(team):
    command = [sys.executable, "-m", "nbconvert", "--to", "webpdf", "--disable-chromium-sandbox"]
    subprocess.run(
        [*command, str(team)],
        check=True,
        capture_output=True,
        timeout=120,
        env=child_environment(),
    )
    text = "\n".join(page.extract_text() for page in PdfReader(team.with_suffix(".pdf")).pages)
    for words in ("add(a=1, b=2)", "cups of tea", "Soup is ready."):
        assert words in text
    assert "run_started" not in text
