"""Sessions: to run in, to read, to branch off."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from nbagents._portal import off_loop
from nbagents.errors import SessionConflict, SessionCorrupt, SessionError, UserError
from nbagents.events import DurableEvent, EdgeTaken, InputRequested
from nbagents.limits import Limits
from nbagents.messages import Message, Usage
from nbagents.questions import Answers
from nbagents.record import Journal, check_answers
from nbagents.sessions.address import default_store, scratch_store
from nbagents.sessions.base import SessionStore, check_session_id
from nbagents.sessions.diff import Diff
from nbagents.sessions.file import FileStore
from nbagents.sessions.log import RunJournal, close_log, open_log
from nbagents.sessions.records import Redact, encode
from nbagents.sessions.story import RunRecord, Story

__all__ = ["Begun", "Session"]

R_co = TypeVar("R_co", covariant=True)


class Resumable(Protocol[R_co]):
    """What can go on with a run: an agent, a team."""

    async def run(
        self,
        input: None = None,
        *,
        session: Session,
        deps: object = None,
        limits: Limits | None = None,
        answers: Answers | None = None,
    ) -> R_co:
        """Go on with what was cut off in the session."""
        ...


@dataclass(frozen=True, slots=True)
class Begun:
    """What a run begins with."""

    messages: tuple[Message, ...]
    earlier: tuple[Message, ...] = ()
    """The conversation that it goes on with."""
    state: Mapping[str, Any] | None = None
    journal: Journal | None = None
    events: Sequence[DurableEvent] = ()
    """Of a run that was cut off and goes on: all that had happened in it."""
    declared: Mapping[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """What each agent of the session was when it last ran."""


class Session:
    """The record of conversations and teamwork under one id, in a store.

    Run in it: `agent.run("...", session=session)`, or by its id alone. To read it, `await
    session.load()` first, which reads what is new; then nothing waits.
    """

    def __init__(
        self, id: str, *, store: SessionStore | None = None, redact: Redact | None = None
    ) -> None:
        """Name a session; nothing is read or written yet.

        Without a `store` it is kept where `NBAGENTS_SESSIONS` says, else in `.nbagents/sessions`.
        A replay keeps all sessions in a folder of its own, whatever their store.
        `redact` may change events before they are stored. Raises `UserError` for an unfit id.
        """
        self.id = check_session_id(id)
        self.store = scratch_store() or (default_store() if store is None else store)
        self.note = ""
        """What was wrong in the store, and was mended."""
        self._redact = redact
        self._story = Story()

    def __repr__(self) -> str:
        return f"<Session {self.id!r}: {len(self.runs)} runs, {len(self.events)} events>"

    async def load(self) -> Session:
        """Read what is new in the store, and return the session.

        Raises `SessionError`; with a record that cannot be read, the session still tells what
        stands before it, and can be forked.
        """
        try:
            log = await open_log(self.store, self.id, anew=True)
        except SessionCorrupt as error:
            self._story = Story(error.events)  # pyright: ignore[reportArgumentType]
            raise
        self._story, self.note = log.story, log.note
        return self

    @property
    def events(self) -> list[DurableEvent]:
        """All that happened, in order."""
        return self._story.events

    @property
    def agents(self) -> list[str]:
        """The names of all that ran, also inside of others."""
        return self._story.agents

    @property
    def runs(self) -> list[RunRecord]:
        """The outermost runs."""
        return list(self._story.runs.values())

    @property
    def questions(self) -> list[InputRequested]:
        """The questions that wait for an answer."""
        return self._story.questions

    @property
    def state(self) -> dict[str, Any]:
        """What its agents share: `ctx.state` of the outermost runs."""
        return self._story.state

    @property
    def usage(self) -> Usage:
        """Tokens and money of all its runs."""
        return self._story.usage

    def messages(self, name: str | None = None) -> list[Message]:
        """Tell all that was said, or what one agent heard and said, wherever it ran."""
        return self._story.messages(name)

    def at(self, step: int) -> Session:
        """Return the session as it was after its first `step` events, to be read or forked.

        The edges along which a graph leaves a node are one step. Raises `UserError` for a step
        that it does not have.
        """
        if not isinstance(step, int) or isinstance(step, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise UserError(f"A step is a number of events, such as 12, not {step!r:.60}.")
        if not 0 <= step <= len(self.events):
            raise UserError(
                f"{self!r} has no step {step}: it has those from 0 to {len(self.events)}."
            )
        earlier = Session(self.id, store=self.store, redact=self._redact)
        while 0 < step < len(self.events) and _are_one(*self.events[step - 1 : step + 1]):
            step += 1
        earlier._story = Story(self.events[:step])
        return earlier

    async def fork(self, id: str, at: int | None = None) -> Session:
        """Begin another session with what stands in this one, or its first `at` events.

        Raises `UserError` when there is a session of that id already, or no such step.
        """
        branch = Session(id, store=self.store, redact=self._redact)
        if not self.events:
            await self.load()
        events = self.events if at is None else self.at(at).events
        if not events:
            raise UserError(f"There is nothing in {self!r} to begin {id!r} with.")
        try:
            record = encode([(event, self._redact) for event in events])
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
            raise SessionError(f"The branch {id!r} could not be written down. {problem}") from error
        try:
            await self.store.append(branch.id, 0, record)
        except SessionConflict:
            raise UserError(
                f"There is a session {id!r} already. Give the branch another id."
            ) from None
        return await branch.load()

    def diff(self, other: Session) -> Diff:
        """Tell what this session and another one do not have in common."""
        return Diff.of(self.events, other.events)

    async def resume(
        self,
        runnable: Resumable[R_co],
        answers: Answers | None = None,
        *,
        deps: object = None,
        limits: Limits | None = None,
    ) -> R_co:
        """Let an agent or a team go on with what was cut off, stopped or failed; return its run.

        `answers` are by a question's id, prompt or asker, or in order. Raises `UserError`, and
        changes nothing, for the id of a question that a run which waits has never asked.
        """
        return await runnable.run(session=self, deps=deps, limits=limits, answers=answers)

    async def delete(self) -> None:
        """Remove the session from its store."""
        close_log(self.store, self.id)
        await self.store.delete(self.id)
        self._story = Story()

    async def begin(
        self,
        name: str,
        kind: str,
        messages: tuple[Message, ...] | None,
        run_id: str | None = None,
        answers: Answers | None = None,
    ) -> Begun:
        """Make ready for a run: this is what `run(session=...)` does first.

        It goes on with the run `run_id`, or the last one of that name and kind that was cut off when it is
        asked the same again or there are no `messages`. Raises `UserError` when there is none, or
        when it waits and never asked what `answers` name; `SessionError` when nothing could be
        written down.
        """
        log = await open_log(self.store, self.id)
        story = self._story = log.story
        self.note = log.note
        journal = RunJournal(log, self._redact)
        if run_id is None:
            run = story.cut_off(name, kind, messages, log.busy)
        else:
            run = story.runs[run_id]
        await _check_place(self.store, self.id)
        if run is not None:
            if messages is None:
                check_answers(run.events, answers)
            journal.take(run.run_id)
            earlier, events = await story.before(run), list(run.events)
            declared = story.declared_before(run)
            return Begun(run.start.input, earlier, None, journal, events, declared)
        if messages is None:
            raise UserError(self._why_not(name, log.busy))
        earlier = await story.conversation(name, log.busy)
        return Begun(messages, earlier, dict(story.state), journal)

    def _why_not(self, name: str, under_way: set[str]) -> str:
        if any(run.name == name and run.run_id in under_way for run in self.runs):
            return f"{name} is at work in {self!r}, in this process: wait for its end, or stop it."
        others = dict.fromkeys(
            run.name
            for run in self.runs
            if run.status != "finished" and run.run_id not in under_way
        )
        hint = f" What can go on is {', '.join(others)}." if others else ""
        return f"{name} was not cut off in {self!r}: give it something to do.{hint}"


async def _check_place(store: SessionStore, id: str) -> None:
    """Raise `SessionError` for a file that could not be written, before a model is paid for."""
    if not isinstance(store, FileStore):
        return
    log = Path(store.where(id))

    def is_writable() -> bool:
        there = next(path for path in (log, *log.parents) if os.access(path, os.F_OK))
        needed = os.W_OK if there == log else os.W_OK | os.X_OK
        return os.access(there, needed, effective_ids=os.access in os.supports_effective_ids)

    if not await off_loop(is_writable):
        raise SessionError(
            f"{log} cannot be written. Give yourself the right to it, "
            "or keep sessions elsewhere: %nbagents config sessions=file:DIR"
        )


def _are_one(one: DurableEvent, next: DurableEvent) -> bool:
    if not isinstance(one, EdgeTaken) or not isinstance(next, EdgeTaken):
        return False
    return (one.run_id, one.source) == (next.run_id, next.source)
