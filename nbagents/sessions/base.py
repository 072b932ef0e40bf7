"""The port: where the records of sessions are kept."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, Protocol
from urllib.parse import quote

from nbagents.errors import SessionConflict, UserError

__all__ = ["Durable", "SessionStore", "check_session_id", "conflict", "safe_name"]

Durable = Literal["turn", "exact"]
"""When a run is written down: at the end of each turn; `exact` also before each tool that is not
marked idempotent, so that a tool that was cut off is known to have begun."""

_LONGEST_ID = 100
_LONGEST_NAME = 200
_KNOWN_NAMES = 1000
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|\Z)")


class SessionStore(Protocol):
    """Keeps sessions: under each id a list of records, which only grows.

    A record is a line of JSON: bytes that end with a newline and have no other one. No two are the
    same, as each holds a random id. Its number is its place in the list, from 1. All methods raise
    `SessionError` that says where the session lies and what to do when the store cannot do its
    part, and none of them may block the loop. They may be called from several loops and threads.
    `nbagents.testing.SessionStoreContract` holds a store to all of this.
    """

    durable: Durable
    """How often runs are written down here; `exact` where a write costs milliseconds."""

    async def append(self, session_id: str, expected_seq: int, record: bytes) -> int:
        """Add a record after record number `expected_seq`, and return its own number.

        It is safe from a crash when this returns. When this raises, nothing of it is there, unless
        the answer was lost on the way: then all of it may be, and the same record again is no
        conflict. Raises `SessionConflict`, and changes nothing, when record `expected_seq + 1` is
        there already; a store that can tell raises it too when record `expected_seq` is not.
        """
        ...

    async def read(self, session_id: str, after: int = 0) -> list[bytes]:
        """Return the records behind number `after`, in order; none for an id that nobody used.

        A last record that is torn, as a crash leaves it behind, may be returned without its
        newline: it is reported and left out, and the next `append` takes its place.
        """
        ...

    async def list(self, prefix: str = "") -> list[str]:
        """Return the ids that begin with a prefix, sorted."""
        ...

    async def delete(self, session_id: str) -> None:
        """Remove a session; an id that nobody used is no error."""
        ...

    def where(self, session_id: str) -> str:
        """Say where a session lies, for error messages: a path, an address."""
        ...


def check_session_id(session_id: str) -> str:
    """Return the id if it is fit to be one: printable text of 1 to 100 characters, not a path.

    Raises `UserError` that says what is wrong with it.
    """
    problem = ""
    if not isinstance(session_id, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        problem = "it is no text"
    elif not session_id.strip() or session_id != session_id.strip():
        problem = "it is empty, or begins or ends with a space"
    elif len(session_id) > _LONGEST_ID or len(safe_name(session_id)) > _LONGEST_NAME:
        problem = (
            f"it is longer than {_LONGEST_ID} characters, where one outside of a-z counts more"
        )
    elif session_id in {".", ".."} or "/" in session_id or "\\" in session_id:
        problem = "it looks like a path"
    elif not session_id.isprintable():
        problem = "it has characters that cannot be printed"
    if problem:
        raise UserError(f"{session_id!r:.60} cannot be the id of a session: {problem}.")
    return session_id


def conflict(session_id: str, where: str) -> SessionConflict:
    """Make the error for a session in which somebody else was faster; `where` is where it lies."""
    return SessionConflict(
        f"Somebody else wrote to session {session_id!r} ({where}) meanwhile; nothing is overwritten. "
        "Run again to go on from there, or branch off: %session fork NEW"
    )


@lru_cache(_KNOWN_NAMES)
def safe_name(session_id: str) -> str:
    """Write an id so that it is safe as the name of a folder, or in a key, anywhere.

    Only lower case letters, digits, `_`, `-` and inner dots stay as they are, since some file
    systems take `A` and `a` for the same; `urllib.parse.unquote` turns it back. The names that
    Windows keeps for itself are written differently too.
    """
    name = "".join(
        char
        if char.isascii() and (char.islower() or char.isdigit() or char in "_-.")
        else _coded(char)
        for char in session_id
    )
    if name.startswith(".") or _RESERVED.match(name):
        name = f"%{ord(name[0]):02X}{name[1:]}"
    return f"{name[:-1]}%2E" if name.endswith(".") else name


def _coded(char: str) -> str:
    coded = quote(char, safe="", errors="surrogatepass")
    return coded if coded != char else f"%{ord(char):02X}"
