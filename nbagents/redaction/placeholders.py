"""Values that only stand for a key that somebody will write there."""

from __future__ import annotations

import re

__all__ = ["is_placeholder", "is_stand_in"]

_PLACEHOLDER = re.compile(
    r"(?:your|my|the|some|an?|put|insert|change|example|sample|dummy|fake|test|redacted)(?:[_.-]|$)"
    r"|pass(?:word|wd)?\d{0,4}$|(?:true|false|none|null|auto|secret)$|hunter2$|(.)\1+$"
    r"|.*(?:\.\.\.|\u2026|\*\*\*|placeholder|(?-i:EXAMPLE(?:KEY)?$))|(?:[A-Za-z]{1,20}[_-]){0,3}xxx+$"
    r"|(?:[A-Za-z]{1,20}[_-]){0,5}example(?:[_-][A-Za-z]{1,20}|[_-]?\d{1,4}){0,5}$",
    re.IGNORECASE,
)
_STAND_IN = re.compile(
    r"(?:api|any|changeme|db|dummy|empty|example|fake|here|key|lm|local|my|needed|no|none|not|null"
    r"|ollama|pass|passphrase|passwd|password|placeholder|pwd?|redacted|required|secret|sk|some"
    r"|studio|test|the|token|unused|vllm|your?|x+|\*+|\.{2,}|\u2026|[ _-])+|[<{\[$%(].*",
    re.IGNORECASE,
)


def is_placeholder(value: str) -> bool:
    """Tell whether a value only stands for a key that somebody will write there."""
    return bool(_PLACEHOLDER.match(value))


def is_stand_in(value: str) -> bool:
    """Tell whether a value is made of nothing but words such as `not-needed` or `your-key-here`."""
    return bool(_STAND_IN.fullmatch(value))
