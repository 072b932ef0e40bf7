"""Stop in a kernel with subshells, whose cells run in threads of their own."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

from nbagents.notebook.stop import CellStop


def test_a_cell_of_a_subshell_does_not_keep_stop_from_the_cell_beside_it():
    before = signal.getsignal(signal.SIGINT)
    stop = CellStop()
    with ThreadPoolExecutor(1) as subshell:
        subshell.submit(stop.begin, None).result()
        assert signal.getsignal(signal.SIGINT) is before
        stop.begin(None)
        listening = signal.getsignal(signal.SIGINT)
        subshell.submit(stop.end, None).result()
        assert signal.getsignal(signal.SIGINT) == listening != before
    stop.end(None)
    assert signal.getsignal(signal.SIGINT) is before
