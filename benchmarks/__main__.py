"""Run all cases, print a table, and write it to `docs/benchmarks.md` with `--write`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from benchmarks.cases import Case, cases
from benchmarks.parts import Rows, measured
from benchmarks.pause import longest_pause
from benchmarks.sessions import rows_of_sessions
from benchmarks.teams import rows_of_teams
from benchmarks.viewer import rows_of_viewer

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
INTRO = """# What it costs

CPU time of nbagents, as a share of the same work written by hand with the vendor's SDK
(`AsyncOpenAI`, streaming, tools dispatched by hand) against one fast local server in its own
process. Both run alternately in one process, and the share is the median over the pairs. The longest
pause is how long the event loop was blocked. `make bench` writes this page; the times depend on the
machine, but the shares should be similar on yours. The turn on 1,000 messages is part of a
conversation that continues: each message is encoded once, which took 7 ms for all of them.
The function nodes of a graph do nothing, so the row shows the graph's own cost; by hand they are
awaited in sequence, or in a `TaskGroup`. The picture is compared with the same run without it.
An append to a session is wall-clock time, compared with a JSON line that is written and flushed by
hand; the pauses are compared with the same runs without a session. The S3 server is a process on
the same machine, so its pauses mostly show the two waiting for the processor.
The viewer is wall-clock time in Chromium: a run is opened as a shared page opens it,
and followed as fast as the browser draws.

"""


async def sample(case: Case, one: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Measure one side once: CPU seconds for each piece of work, and the longest pause."""

    async def repeat() -> None:
        for _ in range(case.repeat):
            await one()

    gc.collect()
    if case.goal_pause is not None:
        before = time.process_time()
        pause = await longest_pause(repeat())
        return (time.process_time() - before) / case.repeat, pause
    before = time.process_time()
    await repeat()
    return (time.process_time() - before) / case.repeat, 0.0


async def measure(case: Case, pairs: int) -> Rows:
    await case.by_hand()
    await case.ours()
    taken = [
        (await sample(case, case.by_hand), await sample(case, case.ours)) for _ in range(pairs)
    ]
    hand = statistics.median(hand for (hand, _), _ in taken)
    ours = statistics.median(ours for _, (ours, _) in taken)
    share = statistics.median(ours / hand for (hand, _), (ours, _) in taken)
    row = [case.name, f"{hand * 1e3:.2f} ms", f"{ours * 1e3:.2f} ms", f"{share:.2f}"]
    row.append(f"{case.goal:.2f}")
    rows = [row]
    if case.goal_pause is not None:
        pauses = [(hand, ours) for (_, hand), (_, ours) in taken]
        rows.append(
            [
                f"{case.name}: longest pause",
                f"{statistics.median(hand for hand, _ in pauses) * 1e3:.0f} ms",
                f"{statistics.median(ours for _, ours in pauses) * 1e3:.0f} ms",
                f"{statistics.median(ours / hand for hand, ours in pauses):.2f}",
                f"{case.goal_pause:.2f}",
            ]
        )
    return rows


def import_seconds(module: str) -> float:
    """CPU seconds that a fresh interpreter needs to import a module, its own start included."""
    process = subprocess.Popen([sys.executable, "-c", f"import {module}"])
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return usage.ru_utime + usage.ru_stime


def measure_import(pairs: int) -> list[str]:
    taken = [(import_seconds("pydantic"), import_seconds("nbagents")) for _ in range(pairs)]
    return [
        "`import nbagents`, against `import pydantic`",
        f"{statistics.median(hand for hand, _ in taken) * 1e3:.0f} ms",
        f"{statistics.median(ours for _, ours in taken) * 1e3:.0f} ms",
        f"{statistics.median(ours / hand for hand, ours in taken):.2f}",
        "1.30",
    ]


def table(rows: Rows) -> str:
    columns = ["", "by hand", "nbagents", "share", "goal"]
    lines = [columns, ["---", "---:", "---:", "---:", "---:"], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


async def rows_of_cases(port: int, pairs: int, only: str) -> AsyncIterator[list[str]]:
    for case in cases(port):
        if only in case.name:
            for row in await measure(case, pairs):
                yield row


async def rows_of_import(pairs: int) -> AsyncIterator[list[str]]:
    yield measure_import(pairs)


async def main(pairs: int, only: str) -> tuple[Rows, list[str]]:
    server = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs yet
        [sys.executable, "-m", "benchmarks.server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        port = int(server.stdout.readline())
        parts = {
            "teams": rows_of_teams(port, pairs),
            "sessions": rows_of_sessions(pairs),
            "viewer": rows_of_viewer(pairs),
            "import": rows_of_import(pairs),
        }
        wanted = {name: part for name, part in parts.items() if only in name}
        return await measured({"cases": rows_of_cases(port, pairs, only), **wanted})
    finally:
        server.communicate()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7, help="pairs of samples for each case")
    parser.add_argument("--only", default="", help="only cases and parts whose name holds this")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args()
    rows, failed = asyncio.run(main(options.pairs, options.only))
    print(table(rows))
    if options.write:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(INTRO + table(rows))
    if failed:
        sys.exit(f"Not measured, as the traceback above says: {', '.join(failed)}.")
