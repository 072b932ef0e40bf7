"""Where an error was raised, to be shown with it."""

from __future__ import annotations

from nbagents._frames import line_of
from nbagents.errors import NbAgentsError
from nbagents.redaction import redact

__all__ = ["where_raised"]


def where_raised(error: Exception) -> str | None:
    """Say what raised an error: the nodes that it went through, and the user's own line."""
    line = "" if isinstance(error, NbAgentsError) else line_of(error)
    notes: list[object] = getattr(error, "__notes__", [])
    return redact(" ".join([*map(str, notes), line]).strip()) or None
