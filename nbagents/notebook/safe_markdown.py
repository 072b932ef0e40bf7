"""Markdown from a model: hostile until it has passed here."""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

__all__ = ["clean", "code_block", "to_html", "to_safe_markdown"]

_HTTP = re.compile(r"https?://", re.IGNORECASE)
_LINK_TARGET = re.compile(r"\]\((?!\s*<?https?://)", re.IGNORECASE)

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

_BLOCK = (
    "overflow-x:auto;padding:8px 10px;margin:6px 0;border-radius:4px;white-space:pre;"
    "background:rgba(127,127,127,.12);font-size:.92em;line-height:1.4"
)
_CELL = "padding:3px 10px;border:1px solid rgba(127,127,127,.35);text-align:left"


class _Renderer(RendererHTML):
    """Shows links with their target, and never loads an image."""

    def link_close(
        self, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: dict[str, Any]
    ) -> str:
        """Write where the link leads, unless its text says so."""
        text = ""
        for token in reversed(tokens[:index]):
            if token.type == "link_open":
                href = str(token.attrGet("href") or "")
                shown = "" if text.strip() in {href, href.rstrip("/")} else f" ({_short(href)})"
                return f'</a><span style="opacity:.7">{html.escape(shown)}</span>'
            text = token.content + text
        return "</a>"

    def image(
        self, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: dict[str, Any]
    ) -> str:
        """Name the image and where it is; loading it would tell its server that it was read."""
        token = tokens[index]
        source = html.escape(_short(str(token.attrGet("src") or "")))
        return f"[image: {html.escape(token.content)} ({source})]"

    def fence(
        self, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: dict[str, Any]
    ) -> str:
        """Write a block of code."""
        return code_block(tokens[index].content)

    code_block = fence


def _short(url: str) -> str:
    return url if len(url) <= 80 else f"{url[:77]}..."


@functools.cache
def _markdown() -> MarkdownIt:
    markdown = MarkdownIt(
        "commonmark", {"html": False, "linkify": False}, renderer_cls=_Renderer
    ).enable("table")
    markdown.validateLink = lambda url: bool(_HTTP.match(url.strip()))
    return markdown


def code_block(text: str) -> str:
    """Write text as it is, in a box that scrolls."""
    # Notebook pages paint `code` too, line by line.
    code = f'<code style="background:none;padding:0">{html.escape(text.rstrip())}</code>'
    return f'<pre style="{_BLOCK}">{code}</pre>'


def to_html(text: str) -> str:
    """Render Markdown; raw HTML in it is shown as text."""
    markdown = _markdown()
    tokens = markdown.parse(text)
    for token in tokens:
        if token.type in {"th_open", "td_open"}:
            token.attrSet("style", _CELL)
        elif token.type == "table_open":
            token.attrSet("style", "border-collapse:collapse;margin:6px 0")
        elif token.type == "paragraph_open":
            token.attrSet("style", "margin:4px 0")
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("rel", "noopener noreferrer")
                child.attrSet("target", "_blank")
    return markdown.renderer.render(tokens, markdown.options, {})


def to_safe_markdown(text: str) -> str:
    """Make Markdown that no reader turns into HTML, an image or a link that is not http(s).

    It stays harmless after whatever stands before it in a document: only code that is fenced at
    the very start of a line is kept to the letter, and a fence left open is closed.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    code: set[int] = set()
    end = ""
    for token in _markdown().parse("\n".join(lines)):
        if token.type == "fence" and token.level == 0 and token.map:
            first, after = token.map
            if lines[first].startswith(token.markup):
                code.update(range(first, after))
            closing = rf" {{0,3}}{re.escape(token.markup[0])}{{{len(token.markup)},}}[ \t]*"
            if after == first + 1 or not re.fullmatch(closing, lines[after - 1]):
                end = f"\n{token.markup}"
    safe = (line if i in code else _defused(line) for i, line in enumerate(lines))
    return "\n".join(safe) + end


def clean(text: str) -> str:
    """Drop what a page or a terminal would obey, or refuse: control characters, half characters."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", text).encode("utf-8", "replace").decode("utf-8")


def _defused(line: str) -> str:
    line = line.replace("<", "&lt;").replace("![", "!\\[")
    return _LINK_TARGET.sub("]\\\\(", line).replace("]:", "]\\:")
