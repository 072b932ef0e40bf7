"""Where sessions are kept, as one line: what settings and magics are given."""

from __future__ import annotations

import os
from functools import cache

from nbagents.errors import UserError, unknown_name
from nbagents.replay import playing
from nbagents.sessions.base import SessionStore
from nbagents.sessions.file import FileStore
from nbagents.sessions.memory import MemoryStore
from nbagents.sessions.s3 import S3Store

__all__ = ["SCRATCH", "default_store", "scratch_store", "store_from"]

SCRATCH = "NBAGENTS_REPLAY_SESSIONS"
"""The environment variable that names the folder for all sessions of a replay.

Other kernels and programs that a replayed notebook starts inherit it: they work in the same sessions.
"""
_PLACE = "file:.nbagents/sessions"
_FORMS = {"file": "file:DIR", "s3": "s3://BUCKET/PREFIX", "memory": "memory:"}


def store_from(address: str) -> SessionStore:
    """Make the store for `file:DIR`, `s3://BUCKET/PREFIX` or `memory:`.

    Raises `UserError` for anything else, with the form that comes closest.
    """
    scheme, colon, place = address.partition(":")
    if not colon:
        hint = ", ".join(_FORMS.values())
        raise UserError(f"{address!r} is not a place for sessions. Write one of: {hint}")
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


def default_store() -> SessionStore:
    """Return where sessions are kept: as `NBAGENTS_SESSIONS` says, else in `.nbagents/sessions`.

    A folder that is named from where the process is stays what it was when it was first used: a
    `%cd` begins no other one. In a replay they are kept apart, as `scratch_store` says.
    """
    return scratch_store() or _opened(os.environ.get("NBAGENTS_SESSIONS") or _PLACE)


def scratch_store() -> SessionStore | None:
    """Return where a replay keeps all sessions, whatever their store; None when this is no replay.

    It is the folder that `NBAGENTS_REPLAY_SESSIONS` names, else memory.
    """
    if folder := os.environ.get(SCRATCH):
        return _opened(f"file:{folder}")
    return _opened("memory:") if playing() else None


@cache
def _opened(address: str) -> SessionStore:
    return store_from(address)
