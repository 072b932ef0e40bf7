"""Kernels as people have set them up: loaded by a configuration, without autoawait, with threads."""

from __future__ import annotations

import time

import pytest

from tests.kernels.harness import Kernel

pytestmark = pytest.mark.every_kernel

SETUP = """%load_ext nbagents
import asyncio
from concurrent.futures import ThreadPoolExecutor
from nbagents import Agent, Say, ScriptedModel
late = Agent("late", model=ScriptedModel(Say(text="late", wait=asyncio.Event()), repeat=True))
quick = Agent("quick", model=ScriptedModel("fine", repeat=True))
"""
SECOND = 1.5  # Of a busy machine; without nbagents' doing it would be forever.


def stopped(cell, kernel) -> float:
    """Press Stop, and return how long the cell takes to end, in seconds."""
    start = time.monotonic()
    kernel.interrupt()
    cell.result(20)
    return time.monotonic() - start


@pytest.mark.parametrize("made", ["here", "before"])
def test_stop_ends_what_the_cell_asks_in_threads(kernel: Kernel, made: str):
    pool = "pool = ThreadPoolExecutor(3)"
    assert kernel.execute(f"{SETUP}{pool if made == 'before' else ''}").error is None
    asks = "print('asking', flush=True)\nlist(pool.map(late, 'abc'))"
    cell = kernel.begin(
        asks if made == "before" else f"{pool}\nwith pool:\n    " + asks.replace("\n", "\n    ")
    )
    cell.wait_for(lambda cell: "asking" in cell.text)
    assert stopped(cell, kernel) < SECOND + 1
    assert cell.error == "KeyboardInterrupt: "


def test_a_cell_that_blocks_can_still_be_stopped_after_another_was(kernel: Kernel):
    assert kernel.execute(SETUP).error is None
    for _ in range(2):
        cell = kernel.begin("print('asking', flush=True)\nlate('a')")
        cell.wait_for(lambda cell: "asking" in cell.text)
        assert stopped(cell, kernel) < SECOND + 1
    assert kernel.execute("print(quick('a').output)").text.startswith("fine")


def test_without_autoawait_an_ask_is_answered(kernel: Kernel):
    assert kernel.execute(SETUP).error is None
    assert kernel.execute("%autoawait off").error is None
    try:
        cell = kernel.execute("run = %ask quick hello\nprint(run.output)")
        assert (cell.error, "fine" in cell.text) == (None, True)
    finally:
        kernel.execute("%autoawait on")


@pytest.mark.parametrize("above", ["# ask for the weather\n", "\n\n# one\n# two\n"])
def test_comments_may_be_above_a_cell_magic(kernel: Kernel, above: str):
    assert kernel.execute(SETUP).error is None
    cell = kernel.execute(f"{above}%%ask quick\nWhat's the weather, and how is it there?")
    assert (cell.error, "fine" in cell.text) == (None, True)


def test_a_magic_above_a_cell_magic_is_named(kernel: Kernel):
    assert kernel.execute(SETUP).error is None
    cell = kernel.execute("%load_ext nbagents\n%%agent poet\nYou write, don't you?")
    said = f"{cell.error}{cell.text}"
    assert "%%agent must be in the first line of its cell" in said
    assert "put '%load_ext nbagents' into a cell of its own" in said


def test_a_text_that_looks_like_a_magic_stays_a_text(kernel: Kernel):
    cell = kernel.execute('# a text\nshown = """\n%%ask quick\nHello\n"""\nprint(shown)')
    assert (cell.error, cell.text) == (None, "\n%%ask quick\nHello\n\n")
