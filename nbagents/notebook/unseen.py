"""Runs that plain code begins: listed in the panel, and saved beneath their cell as one line each."""

from __future__ import annotations

import contextlib
import html
import json
from collections.abc import Collection
from dataclasses import replace
from tokenize import TokenError
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display

from nbagents.events import RunStarted
from nbagents.notebook.bridge import Bridge, row_of
from nbagents.notebook.cards import OF_THE_MOMENT
from nbagents.notebook.document import document_of
from nbagents.notebook.html import draw_html
from nbagents.notebook.live import how_to_go_on
from nbagents.notebook.magics import AgentMagics
from nbagents.notebook.safe_markdown import clean
from nbagents.notebook.text import header
from nbagents.notebook.view import RunView
from nbagents.notebook.wire import RUN_MIME, RunRow
from nbagents.runnable import Held, Run

__all__ = ["Unseen"]

_MOST_RUNS = 100
_MOST_BYTES = 1_000_000
_FOLDED = (
    '<details><summary style="cursor:pointer;opacity:.8">{header}</summary>\n{whole}\n</details>'
)


class Unseen:
    """Looks on at the runs that no magic draws.

    What `run = agent("...")` did is then no secret of the kernel: its cell saves it, folded, unless
    the cell shows the run itself or ends with `;`.
    """

    def __init__(self, shell: InteractiveShell, magics: AgentMagics, bridge: Bridge | None) -> None:
        self._shell = shell
        self._magics = magics
        self._bridge = bridge
        self._ended: list[tuple[str, Run[Any]]] = []
        """Runs that are over, and the requests in which they had begun; none in a terminal."""
        self._begun: dict[str, Glimpse] = {}

    def begin(self, held: Held[Any]) -> None:
        """Take a run, unless a cell draws it."""
        if held.ctx.record.watcher in self._magics.followed:
            return
        glimpse = Glimpse(held, _request(self._shell))
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
            if glimpse.message:
                self._ended.append((glimpse.message, run))
            if self._bridge is not None:
                self._bridge.end(run, glimpse.cell)
        elif self._bridge is not None:
            self._bridge.forget(run.run_id)

    def save(self) -> None:
        """Show what has run in the cell that ends now, and was not shown, as one line each."""
        ended, self._ended = self._ended, []
        message = _request(self._shell).get("header", {}).get("msg_id", "")
        # A run that goes on in the same cell is one run.
        own = {run.run_id: run for begun_in, run in ended if begun_in == message}
        unseen = [run for run in own.values() if run.run_id not in self._magics.drawn]
        if not unseen or self._is_quiet:
            return
        size = saved = 0
        for run in unseen[:_MOST_RUNS]:
            folded = _folded(run)
            size += len(json.dumps(folded))
            if size > _MOST_BYTES:
                break
            display(folded, raw=True)
            saved += 1
        if rest := len(unseen) - saved:
            words = f"{rest} more {'runs' if rest > 1 else 'run'} of this cell, not saved here"
            display({"text/plain": words}, raw=True, metadata=OF_THE_MOMENT)

    @property
    def _is_quiet(self) -> bool:
        """True when the cell ends with `;`."""
        with contextlib.suppress(TokenError):  # A prompt is no Python.
            return self._shell.displayhook.quiet()
        return False


class Glimpse:
    """A run under way that is not drawn."""

    def __init__(self, held: Held[Any], request: dict[str, Any]) -> None:
        self.message: str = request.get("header", {}).get("msg_id", "")
        self.cell: str | None = request.get("metadata", {}).get("cellId")
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


def _request(shell: InteractiveShell) -> dict[str, Any]:
    """Return the message on whose behalf this code runs."""
    kernel = getattr(shell, "kernel", None)
    return (kernel.get_parent("shell") if kernel is not None else None) or {}
