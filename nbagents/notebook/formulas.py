"""Formulas in Markdown: found as `labextension/src/math.ts` finds them, and kept to the letter."""

from __future__ import annotations

import re
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

__all__ = ["is_drawable", "with_formulas"]

_PAIRS = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}
_ENVIRONMENTS = (
    "align|aligned|array|bmatrix|Bmatrix|cases|eqnarray|equation|gather|gathered|matrix|multline|"
    "pmatrix|smallmatrix|split|vmatrix|Vmatrix"
)
_BEGIN = re.compile(rf"\\begin\{{((?:{_ENVIRONMENTS})\*?)\}}")
_LONGEST = 5000
# What links, loads, defines, or draws over its neighbors. All else stays within its own box.
_UNSAFE = re.compile(
    r"\\(?:href|url|class|cssId|style|data|html\w*|includegraphics|require|unicode|mmlToken|bbox|"
    r"def|gdef|edef|xdef|let|futurelet|(?:re|provide)?newcommand|providecommand|newenvironment|"
    r"renewenvironment|DeclareMathOperator|char|catcode|tag|label|ref|eqref|"
    r"[mh]?kern|[mhv]skip|[mhv]space|math[lrc]lap|[lrc]lap|smash|raise\w*|lower|move\w+|"
    r"rule|Rule|Space|above\w*|genfrac|hfil\w*|vphantom|neg\w*space)(?![a-zA-Z])"
    r"|-\s*[\d.]+\s*(?:em|ex|pt|mu|px|in|cm|mm|pc)\b|(?:\\!\s*){3}",
    re.IGNORECASE,
)
_PRICE = re.compile(r"[\d.,]+(?![\d.,])(?=.*[^\W\d_]{3})(?!.*[\\^_=])", re.DOTALL)
_ONLY_STOPS = re.compile(r"\s*[.,;:]?\s*")


class _Formula(NamedTuple):
    end: int
    is_display: bool


def is_drawable(formula: str) -> bool:
    """Tell whether a formula may be drawn: what others write could hide links, or cover text."""
    return len(formula) <= _LONGEST and _UNSAFE.search(formula) is None


def with_formulas(markdown: MarkdownIt) -> None:
    """Let a parser know formulas, as tokens named `formula`."""
    markdown.inline.ruler.before("escape", "formula", _inline)
    ends = ["paragraph", "reference", "blockquote", "list"]
    markdown.block.ruler.before("code", "formula", _block, {"alt": ends})


def _formula_at(text: str, at: int, missing: set[str]) -> _Formula | None:
    """Find the formula that begins here; `missing` remembers what closes nothing in this text."""
    opening = text[at : at + 2]
    if closing := _PAIRS.get(opening):
        end = _find(text, closing, at + 2, missing)
        is_formula = end >= 0 and text[at + 2 : end].strip() != ""
        return _Formula(end + 2, opening != "\\(") if is_formula else None
    if text[at] == "$":
        return _between_dollars(text, at)
    if (begin := _BEGIN.match(text, at)) is None:
        return None
    last = f"\\end{{{begin[1]}}}"
    end = _find(text, last, begin.end(), missing)
    return None if end < 0 else _Formula(end + len(last), True)


def _find(text: str, wanted: str, start: int, missing: set[str]) -> int:
    if wanted in missing:
        return -1
    end = text.find(wanted, start)
    if end < 0:
        missing.add(wanted)
    return end


def _between_dollars(text: str, at: int) -> _Formula | None:
    """Read `$x$`: no space inside of the dollars, and no letter or digit outside, as prices have."""
    if at > 0 and (_is_word(text[at - 1]) or text[at - 1] in "$\\"):
        return None
    end = at + 1
    while end < len(text) and text[end] != "$":
        end += 2 if text[end] == "\\" else 1
    inside, after = text[at + 1 : end], text[end + 1 : end + 2]
    if end >= len(text) or not inside or inside[0].isspace() or inside[-1].isspace():
        return None
    # "$5/month, or for 10$": words after an amount are not a formula.
    if _is_word(after) or after == "$" or "\n\n" in inside or _PRICE.match(inside):
        return None
    return _Formula(end + 1, False)


def _is_word(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char == "_")


def _inline(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] not in "$\\":
        return False
    missing: set[str] = state.env.setdefault("formulas", {}).setdefault(state.src, set())
    found = _formula_at(state.src, state.pos, missing)
    if found is None or found.end > state.posMax:
        # A backslash before a parenthesis that closes nothing is one.
        is_lone = state.src[state.pos : state.pos + 2] in {"\\(", "\\)"}
        if is_lone and not silent:
            state.append_pending(state.src[state.pos : state.pos + 2])
        state.pos += 2 if is_lone else 0
        return is_lone
    if not silent:
        token = state.push("formula", "span", 0)
        token.content = state.src[state.pos : found.end]
        token.hidden = not found.is_display
    state.pos = found.end
    return True


def _last_line(state: StateBlock, line: int, last: int, start: int) -> int:
    """Return the line after the one that closes what opens at `start`; -1 if none does."""
    begin = _BEGIN.match(state.src, start)
    closing = f"\\end{{{begin[1]}}}" if begin else _PAIRS.get(state.src[start : start + 2], "\0")
    at = state.src.find(closing, start + 2, start + _LONGEST)
    while at >= 0 and line < last and not state.isEmpty(line):
        if state.eMarks[line] >= at:
            return line + 1
        line += 1
    return -1


def _block(state: StateBlock, line: int, last: int, silent: bool) -> bool:
    start = state.bMarks[line] + state.tShift[line]
    if not state.src.startswith(("$$", "\\[", "\\begin{"), start) or state.is_code_block(line):
        return False
    end = _last_line(state, line, last, start)
    if end < 0:
        return False
    text = state.getLines(line, end, state.blkIndent, False).lstrip()
    found = _formula_at(text, 0, set())
    rest = text[found.end :].partition("\n")[0] if found else ""
    if found is None or _ONLY_STOPS.fullmatch(rest) is None:
        return False
    if not silent:
        token = state.push("formula", "span", 0)
        token.content, token.block = text[: found.end], True
        if after := rest.strip():
            state.push("text", "", 0).content = after
    state.line = line + text.count("\n", 0, found.end) + 1
    return True
