"""Markdown from a model: hostile until it has passed here."""

from __future__ import annotations

import functools
import html
import logging
import re
from collections.abc import Callable, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from nbagents.notebook.coloring import colored
from nbagents.notebook.formulas import is_drawable, with_formulas
from nbagents.untrusted import clean, fence

__all__ = ["NO_MATH", "code_block", "literal", "to_html", "to_safe_markdown"]

NO_MATH = "mathjax_ignore tex2jax_ignore"
"""Classes that keep MathJax out of an element: formulas can hold links and cover text."""

_LONGEST, _LONGEST_WITH_LINKS = 100_000, 20_000
_MANY_LINKS = 2_000

_HTTP = re.compile(r"https?://", re.IGNORECASE)

# Markdown renderers disagree about what is code, so nothing outside of our own fences may be active
# markup for any of them. A code span or a character reference is inert for all of them. MathJax
# reads the rendered page, where only an element separates the two delimiters of a formula.
_MATH = r"(?P<math>\$+|\\(?:[()\[\]]|(?:begin|end|ref|eqref)(?![A-Za-z])))"
_ADDRESS = r"(?P<address>(?<=[\w.+-])@(?=[\w-])|(?i:(?<=\bftp)):(?=//))"
_MARKDOWN = re.compile(
    r"(?<![`\\])(?P<ticks>``?)(?!`)(?P<code>.+?)(?<!`)(?P=ticks)(?!`)"
    rf"|{_MATH}|{_ADDRESS}"
    r"|(?P<kept>\\(?:[*_#+.!~>|-]|(?=\n))|<br ?/?>|<(?P<raised>su[bp])>[\w +,.()-]{1,50}</(?P=raised)>)"
    r"|(?P<special>[<`\\]|~{3,}|&(?=\#|\w+;))"
    r"|(?P<bracket>\[)",
    re.DOTALL,
)
_LITERAL = re.compile(
    rf"{_MATH}|{_ADDRESS}"
    r"|(?P<special>[<>`\\&])"
    r"|(?P<bracket>[*_\[\]#|~]|^[-+=]|(?<=^\d)[.)]|(?<=^\d\d)[.)])"
)
_ALIVE_IN_CODE = re.compile(r"[`|]|<[A-Za-z/!?]|\$\$|\\(?:\\[(\[]|begin|end)")
_LANGUAGES = re.compile(
    r"bash|c|cpp|csharp|css|csv|diff|dockerfile|go|html|ini|java|javascript|js|json|jsx|julia|"
    r"kotlin|latex|lua|makefile|markdown|md|php|python|py|r|ruby|rust|scala|sh|shell|sql|swift|"
    r"text|toml|ts|tsx|typescript|xml|yaml|yml"
)
"""Allowed info strings. Renderers draw some others, such as `mermaid`, as diagrams."""

_BLOCK = (
    "overflow-x:auto;padding:8px 10px;margin:6px 0;border-radius:4px;white-space:pre;"
    "background:rgba(127,127,127,.12);font-size:.92em;line-height:1.4"
)
_CELL = "padding:3px 10px;border:1px solid rgba(127,127,127,.35);text-align:start"
_FORMULA = "mathjax_process tex2jax_process"
"""Classes that let MathJax into an element again, where the page has it."""
_BREAK = re.compile(r"<br ?/?>", re.IGNORECASE)
_RAISED = re.compile(r"<(su[bp])>([^<>\n]{1,200})</\1>", re.IGNORECASE)
_BARE = re.compile(r"://[^\s<>\"'`|\\^{}\x00-\x1f]+")
_SCHEME = re.compile(r"(?<![a-z0-9+.-])https?$", re.IGNORECASE)
_DIRECTED = {"paragraph_open", "heading_open", "list_item_open", "blockquote_open"}


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
                shown = "" if text.strip() in {href, href.rstrip("/")} else f" ({href})"
                return f'</a><span style="opacity:.7">{html.escape(shown)}</span>'
            text = token.content + text
        return "</a>"

    def image(
        self, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: dict[str, Any]
    ) -> str:
        """Name the image and where it is; loading it would tell its server that it was read."""
        token = tokens[index]
        source = html.escape(str(token.attrGet("src") or ""))
        return f"[image: {html.escape(token.content)} ({source})]"

    def fence(
        self, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: dict[str, Any]
    ) -> str:
        """Write a block of code."""
        token = tokens[index]
        return code_block(token.content, token.info.split(maxsplit=1)[0] if token.info else "")

    code_block = fence

    def formula(
        self, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: dict[str, Any]
    ) -> str:
        """Write a formula as it is, for the page to typeset; one that may not be drawn is code."""
        token = tokens[index]
        written = html.escape(token.content)
        if not is_drawable(token.content):
            return f"<code>{written}</code>"
        place = "inline-block" if token.hidden else "block"
        style = f"display:{place};max-width:100%;overflow:hidden"
        return f'<span class="{_FORMULA}" style="{style}">{written}</span>'


@functools.cache
def _markdown() -> MarkdownIt:
    markdown = MarkdownIt(
        "commonmark", {"html": False, "linkify": False}, renderer_cls=_Renderer
    ).enable(["table", "strikethrough"])
    log = logging.getLogger("markdown_it")
    if log.level == logging.NOTSET:  # A line for each rule would drown the user's own DEBUG lines.
        log.setLevel(logging.INFO)
    markdown.validateLink = lambda url: bool(_HTTP.match(url.strip()))
    with_formulas(markdown)
    markdown.inline.ruler.before("html_inline", "tags", _tags)
    markdown.inline.ruler.before("html_inline", "bare_link", _bare_link)
    markdown.core.ruler.push("direction", _direct)
    return markdown


def _tags(state: StateInline, silent: bool) -> bool:
    """Read the only HTML that is: what Markdown has no sign for, and cannot carry anything."""
    raised = _RAISED.match(state.src, state.pos)
    found = raised or _BREAK.match(state.src, state.pos)
    if found is None:
        return False
    if not silent and raised:
        tag = raised[1].lower()
        state.push("tag_open", tag, 1)
        state.push("text", "", 0).content = raised[2]
        state.push("tag_close", tag, -1)
    elif not silent:
        state.push("hardbreak", "br", 0)
    state.pos = found.end()
    return True


def _bare_link(state: StateInline, silent: bool) -> bool:
    """Make a link of an address that stands alone in the text."""
    found = _BARE.match(state.src, state.pos, state.posMax)
    scheme = _SCHEME.search(state.pending[-6:]) if found else None
    if scheme is None or found is None or state.linkLevel > 0:
        return False
    rest = found[0].rstrip("?!.,:;*_~")
    while rest.endswith(")") and rest.count("(") < rest.count(")"):
        rest = rest[:-1].rstrip("?!.,:;*_~")
    shown = scheme[0] + rest
    href = state.md.normalizeLink(shown)
    if len(rest) < len("://x") or not state.md.validateLink(href):
        return False
    if not silent:
        state.pending = state.pending[: -len(scheme[0])]
        state.push("link_open", "a", 1).attrs = {"href": href}
        state.push("text", "", 0).content = shown
        state.push("link_close", "a", -1)
    state.pos += len(rest)
    return True


def _direct(state: StateCore) -> None:
    """Give each block the direction of its first letter."""
    for token in state.tokens:
        if token.type in _DIRECTED or token.type in {"th_open", "td_open"}:
            token.attrSet("dir", "auto")


def code_block(text: str, language: str = "") -> str:
    """Write text as it is, in a box that scrolls, and in colors if its language is known."""
    # Notebook pages paint `code` too, line by line.
    code = colored(text.rstrip(), language)
    code = f'<code style="background:none;padding:0">{code}</code>'
    return f'<pre style="{_BLOCK}">{code}</pre>'


def to_html(text: str) -> str:
    """Render Markdown; raw HTML in it is displayed as text, and so is the rest of a very long text."""
    text, rest = _cut(text)
    if rest:
        return to_html(text) + code_block(rest)
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


def _cut(text: str) -> tuple[str, str]:
    """Split off the text after what can be parsed as Markdown in good time, at the end of a line if there is one.

    Links that are never closed, such as many `![`, cost 10 µs and more a character.
    """
    longest = _LONGEST if text.count("[") < _MANY_LINKS else _LONGEST_WITH_LINKS
    if len(text) <= longest:
        return text, ""
    end = text.rfind("\n", 0, longest) + 1 or longest
    return text[:end], text[end:]


def to_safe_markdown(text: str) -> str:
    """Return Markdown that no renderer turns into raw HTML, an image, a formula, or a diagram.

    Headings, lists, tables, quotations, and emphasis stay. Links show their text and their target.
    Each code block is fenced again at the start of a line, after a blank line, where every
    renderer recognizes a fence.
    """
    text, rest = _cut(clean(text))
    lines = text.split("\n")
    blocks: list[str] = []
    at = 0
    for token in _markdown().parse("\n".join(lines)):
        if token.type not in {"fence", "code_block"} or token.map is None:
            continue
        first, after = token.map
        info = token.info.strip().lower()
        code = fence(token.content, info if _LANGUAGES.fullmatch(info) else "")
        blocks += [_defused(lines[at:first]), code]
        at = after
    blocks.append(_defused(lines[at:]))
    if rest:
        blocks.append(fence(rest))
    return "\n\n".join(block for block in blocks if block)


def literal(text: str) -> str:
    """Escape text so that none of it is Markdown; lines stay lines."""
    lines = filter(None, map(str.strip, clean(text).split("\n")))
    # Two spaces at its end keep a line a line.
    return "  \n".join(_written(_LITERAL, line, _as_literal) for line in lines)


def _defused(lines: Sequence[str]) -> str:
    paragraphs = re.split(r"\n(?:[ \t]*\n)+", "\n".join(lines).strip("\n"))
    return "\n\n".join(_written(_MARKDOWN, each, _as_markdown) for each in paragraphs).strip("\n")


def _written(pattern: re.Pattern[str], text: str, write: Callable[[re.Match[str]], str]) -> str:
    """Replace each match, with a space between adjacent code spans, which would otherwise merge."""
    pieces, at = [""], 0
    for match in pattern.finditer(text):
        piece = text[at : match.start()] + write(match)
        if pieces[-1].endswith("`") and piece.startswith("`"):
            pieces.append(" ")
        pieces.append(piece)
        at = match.end()
    return "".join(pieces) + text[at:]


def _as_markdown(match: re.Match[str]) -> str:
    if match["code"] is None:
        return match["kept"] or _as_literal(match)
    code = match["code"].replace("\n", " ")
    if not code.strip() or _ALIVE_IN_CODE.search(code):
        return _written(_LITERAL, code.strip(), _as_literal)
    return f"`{code}`"


def _as_literal(match: re.Match[str]) -> str:
    found = match[0]
    if match["math"]:
        return f"`{found}`" if found[0] == "\\" else f"`$`{'&#36;' * (len(found) - 1)}"
    if match["bracket"]:
        return f"\\{found}"
    return "".join(_REFERENCES.get(char) or f"&#{ord(char)};" for char in found)


_REFERENCES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
