"""What is shown of agents, runs and settings when nothing runs."""

from __future__ import annotations

import html
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbagents.agents.agent import Agent
from nbagents.models.registry import default_model
from nbagents.notebook.html import facts_of
from nbagents.notebook.safe_markdown import NO_MATH
from nbagents.notebook.view import RunView
from nbagents.runnable import Run, Runnable
from nbagents.teams.graph import Graph
from nbagents.teams.swarm import Swarm
from nbagents.untrusted import visible

__all__ = [
    "BAR",
    "OF_THE_MOMENT",
    "Shown",
    "Table",
    "agent_card",
    "agents_table",
    "model_of",
    "parts_of",
    "runs_table",
    "shown",
]

OF_THE_MOMENT = {"nbagents": {"part": "card"}}
"""Metadata of an output that a replay need not show as it was."""
BAR = "border-left:3px solid rgba(127,127,127,.8);padding:2px 0 2px 12px;margin:2px 0"
"""The edge of what is shown, as runs have it too."""
_CELL = "text-align:left;padding:2px 14px 2px 0;vertical-align:top"
_SHORT = 70
_UNSCROLLED = 30
"""A longer table scrolls in the page."""


class Shown:
    """Something that shows itself, and says that it tells of this moment and this machine."""

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> tuple[dict[str, str], dict[str, Any]]:
        del include, exclude  # IPython filters by itself.
        forms = {"text/html": "_repr_html_", "text/markdown": "_repr_markdown_"}
        shown = {kind: getattr(self, name)() for kind, name in forms.items() if hasattr(self, name)}
        return {**shown, "text/plain": repr(self)}, OF_THE_MOMENT


@dataclass(frozen=True)
class Table(Shown):
    """Rows that show themselves in a notebook and in a terminal."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    empty: str = ""

    def __repr__(self) -> str:
        if not self.rows:
            return self.empty
        rows = [self.columns] if any(self.columns) else []
        rows += [[shown(cell) for cell in row] for row in self.rows]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.columns))]
        lines = (
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )
        return "\n".join((*([self.title] if self.title else []), *lines))

    def _repr_html_(self) -> str:
        if not self.rows:
            return f"<p>{html.escape(self.empty)}</p>"
        head = "".join(
            f'<th scope="col" style="{_CELL};opacity:.72">{html.escape(name)}</th>'
            for name in self.columns
        )
        head = f"<thead><tr>{head}</tr></thead>" if any(self.columns) else ""
        body = "".join(f"<tr>{''.join(map(_cell, enumerate(row)))}</tr>" for row in self.rows)
        title = f"<caption>{html.escape(self.title)}</caption>" if self.title else ""
        style = "border-collapse:collapse;font-size:.92em;margin:2px 0"
        table = (
            f'<table class="{NO_MATH}" style="{style}">{title}{head}<tbody>{body}</tbody></table>'
        )
        scrolls = "max-height:30em;overflow:auto;" if len(self.rows) > _UNSCROLLED else ""
        return f'<div style="{scrolls}{BAR}">{table}</div>'


def shown(text: str) -> str:
    """Return text for one line of a table or a card, with invisible characters made visible."""
    return visible(" ".join(text.split()))


def _cell(cell: tuple[int, str]) -> str:
    column, text = cell
    words = html.escape(shown(text))
    return f'<td style="{_CELL}">{words if column else f"<b>{words}</b>"}</td>'


def model_of(runnable: Runnable[object]) -> str:
    """Say which model would be asked, and why when nobody has named it."""
    if not isinstance(runnable, Agent):
        return ""
    if runnable.model is None:
        chosen = default_model()
        return f"{chosen.name} ({chosen.reason})"
    return runnable.model if isinstance(runnable.model, str) else runnable.model.name


def agent_card(agent: Agent[object]) -> Table:
    """Show what a `%%agent` cell has made."""
    rows = [("model", model_of(agent))]
    if agent.tool_table:
        rows.append(("tools", ", ".join(agent.tool_table)))
    if agent.approve:
        rows.append(("needs your approval", ", ".join(agent.approve)))
    if agent.output_type is not str:
        rows.append(("answers", getattr(agent.output_type, "__name__", str(agent.output_type))))
    if agent.limits is not None:
        limits = agent.limits
        told = [f"{limits.turns} turns"] if limits.turns else []
        told += [f"${limits.cost}"] if limits.cost is not None else []
        rows.append(("limits", ", ".join(told)))
    rows.append(("ask with", f"%ask {agent.name} ..."))
    return Table("", ("", ""), [(agent.name, ""), *rows])


def agents_table(agents: Mapping[str, Runnable[object]]) -> Table:
    """List what `%ask` can run, by the variables that hold it."""
    rows = [
        (
            name if runnable.name == name else f"{name} (named {runnable.name})",
            runnable.kind,
            model_of(runnable),
            _clipped(", ".join(parts_of(runnable))),
            _clipped(runnable.purpose if isinstance(runnable, Agent) else runnable.description),
        )
        for name, runnable in agents.items()
    ]
    empty = "There is no agent yet. Define one in a cell that begins with: %%agent NAME"
    return Table("", ("name", "kind", "model", "tools or parts", "what for"), rows, empty)


def parts_of(runnable: Runnable[object]) -> Iterable[str]:
    """Name the tools of an agent, or the parts of a team."""
    match runnable:
        case Agent():
            return runnable.tool_table
        case Swarm():
            return (member.name for member in runnable.members)
        case Graph():
            return runnable.nodes
        case _:
            return ()


def runs_table(runs: Iterable[Run[object]]) -> Table:
    """List the runs of this kernel, the newest first."""
    rows: list[Sequence[str]] = []
    for run in runs:
        root = RunView(run.events).root
        if root is not None:
            rows.append(
                (
                    run.run_id,
                    run.name,
                    run.status,
                    " · ".join(facts_of(root, run.events[-1].at)),
                    _clipped(root.question),
                )
            )
    empty = "Nothing has run yet. Ask an agent: %ask NAME ..."
    return Table("", ("run", "of", "status", "model, time, tokens", "asked"), rows, empty)


def _clipped(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"
