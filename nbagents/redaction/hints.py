"""A quick look that tells nearly all texts to be without keys, so that they need no other."""

from __future__ import annotations

import re

from nbagents.redaction.addresses import url_keys
from nbagents.redaction.named import has_name
from nbagents.redaction.seen import INLINE_TAG, INVISIBLE, TERMINAL
from nbagents.redaction.vendors import may_go_on, vendor_keys

__all__ = ["may_begin_secret", "may_hold_secret"]

# What may stand for letters of a key: only a closer look tells.
_ENCODED = re.compile(
    r"&(?:#(?!39;|34;|x27;|x22;)|amp;(?:#|amp;)|commat|colon|equals|lowbar|period|plus|sol\b)"
    r"|%[2-7][0-9A-Fa-f]|\\(?:u00[2-7]|x[2-7]|/)|data:(?:text|application|image/svg)"
)
_ENCODING_SIGNS = "data:", *"&%\\"
_JSON_TERMINAL = TERMINAL.replace(r"\x1b", r"\\u001b").replace(r"\x07", r"\\u0007")
# What is not seen at all, in text or in JSON, and may stand between the halves of a key.
_UNSEEN = re.compile(
    r"<(?P<unseen>style|script|template|title)\b[^<>]*>[^<]*</(?P=unseen)\s*>"
    rf"|{INLINE_TAG}[^<>]*>|<!--.{{0,200}}?-->|{TERMINAL}|{_JSON_TERMINAL}"
    rf"|{INVISIBLE}|\\u00[01][0-9A-Fa-f]",
    re.IGNORECASE | re.DOTALL,
)
_UNSEEN_SIGN = re.compile(rf"[\x1b{INVISIBLE[1:]}")
_BREAKS = "\\n", "\\t", "\\r", "\\b", "\\f"
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
    if any(sign in text for sign in _ENCODING_SIGNS) and _ENCODED.search(text):
        return True
    text = text.replace(_USAGE, "")
    for escape in _BREAKS if "\\" in text else ():
        text = text.replace(escape, " ")
    if _has_anchor(text):
        return True
    if _may_hide(text):
        bare = _UNSEEN.sub("", text)
        return bare != text and _has_anchor(bare)
    return False


def _may_hide(text: str) -> bool:
    """Tell quickly whether there is anything in a text that a reader does not see."""
    if "<" in text or "\\u00" in text:
        return True
    if text.isascii() and text.isprintable():  # As is nearly all JSON.
        return False
    return bool(_UNSEEN_SIGN.search(text))


def _has_anchor(text: str) -> bool:
    return (
        has_name(text)
        or any(True for _ in vendor_keys(text))
        or ("://" in text and any(True for _ in url_keys(text)))
    )


def may_begin_secret(text: str, start: int) -> bool:
    """Tell whether the last word of a text, from `start` on, may be a key that has not all come."""
    return (
        ":" in text[start:]  # An address, or the token of a bot.
        or may_go_on(text, start)
        or has_name(text[max(0, start - _NAMED_WITHIN) :])
    )
