"""What looks like a key: a value beside a telling name, in code, in a header, in a table."""

from __future__ import annotations

import base64
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nbagents.notebook.seen import Span

__all__ = ["NAMED", "is_named", "is_placeholder", "is_secret", "keys_in"]

NAMED = "a value named like a key"
_AUTHORIZED = "an authorization header"
_SHORTEST = 8
_WIDEST = 500
_LONGEST_NAME = 40

_HTML_ROW = re.compile("\x1e[^\x1d\x1e]*|\x1d")
_HTML_CELL = re.compile("\x1f[^\x1f]*")
_BAR = re.compile(r"[|\u2502\u2503\u2551\t]|,(?=\S)")
_PHRASE = re.compile(r"[^\s|]+(?: [^\s|]+)*")

_VALUE = r"(?P<secret>(?:(?!&(?:amp;)?[\w.%-]{1,40}=)[^\s\"'`<>,;(){}\[\]\\]){8,})"
# Code may give it a type first, compare it, or give it to a function.
_IS = (
    r"[\"'`*]{0,3}\]?\s*(?::\s*[A-Za-z][\w.]{0,30}(?:\s*\|\s*None)?\s*=|:=|={1,2}|!=|=>|->|:"
    r"|,\s*(?=[\"'])|(?:Str)?\((?=[rbfu\"']))\*{0,2}\s*(?:[rbfu]{1,2}(?=[\"']))?[\"'`]?"
)
_NAME = (
    r"(?:pass(?:word|wd|phrase)|(?<![A-Za-z])pass|pwd|(?<![A-Za-z])pw|secret|credential|(?:api|access|account|auth|encryption|master|private|secret|signing|subscription)"
    r"[_ -]?key|(?<!next[_-])(?<!page[_-])(?<!sync[_-])(?<!cursor[_-])token|(?-i:(?<!PRIMARY)(?<!FOREIGN)(?<!CACHE)(?<!PARTITION)(?<!SORT)_KEY))"
)
_AUTH = r"(?:(?<![A-Za-z])|(?<=(?<![A-Za-z])o))auth(?:orization)?"
# With what each shape begins, in small letters: looking for that first is ten times as fast.
_STEM = re.compile(
    r"pass|pwd?|secret|credential|token|_key|auth|bearer|basic|[srp]k[_-]|akia|asia"
    r"|(?:api|access|account|encryption|master|private|signing|subscription)[_ -]?key"
)
_SECRET_NAME = re.compile(rf"{_NAME}s?$", re.IGNORECASE)
_HEAD = re.compile(rf"(?:[\w.-]+ ){{0,2}}[\w.-]*?(?:{_NAME}s?|{_AUTH})", re.IGNORECASE)
_SERIES = re.compile(r"^Name: (?P<name>[^,\n]{1,40}),.* dtype: ", re.MULTILINE)
_DRESS = "*`'\": "
_WORD = re.compile(r"[^\s\"'`*<>,;(){}\[\]\\|]{8,}")
_AUTH_NAME = re.compile(rf"{_AUTH}$", re.IGNORECASE)
_AUTH_SHAPE = re.compile(rf"{_AUTH}{_IS}(?:[A-Za-z][\w-]{{0,20}}\s+)?{_VALUE}", re.IGNORECASE)
_LOGIN = re.compile(r"[ -~]*:[ -~]+")
# Where the kind of a character changes; a word with one capital is of one kind.
_CHANGE = re.compile(r"(?<=[a-z])(?=[0-9A-Z])|(?<=[A-Z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")
_PLACEHOLDER = re.compile(
    r"(?:your|my|the|some|an?|put|insert|change|example|sample|dummy|fake|test|redacted)(?:[_.-]|$)"
    r"|pass(?:word|wd)?\d{0,4}$|(?:true|false|none|null|auto|secret)$|hunter2$|(.)\1+$|.*(?:\.\.\.|\u2026|\*\*\*|xxx|example|placeholder)",
    re.IGNORECASE,
)
_REFERENCE = re.compile(
    r"[$%].*|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\d{4}-\d\d-\d\d[T\d:.+Z-]*|[a-z][a-z0-9+.-]*://.*|(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*|[~.]?/.*|[\w-]+\.\w{2,5}"
)


def is_secret(value: str) -> bool:
    """Tell keys from words, places and stand-ins; asked only where a name says "key"."""
    if " " in value or len(value) < _SHORTEST:
        return False
    if _PLACEHOLDER.match(value) or _REFERENCE.fullmatch(value):
        return False
    if not (re.search(r"[0-9]", value) and re.search(r"[A-Za-z]", value)):
        return False
    shares = [count / len(value) for count in Counter(value).values()]
    entropy = -sum(share * math.log2(share) for share in shares)
    return entropy >= min(3.0, 0.85 * math.log2(len(value)))


def _is_random(value: str) -> bool:
    """Tell keys from words with numbers; asked where it is not sure that the name is a name."""
    return is_secret(value) and len(_CHANGE.findall(value)) >= 2


def _is_login(value: str) -> bool:
    """Tell whether it is what follows `Basic`: a name and a password in base64."""
    if len(value) >= 16 and is_secret(value):
        return True
    try:
        return bool(_LOGIN.fullmatch(base64.b64decode(value, validate=True).decode()))
    except ValueError:
        return False


def _is_mixed(value: str) -> bool:
    """Tell a key from a name such as `pk_orders_2024_line_items_archive`."""
    return len(_CHANGE.findall(value)) >= 2


@dataclass(frozen=True, slots=True)
class _Shape:
    """A way to write a key; what matches begins with a stem."""

    what: str
    form: re.Pattern[str]
    is_key: Callable[[str], bool]
    before: re.Pattern[str] | None = None
    """What must stand before the stem, in the same word."""

    def at(self, start: int, text: str) -> Span | None:
        """Find the key of a text that is written so from `start` on."""
        match = self.form.match(text, start)
        if match is None or not self.is_key(match["secret"]):
            return None
        if self.before and not self.before.search(text[max(0, start - _LONGEST_NAME) : start]):
            return None
        return Span(*match.span("secret"), self.what)


_LISTED = rf"{_NAME}s?[\"']?\s*,?\s*[\"']?value[\"']?\s*[:=]\s*[\"']?{_VALUE}"
_SHAPES = (
    _Shape(NAMED, re.compile(rf"{_NAME}{_IS}{_VALUE}", re.IGNORECASE), is_secret),
    _Shape(
        NAMED,
        re.compile(rf"{_NAME}s?[ =]{_VALUE}", re.IGNORECASE),
        _is_random,
        before=re.compile(r"-[\w-]{0,20}\Z"),
    ),
    _Shape(NAMED, re.compile(rf"{_NAME}>\s*{_VALUE}", re.IGNORECASE), is_secret),  # XML
    _Shape(NAMED, re.compile(_LISTED, re.IGNORECASE), is_secret),
    _Shape(_AUTHORIZED, _AUTH_SHAPE, _is_random),
    _Shape(
        _AUTHORIZED,
        re.compile(r"\b(?:bearer|basic)\s+(?P<secret>[A-Za-z0-9._~+/-]{8,}=*)", re.IGNORECASE),
        _is_login,
    ),
    _Shape(
        "an API key",
        re.compile(
            r"(?<![A-Za-z0-9_-])(?P<secret>(?:sk|rk|pk)[-_](?:[a-z0-9]{2,8}[-_]){0,3}"
            r"(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{24,})"
        ),
        _is_mixed,
    ),
    _Shape(
        "an AWS access key id",
        re.compile(r"\b(?P<secret>(?:AKIA|ASIA)[A-Z2-7]{16})\b(?<!EXAMPLE)"),
        bool,
    ),
)


def is_named(name: str, value: str) -> bool:
    """Tell whether a value is a key because its name says so."""
    scheme, _, word = value.rpartition(" ")
    is_header = _AUTH_NAME.search(name) and " " not in scheme and _is_random(word)
    return bool(is_header or (_SECRET_NAME.search(name) and is_secret(value)))


def is_placeholder(value: str) -> bool:
    """Tell whether a value only stands for a key that somebody will write there."""
    return bool(_PLACEHOLDER.match(value))


def keys_in(text: str) -> Iterator[Span]:
    """Find values that are written as keys are, or that a name beside them tells to be keys."""
    small = text.lower()
    if len(small) != len(text):  # A few letters become two.
        small = "".join(letter if len(letter.lower()) > 1 else letter.lower() for letter in text)
    starts = [stem.start() for stem in _STEM.finditer(small)]
    for start in starts:
        for shape in _SHAPES:
            if span := shape.at(start, text):
                yield span
    if starts:
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
                    if _is_random(word[0]):
                        yield Span(*word.span(), NAMED)
            is_head = len(cell) <= _LONGEST_NAME and bool(_HEAD.fullmatch(cell.strip(_DRESS)))
            count += 1
            if is_head:
                names |= {low, high}
        if not row:
            heads, is_below = set(), False
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
                if _is_random(word[0]):
                    yield Span(*word.span(), NAMED)
