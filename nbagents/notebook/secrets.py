"""Finding keys in what is about to be given away, and taking them out."""

from __future__ import annotations

import base64
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from nbagents._optional import require
from nbagents.errors import known_secrets
from nbagents.notebook.seen import Seen, Span, joined, seen_of

__all__ = ["MARK", "Cleaner"]

MARK = "[redacted]"
_SHORTEST = 8
_DEEPEST = 4
"""So often JSON may be in the strings of JSON: a tool's arguments, in a document, in a file."""
_WIDEST = 500
_LONGEST_NAME = 40
_SHORTEST_WORD = 4
_OFTEN = 200
"""So many values that were found in one place are looked for in all others."""
_NAMED = "a value named like a key"
_AUTHORIZED = "an authorization header"
_OF_VARIABLE = "the value of an environment variable"
_ELSEWHERE = "a key that stands elsewhere, too"

_DATA_URI = re.compile(
    r"(?P<head>data:(?P<mime>[\w.+-]+/[\w.+-]+)?(?:;[\w.=+-]+)*,)(?P<body>[^\s\"'<>)\\]*)",
    re.IGNORECASE,
)
_BASE64 = re.compile(r"[A-Za-z0-9+/]{100,}={0,2}")
_TEXT_TYPE = re.compile(r"text/|image/svg|application/.*(?:json|xml|javascript)|^$", re.IGNORECASE)

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
    r"(?:pass(?:word|wd|phrase)|(?<![A-Za-z])pass|_pass|pwd|(?<![A-Za-z])pw|secret|credential|(?:api|access|account|auth|private|secret)"
    r"[_ -]?key|(?<!next[_-])(?<!page[_-])(?<!sync[_-])(?<!cursor[_-])token|(?-i:(?<!PRIMARY)(?<!FOREIGN)(?<!CACHE)(?<!PARTITION)(?<!SORT)_KEY))"
)
_AUTH = r"(?<![A-Za-z])o?auth(?:orization)?"
_SECRET_NAME = re.compile(rf"{_NAME}s?$", re.IGNORECASE)
_TELLING = re.compile(rf"{_NAME}|{_AUTH}", re.IGNORECASE)
_HEAD = re.compile(rf"(?:[\w.-]+ ){{0,2}}[\w.-]*?(?:{_NAME}s?|{_AUTH})", re.IGNORECASE)
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


def _is_secret(value: str) -> bool:
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
    return _is_secret(value) and len(_CHANGE.findall(value)) >= 2


def _is_login(value: str) -> bool:
    """Tell whether it is what follows `Basic`: a name and a password in base64."""
    if len(value) >= 16 and _is_secret(value):
        return True
    try:
        return bool(_LOGIN.fullmatch(base64.b64decode(value, validate=True).decode()))
    except ValueError:
        return False


def _is_certain(value: str) -> bool:
    return bool(value)


def _is_mixed(value: str) -> bool:
    """Tell a key from a name such as `pk_orders_2024_line_items_archive`."""
    return len(_CHANGE.findall(value)) >= 2


_SHAPES = (
    (_NAMED, re.compile(rf"{_NAME}{_IS}{_VALUE}", re.IGNORECASE), _is_secret),
    (_NAMED, re.compile(rf"-[\w-]{{0,20}}{_NAME}s?[ =]{_VALUE}", re.IGNORECASE), _is_random),
    (_AUTHORIZED, _AUTH_SHAPE, _is_random),
    (
        _AUTHORIZED,
        re.compile(r"\b(?:bearer|basic)\s+(?P<secret>[A-Za-z0-9._~+/-]{8,}=*)", re.IGNORECASE),
        _is_login,
    ),
    (
        "an API key",
        re.compile(
            r"(?<![A-Za-z0-9_-])(?P<secret>(?:sk|rk|pk)[-_](?:[a-z0-9]{2,8}[-_]){0,3}"
            r"(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{24,})"
        ),
        _is_mixed,
    ),
    (
        "an AWS access key id",
        re.compile(r"\b(?P<secret>(?:AKIA|ASIA)[A-Z2-7]{16})\b(?<!EXAMPLE)"),
        _is_certain,
    ),
)


def _forms(value: str) -> Iterator[str]:
    """Write a value as addresses, literals and JSON hold it."""
    yield value
    yield quote(value)
    yield quote(value, safe="")
    yield quote_plus(value)
    yield repr(value)[1:-1]
    yield json.dumps(value)[1:-1]


def _variables() -> set[str]:
    """Return the values of the environment variables whose names say that they are secret."""
    values = known_secrets(_SHORTEST_WORD)
    return {value for value in values if len(value) >= _SHORTEST or not _PLACEHOLDER.match(value)}


@cache
def _scanner() -> Callable[[bytes], Any]:
    """Load Kingfisher's rules: MongoDB keeps them, and those of Betterleaks and Veles are in them.

    Nothing is asked of any server: that would be its `Validator`. The compiled rules are kept in
    the user's cache folder, as compiling them takes seconds.
    """
    kingfisher = require("kingfisher_sdk", "share")
    return kingfisher.Scanner(kingfisher.Rules(), base64=False).scan


def _detected(text: str) -> Iterator[Span]:
    encoded = text.encode("utf-8", "replace")
    findings = [
        (finding.location["start_offset"], finding.location["end_offset"], finding.rule_id)
        for finding in _scanner()(encoded)
        if finding.visible and not _PLACEHOLDER.match(finding.secret)
    ]
    places, last, length = {}, 0, 0
    for at in sorted({end for finding in findings for end in finding[:2]}):
        length += len(encoded[last:at].decode("utf-8", "ignore"))
        places[at], last = length, at
    for start, end, rule in findings:
        yield Span(places[start], places[end], re.split(r"[./]", rule)[-1].replace("-", " "))


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
    if not _TELLING.search(text):
        return
    heads: set[int] = set()
    is_below = False
    for row in _rows(text):
        names: set[int] = set()
        before, count = "", 0
        for low, high, start, end in row:
            cell = text[start:end].strip() if end - start <= _WIDEST else ""
            if not re.search(r"[^\W_]", cell):
                continue
            if _HEAD.fullmatch(before) or ({low, high} & heads and len(cell.split()) == 1):
                for word in _WORD.finditer(text, start, end):
                    if _is_random(word[0]):
                        yield Span(*word.span(), _NAMED)
            before = cell.strip(_DRESS) if len(cell) <= _LONGEST_NAME else ""
            count += 1
            if _HEAD.fullmatch(before):
                names |= {low, high}
        if not row:
            heads, is_below = set(), False
        elif count and not is_below:
            heads, is_below = names or heads - {0}, count > 1


def _without_uris(text: str) -> str:
    """Blank what is a file: base64 of a picture holds anything by chance."""
    return _DATA_URI.sub(lambda match: " " * len(match[0]), text)


class Cleaner:
    """Finds keys in text, HTML and JSON, and gives it all back with a mark in place of each.

    What is read is what a reader gets: JSON strings and `data:` URIs of text are decoded, and tags,
    entities, colours and escapes in the middle of a key do not hide it. Pictures are not read.
    Hashes and ids are not guessed at: how random a value looks counts only where a name says that
    it is a key. `found` says what kind each secret was of, and never the secret; `values` are those
    that are keys wherever they stand. Give them to another cleaner as `known`, and it finds them
    where nothing says so.

    Raises `UserError` when the detector, which the extra `share` brings, is missing.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self.found: list[str] = []
        self.values: set[str] = set()
        forms = {form for value in _variables() for form in _forms(value)}
        self._variables = sorted(form for form in forms if len(form) >= _SHORTEST)
        self._words = sorted(forms.difference(self._variables))
        self._known = sorted(known)[:_OFTEN]

    def text(self, text: str, *, short: bool = True) -> str:
        """Clean text, source code or HTML.

        Without `short`, values of variables are left that are no longer than the words of markup.
        """
        if len(text) < _SHORTEST_WORD:
            return text
        text = _DATA_URI.sub(self._uri, text)
        layers = [Seen.whole(_without_uris(text))]
        for depth in range(_DEEPEST + 1):
            spans = self._spans(layers[-1].text, short=short)
            if spans:
                for layer in reversed(layers):
                    spans = [part for span in spans for part in layer.under(span)]
                text = self._without(text, spans)
                layers = [Seen.whole(_without_uris(text))]
                for _ in range(depth):
                    layers.append(seen_of(layers[-1].text))
            layers.append(seen_of(layers[-1].text))
            if layers[-1].text == layers[-2].text:
                break
        return text

    def json(self, value: Any, name: str = "") -> Any:
        """Clean a JSON value; `name` is its name in what it is part of."""
        if isinstance(value, dict):
            return {
                self.text(key, short=False): self.json(item, key) for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.json(item, name) for item in value]
        if not isinstance(value, str):
            return value
        cleaned = self.text(value)
        if cleaned != value or len(value) > _WIDEST:
            return cleaned
        scheme, _, word = value.rpartition(" ")
        is_header = _AUTH_NAME.search(name) and " " not in scheme and _is_random(word)
        if is_header or (_SECRET_NAME.search(name) and _is_secret(value)):
            self.found.append(_NAMED)
            self._keep(word)
            return MARK
        return cleaned

    def bundle(self, data: dict[str, Any], *, encoded: bool = False) -> dict[str, Any]:
        """Clean what is held by MIME type; of an attachment, `encoded` in base64."""

        def cleaned(mime: str, value: Any) -> Any:
            if not isinstance(value, str):
                return self.json(value)
            is_text = _TEXT_TYPE.match(mime) and not encoded
            return self.text(value) if is_text else self._base64(value)

        return {self.text(mime, short=False): cleaned(mime, value) for mime, value in data.items()}

    def _spans(self, text: str, *, short: bool) -> list[Span]:
        spans = [*self._found(text, short=short)]
        if whole := joined(text):
            found = self._found(whole.text, short=short)
            spans += [part for span in found for part in whole.under(span)]
        merged: list[Span] = []
        for span in sorted(spans, key=lambda span: (span.start, -span.end)):
            if merged and span.start < merged[-1].end:
                last = merged.pop()
                what = last.what or span.what
                merged.append(Span(last.start, max(last.end, span.end), what))
            else:
                merged.append(span)
        return merged

    def _found(self, text: str, *, short: bool) -> Iterator[Span]:
        for value in self._variables:
            if value in text:
                for match in re.finditer(re.escape(value), text):
                    yield Span(*match.span(), _OF_VARIABLE)
        named = (
            Span(*match.span("secret"), what)
            for what, shape, is_key in _SHAPES
            for match in shape.finditer(text)
            if is_key(match["secret"])
        )
        for span in itertools.chain(_detected(text), named, _in_tables(text)):
            self._keep(text[span.start : span.end])
            yield span
        words = [(value, _OF_VARIABLE) for value in self._words if short]
        for value, what in words + [(value, _ELSEWHERE) for value in self._known]:
            if value in text:
                for match in re.finditer(rf"(?<!\w){re.escape(value)}(?!\w)", text):
                    yield Span(*match.span(), what)

    def _keep(self, value: str) -> None:
        if len(value) <= _WIDEST and _is_secret(value):
            self.values.add(value)

    def _without(self, text: str, spans: Iterable[Span]) -> str:
        parts: list[str] = []
        last = 0
        for span in sorted(spans, key=lambda span: span.start):
            parts += [text[last : span.start], MARK if span.what else ""]
            last = max(last, span.end)
            if span.what:
                self.found.append(span.what)
        return "".join([*parts, text[last:]])

    def _uri(self, match: re.Match[str]) -> str:
        head, mime, body = match["head"], match["mime"] or "", match["body"]
        if not _TEXT_TYPE.match(mime):
            return match[0]
        if head.lower().endswith(";base64,"):
            return head + self._base64(body)
        text = unquote(body)
        cleaned = self.text(text)
        return match[0] if cleaned == text else head + quote(cleaned)

    def _base64(self, body: str) -> str:
        packed = "".join(unquote(body).split())
        try:
            text = base64.b64decode(packed, validate=True).decode()
        except ValueError:  # It is no base64, or no text.
            text = ""
        cleaned = self.text(text)
        if cleaned != text:
            return base64.b64encode(cleaned.encode()).decode()
        return body if _BASE64.fullmatch(packed) else self.text(body)
