"""`%session`: what is asked in this kernel is written down, looked at, branched off, gone on with."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import difflib
import re
from typing import Any
from weakref import WeakKeyDictionary

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display

from nbagents._portal import in_thread, portal
from nbagents.errors import SessionCorrupt, SessionError, UserError, unknown_name
from nbagents.events import InputRequested
from nbagents.notebook.arguments import parse
from nbagents.notebook.cards import Table
from nbagents.notebook.magics import AgentMagics, assigned, limits_of
from nbagents.notebook.session_cards import (
    Card,
    Conversation,
    Row,
    can_go_on,
    place_of,
    session_card,
    sessions_table,
)
from nbagents.notebook.stop import stoppable
from nbagents.questions import OpenQuestion, Question, present_human
from nbagents.runnable import Run, Runnable
from nbagents.sessions.address import default_store
from nbagents.sessions.base import SessionStore
from nbagents.sessions.records import decode
from nbagents.sessions.session import Session
from nbagents.sessions.story import RunRecord, Story

__all__ = ["VERBS", "SessionMagics"]

VERBS = ("fork", "list", "off", "resume", "rm", "show")
_READ_AT_ONCE = 16
_LISTED = 1_000
_CLOSE = 0.8

_chosen: WeakKeyDictionary[InteractiveShell, Session | None] = WeakKeyDictionary()
"""What is current in each shell, also while the extension is loaded anew."""

Shown = Card | Table | Conversation | Run[Any]


@magics_class
class SessionMagics(Magics):
    """The magic that chooses where runs are written down."""

    def __init__(self, shell: InteractiveShell, magics: AgentMagics) -> None:
        super().__init__(shell)
        self._magics = magics
        if session := _chosen.get(shell):
            magics.session = session
            display(Card(f"Session {session.id} continues", ["to leave it: %session off"]))

    @no_var_expand
    @magic_arguments()
    @argument("what", nargs="?", help="A session's id, or one of the verbs above.")
    @argument("name", nargs="?", help="What the verb is about.")
    @argument("other", nargs="?", help="With fork: the branch, when another one is branched off.")
    @argument("--at", type=int, help="With fork: only the first so many events.")
    @argument("--answers", help="With resume: answers to questions, as for %%ask.")
    @argument("--turns", type=int, help="With resume: model calls at most.")
    @argument("--cost", type=float, help="With resume: US dollars at most.")
    @line_magic
    def session(self, line: str) -> Shown:
        """Run what is asked from now on in a session, which survives a restart of the kernel.

        `%session ID` begins one or goes on with it: an agent knows what was said, and what was cut
        off goes on when it is asked the same again. `%session` shows the current one, `off` leaves
        it. `list [PREFIX]` tells which there are, `show [ID]` what was said in one,
        `fork [ID] NEW [--at N]` branches one off and goes on in the branch, `rm ID` removes one, and
        `resume [NAME]` lets an agent or a team go on with what was cut off, stopped or failed.
        """
        return portal().call(lambda: self._session(line))

    async def awaited(self, line: str, _cell: str | None, variable: str | None = None) -> Shown:
        """Be `%session` for a cell that can await; `variable` is what the cell assigns it to."""
        assigned.set(variable)
        return await stoppable(self._session(line))

    def move(self) -> tuple[str, str, str] | None:
        """Go on where sessions are kept from now on; tell which session now lies where, and why.

        None when none is current, or it lies there already.
        """
        old = self._magics.session
        if old is None or old.store is default_store():
            return None
        new = Session(old.id)
        self._choose(new)
        why = f"it continues there; earlier events stay in {place_of(old)}"
        return f"session {new.id}", place_of(new), why

    def ids(self) -> list[str]:
        """List the ids that are here, unless that takes long."""
        store = default_store()
        if store.durable != "exact":
            return []
        try:
            return portal().call(store.list)
        except SessionError:
            return []

    async def _session(self, line: str) -> Shown:
        options = self._options(line)
        match options.what:
            case "fork":
                return await self._fork(options.name, options.other, options.at)
            case "list":
                return await self._list(options.name or "")
            case "off":
                return self._leave()
            case "resume":
                return await self._resume(options)
            case "rm":
                return await self._remove(options.name)
            case "show":
                return Conversation(await self._find(options.name))
            case None if self._magics.session is None:
                return _nothing("No session")
            case chosen:
                return await self._enter(chosen)

    def _options(self, line: str) -> argparse.Namespace:
        """Read the line. Raises `UsageError` for what does not belong to its verb."""
        options, rest = parse(SessionMagics.session, self._magics.namespace.filled(line))
        verb = options.what if options.what in VERBS else ""
        taken = {"": 0, "fork": 2, "off": 0}.get(verb, 1)
        for place, name in enumerate((options.name, options.other, rest or None)):
            if name is not None and place >= taken:
                hint = "" if verb else f" The commands are {', '.join(VERBS)}."
                raise UsageError(f"%session {options.what} takes no {name!r}.{hint}")
        for option in ("at", "answers", "turns", "cost"):
            its = "fork" if option == "at" else "resume"
            if getattr(options, option) is not None and verb != its:
                raise UsageError(f"--{option} belongs to %session {its}.")
        return options

    async def _enter(self, id: str | None) -> Card:
        session = self._current() if id is None else Session(id)
        self._choose(await _read(session))
        if session.events or session.note:
            return _card(session)
        close = await _close(session.id, session.store)
        rows = [Row("did you mean", "", f"%session {close}")] if close else []
        return _card(session, "new: everything you ask from now on is recorded", *rows)

    def _leave(self) -> Card:
        left = self._magics.session
        self._choose(None)
        return _nothing(f"Left session {left.id}" if left else "No session")

    async def _fork(self, old: str | None, new: str | None, at: int | None) -> Card:
        if old is None:
            raise UsageError("Name the new branch: %session fork NEW")
        if new is None:
            old, new = None, old
        if new in VERBS:
            raise UsageError(
                f"{new!r} is a command of %session, so it cannot be the name of a session."
            )
        session = await self._find(old, readable=False)
        branch = await session.fork(new, at)
        self._choose(branch)
        of = f"of {len(session.events):,} events" if at is not None else "with all that stood there"
        return _card(branch, f"branched off {session.id} {of}")

    async def _list(self, prefix: str) -> Table:
        store = default_store()
        known = await store.list(prefix)
        ids = known[:_LISTED]
        gate = asyncio.Semaphore(_READ_AT_ONCE)

        async def read(id: str) -> tuple[str, Story | str]:
            async with gate:
                return id, await _story(store, id)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(read(one)) for one in ids]
        current = self._magics.session
        stories = (task.result() for task in tasks)
        return sessions_table(stories, current.id if current else None, len(known))

    async def _remove(self, id: str | None) -> Card:
        if id is None:
            raise UsageError("Which one? %session rm ID")
        session = await self._find(id, readable=False)
        try:
            await session.delete()
        except SessionCorrupt:
            await session.store.delete(id)
        facts = [f"it lay in {place_of(session)}"]
        if self._magics.session is not None and self._magics.session.id == id:
            self._choose(None)
            facts.append("no session is current now")
        return Card(f"Session {id} is removed", facts)

    async def _resume(self, options: argparse.Namespace) -> Run[Any]:
        session = await self._current().load()
        run = self._cut_off(session, options.name)
        runnable = self._known(run) or await self._stand_in(run)
        stream = runnable.stream(
            session=session,
            limits=limits_of(runnable.limits, options),
            answers=self._magics.namespace.answers(options.answers),
        )
        return await self._magics.follow(stream, runnable)

    def _cut_off(self, session: Session, name: str | None) -> RunRecord:
        """Find the run that is to go on: by the name of what was run, or the last one."""
        runs = {run.name: run for run in can_go_on(session)}
        variable = self._magics.namespace.variables.get(name or "")
        if name not in runs and isinstance(variable, Runnable):
            name = variable.name
        if not runs:
            raise UserError(f"Nothing was cut off in session {session.id!r}: ask something new.")
        if name is None:
            return next(iter(runs.values()))
        if name not in runs:
            raise unknown_name("run that can continue", name, runs)
        return runs[name]

    def _known(self, run: RunRecord) -> Runnable[Any] | None:
        """Find what was run among the variables."""
        for runnable in self._alike(run).values():
            if runnable.name == run.name:
                return runnable
        return None

    def _alike(self, run: RunRecord) -> dict[str, Runnable[Any]]:
        known = self._magics.namespace.runnables()
        return {name: each for name, each in known.items() if each.kind == run.start.kind}

    async def _stand_in(self, run: RunRecord) -> Runnable[Any]:
        """Ask the person what is to go on in the place of something that is not defined here."""
        kind = run.start.kind
        there = {
            name: each for name, each in self._alike(run).items() if dataclasses.is_dataclass(each)
        }
        missing = f"The {kind} {run.name!r} is not defined in this kernel."
        human = present_human()
        if there and human is not None:
            reason = f"{missing} Finished work is not repeated."
            question = Question("Which one should continue in its place?", choices=[*there])
            schema = question.adapter.json_schema()
            asked = OpenQuestion(
                question, InputRequested("", question.prompt, schema, run.name, reason)
            )
            await human.attend(asked)
            if asked.is_answered:
                return dataclasses.replace(there[await asked.answered()], name=run.name)
        raise UserError(f"{missing} Run the cell that defines it, then: %session resume {run.name}")

    def _choose(self, session: Session | None) -> None:
        self._magics.session = _chosen[self.shell] = session

    def _current(self) -> Session:
        if self._magics.session is None:
            raise UserError("No session is active. Start or continue one: %session ID")
        return self._magics.session

    async def _find(self, id: str | None, *, readable: bool = True) -> Session:
        """Read a session that is there: the current one, or that of an id."""
        current = self._magics.session
        session = self._current() if id is None or (current and current.id == id) else Session(id)
        try:
            await _read(session)
        except SessionCorrupt:
            if readable:
                raise
            return session
        if not session.events and not session.note and session is not current:
            raise unknown_name("session", session.id, await session.store.list())
        return session


async def _read(session: Session) -> Session:
    try:
        return await session.load()
    except SessionCorrupt as error:
        if session.events:
            error.args = (f"{error} Continue from there: %session fork {_quoted(session.id)} NEW",)
        raise


async def _story(store: SessionStore, id: str) -> Story | str:
    """Read a session without keeping it; what hinders that is told instead."""
    try:
        records = await store.read(id)
        events, _ = await in_thread(lambda: decode(records, 1, store.where(id)))
    except SessionError as error:
        return str(error)
    return Story(events)


async def _close(id: str, store: SessionStore) -> str:
    """Find what a new id may have been meant to be; a count at its end makes no difference."""
    names = [*VERBS, *await store.list(id[:1])]
    bare = re.sub(r"\d", "", id)
    others = [name for name in names if re.sub(r"\d", "", name) != bare]
    return next(iter(difflib.get_close_matches(id, others, 1, _CLOSE)), "")


def _card(session: Session, fact: str = "", *rows: Row) -> Card:
    """Show a session that is current, with what is to be typed to go on."""
    ways = [
        Row("to continue", f"ask {run.name} the same question, or", _way(run, index))
        if run.is_open
        else Row("to continue", f"{run.name}, which {_ENDED[run.status]}:", _way(run, index))
        for index, run in enumerate(can_go_on(session))
    ]
    return session_card(session, [fact] if fact else [], [*ways, *rows])


_ENDED = {
    "limited": "stopped at a limit",
    "failed": "failed",
    "cancelled": "was stopped",
}


def _way(run: RunRecord, index: int) -> str:
    return f"%session resume {_quoted(run.name)}" if index else "%session resume"


def _quoted(name: str) -> str:
    return f'"{name}"' if re.search(r"\s", name) else name


def _nothing(title: str) -> Card:
    rows = [
        Row("start", "or continue a session:", "%session ID"),
        Row("see all", "", "%session list"),
    ]
    return Card(title, ["what you ask is not recorded"], rows)
