"""Draw the view as Markdown and as plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from nbagents.notebook.html import answer_words, facts_of, status_words
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
from nbagents.notebook.safe_markdown import literal, to_safe_markdown
from nbagents.notebook.values import pretty, short_args
from nbagents.notebook.view import RunView
from nbagents.untrusted import fence, visible

__all__ = ["draw_markdown", "draw_plain", "header"]

_SHOWN_RESULT = 400
_SHOWN_OUTPUT = 20_000
_TOOL_SIGNS = {
    "writing": "…",
    "running": "…",
    "done": "✓",
    "failed": "✗",
    "refused": "■",
    "stopped": "■",
}


def header(node: RunNode, now: float) -> str:
    """Write the line that names a run and says how it is doing."""
    sign, words = status_words(node)
    note = f" ({node.note})" if node.note else ""
    return f"{node.name} {sign} {words} · {' · '.join(facts_of(node, now))}{note}"


def draw_plain(view: RunView, now: float) -> str:
    """Draw the whole view as plain text; the header comes last, so that text only grows."""
    if view.root is None:
        return ""
    ending = [view.ending] if view.ending else []
    return "\n".join((*_plain_run(view.root), f"[{header(view.root, now)}]", *ending))


def _plain_run(node: RunNode) -> Iterator[str]:
    for item in node.items:
        yield from _plain_item(node, item)
    if not node.items and node.is_over and node.output is not None:
        yield _shown_output(node.output)
    if node.ending is not None:
        yield f"{node.ending}{node.reason}"


def _shown_output(output: Any) -> str:
    text = output if isinstance(output, str) else pretty(output)
    return text if len(text) <= _SHOWN_OUTPUT else f"{text[:_SHOWN_OUTPUT]}…"


def _plain_item(node: RunNode, item: Item) -> Iterator[str]:
    match item:
        case TextItem(thinking=True):
            yield textwrap.indent(f"(thinking) {item.text}", "  | ")
        case TextItem():
            typed = node.output is not None and not isinstance(node.output, str)
            yield pretty(node.output) if typed and item is node.items[-1] else item.text
        case ToolItem():
            yield from _plain_tool(item)
        case RunNode():
            yield f"{status_words(item)[0]} {item.name}"
            yield textwrap.indent("\n".join(_plain_run(item)), "  | ")
        case QuestionItem():
            yield _plain_question(item)
        case HandoffItem(source=source, target=target, reason=reason):
            yield f"→ {source} hands over to {target}: {reason}"
        case FileItem(part=part):
            yield f"[file: {part.name or part.media_type}]"
        case ResumedItem(text=text, note=note):
            yield f"↻ {text}"
            if note:
                yield f"! {note}"
        case NoteItem(text=text):
            yield f"! {text}"


def _plain_tool(tool: ToolItem) -> Iterator[str]:
    yield f"{_TOOL_SIGNS[tool.status]} {tool.name}({short_args(tool.args or {})})"
    for question in tool.questions:
        yield textwrap.indent(_plain_question(question), "  ")
    for run in tool.runs:
        yield textwrap.indent("\n".join(_plain_run(run)), f"  {run.name}| ")
    if tool.result is not None and (tool.result.is_error or not tool.runs):
        told = textwrap.shorten(tool.result.text, _SHOWN_RESULT, placeholder="…")
        yield textwrap.indent(told, "  = ")


def _plain_question(item: QuestionItem) -> str:
    sign, words = answer_words(item)
    asker, prompt = visible(item.asked.asker), visible(item.asked.prompt)
    return f"{asker} asks: {prompt}\n{sign} {words}"


def draw_markdown(view: RunView, now: float) -> str:
    """Draw the whole view as Markdown, in which a model's words stay words."""
    node = view.root
    if node is None:
        return ""
    ending = [literal(view.ending)] if view.ending else []
    head = f"*{literal(header(node, now))}*"
    return "\n\n".join((*_markdown_run(node), head, *ending))


def _markdown_run(node: RunNode) -> Iterator[str]:
    for item in node.items:
        if isinstance(item, TextItem) and not item.thinking:
            typed = node.output is not None and not isinstance(node.output, str)
            if typed and item is node.items[-1]:
                yield fence(pretty(node.output), "json")
            else:
                yield to_safe_markdown(item.text)
        elif isinstance(item, RunNode):
            yield f"**{literal(item.name)}** {status_words(item)[0]}"
            yield from _markdown_run(item)
        else:
            yield literal("\n".join(_plain_item(node, item)))
    if not node.items and node.is_over and node.output is not None:
        text = _shown_output(node.output)
        yield to_safe_markdown(text) if isinstance(node.output, str) else fence(text, "json")
    if node.ending is not None:
        yield f"**{literal(node.ending + node.reason)}**"
