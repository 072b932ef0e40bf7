"""Finding keys in whatever form they have, and putting a mark in their place."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, cast
from urllib.parse import quote, quote_plus, unquote

from pydantic_core import from_json, to_json

from nbagents.redaction.addresses import url_keys
from nbagents.redaction.hints import may_hold_secret
from nbagents.redaction.known import MARK, SHORTEST_SECRET, known_secrets
from nbagents.redaction.named import NAMED, has_name, is_named, is_secret, named_keys
from nbagents.redaction.placeholders import is_placeholder
from nbagents.redaction.seen import Seen, Span, decoded, joined, seen_of
from nbagents.redaction.tables import table_keys
from nbagents.redaction.vendors import aws_secrets, vendor_keys

__all__ = ["Cleaner"]

_DEEPEST = 4
"""So often JSON may be in the strings of JSON: a tool's arguments, in a document, in a file."""
_WIDEST = 500
_SHORTEST_WORD = 4
_MIXED = re.compile(r"[A-Za-z].*[^A-Za-z]|[^A-Za-z].*[A-Za-z]")
"""A short value counts if it is no plain word or number, which would be found everywhere."""
_OFTEN = 200
"""So many values that were found in one place are looked for in all others."""
_OF_VARIABLE = "the value of an environment variable"
_ELSEWHERE = "a key that also appears elsewhere"

_DATA_URI = re.compile(
    r"(?P<head>data:(?P<mime>[\w.+-]+/[\w.+-]+)?(?:;[\w.=+-]+)*,)(?P<body>[^\s\"'<>)\\]*)",
    re.IGNORECASE,
)
_TAGGED = re.compile(r"<[A-Za-z!/]|&(?:lt|#[xX0-9])|\\u003[cC]")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{100,}={0,2}")
_PACKED = re.compile(r"[A-Za-z0-9+/_=-]{2000,}")
"""Bytes, which hold anything by chance."""
_TEXT_TYPE = re.compile(r"text/|image/svg|application/.*(?:json|xml|javascript)|^$", re.IGNORECASE)


def _forms(value: str) -> Iterator[str]:
    """Write a value as addresses, literals and JSON hold it."""
    yield value
    yield quote(value)
    yield quote(value, safe="")
    yield quote_plus(value)
    yield repr(value)[1:-1]
    yield json.dumps(value)[1:-1]


@lru_cache(8)
def _looked_for(secrets: frozenset[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Write secrets in all their forms; short ones, which are looked for as words, come second."""
    values = (
        value
        for value in secrets
        if len(value) >= SHORTEST_SECRET or (_MIXED.search(value) and not is_placeholder(value))
    )
    forms = {form for value in values for form in _forms(value)}
    long = {form for form in forms if len(form) >= SHORTEST_SECRET}
    return tuple(sorted(long, key=len, reverse=True)), tuple(sorted(forms - long))


def _detected(text: str) -> Iterator[Span]:
    yield from vendor_keys(text)
    yield from url_keys(text)
    if has_name(text):
        yield from named_keys(text)
        if "\\n" not in text:  # Else its lines are seen when its escapes are decoded.
            yield from table_keys(text)


def _without_uris(text: str) -> str:
    """Blank what is a file: base64 of a picture holds anything by chance."""
    return _DATA_URI.sub(lambda match: " " * len(match[0]), text)


def _layers(text: str, reading: Callable[[str], Seen]) -> list[Seen]:
    """Return text as it is, and as it is read once, twice, and so on until it stays the same."""
    layers = [Seen.whole(_without_uris(text))]
    while len(layers) <= _DEEPEST + 1:
        layers.append(reading(layers[-1].text))
        if layers[-1].text == layers[-2].text:
            return layers[:-1]
    return layers[:-1]


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Sort spans, and join those that overlap."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if merged and span.start < merged[-1].end:
            last = merged.pop()
            merged.append(Span(last.start, max(last.end, span.end), last.what or span.what))
        else:
            merged.append(span)
    return merged


class Cleaner:
    """Finds keys in text, HTML and JSON, and returns them with a mark in place of each key.

    Text is searched as a reader sees it: JSON strings and `data:` URIs of text are decoded, and
    tags, entities, colors and escapes in the middle of a key do not hide it. Pictures are not
    searched. How random a value looks counts only where a name says that it is a key, so hashes and
    IDs stay. `found` lists the kinds of the keys, never the keys; `values` are those that are keys
    wherever they appear. Pass them to another cleaner as `known`, and it finds them where no name
    gives them away.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self.found: list[str] = []
        self.values: set[str] = set()
        self._variables, self._words = _looked_for(frozenset(known_secrets(_SHORTEST_WORD)))
        self._known = sorted(known)[:_OFTEN]

    def suspects(self, text: str) -> bool:
        """Tell quickly whether a text, or JSON, may have a key in it; nearly all have none."""
        literal = (*self._variables, *self._words, *self._known)
        return any(value in text for value in literal) or may_hold_secret(text)

    def text(self, text: str, *, short: bool = True) -> str:
        """Clean text, source code or HTML.

        Without `short`, values of variables are left that are no longer than the words of markup.
        """
        if len(text) < _SHORTEST_WORD:
            return text
        text = self._read(_DATA_URI.sub(self._uri, text), seen_of, short=short)
        return self._read(text, decoded, short=short) if _TAGGED.search(text) else text

    def _read(self, text: str, reading: Callable[[str], Seen], *, short: bool) -> str:
        """Clean text as it is, and as it is read in one way, layer by layer.

        All layers are searched before anything is taken out: where one layer shows half of a key,
        another one may show all of it. What was found may give more away.
        """
        for _ in range(_DEEPEST + 1):
            layers = _layers(text, reading)
            found: list[Span] = []
            for depth, layer in enumerate(layers):
                spans = self._spans(layer.text, short=short)
                for above in reversed(layers[: depth + 1]):
                    spans = [part for span in spans for part in above.under(span)]
                found += spans
            if not found:
                break
            text = self._without(text, _merged(found))
        return text

    def encoded(self, text: bytes) -> bytes:
        """Clean encoded JSON; it is returned as it is when there is no key in it."""
        told = text.decode()
        # A file has to be decoded, and its bytes need no quick look.
        if not ('"type":"file"' in told or self.suspects(told)):
            return text
        found = len(self.found)
        value = self.json(from_json(text))
        return text if len(self.found) == found else to_json(value)

    def json(self, value: Any, name: str = "") -> Any:
        """Clean a JSON value; `name` is its name in what it is part of."""
        if isinstance(value, dict):
            return self._object(cast("dict[str, Any]", value))
        if isinstance(value, (list, tuple)):
            items = cast("list[Any]", value)
            self._beside(items)
            return [self.json(item, name) for item in items]
        return self._string(value, name) if isinstance(value, str) else value

    def _object(self, value: dict[str, Any]) -> dict[str, Any]:
        self._beside(value.values())
        told = value.get("name", value.get("key"))  # {"name": "API_KEY", "value": "..."}
        names = {"value": told} if isinstance(told, str) else {}
        is_file = value.get("type") == "file"
        return {
            self.text(key, short=False): (
                self._file(item)
                if is_file and key == "data" and isinstance(item, str)
                else self.json(item, names.get(key, key))
            )
            for key, item in value.items()
        }

    def _string(self, value: str, name: str) -> str:
        if _PACKED.fullmatch(value):
            return value
        cleaned = self.text(value)
        if cleaned == value and len(value) <= _WIDEST and is_named(name, value):
            self.found.append(NAMED)
            self._keep(value.rpartition(" ")[2])
            return MARK
        return cleaned

    def _beside(self, values: Iterable[Any]) -> None:
        """Know the AWS secrets that are values of their own beside their ids."""
        line = "\n".join(value for value in values if isinstance(value, str) and len(value) <= 128)
        self._known += [line[span.start : span.end] for span in aws_secrets(line)]

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
        return _merged(spans)

    def _found(self, text: str, *, short: bool) -> Iterator[Span]:
        for value in self._variables:
            if value in text:
                for match in re.finditer(re.escape(value), text):
                    yield Span(*match.span(), _OF_VARIABLE)
        for span in _detected(text):
            self._keep(text[span.start : span.end])
            yield span
        words = [(value, _OF_VARIABLE) for value in self._words if short]
        for value, what in words + [(value, _ELSEWHERE) for value in self._known]:
            if value in text:
                for match in re.finditer(rf"(?<!\w){re.escape(value)}(?!\w)", text):
                    yield Span(*match.span(), what)

    def _keep(self, value: str) -> None:
        if len(value) <= _WIDEST and is_secret(value):
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

    def _file(self, data: str) -> str:
        """Clean the bytes of a message's file if they are text, such as `.env`."""
        try:
            text = base64.urlsafe_b64decode(data).decode()
        except ValueError:
            return data
        cleaned = self.text(text)
        return data if cleaned == text else base64.urlsafe_b64encode(cleaned.encode()).decode()
