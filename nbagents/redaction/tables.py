"""Keys in tables: beside a telling name, or in a column with one as its head."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nbagents.redaction.named import AUTH, NAME, NAMED, is_random
from nbagents.redaction.seen import Span

__all__ = ["table_keys"]

_WIDEST = 500
_LONGEST_NAME = 40

_HTML_ROW = re.compile("\x1e[^\x1d\x1e]*|\x1d")
_HTML_CELL = re.compile("\x1f[^\x1f]*")
_BAR = re.compile(r"[|\u2502\u2503\u2551\t]|,(?=\S)")
_PHRASE = re.compile(r"[^\s|]+(?: [^\s|]+)*")

_HEAD = re.compile(rf"(?:[\w.-]+ ){{0,2}}[\w.-]*?(?:{NAME}s?|{AUTH})", re.IGNORECASE)
_SERIES = re.compile(r"^Name: (?P<name>[^,\n]{1,40}),.* dtype: ", re.MULTILINE)
_DRESS = "*`'\": "
_WORD = re.compile(r"[^\s\"'`*<>,;(){}\[\]\\|]{8,}")


def table_keys(text: str) -> Iterator[Span]:
    """Find values that a table puts beside or below a telling name, as pandas and Markdown do."""
    yield from _in_tables(text)
    yield from _in_series(text)


def _rows(text: str) -> Iterator[list[tuple[int, int, int, int]]]:
    """Find the rows of tables, first those of HTML; an empty one ends a table.

    Of each cell: the column it begins and ends at, and its place in the text. Columns are counted
    where there is something between them, and measured where there are only blanks.
    """
    for row in _HTML_ROW.finditer(text):
        cells = _HTML_CELL.finditer(text, *row.span())
        yield [(index, index, *cell.span()) for index, cell in enumerate(cells)]
    yield []
    at = 0
    for line in text.split("\n"):
        if bars := [bar.start() for bar in _BAR.finditer(line)]:
            ends = zip([-1, *bars], [*bars, len(line)], strict=True)
            yield [(n, n, at + last + 1, at + end) for n, (last, end) in enumerate(ends)]
        else:
            phrases = [match.span() for match in _PHRASE.finditer(line)]
            yield [(start, -end, at + start, at + end) for start, end in phrases]
        at += len(line) + 1


def _in_tables(text: str) -> Iterator[Span]:
    """Find values that stand beside a telling name, or in a column with one as its head."""
    heads: set[int] = set()
    is_below = False
    for row in _rows(text):
        names: set[int] = set()
        count, is_head, is_labelled = 0, False, False
        for low, high, start, end in row:
            cell = text[start:end].strip() if end - start <= _WIDEST else ""
            if not re.search(r"[^\W_]", cell):
                continue
            is_labelled = is_labelled or (count == 1 and is_head)
            is_named = is_labelled or low in heads or high in heads
            if is_head or (is_named and len(cell.split()) == 1):
                for word in _WORD.finditer(text, start, end):
                    if is_random(word[0]):
                        yield Span(*word.span(), NAMED)
            is_head = len(cell) <= _LONGEST_NAME and bool(_HEAD.fullmatch(cell.strip(_DRESS)))
            count += 1
            if is_head:
                names |= {low, high}
        if not row:
            heads, is_below = set[int](), False
        elif count and not is_below:
            heads, is_below = names or heads - {0}, count > 1


def _in_series(text: str) -> Iterator[Span]:
    """Find values of a column that says its name beneath, as pandas prints one."""
    last = 0
    for series in _SERIES.finditer(text):
        end = series.start()
        start, last = max(last, text.rfind("\n\n", last, end)), series.end()
        if _HEAD.fullmatch(series["name"]):
            for word in _WORD.finditer(text, start, end):
                if is_random(word[0]):
                    yield Span(*word.span(), NAMED)
