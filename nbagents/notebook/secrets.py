"""Finding keys in what is about to be given away, and taking them out."""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from nbagents._optional import require
from nbagents.errors import known_secrets
from nbagents.notebook.keys import NAMED, is_named, is_placeholder, is_secret, keys_in
from nbagents.notebook.seen import Seen, Span, joined, seen_of

__all__ = ["MARK", "Cleaner"]

MARK = "[redacted]"
_SHORTEST = 8
_DEEPEST = 4
"""So often JSON may be in the strings of JSON: a tool's arguments, in a document, in a file."""
_WIDEST = 500
_SHORTEST_WORD = 4
_OFTEN = 200
"""So many values that were found in one place are looked for in all others."""
_OF_VARIABLE = "the value of an environment variable"
_ELSEWHERE = "a key that stands elsewhere, too"

_DATA_URI = re.compile(
    r"(?P<head>data:(?P<mime>[\w.+-]+/[\w.+-]+)?(?:;[\w.=+-]+)*,)(?P<body>[^\s\"'<>)\\]*)",
    re.IGNORECASE,
)
_BASE64 = re.compile(r"[A-Za-z0-9+/]{100,}={0,2}")
_TEXT_TYPE = re.compile(r"text/|image/svg|application/.*(?:json|xml|javascript)|^$", re.IGNORECASE)


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
    return {value for value in values if len(value) >= _SHORTEST or not is_placeholder(value)}


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
        if finding.visible and not is_placeholder(finding.secret)
    ]
    places, last, length = {}, 0, 0
    for at in sorted({end for finding in findings for end in finding[:2]}):
        length += len(encoded[last:at].decode("utf-8", "ignore"))
        places[at], last = length, at
    for start, end, rule in findings:
        yield Span(places[start], places[end], re.split(r"[./]", rule)[-1].replace("-", " "))


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
            told = value.get("name", value.get("key"))  # {"name": "API_KEY", "value": "..."}
            names = {"value": told} if isinstance(told, str) else {}
            return {
                self.text(key, short=False): self.json(item, names.get(key, key))
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.json(item, name) for item in value]
        if not isinstance(value, str):
            return value
        cleaned = self.text(value)
        if cleaned != value or len(value) > _WIDEST:
            return cleaned
        if is_named(name, value):
            self.found.append(NAMED)
            self._keep(value.rpartition(" ")[2])
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
        for span in itertools.chain(_detected(text), keys_in(text)):
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
