"""Finding keys in what is about to be given away, and taking them out."""

from __future__ import annotations

import base64
import bisect
import html
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from nbagents._optional import require
from nbagents.errors import known_secrets

__all__ = ["MARK", "Cleaner"]

MARK = "[redacted]"
_SHORTEST = 8
_DEEPEST = 4
"""So often JSON may be in the strings of JSON: a tool's arguments, in a document, in a file."""
_NAMED = "a value named like a key"

# What a reader does not see: it may stand between the halves of a key, or for one of its letters.
_ESCAPE = (
    r"\x1b\[[0-9;?]*[A-Za-z]|[\u00ad\u200b-\u200d\u2060\ufeff]"
    r"|</?[A-Za-z][^<>]*>|<!--(?:(?!<!--|-->).)*-->"
    r"|&(?:\#[0-9]{1,7}|\#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"
    r"|\\(?:[nrtbf\"\\/]|u[0-9A-Fa-f]{4})"
)
_UNSEEN = re.compile(_ESCAPE, re.DOTALL)
_INLINE = re.compile(
    r"</?(?:a|abbr|b|bdi|bdo|big|cite|code|del|dfn|em|font|i|ins|kbd|mark|q|s|samp|small|span"
    r"|strike|strong|sub|sup|tt|u|var|wbr)\b",
    re.IGNORECASE,
)
_DATA_URI = re.compile(
    r"(?P<head>data:(?P<mime>[\w.+-]+/[\w.+-]+)?(?:;[\w.=+-]+)*,)(?P<body>[^\s\"'<>)\\]*)",
    re.IGNORECASE,
)
_TEXT_TYPE = re.compile(r"text/|image/svg|application/.*(?:json|xml|javascript)|^$", re.IGNORECASE)

_VALUE = r"(?P<secret>[^\s\"'`<>,;(){}\[\]\\]{8,})"
_NAME = (
    r"(?:pass(?:word|wd|phrase)|(?<![A-Za-z])pass|_pass|pwd|(?<![A-Za-z])pw|secret|credential|(?:api|access|account|auth|private|secret)"
    r"[_-]?key|(?<!next[_-])(?<!page[_-])(?<!sync[_-])(?<!cursor[_-])token|(?-i:_KEY))"
)
_SECRET_NAME = re.compile(rf"{_NAME}s?$", re.IGNORECASE)
_SHAPES = {
    _NAMED: re.compile(
        rf"{_NAME}[\"']?\]?\s*(?::=|=|:|,\s*(?=[\"']))\s*[\"']?{_VALUE}", re.IGNORECASE
    ),
    "an authorization header": re.compile(
        r"\b(?:bearer|basic)\s+(?P<secret>[A-Za-z0-9._~+/-]{16,}=*)", re.IGNORECASE
    ),
    "an API key": re.compile(
        r"(?<![A-Za-z0-9_-])(?P<secret>(?:sk|rk|pk)[-_](?:[a-z0-9]{2,8}[-_]){0,3}"
        r"(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{24,})"
    ),
    "an AWS access key id": re.compile(r"\b(?P<secret>(?:AKIA|ASIA)[A-Z2-7]{16})\b(?<!EXAMPLE)"),
}
_CERTAIN = ("an API key", "an AWS access key id")
_PLACEHOLDER = re.compile(
    r"(?:your|my|the|some|an?|put|insert|change|example|sample|dummy|fake|test|redacted)(?:[_.-]|$)"
    r"|pass(?:word|wd)?\d{0,4}$|secret$|hunter2$|(.)\1+$|.*(?:\.\.\.|\u2026|\*\*\*|xxx|example|placeholder)",
    re.IGNORECASE,
)
_REFERENCE = re.compile(
    r"[$%].*|[a-z][a-z0-9+.-]*://.*|(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*|[~.]?/.*|[\w-]+\.\w{2,5}"
)


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int
    what: str


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


def _forms(value: str) -> Iterator[str]:
    """Write a value as addresses, literals and JSON hold it."""
    yield value
    yield quote(value)
    yield quote(value, safe="")
    yield quote_plus(value)
    yield repr(value)[1:-1]
    yield json.dumps(value)[1:-1]


@cache
def _scanner() -> Callable[[bytes], Any]:
    """Load Kingfisher's rules: MongoDB keeps them, and those of Betterleaks and Veles are in them.

    Nothing is asked of any server: that would be its `Validator`. The compiled rules are kept in
    the user's cache folder, as compiling them takes seconds.
    """
    kingfisher = require("kingfisher_sdk", "share")
    return kingfisher.Scanner(kingfisher.Rules(), base64=False).scan


def _found(text: str, known: Iterable[str]) -> Iterator[_Span]:
    for value in known:
        for match in re.finditer(re.escape(value), text):
            yield _Span(*match.span(), "the value of an environment variable")
    encoded = text.encode("utf-8", "replace")
    for finding in _scanner()(encoded):
        if finding.visible and not _PLACEHOLDER.match(finding.secret):
            place = finding.location
            ends = (place["start_offset"], place["end_offset"])
            start, end = (len(encoded[:at].decode("utf-8", "replace")) for at in ends)
            what = re.split(r"[./]", finding.rule_id)[-1].replace("-", " ")
            yield _Span(start, end, what)
    for what, shape in _SHAPES.items():
        for match in shape.finditer(text):
            if what in _CERTAIN or _is_secret(match["secret"]):
                yield _Span(*match.span("secret"), what)


def _without_uris(text: str) -> str:
    """Blank what is a file: base64 of a picture holds anything by chance."""
    return _DATA_URI.sub(lambda match: " " * len(match[0]), text)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a reader sees of HTML, JSON or a coloured stream, and where each piece of it was."""

    text: str
    pieces: list[tuple[int, int, int]]
    """Its place in what is seen, where it begins in the source, where it ends there."""

    @classmethod
    def whole(cls, text: str) -> _Seen:
        """Return text that is seen as it stands."""
        return cls(text, [(0, 0, len(text))])

    def under(self, span: _Span) -> Iterator[_Span]:
        """Find the parts of the source that are seen as this span; what is between them stays."""
        first = bisect.bisect_right(self.pieces, span.start, key=lambda piece: piece[0]) - 1
        for index in range(first, len(self.pieces)):
            at, start, end = self.pieces[index]
            if at >= span.end:
                return
            rest = self.pieces[index + 1 :][:1]
            after = rest[0][0] if rest else len(self.text)
            if after - at == end - start:  # It stands there as it is seen.
                start, end = start + max(0, span.start - at), end - max(0, after - span.end)
            yield _Span(start, end, span.what)


def _seen(text: str) -> _Seen:
    seen: list[str] = []
    pieces: list[tuple[int, int, int]] = []
    length = last = 0

    def add(piece: str, start: int, end: int) -> None:
        nonlocal length
        if piece:
            seen.append(piece)
            pieces.append((length, start, end))
            length += len(piece)

    for match in _UNSEEN.finditer(text):
        add(text[last : match.start()], last, match.start())
        add(_meant(match[0]), match.start(), match.end())
        last = match.end()
    add(text[last:], last, len(text))
    return _Seen("".join(seen), pieces)


def _meant(escape: str) -> str:
    if escape[0] == "&":
        return html.unescape(escape)
    if escape[0] == "\\":
        return str(json.loads(f'"{escape}"'))
    if escape[0] == "<" and not escape.startswith("<!--") and not _INLINE.match(escape):
        return "\n"
    return ""


class Cleaner:
    """Finds keys in text, HTML and JSON, and gives it all back with a mark in place of each.

    What is read is what a reader gets: JSON strings and `data:` URIs of text are decoded, and tags,
    entities, colours and escapes in the middle of a key do not hide it. Pictures are not read.
    Hashes and ids are not guessed at: how random a value looks counts only where a name says that
    it is a key. `found` says what kind each secret was of, and never the secret.

    Raises `UserError` when the detector, which the extra `share` brings, is missing.
    """

    def __init__(self) -> None:
        self.found: list[str] = []
        self._known = {form for value in known_secrets() for form in _forms(value)}

    def text(self, text: str) -> str:
        """Clean text, source code or HTML."""
        if len(text) < _SHORTEST:
            return text
        text = _DATA_URI.sub(self._uri, text)
        layers = [_Seen.whole(_without_uris(text))]
        for depth in range(_DEEPEST + 1):
            secrets = [[span] for span in self._spans(layers[-1].text)]
            if secrets:
                for layer in reversed(layers):
                    secrets = [
                        [part for span in spans for part in layer.under(span)] for spans in secrets
                    ]
                text = self._without(text, secrets)
                layers = [_Seen.whole(_without_uris(text))]
                for _ in range(depth):
                    layers.append(_seen(layers[-1].text))
            layers.append(_seen(layers[-1].text))
            if layers[-1].text == layers[-2].text:
                break
        return text

    def json(self, value: Any, name: str = "") -> Any:
        """Clean a JSON value; `name` is its name in what it is part of."""
        if isinstance(value, dict):
            return {self.text(key): self.json(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [self.json(item, name) for item in value]
        if not isinstance(value, str):
            return value
        cleaned = self.text(value)
        if cleaned == value and _SECRET_NAME.search(name) and _is_secret(value):
            self.found.append(_NAMED)
            return MARK
        return cleaned

    def bundle(self, data: dict[str, Any], *, encoded: bool = False) -> dict[str, Any]:
        """Clean what is held by MIME type; of an attachment, `encoded` in base64."""

        def cleaned(mime: str, value: Any) -> Any:
            if isinstance(value, str) and not _TEXT_TYPE.match(mime):
                return value
            return self._base64(value) if encoded else self.json(value)

        return {mime: cleaned(mime, value) for mime, value in data.items()}

    def _spans(self, text: str) -> list[_Span]:
        spans = sorted(_found(text, self._known), key=lambda span: (span.start, -span.end))
        merged: list[_Span] = []
        for span in spans:
            if merged and span.start < merged[-1].end:
                last = merged.pop()
                merged.append(_Span(last.start, max(last.end, span.end), last.what))
            else:
                merged.append(span)
        return merged

    def _without(self, text: str, secrets: list[list[_Span]]) -> str:
        for pieces in reversed(secrets):
            self.found.append(pieces[0].what)
            for index, piece in reversed(list(enumerate(pieces))):
                text = text[: piece.start] + ("" if index else MARK) + text[piece.end :]
        return text

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
        try:
            text = base64.b64decode(unquote(body)).decode()
        except ValueError:  # It is no base64, or no text.
            return body
        cleaned = self.text(text)
        return body if cleaned == text else base64.b64encode(cleaned.encode()).decode()
