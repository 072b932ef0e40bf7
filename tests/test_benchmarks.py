"""`make bench`: rows that were measured are never lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.parts import measured

ROOT = Path(__file__).parents[1]


async def test_a_part_that_fails_costs_no_other_its_rows(capsys):
    async def good(name: str):
        yield [name, "1 ms"]

    async def broken():
        yield ["half", "2 ms"]
        raise RuntimeError("There is no browser")

    parts = {"first": good("one"), "broken": broken(), "last": good("two")}
    assert await measured(parts) == (
        [["one", "1 ms"], ["half", "2 ms"], ["two", "1 ms"]],
        ["broken"],
    )
    told = capsys.readouterr().err
    assert "one | 1 ms\nhalf | 2 ms\nTraceback" in told
    assert "RuntimeError: There is no browser\ntwo | 1 ms\n" in told


def bench(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", "--pairs", "1", *words],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_without_a_browser_the_command_fails_and_says_what_is_missing():
    done = bench("--only", "viewer", PATH="")
    assert done.returncode == 1
    assert "There is no Chromium" in done.stderr
    assert done.stderr.endswith("Not measured, as the traceback above says: viewer.\n")
