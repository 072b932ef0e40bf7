"""Runs that plain code begins: listed in the panel, and saved beneath their cell as one line."""

from __future__ import annotations

import contextlib
import html
import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from tokenize import TokenError
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display

from nbagents.events import RunStarted
from nbagents.messages import ZERO_USAGE
from nbagents.notebook.bridge import Bridge, row_of
from nbagents.notebook.document import document_of
from nbagents.notebook.html import draw_html, usage_facts
from nbagents.notebook.live import how_to_go_on
from nbagents.notebook.magics import AgentMagics
from nbagents.notebook.place import is_captured, request_of
from nbagents.notebook.safe_markdown import NO_MATH
from nbagents.notebook.text import header
from nbagents.notebook.view import RunView
from nbagents.notebook.wire import RUN_MIME, RunRow
from nbagents.runnable import Held, Run
from nbagents.untrusted import clean

__all__ = ["Unseen"]

_MOST_RUNS = 100
_MOST_BYTES = 1_000_000
_STATUSES = {"cancelled": "stopped", "limited": "stopped at a limit"}
_FOLDED = f'<details class="{NO_MATH}"><summary style="cursor:pointer;opacity:.8">{{header}}</summary>\n{{whole}}\n</details>'


class Unseen:
    """Looks on at the runs that no magic draws.

    What `run = agent("...")` did is then no secret of the kernel: its cell saves it, folded, unless
    the cell shows the run itself or ends with `;`.
    """

    def __init__(self, shell: InteractiveShell, magics: AgentMagics, bridge: Bridge | None) -> None:
        self._shell = shell
        self._magics = magics
        self._bridge = bridge
        self._ended: list[Run[Any]] = []
        """Runs that are over and not saved yet; none in a terminal."""
        self._begun: dict[str, Glimpse] = {}

    def begin(self, held: Held[Any]) -> None:
        """Take a run, unless a cell draws it."""
        if held.ctx.record.watcher in self._magics.followed:
            return
        glimpse = Glimpse(held, request_of(self._shell))
        self._begun[held.ctx.run_id] = glimpse
        if self._bridge is not None:
            self._bridge.begin(held.ctx.run_id, glimpse)

    def end(self, run: Run[Any]) -> None:
        """Remember what a run has come to, for the end of its cell."""
        glimpse = self._begun.pop(run.run_id, None)
        if glimpse is None:
            return
        if run.events:
            self._magics.remember(run)
            if glimpse.is_of_cell and hasattr(self._shell, "kernel"):
                self._ended.append(run)
            elif is_captured(self._shell):
                # Elsewhere a page shows nothing that a callback displays, and other cells must not.
                display(_folded(run), raw=True)
            if self._bridge is not None:
                self._bridge.end(run, glimpse.cell)
        elif self._bridge is not None:
            self._bridge.forget(run.run_id)

    def save(self) -> None:
        """Show what has run and was not shown as one line of the cell that ends now."""
        ended, self._ended = self._ended, []
        # A run that goes on in the same cell is one run.
        whole = {run.run_id: run for run in ended}
        unseen = [run for run in whole.values() if run.run_id not in self._magics.drawn]
        if not unseen or self._is_quiet:
            return
        # Runs that go on side by side end in any order.
        display(_bundle(sorted(unseen, key=lambda run: run.events[0].at)), raw=True)

    @property
    def _is_quiet(self) -> bool:
        """True when the cell ends with `;`."""
        with contextlib.suppress(TokenError):  # A prompt is no Python.
            return self._shell.displayhook.quiet()
        return False


class Glimpse:
    """A run under way that is not drawn."""

    def __init__(self, held: Held[Any], request: dict[str, Any]) -> None:
        self.cell: str | None = request.get("metadata", {}).get("cellId")
        self.is_of_cell = request.get("header", {}).get("msg_type", "") in {"", "execute_request"}
        """False when a callback has begun it, of a button for example."""
        self._held = held

    @property
    def row(self) -> RunRow:
        """The run as the panel lists it."""
        ctx = self._held.ctx
        run = Run[Any](ctx.run_id, list(ctx.record.events))
        return replace(row_of(run, self.cell), status="running", seconds=None)

    @property
    def runs(self) -> Collection[str]:
        """The run and those below it."""
        events = list(self._held.ctx.record.events)
        return {event.run_id for event in events if isinstance(event, RunStarted)}

    def stop(self) -> None:
        """End the run; from any thread."""
        task = self._held.task
        with contextlib.suppress(RuntimeError):  # Its loop is closed.
            task.get_loop().call_soon_threadsafe(task.cancel, "Stopped by you")


def _bundle(runs: Sequence[Run[Any]]) -> dict[str, Any]:
    """Draw runs as one line that opens: of several, as one with a line for each."""
    folded, size = list[dict[str, Any]](), 0
    for run in runs[:_MOST_RUNS]:
        one = _folded(run)
        size += len(json.dumps(one))
        if size > _MOST_BYTES and folded:
            break
        folded.append(one)
    first, *others = folded
    if len(runs) == 1:
        return first
    heading = _heading(runs, len(folded))
    whole = "\n".join(one["text/html"] for one in folded)
    more = [one[RUN_MIME] for one in others]
    return {
        "text/html": _FOLDED.format(header=html.escape(heading), whole=whole),
        "text/plain": f"[{heading}]",
        RUN_MIME: {**first[RUN_MIME], "heading": heading, "more": more},
    }


def _heading(runs: Sequence[Run[Any]], saved: int) -> str:
    names = Counter(run.name for run in runs)
    # As single runs say it.
    statuses = Counter(_STATUSES.get(run.status, run.status) for run in runs)
    facts = [
        f"{len(runs):,} runs",
        ", ".join(f"{name} {count:,}" for name, count in names.items()),
        ", ".join(f"{count:,} {status}" for status, count in statuses.items()),
        *usage_facts(sum((run.usage for run in runs), ZERO_USAGE)),
    ]
    if saved < len(runs):
        facts.append(
            f"only the first {saved:,} are saved here" if saved > 1 else "one is saved here"
        )
    return clean(" · ".join(facts))


def _folded(run: Run[Any]) -> dict[str, Any]:
    view = RunView(run.events)
    view.ending = how_to_go_on(run)
    now = run.events[-1].at
    assert view.root is not None
    line = clean(header(view.root, now))
    whole = clean(draw_html(view, now))
    return {
        "text/html": _FOLDED.format(header=html.escape(line), whole=whole),
        "text/plain": f"[{line}]",
        RUN_MIME: document_of(run.events, ending=view.ending, folded=True),
    }
