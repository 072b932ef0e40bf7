"""What is shown of sessions: what stands in one, what was said in it, and where two part."""

from __future__ import annotations

import html
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from nbagents.events import (
    RunCancelled,
    RunFailed,
    RunFinished,
    RunResumed,
    RunStarted,
)
from nbagents.notebook.cards import BAR, Shown, Table, shown
from nbagents.notebook.html import draw_html, usage_facts
from nbagents.notebook.safe_markdown import NO_MATH, code_block, literal
from nbagents.notebook.text import draw_markdown, draw_plain
from nbagents.notebook.values import clipped, short_args
from nbagents.notebook.view import RunView
from nbagents.sessions.diff import Diff, told
from nbagents.sessions.session import Session
from nbagents.sessions.story import RunRecord, Story
from nbagents.untrusted import clean, fence

__all__ = [
    "Card",
    "Conversation",
    "Row",
    "can_go_on",
    "diff_bundle",
    "from_here",
    "place_of",
    "session_bundle",
    "session_card",
    "sessions_table",
]

_SHOWN_AGENTS = 20
_SHOWN_QUESTIONS = 10
_SHOWN_RUNS = 50
_SHORT = 100
_WORDS = {"waiting": "waiting for you", "cancelled": "stopped", "limited": "stopped at a limit"}
_UNREASONED = "Cancelled"
"""The reason of a stop that nobody gave one for, as when a kernel is shut down."""


class Row(NamedTuple):
    """A line of a card."""

    label: str
    text: str
    code: str = ""
    """What can be typed."""


@dataclass(frozen=True)
class Card(Shown):
    """A title and lines, in every form that a saved notebook should hold."""

    title: str
    facts: Sequence[str] = ()
    rows: Sequence[Row] = ()

    def __repr__(self) -> str:
        head, rows = self._shown
        width = max((len(row.label) for row in rows), default=0)
        lines = (f"{row.label.ljust(width)}  {f'{row.text} {row.code}'.strip()}" for row in rows)
        return "\n".join((" · ".join(head), *lines))

    def _repr_markdown_(self) -> str:
        (title, *facts), rows = self._shown
        head = f"**{literal(title)}** {literal(' · '.join(facts))}".rstrip()
        lines = (f"- {literal(row.label)}: {literal(f'{row.text} {row.code}')}" for row in rows)
        return "\n".join((head, "", *lines)).rstrip()

    def _repr_html_(self) -> str:
        (title, *told), shown_rows = self._shown
        title = html.escape(title)
        facts = "".join(f" · {html.escape(fact)}" for fact in told)
        cell = "text-align:left;vertical-align:top;padding:1px 14px 1px 0"
        rows = "".join(
            f'<tr><td style="{cell};opacity:.72">{html.escape(row.label)}</td>'
            f'<td style="{cell}">{html.escape(row.text)}'
            f"{f' <code>{html.escape(row.code)}</code>' if row.code else ''}</td></tr>"
            for row in shown_rows
        )
        table = f'<table style="border-collapse:collapse;margin:2px 0">{rows}</table>'
        return (
            f'<div role="group" class="{NO_MATH}" aria-label="{title}" style="{BAR};'
            f'font-size:.92em;overflow-wrap:break-word"><div><b>{title}</b>'
            f'<span style="opacity:.72">{facts}</span></div>{table if rows else ""}</div>'
        )

    @property
    def _shown(self) -> tuple[list[str], list[Row]]:
        """Title and facts, and rows, ready to be displayed."""
        rows = [Row(*map(shown, row)) for row in self.rows]
        return [shown(text) for text in (self.title, *self.facts)], rows


def session_card(session: Session, facts: Iterable[str] = (), rows: Iterable[Row] = ()) -> Card:
    """Tell what stands in a session."""
    events = session.events
    known = list(facts)
    if events:
        known += [_count(len(session.runs), "run"), _count(len(events), "event")]
        known += usage_facts(session.usage)
    told_rows = [*_agent_rows(session), *_question_rows(session)]
    if session.state:
        told_rows.append(Row("shared", short_args(session.state)))
    if events:
        told_rows.append(
            Row("last", f"{_time(events[-1].at)}, {clipped(told(events[-1]), _SHORT)}")
        )
    told_rows.extend(rows)
    if session.note:
        told_rows.append(Row("mended", session.note))
    told_rows.append(Row("stored in", place_of(session)))
    return Card(f"Session {session.id}", known, told_rows)


def place_of(session: Session) -> str:
    """Say where a session lies."""
    return from_here(session.store.where(session.id))


def from_here(path: str) -> str:
    """Shorten a path: a notebook that is shared need not tell who runs it where."""
    return path.removeprefix(f"{Path.cwd()}{os.sep}")


def session_bundle(session: Session) -> dict[str, str]:
    """Show a session that is the value of a cell."""
    unread = "nothing in it, or not read yet: await session.load()"
    return _bundle(session_card(session, () if session.events else (unread,)))


def can_go_on(session: Session) -> list[RunRecord]:
    """List what was cut off, waits, was stopped or failed, the newest first: one run a name."""
    last: dict[str, RunRecord] = {}
    for run in reversed(session.runs):
        last.setdefault(run.name, run)
    return [run for run in last.values() if run.status != "finished"]


def sessions_table(
    stories: Iterable[tuple[str, Story | str]], current: str | None, there_are: int = 0
) -> Table:
    """List sessions, the newest first; of one that cannot be read, why."""
    known = sorted(stories, key=lambda pair: -_last_at(pair[1]))
    rows = [(name, "current" if name == current else "", *_cells(story)) for name, story in known]
    empty = "There is no session here yet. Start one: %session ID"
    title = (
        f"The first {len(rows):,} of {there_are:,}, by their ids. Fewer: %session list PREFIX"
        if len(rows) < there_are
        else ""
    )
    return Table(title, ("session", "", "runs", "last", "open questions"), rows, empty)


def _last_at(story: Story | str) -> float:
    return story.events[-1].at if isinstance(story, Story) and story.events else 0.0


def _cells(story: Story | str) -> tuple[str, str, str]:
    if isinstance(story, str):
        return "?", "", clipped(story, _SHORT)
    asked = story.questions
    prompts = "; ".join(question.prompt for question in asked)
    told_questions = f"{len(asked)}: {clipped(prompts, _SHORT)}" if asked else ""
    last = _time(_last_at(story)) if story.events else ""
    return str(len(story.runs)), last, told_questions


class Conversation(Shown):
    """What was said in a session, run by run; the earlier ones are folded."""

    def __init__(self, session: Session) -> None:
        self._id = session.id
        self._runs = session.runs[-_SHOWN_RUNS:]
        self._earlier = len(session.runs) - len(self._runs)
        self._views = [_view(run) for run in self._runs]

    def __repr__(self) -> str:
        parts = (draw_plain(view, _end(run)) for run, view in self._each())
        heads = (f"> {_asked(run)}" for run in self._runs)
        shown = (f"{head}\n{part}" for head, part in zip(heads, parts, strict=True))
        return clean("\n\n".join((self._title, *shown)))

    def _repr_markdown_(self) -> str:
        shown = (
            f"**{literal(_asked(run))}**\n\n{draw_markdown(view, _end(run))}"
            for run, view in self._each()
        )
        return "\n\n---\n\n".join((literal(self._title), *shown))

    def _repr_html_(self) -> str:
        shown = (
            f'<details{" open" if run is self._runs[-1] else ""} style="margin:4px 0">'
            f'<summary style="display:list-item">{html.escape(_asked(run))}</summary>'
            f"{draw_html(view, _end(run))}</details>"
            for run, view in self._each()
        )
        return clean(
            f'<div class="{NO_MATH}"><p style="margin:2px 0"><b>{html.escape(self._title)}</b></p>'
            f"{''.join(shown)}</div>"
        )

    @property
    def _title(self) -> str:
        earlier = f", the last {len(self._runs)} of them" if self._earlier else ""
        return f"Session {self._id}: {_count(len(self._runs) + self._earlier, 'run')}{earlier}"

    def _each(self) -> Iterable[tuple[RunRecord, RunView]]:
        return zip(self._runs, self._views, strict=True)


def diff_bundle(diff: Diff) -> dict[str, str]:
    """Show where two sessions part."""
    text = clean(str(diff))
    return {
        "text/html": code_block(text),
        "text/markdown": fence(text),
        "text/plain": text,
    }


def _bundle(card: Card) -> dict[str, str]:
    return {
        "text/html": card._repr_html_(),
        "text/markdown": card._repr_markdown_(),
        "text/plain": repr(card),
    }


def _agent_rows(session: Session) -> Iterable[Row]:
    """Tell of each agent and team what it heard and said, and how its runs ended."""
    ends = _ends(session)
    for name in list(ends)[:_SHOWN_AGENTS]:
        said = _count(len(session.messages(name)), "message")
        counted = ", ".join(f"{count} {_WORDS.get(end, end)}" for end, count in ends[name].items())
        yield Row(name, f"{said} · {_count(ends[name].total(), 'run')}: {counted}")
    if len(ends) > _SHOWN_AGENTS:
        yield Row("", f"and {len(ends) - _SHOWN_AGENTS} more")


def _ends(session: Session) -> dict[str, Counter[str]]:
    """Count how the runs of each name ended; of what has not, how the outermost run stands."""
    roots = {run.run_id: run.status for run in session.runs}
    names: dict[str, str] = {}
    opened: dict[str, str] = {}
    ends: dict[str, str] = {}
    for event in session.events:
        match event:
            case RunStarted(kind=kind, name=name):
                above = opened.get(event.parent_id or "", "cut off")
                opened[event.run_id] = ends[event.run_id] = roots.get(event.run_id, above)
                if kind not in {"function", "human"}:
                    names[event.run_id] = name
            case RunResumed():
                ends[event.run_id] = opened[event.run_id]
            case RunFinished(limit=limit):
                ends[event.run_id] = "limited" if limit else "finished"
            case RunFailed():
                ends[event.run_id] = "failed"
            case RunCancelled(reason=reason) if reason != _UNREASONED:
                ends[event.run_id] = "cancelled"
    counted: dict[str, Counter[str]] = {}
    for run_id, name in names.items():
        counted.setdefault(name, Counter())[roots.get(run_id, ends[run_id])] += 1
    return counted


def _question_rows(session: Session) -> Iterable[Row]:
    asked = session.questions
    for question in asked[:_SHOWN_QUESTIONS]:
        yield Row("asks you", f"{question.asker}: {clipped(question.prompt, _SHORT)}")
    if len(asked) > _SHOWN_QUESTIONS:
        yield Row("", f"and {len(asked) - _SHOWN_QUESTIONS} more questions")


def _view(run: RunRecord) -> RunView:
    view = RunView(run.events)
    if run.status == "cut off":
        view.leave()
    return view


def _end(run: RunRecord) -> float:
    return run.events[-1].at


def _asked(run: RunRecord) -> str:
    text = " ".join(" ".join(message.text for message in run.start.input).split())
    return f"{_time(run.start.at)} {run.name}: {clipped(text, _SHORT)}"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
