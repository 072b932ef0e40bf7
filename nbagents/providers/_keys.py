"""API keys, before they are sent."""

from __future__ import annotations

import re
import unicodedata

from nbagents.errors import UserError
from nbagents.redaction import remember

__all__ = ["checked_key"]

_UNFIT = re.compile(r"[^\x21-\x7e]")
"""Anything but the visible characters of ASCII: HTTP headers cannot carry it, or no vendor issues it."""
_WRAPPED = re.compile(r"""["'`<$({\[]|.*["'`>;,)}\]]\Z|[A-Z][A-Z0-9_]*=.""", re.DOTALL)
"""What is copied along with a key: quotes, the end of a line of code, a line of a .env file."""
_NAMES = {"\n": "a newline", "\r": "a carriage return", "\t": "a tab", " ": "a space"}


def checked_key(key: str, source: str) -> str:
    """Return a key that may be sent, which is redacted everywhere from now on.

    `source` is the variable or the parameter that it came from. Raises `UserError` if a character
    in it is invisible or not ASCII, or something is around it: it names the source and the
    character, never the key.
    """
    remember(key)
    unfit = _UNFIT.search(key)
    if unfit is None:
        if not _WRAPPED.match(key):
            return key
        raise UserError(
            f"The API key in {source} is not only a key: it has quotes, brackets, or the name of a "
            "variable with it. No request was sent. Give the key alone."
        )
    what = _name(unfit[0])
    if not key.strip():
        problem = "is blank"
    elif not key[: unfit.start()].strip():
        problem = f"begins with {what}"
    elif not _UNFIT.sub("", key[unfit.start() :]):
        problem = f"ends with {what}"
    else:
        problem = f"contains {what}, as character {unfit.start() + 1} of {len(key)}"
    raise UserError(
        f"The API key in {source} {problem}. No request was sent. Copy the key again, without it."
    )


def _name(char: str) -> str:
    if char in _NAMES:
        return _NAMES[char]
    if unicodedata.category(char)[0] == "L":  # It could be a part of the key.
        return "a letter that is not ASCII"
    name = unicodedata.name(char, "a control character").lower()
    return f"the character {name} (U+{ord(char):04X})"
