"""`make tour`: what a notebook prints is read in a terminal as it grows."""

from __future__ import annotations

import re

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat import v4

from notebooks.tour import Screen, Scroll, notebooks, run

GROWS = """
handle = display({"text/plain": ""}, raw=True, display_id=True)
for text in ("Once", "Once upon", "Once upon a time"):
    handle.update({"text/plain": text + "\\n[writer · 1 s]"}, raw=True)
handle.update({"text/plain": text, "text/html": "<b>a time</b>"}, raw=True)
"""

PICTURE = """
%load_ext nbagents
handle = display({"text/plain": ""}, raw=True, display_id=True)
handle.update({"text/plain": "team (swarm)", "text/vnd.graphviz": "digraph {}"}, raw=True)
display({"text/plain": "answer\\n[team ✓ finished]"}, raw=True)
"""

LONGEST = {"01-first-agent": 22, "06-sessions": 23, "07-share-and-replay": 17}


def shown(capsys, *texts: str) -> str:
    scroll = Scroll(Screen())
    for text in texts:
        scroll.show(text)
    scroll.finish()
    return capsys.readouterr().out


def test_text_that_grows_is_printed_once(capsys):
    assert shown(capsys, "", "one", "one two", "one two\nthree") == "one two\nthree\n"


def test_the_status_line_at_the_end_waits_for_the_end(capsys):
    assert shown(capsys, "one\n[a · 1 s]", "one two\n[a · 2 s]") == "one two\n[a · 2 s]\n"


def test_a_line_that_changes_is_printed_again(capsys):
    told = shown(capsys, "so\n… add(1)", "so\n✓ add(1)\n  = 2")
    assert told == "so\n… add(1)\n✓ add(1)\n  = 2\n"


def test_lines_that_grow_side_by_side_wait_for_a_new_one(capsys):
    told = shown(capsys, "a: x\nb: x", "a: xy\nb: xy", "a: xyz\nb: xyz", "a: xyz\nb: xyz\nend")
    assert told == "a: x\nb: x\na: xyz\nb: xyz\nend\n"


@pytest.mark.kernel
def test_a_tour_leaves_the_notebook_and_a_page_that_loads_nothing(tmp_path, capsys):
    cells = [v4.new_markdown_cell("# A story"), v4.new_code_cell(GROWS), v4.new_code_cell("6 * 7")]
    nbformat.write(v4.new_notebook(cells=cells), tmp_path / "story.ipynb")
    run(tmp_path / "story.ipynb", tmp_path / "build", Screen())
    assert capsys.readouterr().out == (
        "\nA story\n"
        '\n[2] handle = display({"text/plain": ""}, raw=True, display_id=True) ...\n'
        "Once upon a time\n"
        "\n[3] 6 * 7\n"
        "42\n"
    )
    executed = nbformat.read(tmp_path / "build" / "story.ipynb", as_version=4)
    assert executed.cells[1].outputs[0].data["text/html"] == "<b>a time</b>"
    page = (tmp_path / "build" / "story.html").read_text()
    assert "<b>a time</b>" in page
    assert not re.search(r"""(src|href)=["']?https?:""", page)


def test_text_that_comes_after_a_change_further_up_begins_on_a_line_of_its_own(capsys):
    before, after = "● a\n● b\n\n[ab · 1 s]", "✓ a\n● b\n\n[ab · 2 s]"
    told = shown(capsys, before, after, "✓ a\n● b\n  done\n[ab · 3 s]")
    assert told == "● a\n● b\n✓ a\n  done\n[ab · 3 s]\n"


def test_two_outputs_of_one_cell_share_no_line(capsys):
    screen = Screen()
    Scroll(screen).show("one")
    Scroll(screen).show("two")
    assert capsys.readouterr().out == "one\ntwo"


@pytest.mark.kernel
def test_where_nobody_answers_the_metadata_of_a_cell_says_what_runs_in_its_place(tmp_path, capsys):
    answers = v4.new_code_cell("answers = None")
    answers.metadata = {"tags": ["parameters"], "nbagents": {"headless": "answers = [4, 2]"}}
    cells = [answers, v4.new_code_cell("answers")]
    nbformat.write(v4.new_notebook(cells=cells), tmp_path / "ask.ipynb")
    run(tmp_path / "ask.ipynb", tmp_path / "build", Screen())
    assert capsys.readouterr().out == "\n[1] answers = [4, 2]\n\n[2] answers\n[4, 2]\n"
    first, second = nbformat.read(tmp_path / "build" / "ask.ipynb", as_version=4).cells
    assert first.source == "answers = None"
    assert second.outputs[0].data["text/plain"] == "[4, 2]"


OPEN = """
import os, nbformat
nbformat.read(os.environ["JPY_SESSION_NAME"], as_version=4).cells[0].outputs[0].data["text/plain"]
"""


@pytest.mark.kernel
def test_a_cell_finds_the_notebook_that_is_open_saved_with_all_that_ran_before(tmp_path, capsys):
    sources = ("6 * 7", OPEN, "os.environ['JPY_SESSION_NAME']")
    cells = [v4.new_code_cell(source) for source in sources]
    nbformat.write(v4.new_notebook(cells=cells), tmp_path / "open.ipynb")
    run(tmp_path / "open.ipynb", tmp_path / "build", Screen())
    executed = nbformat.read(tmp_path / "build" / "open.ipynb", as_version=4)
    assert executed.cells[1].outputs[0].data["text/plain"] == "'42'"
    assert executed.cells[2].outputs[0].data["text/plain"] == "'build/open.ipynb'"


@pytest.mark.kernel
def test_the_picture_of_a_run_is_not_told_again(tmp_path, capsys):
    cells = [v4.new_code_cell(PICTURE)]
    nbformat.write(v4.new_notebook(cells=cells), tmp_path / "team.ipynb")
    run(tmp_path / "team.ipynb", tmp_path / "build", Screen())
    assert capsys.readouterr().out == "\n[1] %load_ext nbagents ...\nanswer\n[team ✓ finished]\n"


TOURS = notebooks()


@pytest.mark.parametrize("path", TOURS, ids=[path.stem for path in TOURS])
def test_a_notebook_of_the_tour_is_short_and_says_nothing_of_the_machine_it_ran_on(path):
    notebook = nbformat.read(path, as_version=4)
    assert len(notebook.cells) < LONGEST.get(path.stem, 12)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        assert cell.metadata.keys() <= {"tags", "nbagents"}
    text = path.read_text("utf-8")
    assert not re.search(r"/(home|root|tmp|Users)/|iopub", text)


@pytest.mark.kernel
def test_a_cell_that_fails_ends_the_tour_and_is_kept(tmp_path):
    cells = [v4.new_code_cell("1 / 0"), v4.new_code_cell("print('never')")]
    nbformat.write(v4.new_notebook(cells=cells), tmp_path / "bad.ipynb")
    with pytest.raises(CellExecutionError, match="1 / 0"):
        run(tmp_path / "bad.ipynb", tmp_path / "build", Screen())
    executed = nbformat.read(tmp_path / "build" / "bad.ipynb", as_version=4)
    assert executed.cells[0].outputs[0].ename == "ZeroDivisionError"
