"""What a cell shows of an error in the user's own code, on real kernels."""

from __future__ import annotations

import re

import pytest

from tests.kernels.harness import Execution, Kernel

SETUP = """
%load_ext nbagents
from nbagents import Agent, Graph, ScriptedModel

def load(input: str) -> dict:
    return {"a": 1}

def pick(load: dict) -> str:
    try:
        return load["key"]
    except KeyError as error:
        raise ValueError("no key") from error

def go():
    return flow("hello")

flow = Graph("flow", {"load": load, "pick": pick}, [("load", "pick")])
"""


@pytest.fixture
def cells(kernel: Kernel) -> Kernel:
    assert kernel.execute(SETUP).error is None
    return kernel


def traceback(cell: Execution) -> str:
    """Return the traceback without its colors."""
    [error] = [output for output in cell.outputs if output["output_type"] == "error"]
    return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(error["traceback"]))


@pytest.mark.parametrize(
    "ask", ["%ask flow hello", "await flow.run('hello')", "flow('hello')", "go()"]
)
def test_a_failed_node_shows_the_users_frames_and_causes_and_not_ours(cells: Kernel, ask: str):
    failed = cells.execute(ask)
    shown = traceback(failed)
    assert failed.error == "ValueError: no key"
    assert "nbagents/" not in shown
    assert 'raise ValueError("no key") from error' in shown
    assert "KeyError: 'key'" in shown
    assert "direct cause" in shown
    assert "Raised by the node 'pick'." in shown
    assert ("return flow" in shown) is (ask == "go()")
    assert "stderr" not in [output.get("name") for output in failed.outputs]


def test_the_plain_text_names_the_node_the_error_and_the_line(cells: Kernel):
    told = cells.execute("%ask flow hello").text
    line = 'Line 11 of pick: raise ValueError("no key") from error'
    assert f"ValueError: no key (Raised by the node 'pick'. {line})" in told


def test_verbose_tracebacks_show_our_frames_too(cells: Kernel):
    cells.execute("%xmode Verbose")
    assert "nbagents/" in traceback(cells.execute("flow('hello')"))
    cells.execute("%xmode Context")
    cells.execute("%unload_ext nbagents")
    assert "nbagents/" in traceback(cells.execute("flow('hello')"))


def test_errors_of_the_users_own_code_are_shown_as_ever(cells: Kernel):
    assert "1 / 0" in traceback(cells.execute("1 / 0"))


def test_the_debugger_opens_in_the_users_code_and_not_for_what_is_explained(cells: Kernel):
    cells.execute("%pdb on")
    assert "There is no agent" in (cells.execute("%ask nobody hello", allow_stdin=True).error or "")
    cell = cells.begin("flow('hello')", allow_stdin=True)
    cell.wait_for(lambda cell: cell.question)
    cell.answer("p sorted(load)")
    cell.wait_for(lambda cell: cell.question)
    assert "['a']" in cell.text
    cell.answer("q")
    cell.result()
    cells.execute("%pdb off")


def test_debug_logging_shows_no_lines_of_what_draws(cells: Kernel):
    cells.execute("import logging; logging.basicConfig(level=logging.DEBUG, force=True)")
    cells.execute("talker = Agent('talker', model=ScriptedModel('# A *title*', repeat=True))")
    assert "markdown_it" not in cells.execute("%ask talker hello").text
    cells.execute("logging.basicConfig(level=logging.WARNING, force=True)")


def test_a_terminal_obeys_nothing_in_the_words_of_an_error(cells: Kernel):
    failed = cells.execute("""
def load(input: str) -> dict:
    raise RuntimeError("\\x1b]52;c;ZXZpbA==\\x07\\x1b]0;title\\x07\\x9b31m\\u202eold words")
await Graph("flow", {"load": load}, []).run("hello")
""")
    shown = traceback(failed)
    assert "RuntimeError" in shown
    assert "old words" in shown
    assert not re.search("[\\x1b\\x07\\x9b\\u202e]", shown)
