"""Draw the view as HTML that needs neither script nor style sheet, and reads well without style."""

from __future__ import annotations

import base64
import html
from datetime import datetime
from typing import Any, NamedTuple

from nbagents.events import was_interrupted
from nbagents.messages import FilePart, Usage
from nbagents.notebook.items import (
    FileItem,
    HandoffItem,
    Item,
    NoteItem,
    QuestionItem,
    ResumedItem,
    RunNode,
    TextItem,
    ToolItem,
)
from nbagents.notebook.safe_markdown import NO_MATH, code_block, to_html
from nbagents.notebook.values import (
    QuestionText,
    clipped,
    file_of,
    plain,
    pretty,
    readable,
    short_args,
    without_bytes,
)
from nbagents.notebook.view import RunView
from nbagents.untrusted import exact, visible

__all__ = [
    "answer_words",
    "draw_html",
    "facts_of",
    "status_words",
    "usage_facts",
]

_BLUE = "var(--jp-brand-color1,#1976d2)"
_GREEN = "var(--jp-success-color1,#2e7d32)"
_RED = "var(--jp-error-color1,#d32f2f)"
_ORANGE = "var(--jp-warn-color0,#e65100)"
_GREY = "rgba(127,127,127,.8)"

_RUN_SIGNS = {
    "asking": ("●", "waiting for the model", _BLUE),
    "answering": ("●", "answering", _BLUE),
    "finished": ("✓", "finished", _GREEN),
    "limited": ("⚠", "stopped at a limit", _ORANGE),
    "failed": ("✗", "failed", _RED),
    "stopped": ("■", "stopped", _GREY),
    "waiting": ("?", "waiting for you", _ORANGE),
}
_TOOL_SIGNS = {
    "writing": ("●", "", _BLUE),
    "running": ("●", "running", _BLUE),
    "done": ("✓", "", _GREEN),
    "failed": ("✗", "failed", _RED),
    "refused": ("■", "not allowed", _GREY),
    "stopped": ("■", "stopped", _GREY),
}
_SHORT_ARGS = 90
_GO_ON = "Continue with: "
_SHOWN_RESULT = 4_000
_SHOWN_RESULT_LIVE = 300
_WAYS = {
    "form": "you answered at {time}",
    "stdin": "you answered at {time}",
    "code": "answered at {time} by code",
    "prepared": "answered in advance at {time}",
}
_LARGEST_IMAGE = 1_000_000
_SAFE_IMAGES = {"image/png", "image/jpeg", "image/gif", "image/webp"}


class _Frame(NamedTuple):
    now: float
    whole: bool


def draw_html(view: RunView, now: float, *, whole: bool = True) -> str:
    """Draw the view. `now` is in seconds since the epoch, for the clock of what still runs.

    A view that is not drawn whole names its files and begins its tools' results, no more.
    """
    if view.root is None:
        return ""
    ending = ""
    if view.ending:
        ending = f'<p role="status" style="margin:6px 0 2px 15px">{_code_words(view.ending)}</p>'
    return _run(view.root, _Frame(now, whole), outermost=True) + ending


def status_words(node: RunNode) -> tuple[str, str]:
    """Return the sign and the words for how a run is doing."""
    sign, words, _ = _RUN_SIGNS[_shown_status(node)]
    if node.waiting:
        return sign, words
    if node.status == "asking" and node.kind not in {"agent", "remote"}:
        words = "running"
    if node.status == "asking" and any(
        isinstance(item, ToolItem) and item.status == "running" for item in node.items
    ):
        words = "using tools"
    return sign, words


def _shown_status(node: RunNode) -> str:
    return "waiting" if node.waiting and not node.is_over else node.status


def facts_of(node: RunNode, now: float) -> list[str]:
    """List what the header says beside name and status: model, time, tokens, cost."""
    facts = [node.model] if node.model else []
    facts.append(f"{node.seconds(now):.1f} s")
    facts.extend(["replayed, no cost"] if node.is_replayed else usage_facts(node.usage))
    return facts


def usage_facts(usage: Usage) -> list[str]:
    """List tokens and cost, if there were any."""
    if not usage.total_tokens:
        return []
    about = "about " if usage.estimated else ""
    facts = [f"{about}{usage.total_tokens:,} tokens"]
    if usage.cost:
        facts.append(f"${usage.cost:.4f}" if usage.cost < 1 else f"${usage.cost:.2f}")
    elif usage.cost is None:
        facts.append("price unknown")
    return facts


def _run(node: RunNode, frame: _Frame, *, outermost: bool) -> str:
    sign, words = status_words(node)
    color = _RUN_SIGNS[_shown_status(node)][2]
    body = "".join(_items(node, frame))
    if node.ending is not None:
        body += _ending(node, color)
    if not outermost:
        return f'<div style="margin:4px 0 4px 2px">{body}</div>'
    facts = " · ".join(html.escape(fact) for fact in facts_of(node, frame.now))
    note = ""
    if node.note:
        note = (
            f' <span style="border:1px solid {_ORANGE};border-radius:8px;padding:0 6px;'
            f'margin-left:4px;white-space:nowrap">⚠ {html.escape(node.note)}</span>'
        )
    header = (
        f'<div style="font-size:.86em;margin-bottom:2px"><b>{html.escape(node.name)}</b> '
        f'<span style="color:{color}">{sign}</span> {words}'
        f'<span style="opacity:.72"> · {facts}</span>{note}</div>'
    )
    return (
        f'<div role="group" class="{NO_MATH}" aria-label="Run of {html.escape(node.name)}" '
        f'style="border-left:3px solid {color};padding:2px 0 2px 12px;margin:2px 0;'
        f'line-height:1.5;overflow-wrap:break-word">{header}{body}</div>'
    )


def _items(node: RunNode, frame: _Frame) -> list[str]:
    typed = node.is_over and node.output is not None and not isinstance(node.output, str)
    last = len(node.items) - 1
    if not node.items and node.is_over and node.output is not None:
        # A function says nothing on its way.
        longest = _SHOWN_RESULT if frame.whole else _SHOWN_RESULT_LIVE
        if isinstance(node.output, str):
            return [f"<div>{to_html(clipped(node.output, longest))}</div>"]
        if (file := file_of(node.output)) is not None:
            return [_file(file, frame)]
        return [code_block(clipped(pretty(node.output), longest))]
    return [
        code_block(pretty(node.output))
        if typed and index == last and isinstance(item, TextItem)
        else _item(node, item, frame)
        for index, item in enumerate(node.items)
        if not _is_told_below(node, item)
    ]


def _is_told_below(node: RunNode, item: Item) -> bool:
    """Tell whether it is a member's call that hands over: the next line says so, and to whom."""
    is_handoff = isinstance(item, ToolItem) and item.name == "handoff" and item.status == "done"
    return is_handoff and node.parent is not None and node.parent.kind == "swarm"


def _item(node: RunNode, item: Item, frame: _Frame) -> str:
    match item:
        case TextItem(thinking=True):
            still = not node.is_over and node.items[-1] is item
            return _thinking(item.text, still=still)
        case TextItem():
            return f"<div>{to_html(item.text)}</div>"
        case ToolItem():
            return _tool(item, frame)
        case RunNode():
            return _member(item, frame)
        case QuestionItem():
            return _question(item, frame)
        case HandoffItem(source=source, target=target, reason=reason):
            return (
                f'<p style="margin:6px 0"><span style="color:{_BLUE}">→</span> '
                f"<b>{html.escape(source)}</b> hands over to <b>{html.escape(target)}</b>: "
                f"{html.escape(reason)}</p>"
            )
        case FileItem(part=part):
            return _file(part, frame)
        case NoteItem() | ResumedItem():
            return _mark(item)


def _mark(item: NoteItem | ResumedItem) -> str:
    mark = f'<span style="color:{_ORANGE}">⚠</span>'
    note = item.text if isinstance(item, NoteItem) else item.note
    told = f'<p style="margin:4px 0;font-size:.86em">{mark} {html.escape(note)}</p>' if note else ""
    if isinstance(item, NoteItem):
        return told
    line = f"margin:8px 0 4px;padding-top:2px;border-top:1px solid {_GREY};font-size:.86em"
    return f'<p style="{line};opacity:.8">↻ {html.escape(item.text)}</p>{told}'


def _member(node: RunNode, frame: _Frame) -> str:
    """Draw what a member of a team did; what a graph has left behind is folded."""
    sign, words = status_words(node)
    color = _RUN_SIGNS[_shown_status(node)][2]
    facts = facts_of(node, frame.now)
    if words != "finished" and not node.waiting:  # That it waits is said once, in the header.
        facts = [words, *facts]
    folded = node.status == "finished" and node.leads_on and not node.has_asked
    told = html.escape(" · ".join(facts))
    return (
        f'<details{"" if folded else " open"} style="margin:4px 0">'
        f'<summary style="display:list-item"><span style="color:{color}">{sign}</span> <b>{html.escape(node.name)}</b>'
        f'<span style="opacity:.72;font-size:.86em"> · {told}</span></summary>'
        f'<div style="padding-left:14px;border-left:1px solid rgba(127,127,127,.35);'
        f'margin-left:5px">{_run(node, frame, outermost=False)}</div></details>'
    )


def _question(item: QuestionItem, frame: _Frame) -> str:
    asked = item.asked
    asker, prompt, reason, details = QuestionText.of(
        asked.asker, asked.prompt, asked.reason, asked.details
    )
    reason = f' <span style="opacity:.72">{html.escape(reason)}</span>' if reason else ""
    if details:
        shown = code_block(clipped(details, _SHOWN_RESULT))
        details = f'<details style="font-size:.9em"><summary>Details</summary>{shown}</details>'
    color = _ORANGE if item.is_open else _GREEN if item.received else _GREY
    sign, words = answer_words(item)
    mark = f'<span style="color:{color}">{sign}</span>'
    named = f"<b>{html.escape(asker)}</b> asks:"
    if item.is_open and not frame.whole:  # Its form says the rest.
        return f'<div style="margin:4px 0">{mark} {named} {html.escape(prompt)}</div>'
    # The header says that it waits.
    told = "" if item.is_open else f"<div>{mark} {html.escape(words)}</div>"
    return (
        f'<div style="margin:4px 0;border-left:3px solid {color};padding-left:10px">'
        f"<div>{named}</div>{visible(to_html(prompt))}{reason}{details}{told}</div>"
    )


def answer_words(item: QuestionItem) -> tuple[str, str]:
    """Return a sign, and the words that say what became of a question."""
    if item.received is None:
        return ("?", "waiting for you") if item.is_open else ("■", "not answered")
    text = visible(_answer_text(item.received.answer))
    how = _WAYS[item.received.via].format(
        time=datetime.fromtimestamp(item.received.at).astimezone().strftime("%H:%M")
    )
    return "✓", f"{how}: {clipped(text, 1_000)}"


def _answer_text(answer: Any) -> str:
    match answer:
        case str():
            return answer
        case {"approve": bool(allowed), "comment": str(comment)} if len(answer) == 2:
            said = "allowed" if allowed else "not allowed"
            return f"{said}: {comment}" if comment else said
        case bool():
            return "Yes" if answer else "No"  # As the buttons say it.
        case dict():
            fields: dict[str, Any] = without_bytes(answer)
            return ", ".join(
                f"{name}: {value if isinstance(value, str) else plain(value)}"
                for name, value in fields.items()
            )
        case _:
            return plain(without_bytes(answer))


def _thinking(text: str, *, still: bool) -> str:
    opened = " open" if still else ""
    title = "Thinking…" if still else "Thought"
    return (
        f'<details{opened} style="margin:4px 0;font-size:.9em;opacity:.8"><summary>{title}</summary>'
        f'<div style="padding-left:14px;white-space:pre-wrap">{html.escape(text)}</div></details>'
    )


def _tool(tool: ToolItem, frame: _Frame) -> str:
    sign, words, color = _TOOL_SIGNS[tool.status]
    called = f"<code>{html.escape(tool.name)}</code>"
    if tool.args is not None:
        called = f"<code>{html.escape(tool.name)}({html.escape(short_args(tool.args))})</code>"
    tail = [words] if words else []
    if any(question.is_open for question in tool.questions):
        sign, _, color = _RUN_SIGNS["waiting"]
        tail = []
    elif tool.status == "writing" and tool.args is None:
        tail.append(f"writing its arguments, {tool.written} characters")
    elif tool.status in {"done", "failed"}:
        tail.append(f"{tool.seconds:.1f} s")
    tail.extend(
        f"{run.name}: {status_words(run)[1]}"
        for run in tool.runs
        if not run.is_over and not run.waiting
    )
    if tool.progress is not None:
        tail.append(clipped(plain(tool.progress), _SHORT_ARGS))
    told = "".join(f" · {html.escape(words)}" for words in tail)
    asked = bool(tool.questions) or any(run.has_asked for run in tool.runs)
    opened = " open" if asked or tool.status in {"running", "failed"} else ""
    return (
        f'<details{opened} style="margin:4px 0"><summary style="font-size:.9em;display:list-item">'
        f'<span style="color:{color}">{sign}</span> {called}'
        f'<span style="opacity:.72">{told}</span></summary>'
        f'<div style="padding-left:14px;border-left:1px solid rgba(127,127,127,.35);'
        f'margin-left:5px">{_tool_body(tool, frame)}</div></details>'
    )


def _tool_body(tool: ToolItem, frame: _Frame) -> str:
    body = ""
    if tool.args and len(plain(tool.args)) > _SHORT_ARGS:
        body += code_block(exact(pretty(tool.args)))
    body += "".join(_question(question, frame) for question in tool.questions)
    body += "".join(_run(run, frame, outermost=False) for run in tool.runs)
    if tool.result is not None:
        longest = _SHOWN_RESULT if frame.whole else _SHOWN_RESULT_LIVE
        answered_by_run = bool(tool.runs) and not tool.result.is_error
        if tool.result.text and not answered_by_run and not was_interrupted(tool.result):
            body += code_block(clipped(readable(tool.result.text), longest))
        body += "".join(
            _file(part, frame) for part in tool.result.content if isinstance(part, FilePart)
        )
    if tool.traceback and frame.whole:
        body += (
            '<details style="font-size:.9em"><summary>Traceback</summary>'
            f"{code_block(tool.traceback)}</details>"
        )
    return body


def _ending(node: RunNode, color: str) -> str:
    return (
        f'<p role="status" style="margin:6px 0 2px"><b style="color:{color}">'
        f"{html.escape(node.ending or '')}</b>{html.escape(node.reason)}</p>"
    )


def _file(part: FilePart, frame: _Frame) -> str:
    name = html.escape(part.name or part.media_type)
    if part.data is None:
        return f"<p>[file: {name} ({html.escape(part.url or '')})]</p>"
    shown = len(part.data) <= _LARGEST_IMAGE and frame.whole
    if part.media_type in _SAFE_IMAGES and shown:
        data = base64.b64encode(part.data).decode()
        return (
            f'<img alt="{name}" style="max-width:100%" src="data:{part.media_type};base64,{data}">'
        )
    return f"<p>[file: {name}, {len(part.data):,} bytes]</p>"


def _code_words(text: str) -> str:
    """Set what is to be typed as code."""
    words, found, code = text.partition(_GO_ON)
    if not found:
        return html.escape(text)
    return f"{html.escape(words + found)}<code>{html.escape(code)}</code>"
