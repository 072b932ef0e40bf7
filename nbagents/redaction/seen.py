"""What a reader sees of a text, and where each piece of it is in the source."""

from __future__ import annotations

import bisect
import html
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from nbagents.untrusted import UNSEEN

__all__ = ["INLINE_TAG", "INVISIBLE", "TERMINAL", "Seen", "Span", "decoded", "joined", "seen_of"]

_NARROWEST, _TERMINAL = 40, 80
# What a reader does not see: it may be between the halves of a key, or stand for one of its letters.
_TAG = (
    r"<(?P<unseen>style|script|template|title)\b[^<>]*>[^<]*</(?P=unseen)\s*>"
    r"|</?[A-Za-z][^<>]*>|<!--(?:(?!<!--|-->).)*-->"
)
TERMINAL = r"(?:\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~])"
"""What a terminal obeys: colors, titles, links."""
INVISIBLE = rf"[\x00-\x08\x0e-\x1a\x7f-\x9f{UNSEEN}]"
_ESCAPE = (
    rf"{TERMINAL}|{INVISIBLE}"
    r"|&(?:\#[0-9]{1,7}|\#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"
    r"|\\(?:[nrtbf\"\\/]|u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2})"
    r"|(?:%[2-7][0-9A-Fa-f])+"
)
_UNSEEN_TAGS = "<style", "<script", "<template", "<title"
_ESCAPED = re.compile(_ESCAPE)
_UNSEEN = re.compile(f"{_TAG}|{_ESCAPE}", re.DOTALL)
INLINE_TAG = (
    r"</?(?:a|abbr|b|bdi|bdo|big|cite|code|del|dfn|em|font|i|img|ins|kbd|mark|q|s|samp|small|span"
    r"|strike|strong|sub|sup|tt|u|var|wbr)\b"
)
_INLINE = re.compile(INLINE_TAG, re.IGNORECASE)
# How `_meant` writes what begins a row and a cell, and what ends a table; all are white space.
_ROW, _CELL, _END = "\x1e", "\x1f", "\x1d"
_OF_TABLE = {"tr": _ROW, "td": _CELL, "th": _CELL, "/table": _END}
_WORDS_ON = re.compile(r"[\w+/=.~%@-]{2}")
_ENTRY = re.compile(r"[\w.-]{1,60}\s?[:=]\s?[^\s=]")


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a text, and what is there."""

    start: int
    end: int
    what: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What a reader sees of HTML, JSON or a coloured stream, and where each piece of it was."""

    text: str
    pieces: list[tuple[int, int, int]]
    """Its place in what is seen, where it begins in the source, where it ends there."""

    @classmethod
    def whole(cls, text: str) -> Seen:
        """Return text that is seen as it stands."""
        return cls(text, [(0, 0, len(text))])

    def under(self, span: Span) -> Iterator[Span]:
        """Find the parts of the source that are seen as this span; what is between them stays.

        Only the first part says what it is.
        """
        what = span.what
        first = bisect.bisect_right(self.pieces, span.start, key=lambda piece: piece[0]) - 1
        for index in range(first, len(self.pieces)):
            at, start, end = self.pieces[index]
            if at >= span.end:
                return
            is_last = index + 1 == len(self.pieces)
            after = len(self.text) if is_last else self.pieces[index + 1][0]
            if after - at == end - start:  # It stands there as it is seen.
                start, end = start + max(0, span.start - at), end - max(0, after - span.end)
            yield Span(start, end, what)
            what = ""


def joined(text: str) -> Seen | None:
    """Join lines that a terminal broke: where one is full, and a word goes on in the next."""
    lines = text.split("\n")
    width = max(map(len, lines))
    pieces, seen = [(0, 0, 0)], 0
    at = 0
    for line, after in itertools.pairwise(lines):
        at += len(line) + 1
        if (
            len(line) in (width, _TERMINAL)
            and len(line) >= _NARROWEST
            and _WORDS_ON.match(line[-1] + after[:1])
            and not _ENTRY.match(after)
        ):
            seen, start = seen + at - 1 - pieces[-1][1], pieces[-1][1]
            pieces[-1] = (pieces[-1][0], start, at - 1)
            pieces.append((seen, at, at))
    if len(pieces) == 1:
        return None
    pieces[-1] = (seen, pieces[-1][1], len(text))
    return Seen("".join(text[start:end] for _, start, end in pieces), pieces)


def seen_of(text: str) -> Seen:
    """Read text as it is shown: without one layer of tags, colors, entities and escapes."""
    return _without(_UNSEEN, text)


def decoded(text: str) -> Seen:
    """Read text as its source: without a layer of escapes, but with the attributes of its tags."""
    return _without(_ESCAPED, text)


def _without(pattern: re.Pattern[str], text: str) -> Seen:
    seen: list[str] = []
    pieces: list[tuple[int, int, int]] = []
    length = last = 0

    def add(piece: str, start: int, end: int) -> None:
        nonlocal length
        if piece:
            seen.append(piece)
            pieces.append((length, start, end))
            length += len(piece)

    for match in pattern.finditer(text):
        add(text[last : match.start()], last, match.start())
        add(_meant(match[0]), match.start(), match.end())
        last = match.end()
    add(text[last:], last, len(text))
    return Seen("".join(seen), pieces)


def _meant(escape: str) -> str:
    if escape[0] == "&":
        return html.unescape(escape)
    if escape[0] == "%":
        return unquote(escape)
    if escape[:2] == "\\x":
        return bytes.fromhex(escape[2:]).decode("latin-1")
    if escape[0] == "\\":
        return str(json.loads(f'"{escape}"'))
    if escape[0] == "<" and not escape.startswith("<!--") and not _INLINE.match(escape):
        if escape.startswith(_UNSEEN_TAGS):
            return ""
        tag = re.match(r"</?[A-Za-z]+", escape)
        return "\n" + _OF_TABLE.get(tag[0][1:].lower() if tag else "", "")
    return ""
