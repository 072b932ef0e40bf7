"""Finding keys, tokens and passwords in whatever is written or shown, and taking them out.

Logs, saved outputs, messages to the page, errors and shared notebooks all use this one detector.
"""

from nbagents.redaction.known import (
    MARK,
    SHORTEST_SECRET,
    known_secrets,
    remember,
    remember_credentials,
)

__all__ = ["MARK", "known_secrets", "redact", "remember", "remember_credentials", "remember_url"]


def remember_url(url: str) -> None:
    """Remember what is secret in an address, which is not secret itself."""
    if "@" in url or "?" in url:
        from nbagents.redaction.addresses import secrets_in_url

        remember(*secrets_in_url(url))


def redact(text: str, *secrets: str | None) -> str:
    """Replace every key in `text` by `MARK`, and `secrets` as well."""
    from nbagents.redaction.cleaner import Cleaner  # Loaded when there is something to search.

    known = {secret for secret in secrets if secret and len(secret) >= SHORTEST_SECRET}
    cleaner = Cleaner(known)
    if not cleaner.suspects(text):
        return text
    cleaned = cleaner.text(text)
    # A name may give a value away in one place only.
    return Cleaner(known | cleaner.values).text(cleaned) if cleaner.values else cleaned
