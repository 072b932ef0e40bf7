"""Keys that a name beside them gives away, in code, headers and JSON."""

from __future__ import annotations

import base64
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nbagents.redaction.placeholders import is_placeholder, is_stand_in
from nbagents.redaction.seen import Span

__all__ = [
    "AUTH",
    "NAME",
    "NAMED",
    "has_name",
    "is_named",
    "is_random",
    "is_secret",
    "named_keys",
]

NAMED = "a value named like a key"
_AUTHORIZED = "an authorization header"
_SHORTEST = 8
_WIDEST = 200
_LONG = 24
_LONGEST_NAME = 40

# Code that calls a function is no value, unless it is in quotes.
_VALUE = r"(?!(?<![\"'`])[A-Za-z_][\w.]{0,80}\()(?P<secret>(?:(?!&(?:amp;)?[\w.%-]{1,40}=)[^\s\"'`<>,;(){}\[\]\\]){8,})"
# Code may give it a type first, compare it, or give it to a function.
_IS = (
    r"[\"'`*]{0,3}\]?\s*(?::\s*[A-Za-z][\w.]{0,30}(?:\s*\|\s*None)?\s*=|:=|={1,2}|!=|=>|->|:"
    r"|,\s*(?=[\"'])|(?:Str)?\((?=[rbfu\"']))\*{0,2}\s*(?:[rbfu]{1,2}(?=[\"']))?[\"'`]?"
)
NAME = (
    r"(?:pass(?:word|wd|phrase)|(?<![A-Za-z])pass|pwd|(?<![A-Za-z])pw|secret|credential|(?:api|access|account|auth|encryption|master|private|secret|signing|subscription)"
    r"[_ -]?key|(?<!next[_-])(?<!page[_-])(?<!sync[_-])(?<!cursor[_-])token|(?-i:(?<!PRIMARY)(?<!FOREIGN)(?<!CACHE)(?<!PARTITION)(?<!SORT)_KEY))"
)
AUTH = r"(?:(?<![A-Za-z])|(?<=(?<![A-Za-z])o))auth(?:orization)?"
# With what each shape begins, in small letters: looking for that first is ten times as fast.
_STEMS = (
    "pass",
    "pw",
    "secret",
    "credential",
    "token",
    "key",
    "auth",
    "bearer",
    "basic",
    " -u",
    " --u",
)
_STEM = re.compile(
    r"pass|pwd?|secret|credential|token|_?key|auth|bearer|basic|(?<= )--?u"
    r"|(?:api|access|account|encryption|master|private|signing|subscription)[_ -]?key"
)
_SECRET_NAME = re.compile(rf"{NAME}s?$", re.IGNORECASE)
_AUTH_NAME = re.compile(rf"{AUTH}$", re.IGNORECASE)
_SCHEME_SHAPE = re.compile(
    rf"{AUTH}[\"']?\s*[:=,]\s*[\"']?(?:bearer|basic|digest|token)\s+{_VALUE}", re.IGNORECASE
)
_AUTH_SHAPE = re.compile(rf"{AUTH}{_IS}(?:[A-Za-z][\w-]{{0,20}}\s+)?{_VALUE}", re.IGNORECASE)
# Alone, as in a header: "Bearer authentication is required" has more to say.
_BEARER_SHAPE = re.compile(
    r"(?:^|(?<=[:=\"'`])|(?<=[:=\"'`] ))bearer\s+(?!auth|token|scheme|credential|realm)"
    r"(?P<secret>[A-Za-z0-9._~+/-]{8,}+=*)(?=$|[\"'`\\])",
    re.IGNORECASE | re.MULTILINE,
)
_LOGIN = re.compile(r"[ -~]*:[ -~]+")
# Where the kind of a character changes; a word with one capital is of one kind.
_CHANGE = re.compile(r"(?<=[a-z])(?=[0-9A-Z])|(?<=[A-Z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")
_REFERENCE = re.compile(
    r"[$%].*|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\d{4}-\d\d-\d\d[T\d:.+Z-]*|[a-z][a-z0-9+.-]*://.*|(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*|[~.]?/.*|(?:[\w.-]+/)*[\w-]+\.\w{2,7}"
)


_LETTER, _DIGIT = re.compile(r"[A-Za-z]"), re.compile(r"[0-9]")
_SIGN = re.compile(r"[!#$^*?~](?=[A-Za-z0-9])")
"""In the middle of a word, only passwords have one."""
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_ID = re.compile(rf"[0-9a-f]*|[0-9A-F]*|{_UUID}|[a-z_]+/.*")


def is_secret(value: str) -> bool:
    """Tell keys from words, places and stand-ins; asked only where a name says "key"."""
    if " " in value or len(value) < _SHORTEST:
        return False
    if is_placeholder(value) or _REFERENCE.fullmatch(value):
        return False
    if not (_LETTER.search(value) and (_DIGIT.search(value) or _SIGN.search(value, 1))):
        return False
    shares = [count / len(value) for count in Counter(value).values()]
    entropy = -sum(share * math.log2(share) for share in shares)
    return entropy >= min(3.0, 0.75 * math.log2(len(value)))


def is_random(value: str) -> bool:
    """Tell keys from words with numbers; asked where it is not sure that the name is a name."""
    return is_secret(value) and len(_CHANGE.findall(value)) >= 2


def _is_long_and_random(value: str) -> bool:
    """Tell keys from ids and digests; asked where a name may be that of a place in a store."""
    if len(value) < _LONG or _ID.fullmatch(value):
        return False
    return is_secret(value) and len(_CHANGE.findall(value)) >= 3


def _is_login(value: str) -> bool:
    """Tell whether it is what follows `Basic`: a name and a password in base64."""
    if len(value) >= 16 and is_secret(value):
        return True
    try:
        return bool(_LOGIN.fullmatch(base64.b64decode(value, validate=True).decode()))
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class _Shape:
    """A way to write a key; what matches begins with a stem."""

    what: str
    form: re.Pattern[str]
    is_key: Callable[[str], bool]
    before: re.Pattern[str] | None = None
    """What must come before the stem, in the same word."""

    def match(self, text: str, start: int) -> re.Match[str] | None:
        """Match a name and a value from `start` on, whatever the value is."""
        match = self.form.match(text, start)
        if match and self.before:
            word = text[max(0, start - _LONGEST_NAME) : start]
            return match if self.before.search(word) else None
        return match


_LISTED = rf"{NAME}s?[\"']?\s*,?\s*[\"']?value[\"']?\s*[:=]\s*[\"']?{_VALUE}"
_SHAPES = (
    _Shape(NAMED, re.compile(rf"{NAME}{_IS}{_VALUE}", re.IGNORECASE), is_secret),
    _Shape(
        NAMED,
        re.compile(rf"{NAME}s?[ =]{_VALUE}", re.IGNORECASE),
        is_random,
        before=re.compile(r"-[\w-]{0,20}\Z"),
    ),
    _Shape(
        NAMED,
        re.compile(
            rf"(?:(?:api|access|secret)[_ -]?key|secret){_IS}(?P<secret>{_UUID})", re.IGNORECASE
        ),
        bool,
    ),
    _Shape(NAMED, re.compile(rf"{NAME}[ \t]{_VALUE}", re.IGNORECASE), _is_long_and_random),
    _Shape(
        NAMED,
        re.compile(rf"_?key{_IS}{_VALUE}", re.IGNORECASE),
        _is_long_and_random,
        before=re.compile(r"\w[_-]?\Z"),
    ),
    _Shape(
        NAMED,
        re.compile(rf"--?u(?:ser)?[ =]?[\"']?[\w@.-]{{1,60}}:{_VALUE}"),
        is_random,
    ),
    _Shape(NAMED, re.compile(rf"{NAME}>\s*{_VALUE}", re.IGNORECASE), is_secret),  # XML
    _Shape(NAMED, re.compile(_LISTED, re.IGNORECASE), is_secret),
    _Shape(_AUTHORIZED, _AUTH_SHAPE, is_random),
    _Shape(_AUTHORIZED, _SCHEME_SHAPE, lambda value: not is_stand_in(value)),
    _Shape(_AUTHORIZED, _BEARER_SHAPE, lambda value: not is_stand_in(value)),
    _Shape(
        _AUTHORIZED,
        re.compile(r"\b(?:bearer|basic)\s+(?P<secret>[A-Za-z0-9._~+/-]{8,}=*)", re.IGNORECASE),
        _is_login,
    ),
)


def is_named(name: str, value: str) -> bool:
    """Tell whether a value is a key because its name says so."""
    scheme, _, word = value.rpartition(" ")
    is_header = _AUTH_NAME.search(name) and " " not in scheme and is_random(word)
    return bool(is_header or (_SECRET_NAME.search(name) and is_secret(value)))


def has_name(text: str) -> bool:
    """Tell quickly whether a text, or JSON, may have the name of a secret in it."""
    small = text.lower()
    return any(stem in small for stem in _STEMS)


def named_keys(text: str) -> Iterator[Span]:
    """Find values that a name beside them gives away."""
    small = text.lower()
    if len(small) != len(text):  # A few letters become two.
        small = "".join(letter if len(letter.lower()) > 1 else letter.lower() for letter in text)
    end = 0
    for stem in _STEM.finditer(small):
        if stem.start() < end:
            continue
        for shape in _SHAPES:
            if match := shape.match(text, stem.start()):
                start, after = match.span("secret")
                if after - start > _WIDEST:  # Many names in one long value are looked at once.
                    end = after
                if shape.is_key(match["secret"]):
                    yield Span(start, after, shape.what)
