"""Replay on a real kernel, where a tool changes what later cells show."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from nbagents.notebook.replaying import replay
from tests.kernels.test_replay import change, run_and_save, terminal

pytestmark = pytest.mark.kernel


BOOKED = """
%load_ext nbagents
from nbagents import Agent, Say, ScriptedModel, tool
booked = ["Lee"]

@tool
def book(name: str) -> str:
    "Book a table."
    booked.append(name)
    return "Booked."

def script(request):
    last = request.messages[-1].parts[0]
    return "Done." if last.type == "tool_result" else Say(calls=[("book", {"name": "Ada"})])

clerk = Agent("clerk", model=ScriptedModel(script, repeat=True), tools=[book])
"""


def test_where_a_tool_changed_what_a_cell_shows_the_message_names_the_tool_and_the_way(
    tmp_path: Path,
):
    path = tmp_path / "booked.ipynb"
    run_and_save(path, [BOOKED, "print(booked)", "%ask clerk Book for Ada.", "print(booked)"])
    failed = terminal("replay", "--check", path)
    assert failed.returncode == 1
    assert failed.stderr == (
        "cell 4 (print(booked)): expected \"['Lee', 'Ada']\", got \"['Lee']\"\n"
        "The replay did not run these tools: book. If a difference comes from what they change, use "
        "--run-tools, or give the cell that calls them the tag run-tools.\n"
    )
    assert replay(path, run_tools=True).differences == ()
    change(path, "print(booked)", "print(booked, 1)")
    differences = replay(path, run_tools=True).differences
    assert [difference.split(" ")[1] for difference in differences] == ["2", "4"]


def test_a_difference_before_any_tool_was_called_is_not_blamed_on_tools(tmp_path: Path):
    path = tmp_path / "booked.ipynb"
    run_and_save(path, [BOOKED, "print(booked)", "%ask clerk Book for Ada."])
    change(path, "print(booked)", "print(booked, 1)")
    replayed = replay(path)
    assert [difference.split(" ")[1] for difference in replayed.differences] == ["2"]
    assert replayed.hint == ""


def test_the_tools_of_a_cell_with_the_tag_run_in_a_replay(tmp_path: Path):
    path = tmp_path / "booked.ipynb"
    run_and_save(
        path, [BOOKED, "%ask clerk Book for Ada.", "%ask clerk Book again for Ada.", "booked"]
    )
    made = nbformat.read(path, as_version=4)
    made.cells[1].metadata.tags = ["run-tools"]
    nbformat.write(made, path)
    replayed = replay(path)
    assert replayed.notebook.cells[-1].outputs[0].data["text/plain"] == "['Lee', 'Ada']"
    assert "did not run these tools: book." in replayed.hint
    made.cells[2].metadata.tags = ["run-tools"]
    nbformat.write(made, path)
    assert replay(path).differences == ()
