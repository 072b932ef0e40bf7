"""What the events of a session tell: its runs, conversations, open questions, state and usage."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic_core import to_json

from nbagents.events import (
    DurableEvent,
    InputReceived,
    InputRequested,
    MessageFinished,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunResumed,
    RunStarted,
    StateChanged,
    messages_of,
)
from nbagents.messages import ZERO_USAGE, Message, TextPart, Usage

__all__ = ["RunRecord", "Story"]

_AT_ONCE = 200
"""Runs that are read while the loop waits."""
_CUT_OFF = "Cancelled"
"""The reason of a stop that nobody gave one for, as when a kernel is shut down."""


@dataclass(slots=True)
class RunRecord:
    """One outermost run as it stands in the session."""

    start: RunStarted
    events: list[DurableEvent] = field(default_factory=list[DurableEvent])
    """All of it and of the runs below it."""
    end: RunFinished | RunFailed | RunCancelled | None = None

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.start.run_id

    @property
    def name(self) -> str:
        """The name of what was run."""
        return self.start.name

    @property
    def status(
        self,
    ) -> Literal["cut off", "waiting", "finished", "limited", "failed", "cancelled"]:
        """How it ended; `cut off` when it did not."""
        match self.end:
            case RunFinished(limit=limit):
                return "limited" if limit else "finished"
            case RunFailed():
                return "failed"
            case RunCancelled(reason=reason) if reason != _CUT_OFF:
                return "cancelled"
            case _:
                return "waiting" if self.open_questions else "cut off"

    @property
    def is_open(self) -> bool:
        """True when it can go on as if nothing had happened."""
        end = self.end
        return end is None or (isinstance(end, RunCancelled) and end.reason == _CUT_OFF)

    @property
    def open_questions(self) -> dict[str, InputRequested]:
        """The questions that were not answered, by their id."""
        asked = {e.question_id: e for e in self.events if isinstance(e, InputRequested)}
        for event in self.events:
            if isinstance(event, InputReceived):
                asked.pop(event.question_id, None)
        return asked

    @property
    def usage(self) -> Usage:
        """Tokens and money of it and all below it."""
        if self.end is not None:
            return self.end.usage
        spent = (e.message.usage for e in self.events if isinstance(e, MessageFinished))
        return sum((usage for usage in spent if usage), ZERO_USAGE)

    @property
    def messages(self) -> list[Message]:
        """What went in, what was said, what came out; nothing when nothing was answered."""
        messages = messages_of(self.events, self.run_id)
        if len(messages) > len(self.start.input):
            return messages
        if not isinstance(self.end, RunFinished) or self.end.limit:
            return []
        output = self.end.output
        text = output if isinstance(output, str) else to_json(output).decode()
        answer = Message("assistant", (TextPart(text), *self.end.files), self.name)
        return [*messages, answer]


class Story:
    """Events, folded as they come; each costs the same, however many there were before."""

    def __init__(self, events: Iterable[DurableEvent] = ()) -> None:
        self.events: list[DurableEvent] = []
        """All events of the session, in the order in which they were written."""
        self.runs: dict[str, RunRecord] = {}
        """The outermost runs, by their id."""
        self.state: dict[str, Any] = {}
        """What its agents share: `ctx.state` of the outermost runs."""
        self.declared: dict[str, dict[str, Any]] = {}
        """What each agent was when it last ran."""
        self._run_of: dict[str, RunRecord] = {}
        """The outermost run that a run belongs to."""
        self._said: dict[str, list[Message]] = {}
        self._untold: dict[str, dict[str, RunRecord]] = {}
        """By name, the runs whose messages are not in its conversation yet."""
        self._taken_back = 0
        """How often a run was taken out of a conversation again."""
        self._open: dict[str, RunRecord] = {}
        """Runs that have not ended."""
        self.extend(events)

    @property
    def agents(self) -> list[str]:
        """The names of all that ran, also inside of others."""
        starts = (event.name for event in self.events if isinstance(event, RunStarted))
        return list(dict.fromkeys(starts))

    @property
    def questions(self) -> list[InputRequested]:
        """The questions that wait for an answer."""
        runs = [run for run in self.runs.values() if run.is_open]
        return [question for run in runs for question in run.open_questions.values()]

    @property
    def usage(self) -> Usage:
        """Tokens and money of all its runs."""
        return sum((run.usage for run in self.runs.values()), ZERO_USAGE)

    def messages(self, name: str | None = None) -> list[Message]:
        """Tell all that was said, or what one agent heard and said, wherever it ran."""
        if name is None:
            said: list[Message] = []
            for run in self.runs.values():
                said += run.messages
            return said
        said: list[Message] = []
        for run in self.runs.values():
            if run.name == name:
                said.extend(run.messages)
                continue
            inside = [e for e in run.events if isinstance(e, RunStarted) and e.name == name]
            for start in inside:
                said.extend(messages_of(run.events, start.run_id))
        return said

    async def conversation(self, name: str, under_way: Collection[str]) -> tuple[Message, ...]:
        """Return the conversation that an outermost run of this name continues.

        A run that was cut off belongs to it from now on, as it was left; one that is under way
        does not yet.
        """
        taken_back = -1
        while taken_back != self._taken_back:  # By somebody else, while this let others work.
            taken_back = self._taken_back
            for number, run in enumerate(list(self._untold.get(name, {}).values()), 1):
                if taken_back == self._taken_back and run.run_id not in under_way:
                    self._tell(run)
                if number % _AT_ONCE == 0:
                    await asyncio.sleep(0)
        return tuple(self._said.get(name, ()))

    async def before(self, run: RunRecord) -> tuple[Message, ...]:
        """Return the conversation that a run had continued when it began."""
        said: list[Message] = []
        for number, other in enumerate(list(self.runs.values()), 1):
            if other is run:
                break
            if other.name == run.name:
                said.extend(other.messages)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return tuple(said)

    def declared_before(self, run: RunRecord) -> dict[str, dict[str, Any]]:
        """Return what each agent was when a run began."""
        declared: dict[str, dict[str, Any]] = {}
        for event in self.events:
            if event is run.start:
                break
            if isinstance(event, RunStarted) and event.declared is not None:
                declared[event.name] = event.declared
        return declared

    def cut_off(
        self, name: str, kind: str, given: tuple[Message, ...] | None, under_way: Collection[str]
    ) -> RunRecord | None:
        """Find the last run of this name and kind that can go on; with the same input, if that is given.

        Without an input a run counts too that was stopped, failed or reached a limit.
        """
        for run in reversed(self._open.values() if given is not None else self.runs.values()):
            if (run.name, run.start.kind) != (name, kind) or run.run_id in under_way:
                continue
            if given is None:
                return None if run.status == "finished" else run
            if run.is_open and run.start.input == given:
                return run
        return None

    def add(self, event: DurableEvent) -> None:
        """Take the next event."""
        self.extend((event,))

    def extend(self, events: Iterable[DurableEvent]) -> None:
        """Take the next events."""
        keep, run_of, of_roots = self.events.append, self._run_of, _OF_ROOTS
        for event in events:
            keep(event)
            kind, run_id = type(event), event.run_id
            run = self._begin(event) if isinstance(event, RunStarted) else run_of.get(run_id)
            if run is None:
                continue
            run.events.append(event)
            if kind in of_roots and run_id == run.start.run_id:
                self._add_to_root(run, event)

    def _begin(self, event: RunStarted) -> RunRecord:
        run_id = event.run_id
        if event.declared is not None:
            self.declared[event.name] = event.declared
        run = self._run_of.get(event.parent_id) if event.parent_id else None
        if run is None:
            run = self.runs[run_id] = RunRecord(event, [])
            self._open[run_id] = run
            self._untold.setdefault(run.name, {})[run_id] = run
        self._run_of[run_id] = run
        return run

    def _add_to_root(self, run: RunRecord, event: DurableEvent) -> None:
        if isinstance(event, (RunFinished, RunFailed, RunCancelled)):
            run.end = event
            if isinstance(event, RunFinished) or not run.is_open:
                self._open.pop(event.run_id, None)
        elif isinstance(event, RunResumed):
            run.end = None
            self._open[run.run_id] = run
            self._take_back(run)
        elif isinstance(event, StateChanged):
            self.state.pop(event.key, None)
            if not event.removed:
                self.state[event.key] = event.value

    def _tell(self, run: RunRecord) -> None:
        if self._untold[run.name].pop(run.run_id, None) is not None:  # Else somebody else did.
            self._said.setdefault(run.name, []).extend(run.messages)

    def _take_back(self, run: RunRecord) -> None:
        """Take the messages of a run that goes on out of the conversation."""
        if run.run_id not in self._untold.get(run.name, {}):
            self._taken_back += 1
            same = [other for other in self.runs.values() if other.name == run.name]
            self._untold[run.name] = {other.run_id: other for other in same}
            self._said.pop(run.name, None)


_OF_ROOTS = {RunFinished, RunFailed, RunCancelled, RunResumed, StateChanged}
