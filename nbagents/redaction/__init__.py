"""Finding keys, tokens and passwords in whatever is written or shown, and taking them out.

Logs, saved outputs, messages to the page, errors and shared notebooks all use this one detector.
It is loaded with the errors, which must not fail for want of a file when they are made.
"""

from collections.abc import Sequence

from nbagents.redaction.addresses import secrets_in_url
from nbagents.redaction.cleaner import Cleaner
from nbagents.redaction.known import MARK, remember, remember_credentials

__all__ = [
    "MARK",
    "Cleaner",
    "redact",
    "redact_json",
    "remember",
    "remember_credentials",
    "remember_url",
]


def remember_url(url: str) -> None:
    """Remember what is secret in an address, which is not secret itself."""
    remember(*secrets_in_url(url))


def redact(text: str) -> str:
    """Replace every key in `text` by `MARK`."""
    cleaner = Cleaner()
    if not cleaner.suspects(text):
        return text
    cleaned = cleaner.text(text)
    # A name may give a value away in one place only.
    return Cleaner(cleaner.values).text(cleaned) if cleaner.values else cleaned


def redact_json(texts: Sequence[bytes]) -> list[bytes]:
    """Replace every key in JSON; what a name gives away in one of the texts is a key in all."""
    known: frozenset[str] = frozenset()
    while True:
        cleaner = Cleaner(known)
        cleaned = [cleaner.encoded(text) for text in texts]
        if cleaner.values <= known:
            return cleaned
        texts, known = cleaned, known.union(cleaner.values)
