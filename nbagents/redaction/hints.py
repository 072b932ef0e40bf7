"""A quick look that tells nearly all texts to be without keys, so that they need no other."""

from __future__ import annotations

import re

from nbagents.redaction.addresses import url_keys
from nbagents.redaction.named import has_name
from nbagents.redaction.vendors import may_go_on, vendor_keys

__all__ = ["may_begin_secret", "may_hold_secret"]

# What may hide a key, such as `&#103;hp_` or `gh<b>p_`: only a closer look tells.
_HIDING = re.compile(
    r"</?[A-Za-z]|&[#A-Za-z]\w{1,31};|%[2-7][0-9A-Fa-f]|\\u00[0-7]"
    r"|[\x1b\u00ad\u200b-\u200d\u2060\ufeff]"
)
_HIDING_CHARS = "<&%\\\x1b\u00ad\u200b\u200c\u200d\u2060\ufeff"
_LETTER_ESCAPE = re.compile(r"\\+[bfnrt]")
_USAGE = '_tokens":'
"""How the events name what was spent."""
_NAMED_WITHIN = 100
_WINDOW, _OVERLAP = 50_000, 400


def may_hold_secret(text: str) -> bool:
    """Tell whether a text, or JSON, has anything that may be a key or hide one.

    Long texts are looked at in pieces, since a search lets no other thread run.
    """
    starts = range(0, len(text), _WINDOW)
    return any(_suspect(text[at : at + _WINDOW + _OVERLAP]) for at in starts)


def _suspect(text: str) -> bool:
    if any(char in text for char in _HIDING_CHARS) and _HIDING.search(text):
        return True
    if "\\" in text:
        text = _LETTER_ESCAPE.sub(" ", text)
    return (
        any(True for _ in vendor_keys(text))
        or ("://" in text and any(True for _ in url_keys(text)))
        or has_name(text.replace(_USAGE, ""))
    )


def may_begin_secret(text: str, start: int) -> bool:
    """Tell whether the last word of a text, from `start` on, may be a key that has not all come."""
    return (
        ":" in text[start:]  # An address, or the token of a bot.
        or may_go_on(text, start)
        or has_name(text[max(0, start - _NAMED_WITHIN) :])
    )
