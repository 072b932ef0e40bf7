"""A session that is open in this process: what it tells, and the one way to add to it."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from nbagents._portal import in_loop, in_thread
from nbagents.errors import SessionCorrupt, SessionError, redact
from nbagents.events import DurableEvent, RunStarted
from nbagents.sessions.address import store_from
from nbagents.sessions.base import SessionStore
from nbagents.sessions.records import Redact, decode, encode, no_collection
from nbagents.sessions.story import Story

__all__ = ["Log", "RunJournal", "default_store", "open_log"]

T = TypeVar("T")

_RECENT_LOGS = 32
_PLACE = "file:.nbagents/sessions"


class Log:
    """The events of one session: those in the store, and those on their way there.

    All runs of this process in one session share it. What is added while a record is being
    written goes into the next one.
    """

    def __init__(self, store: SessionStore, session_id: str) -> None:
        self.store = store
        self.id = session_id
        self.story = Story()
        self.note = ""
        """What was wrong with the stored session, and was mended."""
        self.under_way: dict[str, RunJournal] = {}
        """The runs that this process works on, or holds until a person answers."""
        self._seq = 0
        self._added = self._kept = 0
        self._pending: list[tuple[DurableEvent, Redact | None]] = []
        self._failure: SessionError | None = None
        self._writing: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def busy(self) -> set[str]:
        """The runs under way here that wait for nobody."""
        return {run_id for run_id, journal in self.under_way.items() if not journal.is_held}

    async def refresh(self) -> None:
        """Read what others have added. Raises `SessionError`."""
        if self._loop is not asyncio.get_running_loop():
            await self._at_home(self.refresh)
            return
        if self._kept < self._added:  # What others add would be a conflict.
            await self.keep()
            return
        where, seq = self.store.where(self.id), self._seq
        try:
            records = await self._safely(self.store.read(self.id, seq), "read")
        except SessionCorrupt as error:
            before = decode(error.records, seq + 1, where)[0]
            error.events = [*self.story.events, *before]
            raise
        is_first = not self.story.events

        def work() -> tuple[list[DurableEvent], str, Story]:
            with no_collection():
                events, note = decode(records, seq + 1, where)
                return events, note, Story(events if is_first else ())

        events, note, story = await in_thread(work)
        if seq != self._seq or (is_first and self.story.events):  # Somebody here was faster.
            await self.refresh()
            return
        self.note = note
        self._seq += len(records) - bool(note)
        if is_first:
            self.story = story
        else:
            for event in events:
                self.story.add(event)

    def add(self, event: DurableEvent, hook: Redact | None) -> None:
        """Take an event that has happened."""
        if isinstance(event, RunStarted) and event.declared == self.story.declared.get(event.name):
            event = replace(event, declared=None)  # Once is enough.
        self.story.add(event)
        self._pending.append((event, hook))
        self._added += 1

    async def keep(self) -> None:
        """Return when all that was added so far is in the store. Raises `SessionError`."""
        if self._loop is not asyncio.get_running_loop():
            await self._at_home(self.keep)
            return
        goal = self._added
        while self._kept < goal and self._failure is None:
            if self._writing is None:
                self._writing = asyncio.create_task(self._write())
            await asyncio.wait({self._writing})
        if self._failure is not None:
            raise self._failure

    async def _write(self) -> None:
        await asyncio.sleep(0)  # What happens in the same moment goes into the same record.
        batch, self._pending = self._pending, []
        try:
            record = await in_thread(lambda: encode(batch))
            written = self.store.append(self.id, self._seq, record)
            self._seq = await self._safely(written, "written")
        except SessionError as error:
            self._failure = error
        except asyncio.CancelledError:
            cause = "The event loop ended while it was being written; read it anew."
            self._failure = SessionError(f"{self.where}: {cause}")
            raise
        except Exception as error:  # noqa: BLE001 - whatever the hook for redaction raises
            problem = redact(f"{type(error).__name__}: {error}")
            self._failure = SessionError(f"{self.where} could not be written down. {problem}")
        finally:
            if self._failure is not None:
                forget(self)
            self._kept += len(batch)
            self._writing = None

    @property
    def where(self) -> str:
        """Name the session and where it lies."""
        return f"The session {self.id!r} ({self.store.where(self.id)})"

    async def _safely(self, work: Coroutine[Any, Any, T], verb: str) -> T:
        """Await a store, and let it raise nothing but `SessionError`."""
        try:
            return await work
        except SessionError:
            raise
        except Exception as error:
            problem = redact(f"{type(error).__name__}: {error}")
            raise SessionError(f"{self.where} could not be {verb}. {problem}") from error

    async def _at_home(self, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do it in the loop in which the session was opened, or here when that has ended."""
        if self._loop.is_closed() or not self._loop.is_running():
            self._loop = asyncio.get_running_loop()
            await make()
        else:
            await in_loop(self._loop, make)


class RunJournal:
    """Writes the events of one outermost run into its session."""

    def __init__(self, log: Log, redact: Redact | None) -> None:
        self.is_exact = log.store.durable == "exact"
        self.is_held = False
        self._log = log
        self._redact = redact
        self._run_id = ""
        self._is_closed = False

    def take(self, run_id: str) -> None:
        """Be the one that writes this run, in the place of any other."""
        self._run_id = run_id
        if other := self._log.under_way.get(run_id):
            other.close()
        self._log.under_way[run_id] = self

    def add(self, event: DurableEvent) -> None:
        """Take one event."""
        if not self._run_id:
            self.take(event.run_id)
        if not self._is_closed:
            self._log.add(event, self._redact)

    async def keep(self) -> None:
        """Return when all that was taken is in the store.

        Raises `SessionError`, also when the run goes on elsewhere in this process.
        """
        if self._is_closed:
            raise SessionError(f"The run {self._run_id} was resumed elsewhere, and goes on there.")
        await self._log.keep()

    def close(self) -> None:
        """Take nothing any more: the run is over, or goes on elsewhere."""
        self._is_closed = True
        if self._log.under_way.get(self._run_id) is self:
            del self._log.under_way[self._run_id]


_open: WeakValueDictionary[tuple[int, str], Log] = WeakValueDictionary()
_recent: OrderedDict[tuple[int, str], Log] = OrderedDict()
"""Those that are not read anew though nothing uses them just now."""


async def open_log(store: SessionStore, session_id: str, *, anew: bool = False) -> Log:
    """Return the session as this process has it; read it when that is not so, or `anew`."""
    key = (id(store), session_id)
    log = _open.get(key)
    if log is None:
        log = Log(store, session_id)
        await log.refresh()
        log = _open.setdefault(key, log)  # Somebody else may have been as fast.
    elif anew:
        await log.refresh()
    _recent[key] = log
    _recent.move_to_end(key)
    while len(_recent) > _RECENT_LOGS:
        _recent.popitem(last=False)
    return log


def forget(log: Log) -> None:
    """Read the session anew the next time: it is not as this process believes."""
    key = (id(log.store), log.id)
    if _open.get(key) is log:
        del _open[key]
        _recent.pop(key, None)


def default_store() -> SessionStore:
    """Return where sessions are kept: as `NBAGENTS_SESSIONS` says, else in `.nbagents/sessions`."""
    return _store(os.environ.get("NBAGENTS_SESSIONS") or _PLACE, str(Path.cwd()))


@lru_cache
def _store(address: str, _directory: str) -> SessionStore:
    return store_from(address)
