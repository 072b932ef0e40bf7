"""A session that is open in this process: what it tells, and the one way to add to it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from nbagents._portal import background_loop, in_loop
from nbagents.errors import SessionCorrupt, SessionError, UserError
from nbagents.events import DurableEvent, RunStarted
from nbagents.sessions.base import SessionStore, conflict
from nbagents.sessions.records import Redact, decode, encode, no_collection
from nbagents.sessions.story import Story

__all__ = ["Log", "RunJournal", "open_log"]

T = TypeVar("T")

_RECENT_LOGS = 32


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
        self._last = b""
        """The last record, which no other is like."""
        self._added = self._kept = 0
        self._pending: list[tuple[DurableEvent, Redact | None]] = []
        self._failure: SessionError | None = None
        self._writing: asyncio.Task[None] | None = None
        self._waiting: list[tuple[int, asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        """Who waits for so many events to be safe."""
        # Runs of several loops add to it, and it is written in a loop of its own.
        self._lock = threading.Lock()

    @property
    def busy(self) -> set[str]:
        """The runs under way here that wait for nobody."""
        return {run_id for run_id, journal in list(self.under_way.items()) if not journal.is_held}

    async def refresh(self) -> None:
        """Read what others have added. Raises `SessionError`."""
        await _at_home(self._refresh)

    async def _refresh(self) -> None:
        if self._kept < self._added:  # What others add would be a conflict.
            await self.keep()
            return
        where, seq = self.store.where(self.id), self._seq
        try:
            # With the last one that is known: a session that was removed and begun anew has another.
            records = await self._safely(self.store.read(self.id, max(seq - 1, 0)), "read")
        except SessionCorrupt as error:
            before = decode(error.records[1:] if seq else error.records, seq + 1, where)[0]
            error.events = [*self.story.events, *before]
            raise
        if seq and records[:1] != [self._last]:
            if seq == self._seq:
                self._begin_anew()
            await self._refresh()
            return
        new = records[1:] if seq else records
        with no_collection():
            events, note = decode(new, seq + 1, where)
            with self._lock:
                is_new = seq == self._seq and self._kept == self._added
                if is_new:
                    self.note = note
                    whole = new[:-1] if note else new
                    self._seq += len(whole)
                    self._last = whole[-1] if whole else self._last
                    self.story.extend(events)
        if not is_new:  # Somebody here was faster.
            await self._refresh()

    def _begin_anew(self) -> None:
        """Forget a session that somebody has removed. Raises `SessionConflict` in mid-run."""
        if self.busy:
            raise conflict(self.id, self.store.where(self.id))
        with self._lock:
            self.story, self.note, self._seq, self._last = Story(), "", 0, b""

    def add(self, event: DurableEvent, hook: Redact | None) -> None:
        """Take an event that has happened."""
        with self._lock:
            declared = self.story.declared
            if isinstance(event, RunStarted) and event.declared == declared.get(event.name):
                event = replace(event, declared=None)  # Once is enough.
            self.story.add(event)
            self._pending.append((event, hook))
            self._added += 1

    async def keep(self) -> None:
        """Return when all that was added so far is in the store. Raises `SessionError`."""
        if self._failure is None and self._kept < self._added:
            loop = asyncio.get_running_loop()
            done = loop.create_future()
            with self._lock:
                self._waiting.append((self._added, loop, done))
            self.keep_soon()
            await done
        if self._failure is not None:
            raise self._failure

    def keep_soon(self) -> None:
        """Begin to write what was added so far; nobody waits for it."""
        background_loop().call_soon_threadsafe(self._begin_to_write)

    def _begin_to_write(self) -> None:
        if self._failure is not None:
            self._tell()
        elif self._writing is None and self._pending:
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        with self._lock:
            batch, self._pending = self._pending, []
        try:
            record = encode(batch, self._seq + 1)
            written = self.store.append(self.id, self._seq, record)
            self._seq, self._last = await self._safely(written, "written"), record
        except SessionError as error:
            self._failure = error
        # Whatever the hook for redaction raises, `sys.exit` too: many wait for the end of this.
        except BaseException as error:  # noqa: BLE001
            problem = f"{type(error).__name__}: {error}"
            self._failure = SessionError(f"{self.where} could not be written down. {problem}")
        if self._failure is not None:
            forget(self)
        self._kept += len(batch)
        self._writing = None
        self._tell()
        if self._waiting:
            self._begin_to_write()

    def _tell(self) -> None:
        """Wake those whose events are safe, or all of them when nothing is any more."""
        with self._lock:
            over = self._failure is not None
            done = [each for each in self._waiting if over or each[0] <= self._kept]
            self._waiting = [each for each in self._waiting if each not in done]
        for _, loop, future in done:
            with contextlib.suppress(RuntimeError):  # Its loop has ended.
                loop.call_soon_threadsafe(_settle, future)

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
            is_ours = isinstance(error, UserError)  # Such as that boto3 is missing.
            problem = str(error) if is_ours else f"{type(error).__name__}: {error}"
            raise SessionError(f"{self.where} could not be {verb}. {problem}") from error


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _at_home(make: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Do it in the one loop of all sessions, which goes on when a cell blocks its own."""
    home = background_loop()
    if asyncio.get_running_loop() is home:
        await make()
    else:
        await in_loop(home, make)


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

    def keep_soon(self) -> None:
        """Begin to write what was taken; nobody waits for it."""
        if not self._is_closed:
            self._log.keep_soon()

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
    if _open.get((id(log.store), log.id)) is log:
        close_log(log.store, log.id)


def close_log(store: SessionStore, session_id: str) -> None:
    """Know nothing more of a session."""
    _open.pop((id(store), session_id), None)
    _recent.pop((id(store), session_id), None)
