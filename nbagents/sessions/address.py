"""Where sessions are kept, as one line: what settings and magics are given."""

from __future__ import annotations

from nbagents.errors import UserError, unknown_name
from nbagents.sessions.base import SessionStore
from nbagents.sessions.file import FileStore
from nbagents.sessions.memory import MemoryStore
from nbagents.sessions.s3 import S3Store

__all__ = ["store_from"]

_FORMS = {"file": "file:DIR", "s3": "s3://BUCKET/PREFIX", "memory": "memory:"}


def store_from(address: str) -> SessionStore:
    """Make the store for `file:DIR`, `s3://BUCKET/PREFIX` or `memory:`.

    Raises `UserError` for anything else, with the form that comes closest.
    """
    scheme, colon, place = address.partition(":")
    if not colon:
        hint = ", ".join(_FORMS.values())
        raise UserError(f"{address!r} is no place for sessions. Write one of: {hint}")
    if scheme not in _FORMS:
        raise unknown_name("place for sessions", scheme, _FORMS)
    bucket, _, prefix = place.removeprefix("//").partition("/")
    if scheme == "memory" and not place:
        return MemoryStore()
    if scheme == "file" and place and not place.startswith("//"):
        return FileStore(place)
    if scheme == "s3" and place.startswith("//") and bucket:
        return S3Store(bucket, prefix)
    raise UserError(f"{address!r} is incomplete or has too much: write {_FORMS[scheme]}")
