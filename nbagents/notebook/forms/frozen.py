"""What stays of a question in the notebook: who asked what and why, and what was answered."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Sequence
from typing import Any, Literal

from nbagents.notebook.forms.fields import Field
from nbagents.notebook.safe_markdown import (
    NO_MATH,
    code_block,
    literal,
    to_html,
    to_safe_markdown,
)
from nbagents.notebook.values import QuestionText, clipped, pretty
from nbagents.questions import OpenQuestion
from nbagents.untrusted import clean, fence, visible

__all__ = ["Ending", "draw", "shown_answer"]

Ending = Literal["open", "answered", "stopped", "later", "closed"]

_ORANGE = "var(--jp-warn-color0,#e65100)"
_GREEN = "var(--jp-success-color1,#2e7d32)"
_GREY = "rgba(127,127,127,.8)"
_SIGNS = {"open": ("●", _ORANGE), "answered": ("✓", _GREEN)}
_WAYS = {
    "form": "Answered by you",
    "stdin": "Answered by you",
    "prepared": "Answered in advance",
    "code": "Answered in code",
}
_SHORT = 90
_HIDDEN = "•••••••• (not shown)"


def draw(question: OpenQuestion, fields: Sequence[Field], ending: Ending) -> dict[str, str]:
    """Draw the question, and how it ended, in every form that a saved notebook should hold."""
    asked = question.asked
    text = QuestionText.of(asked.asker, asked.prompt, asked.reason, asked.details)
    said = clean(_said(question, ending))
    answers = _answers(question, fields) if ending == "answered" else []
    answers = [(visible(label), visible(answer)) for label, answer in answers]
    return {
        "text/html": clean(_folded(_html(text, ending, said, answers), text, said, answers))
        if ending == "answered" and question.id
        else clean(_html(text, ending, said, answers)),
        "text/markdown": _markdown(text, said, answers),
        "text/plain": clean(_plain(text, said, answers)),
    }


def shown_answer(field: Field, value: Any) -> str:
    """Write an answer, given as JSON, for a reader; never a secret, never the bytes of a file."""
    match field.kind, value:
        case "password", _:
            return _HIDDEN
        case _, None | []:
            return "(nothing)"
        case "yesno", bool():
            return field.labels[0 if value else 1]
        case "file", dict():
            return _file(value)
        case "files", list():
            return "\n".join(map(_file, value))
        case "choices", list():
            return ", ".join(map(str, value))
        case _, str() | int() | float():
            return str(value) or "(empty)"
    return pretty(value)


def _file(part: dict[str, Any]) -> str:
    data = part.get("data") or ""
    size = len(data) * 3 // 4 - data.count("=", -2) if data else 0
    return f"{part.get('name') or part.get('media_type')} ({size:,} bytes)"


def _said(question: OpenQuestion, ending: Ending) -> str:
    answers = f"await run.resume(answers={{{json.dumps(question.id)}: ...}})"
    how = f" To continue: {answers}" if question.id else ""  # One that no run asks has no id.
    match ending:
        case "open":
            return "Waiting for you."
        case "answered":
            return f"{_WAYS[question.via]} at {time.strftime('%H:%M')}"
        case "stopped":
            return "Stopped before an answer."
        case "later":
            return f"Postponed.{how}"
        case "closed":
            return f"The form was closed before an answer.{how}"


def _answers(question: OpenQuestion, fields: Sequence[Field]) -> list[tuple[str, str]]:
    """List labels and answers; the label of a single one is empty."""
    answer = question.answer_json
    if [field.name for field in fields] == [""]:
        return [("", shown_answer(fields[0], answer))]
    given: dict[str, Any] = answer if isinstance(answer, dict) else {}
    return [
        (field.label, shown_answer(field, given[field.name]))
        for field in fields
        if field.name in given and (field.required or given[field.name] != field.default)
    ]


def _html(asked: QuestionText, ending: Ending, said: str, answers: list[tuple[str, str]]) -> str:
    sign, color = _SIGNS.get(ending, ("■", _GREY))
    verb = "asks" if ending == "open" else "asked"
    small = "font-size:.86em"
    rows = [
        f'<div style="{small};opacity:.72"><b>{html.escape(asked.asker)}</b> {verb}</div>',
        f"<div>{visible(to_html(asked.prompt))}</div>",
    ]
    if asked.reason:
        reason = html.escape(asked.reason)
        rows.append(
            f'<div style="{small};opacity:.8;margin:2px 0 4px;white-space:pre-wrap">{reason}</div>'
        )
    if asked.details:
        rows.append(_details(asked.details, opened=ending == "open"))
    sign = f'<span style="color:{color}">{sign}</span>'
    told = f'<time datetime="{time.strftime("%Y-%m-%dT%H:%M%z")}">{html.escape(said)}</time>'
    match answers:
        case [("", answer)] if "\n" not in answer:
            rows.append(
                f'<div style="margin-top:4px;white-space:pre-wrap">{sign} <b>{html.escape(answer)}</b>'
                f'<span style="{small};opacity:.72"> · {told}</span></div>'
            )
        case _:
            rows.append(f'<div style="{small};margin-top:4px">{sign} {told}</div>')
            rows.extend(_answer_html(label, answer) for label, answer in answers)
    return (
        f'<div role="group" class="{NO_MATH}" aria-label="Question of {html.escape(asked.asker)}" '
        f'style="border-left:3px solid {color};padding:2px 0 2px 12px;margin:6px 0;'
        f'max-width:42em;line-height:1.5;overflow-wrap:anywhere">{"".join(rows)}</div>'
    )


def _folded(whole: str, asked: QuestionText, said: str, answers: list[tuple[str, str]]) -> str:
    """Fold what was answered: the run, which stands in the same cell, tells it too.

    Where the viewer of the labextension draws that run, the style of its class hides all of this.
    """
    answer = html.escape(clipped(answers[0][1], _SHORT)) if len(answers) == 1 else ""
    return (
        '<details class="nbagents-answered" style="margin:2px 0">'
        '<summary style="display:list-item;font-size:.86em">'
        f'<span style="color:{_GREEN}">✓</span> {html.escape(said)}: '
        f"{html.escape(clipped(asked.prompt, _SHORT))}{answer and f' · <b>{answer}</b>'}</summary>"
        f"{whole}</details>"
    )


def _details(text: str, *, opened: bool) -> str:
    return (
        f'<details{" open" if opened else ""} style="font-size:.9em"><summary>Details</summary>'
        f"{code_block(text)}</details>"
    )


def _answer_html(label: str, answer: str) -> str:
    named = f'<span style="opacity:.72">{html.escape(label)}: </span>' if label else ""
    if "\n" in answer:
        box = (
            "white-space:pre-wrap;max-height:24em;overflow:auto;margin:2px 0 4px;padding:6px 10px;"
            "border-radius:4px;background:rgba(127,127,127,.12)"
        )
        return f'<div>{named}<div style="{box}">{html.escape(answer)}</div></div>'
    return f'<div style="white-space:pre-wrap">{named}<b>{html.escape(answer)}</b></div>'


def _markdown(asked: QuestionText, said: str, answers: list[tuple[str, str]]) -> str:
    parts = [f"**{literal(asked.asker)}** asked:", to_safe_markdown(asked.prompt)]
    if asked.reason:
        parts.append(literal(asked.reason))
    if asked.details:
        parts.append(fence(asked.details, "json"))
    parts.append(f"*{literal(said)}*")
    for label, answer in answers:
        parts.append(f"{literal(label)}:" if label else "")
        parts.append("\n".join(f"> {line}" for line in literal(answer).split("\n")))
    return "\n\n".join(part for part in parts if part)


def _plain(asked: QuestionText, said: str, answers: list[tuple[str, str]]) -> str:
    lines = [f"{asked.asker}: {asked.prompt}"]
    if asked.reason:
        lines.append(asked.reason)
    if asked.details:
        lines.append(asked.details)
    lines.append(f"[{said}]")
    lines.extend(f"{label}: {answer}" if label else answer for label, answer in answers)
    return "\n".join(lines)
