"""Sessions that live as long as the process: for tests, and for trying things out."""

from __future__ import annotations

import threading

from nbagents.sessions.base import Durable, check_session_id, conflict

__all__ = ["MemoryStore"]


class MemoryStore:
    """Keeps sessions in this process, and only there."""

    def __init__(self, durable: Durable = "exact") -> None:
        self.durable: Durable = durable
        self._lock = threading.Lock()
        self._sessions: dict[str, list[bytes]] = {}

    async def append(self, session_id: str, expected_seq: int, record: bytes) -> int:
        """Add a record after record number `expected_seq`; raises `SessionConflict`."""
        with self._lock:
            records = self._sessions.get(check_session_id(session_id), [])
            if len(records) != expected_seq:
                raise conflict(session_id, self.where(session_id))
            self._sessions[session_id] = records
            records.append(record)
            return len(records)

    async def read(self, session_id: str, after: int = 0) -> list[bytes]:
        """Return the records behind number `after`."""
        with self._lock:
            return self._sessions.get(session_id, [])[after:]

    async def list(self, prefix: str = "") -> list[str]:
        """Return the ids that begin with a prefix, sorted."""
        with self._lock:
            return sorted(name for name in self._sessions if name.startswith(prefix))

    async def delete(self, session_id: str) -> None:
        """Remove a session."""
        with self._lock:
            self._sessions.pop(session_id, None)

    def where(self, session_id: str) -> str:
        """Say that it is in memory."""
        return f"memory:{session_id}"
