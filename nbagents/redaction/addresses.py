"""Passwords and tokens in URLs: before the host, and in the query."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from urllib.parse import parse_qsl, unquote, urlsplit

from nbagents.redaction.named import is_named, is_random
from nbagents.redaction.placeholders import is_stand_in
from nbagents.redaction.seen import Span

__all__ = ["secrets_in_url", "url_keys"]

_PASSWORD = "a password in a URL"  # noqa: S105 - what it is, and none itself
_USER = r"(?<=://)[^\s:/?#@\"'`<>\\]{0,100}:"
_HOST = r"@[^\s/@\"'`<>]"
# Unquoted, against the standard, a password may have `@`, `/`, `?` and `#`; on the web, where these
# are common in paths, only if it has to. What looks like a port and a path is no password.
_USERINFO = (
    re.compile(rf"{_USER}(?P<password>[^\s/?#\"'`<>\\]{{1,300}}(?=@)){_HOST}"),
    re.compile(
        rf"(?<!http://)(?<!https://){_USER}"
        rf"(?P<password>(?![0-9]{{1,5}}[/?#])[^\s\"'`<>\\]{{1,300}}(?=@)){_HOST}"
    ),
    re.compile(rf"{_USER}(?P<password>(?![0-9]{{1,5}}[/?#])[^\s@\"'`<>\\]{{1,300}}(?=@)){_HOST}"),
)
_TOKEN = re.compile(r"(?<=://)(?P<token>[^\s:/?#@\"'`<>\\]{8,300})@[^\s/@\"'`<>]")
_SIGNATURE = re.compile(
    r"(?<=[?&;])(?:sig|X-Amz-Signature|X-Goog-Signature|Signature)=(?P<token>[A-Za-z0-9%+/_~-]{32,}=*)"
)
_SECRET_PARAMETERS = {"access", "auth", "code", "key", "sig", "signature"}


def url_keys(text: str) -> Iterator[Span]:
    """Find passwords, and tokens that stand alone before a host or sign an address."""
    if "://" in text:
        for match in chain.from_iterable(form.finditer(text) for form in _USERINFO):
            if not is_stand_in(match["password"]):
                yield Span(*match.span("password"), _PASSWORD)
        for match in _TOKEN.finditer(text):
            if is_random(match["token"]):
                yield Span(*match.span("token"), "a token in a URL")
    for match in _SIGNATURE.finditer(text):
        yield Span(*match.span("token"), "the signature of a URL")


def secrets_in_url(url: str) -> list[str]:
    """Return what is secret in an address that a program was given, such as a base URL."""
    try:
        parts = urlsplit(url)
    except ValueError:  # Whoever uses it says so.
        return []
    found = [parts.password or (parts.username if is_random(parts.username or "") else None)]
    found += [
        value
        for name, value in parse_qsl(parts.query)
        if name.lower() in _SECRET_PARAMETERS or is_named(name, value) or is_random(value)
    ]
    return [form for value in found if value for form in {value, unquote(value)}]
