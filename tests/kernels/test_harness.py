"""The harness itself: what it says about a kernel is what a notebook's page would show."""

from __future__ import annotations

import time

import pytest

from tests.kernels.harness import NEWEST, KernelDied

pytestmark = pytest.mark.every_kernel


def test_the_kernel_is_the_version_that_was_asked_for(kernel):
    asked = "7." if kernel.version == NEWEST else f"{kernel.version}."
    assert kernel.execute("import ipykernel; print(ipykernel.__version__)").text.startswith(asked)


def test_what_is_printed_becomes_one_stream_and_the_value_follows(kernel):
    cell = kernel.execute("for word in ('one', 'two'):\n    print(word, flush=True)\n6 * 7")
    assert [output["output_type"] for output in cell.outputs] == ["stream", "execute_result"]
    assert cell.text == "one\ntwo\n42"
    assert cell.status == "ok"
    assert cell.size > len(cell.text)


def test_an_update_replaces_the_display_where_it_stands(kernel):
    first = kernel.execute("h = display('draft', display_id=True)")
    second = kernel.execute("h.update('final'); print('elsewhere')")
    assert first.text == "'final'"
    assert second.text == "elsewhere\n"
    assert "update_display_data" in [frame.type for frame in second.frames]


def test_clear_output_with_wait_clears_when_the_next_output_comes(kernel):
    cell = kernel.execute(
        "from IPython.display import clear_output\nprint('old')\nclear_output(wait=True)\nprint('new')"
    )
    assert cell.text == "new\n"


def test_an_error_stops_the_cells_that_are_queued_behind_it(kernel):
    bad, queued = kernel.run_all("import time; time.sleep(0.2); 1 / 0", "print('never')")
    assert bad.result().error == "ZeroDivisionError: division by zero"
    assert queued.result().status == "aborted"
    assert queued.text == ""


def test_stop_ends_a_cell_that_sleeps(kernel):
    cell = kernel.begin("import time\nprint('asleep', flush=True)\ntime.sleep(60)")
    cell.wait_for(lambda cell: "asleep" in cell.text)
    stopped_at = time.time()
    kernel.interrupt()
    assert cell.result().error == "KeyboardInterrupt: "
    assert cell.frames[-1].at - stopped_at < 5


def test_a_cell_can_be_watched_while_it_runs(kernel):
    cell = kernel.begin("print('first')\nprint(input('more? '))", allow_stdin=True)
    cell.wait_for(lambda cell: cell.question == "more? " and cell.text == "first\n")
    assert cell.status == "running"
    cell.answer("second")
    assert cell.result().text == "first\nsecond\n"


def test_without_stdin_a_question_is_an_error(kernel):
    assert kernel.execute("input()").error.startswith("StdinNotImplementedError")


def test_tab_completes_and_shift_tab_explains(kernel):
    kernel.execute("def a_long_name():\n    'What it is for.'")
    assert "a_long_name" in kernel.complete("a_long_n")
    assert "What it is for." in kernel.inspect("a_long_name")


def test_a_kernel_that_dies_is_reported_and_replaced(kernel, healthy_kernel):
    with pytest.raises(KernelDied):
        kernel.execute("import os; os._exit(1)")
    assert healthy_kernel().execute("1").text == "1"
