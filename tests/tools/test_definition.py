"""Tools and functions that were redefined: an agent that has the old one says so."""

from __future__ import annotations

import importlib
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from nbagents import Agent, Graph, RunStarted, ScriptedModel
from nbagents.notebook.live import saved
from nbagents.notebook.view import RunView

PLAIN = "def f(x: str) -> str:\n    'F.'\n    return x + 'old'\n"
TOOL = "from nbagents import tool\n@tool\n" + PLAIN


class Module:
    """A module that is written and loaded again."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "redefined.py"

    def load(self, source: str) -> Any:
        self._path.write_text(textwrap.dedent(source))
        sys.modules.pop("redefined", None)
        importlib.invalidate_caches()
        sys.dont_write_bytecode = True
        return importlib.import_module("redefined")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Module(tmp_path)
    sys.modules.pop("redefined", None)


async def notes(source: str, changed: str, module: Module) -> list[str | None]:
    """Return what an agent and a graph say after their function was redefined."""
    old = module.load(source)
    model = ScriptedModel("done", repeat=True)
    given: list[Any] = [Agent("a", model=model, tools=[old.f]), Graph("g", {"n": old.f}, [])]
    assert [each.note for each in given] == [None, None]
    module.load(changed)
    said: list[str | None] = []
    for each in given:
        run = await each.run("go")
        start = run.events[0]
        assert isinstance(start, RunStarted)
        assert (start.note or "") in saved(RunView(run.events), run)["text/plain"]
        said.append(start.note)
    return said


@pytest.mark.parametrize("source", [PLAIN, TOOL, TOOL.replace("@tool", "@tool(name='g')")])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("'old'", "'new'"),
        ("'F.'", "'G.'"),
        ("(x: str)", "(x: str, y: int = 1)"),
        ("x + 'old'", "(lambda y: y + 'old')(x)"),
        ("x + 'old'", "x.upper()"),
        ("(x: str)", "(x: int)"),
    ],
)
async def test_a_change_is_told(source: str, before: str, after: str, module: Module):
    name = "g" if "name=" in source else "f"
    told = await notes(source, source.replace(before, after), module)
    assert told == [
        f"old version of {name}: define a again",
        "old version of n: define g again",
    ]


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        (PLAIN, PLAIN),
        (TOOL, TOOL),
        (PLAIN, "import os\n\n\n" + PLAIN),
        (TOOL, "\n# A comment.\n" + TOOL),
        (TOOL, "y = 1\n"),
        (TOOL, "f = 1\n"),
    ],
)
async def test_the_same_again_is_no_change(source: str, changed: str, module: Module):
    assert await notes(source, changed, module) == [None, None]


async def test_that_a_tool_must_be_approved_now_is_told(module: Module):
    told = await notes(TOOL, TOOL.replace("@tool", "@tool(approve=True)"), module)
    assert told[0] == "old version of f: define a again"


async def test_a_function_that_was_changed_in_place_runs_as_it_is_now(module: Module):
    old = module.load(PLAIN).f
    agent = Agent("a", model=ScriptedModel("x", repeat=True), tools=[old])
    new = module.load(PLAIN.replace("old", "new")).f
    old.__code__ = new.__code__  # As %autoreload does.
    assert (agent.tool_table["f"].function("x"), agent.note) == ("xnew", None)  # pyright: ignore[reportAttributeAccessIssue]
    new = module.load(PLAIN.replace("(x: str)", "(x: str, y: str)")).f
    old.__code__ = new.__code__
    assert agent.note == "old version of f: define a again"
