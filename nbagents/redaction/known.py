"""Secrets that this process was given: in its environment, and by its own code."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import Any

from nbagents.redaction.placeholders import is_stand_in

__all__ = ["MARK", "SHORTEST_SECRET", "known_secrets", "remember", "remember_credentials"]

MARK = "[redacted]"
SHORTEST_SECRET = 8
# `PWD` and `OLDPWD` are folders.
_SECRET_NAME = re.compile(
    r"(?!(?:OLD)?PWD$).*(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PWD|_PASS|CREDENTIAL)S?$"
    r"|AWS_BEARER_TOKEN_",
    re.IGNORECASE,
)
_given: set[str] = set()


def known_secrets(shortest: int = SHORTEST_SECRET) -> set[str]:
    """Return the remembered secrets and the values of environment variables named like a key."""
    values = (os.environ.get(name, "") for name in os.environ if _is_secret(name))
    return {value for value in (*values, *_given) if len(value) >= shortest}


def remember(*secrets: str | None) -> None:
    """Redact these from now on, wherever they appear; words that only stand for a key are not any."""
    for secret in secrets:
        value = (secret or "").strip()
        if len(value) >= SHORTEST_SECRET and not is_stand_in(value):
            _given.add(value)


def remember_credentials(client: Any) -> None:
    """Remember the credentials that a boto3 client signs with; it has no public way to them."""
    found = getattr(getattr(client, "_request_signer", None), "_credentials", None)
    remember(*(getattr(found, part, None) for part in ("secret_key", "token", "access_key")))


@lru_cache(1000)
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.match(name) is not None
