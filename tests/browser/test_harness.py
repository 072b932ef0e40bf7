"""The harness itself, on a notebook that needs nothing but Python."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.plain]

STEPS = """
import time
for step in range(600):
    print("step", step, flush=True)
    time.sleep(0.1)
"""


async def test_a_cell_prints_in_steps_is_stopped_is_saved_and_comes_back(lab, notebook):
    lab.write("steps.ipynb", "6 * 7", STEPS, "print('after')")
    await notebook.open("steps.ipynb")

    await notebook.run(0)
    assert await notebook.cell(0).text() == "42"
    assert await notebook.cell(0).prompt() == "[1]:"

    running = await notebook.begin(1)
    await running.grown(3)
    assert await notebook.cell(1).prompt() == "[*]:"
    await notebook.stop()
    lengths = await running.finished()
    assert len(lengths) >= 3
    assert lengths == sorted(lengths)
    assert "KeyboardInterrupt" in await notebook.cell(1).text()

    await notebook.save()
    stream, error = notebook.saved().cells[1].outputs
    assert stream.text.startswith("step 0\nstep 1\n")
    assert error.ename == "KeyboardInterrupt"

    await notebook.reload()
    assert "step 1" in await notebook.cell(1).text()
    assert await notebook.cell(2).text() == ""


async def test_run_all_halts_at_an_error_and_goes_through_after_a_restart(lab, notebook):
    lab.write("all.ipynb", "name = globals().get('name', 0) + 1; 1 / (name - 1)", "print('last')")
    await notebook.open("all.ipynb")
    await notebook.run_all()
    assert "ZeroDivisionError" in await notebook.cell(0).text()
    assert await notebook.cell(1).text() == ""
    await notebook.run_all()
    assert await notebook.cell(1).text() == "last"
    await notebook.restart()
    await notebook.run_all()
    assert "ZeroDivisionError" in await notebook.cell(0).text()


async def test_the_dark_theme_shows_the_same(lab, notebook):
    lab.write("dark.ipynb", "print('seen')")
    await notebook.open("dark.ipynb")
    await notebook.dark()
    await notebook.run(0)
    assert await notebook.cell(0).text() == "seen"
    assert "seen" in await notebook.cell(0).html()
