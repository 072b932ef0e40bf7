"""What the events of a session tell: its runs, conversations, open questions, state and usage."""

from __future__ import annotations

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

_CUT_OFF = "Cancelled"
"""The reason of a stop that nobody gave one for, as when a kernel is shut down."""


@dataclass(slots=True)
class RunRecord:
    """One outermost run as it stands in the session."""

    start: RunStarted
    events: list[DurableEvent] = field(default_factory=list[DurableEvent])
    """All of it and of the runs below it."""
    end: RunFinished | RunFailed | RunCancelled | None = None
    open_questions: dict[str, InputRequested] = field(default_factory=dict[str, InputRequested])
    usage: Usage = ZERO_USAGE

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.start.run_id

    @property
    def name(self) -> str:
        """The name of what was run."""
        return self.start.name

    @property
    def status(self) -> Literal["cut off", "waiting", "finished", "limited", "failed", "cancelled"]:
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
        return self.status in {"cut off", "waiting"}

    @property
    def messages(self) -> list[Message]:
        """What went in, what was said, what came out; nothing when nothing was answered."""
        own = any(
            isinstance(event, MessageFinished) and event.run_id == self.run_id
            for event in self.events
        )
        if own:
            return messages_of(self.events, self.run_id)
        if not isinstance(self.end, RunFinished) or self.end.limit:
            return []
        output = self.end.output
        text = output if isinstance(output, str) else to_json(output).decode()
        answer = Message("assistant", (TextPart(text), *self.end.files), self.name)
        return [*self.start.input, answer]

    def add(self, event: DurableEvent) -> None:
        """Take an event of it, or of a run below it."""
        self.events.append(event)
        match event:
            case MessageFinished(message=message):
                self.usage = self.usage + (message.usage or Usage())
            case InputRequested():
                self.open_questions[event.question_id] = event
            case InputReceived():
                self.open_questions.pop(event.question_id, None)
            case RunResumed() if event.run_id == self.run_id:
                self.end = None
            case RunFinished() | RunFailed() | RunCancelled() if event.run_id == self.run_id:
                self.end = event
                self.usage = event.usage
            case _:
                pass


class Story:
    """Events, folded as they come; each costs the same, however many there were before."""

    def __init__(self, events: Iterable[DurableEvent] = ()) -> None:
        self.events: list[DurableEvent] = []
        """All events of the session, in the order in which they were written."""
        self.runs: dict[str, RunRecord] = {}
        """The outermost runs, by their id."""
        self.state: dict[str, Any] = {}
        """What its agents share: `ctx.state` of the outermost runs."""
        self._root_of: dict[str, str] = {}
        self._said: dict[str, list[Message]] = {}
        self._untold: dict[str, RunRecord] = {}
        """Runs whose messages do not stand yet in the conversation of their name."""
        for event in events:
            self.add(event)

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
            return [message for run in self.runs.values() for message in run.messages]
        said: list[Message] = []
        own: dict[str, list[DurableEvent]] = {}
        for event in self.events:
            if isinstance(event, RunStarted) and event.name == name:
                own[event.run_id] = []
            if event.run_id in own:
                own[event.run_id].append(event)
        for run_id, events in own.items():
            run = self.runs.get(run_id)
            said.extend(run.messages if run else messages_of(events, run_id))
        return said

    def conversation(self, name: str, under_way: Collection[str]) -> tuple[Message, ...]:
        """Return what an outermost run of this name is to go on from.

        A run that was cut off belongs to it from now on, as it was left; one that is under way
        does not yet.
        """
        for run in list(self._untold.values()):
            if run.name == name and run.run_id not in under_way:
                self._tell(run)
        return tuple(self._said.get(name, ()))

    def before(self, run: RunRecord) -> tuple[Message, ...]:
        """Return what a run had gone on from when it began."""
        said: list[Message] = []
        for other in self.runs.values():
            if other is run:
                break
            if other.name == run.name:
                said.extend(other.messages)
        return tuple(said)

    def cut_off(
        self, name: str, given: tuple[Message, ...] | None, under_way: Collection[str]
    ) -> RunRecord | None:
        """Find the last run of this name that can go on; with the same input, if that is given.

        Without an input a run counts too that was stopped, failed or reached a limit.
        """
        for run in reversed(self._untold.values() if given is not None else self.runs.values()):
            if run.name != name or run.run_id in under_way:
                continue
            if given is None:
                return None if run.status == "finished" else run
            if run.is_open and run.start.input == given:
                return run
        return None

    def add(self, event: DurableEvent) -> None:
        """Take the next event."""
        self.events.append(event)
        if isinstance(event, RunStarted):
            parent = self._root_of.get(event.parent_id or "")
            self._root_of[event.run_id] = parent or event.run_id
            if parent is None:
                self.runs[event.run_id] = self._untold[event.run_id] = RunRecord(event)
        run = self.runs.get(self._root_of.get(event.run_id, ""))
        if run is None:
            return
        run.add(event)
        if isinstance(event, RunResumed) and event.run_id == run.run_id:
            self._take_back(run)
        if isinstance(event, StateChanged) and event.run_id == run.run_id:
            self.state.pop(event.key, None)
            if not event.removed:
                self.state[event.key] = event.value
        if run.end is not None and not run.is_open and run.run_id in self._untold:
            self._tell(run)

    def _tell(self, run: RunRecord) -> None:
        del self._untold[run.run_id]
        self._said.setdefault(run.name, []).extend(run.messages)

    def _take_back(self, run: RunRecord) -> None:
        """Take the messages of a run that goes on out of the conversation."""
        if run.run_id in self._untold:
            return
        self._untold[run.run_id] = run
        others = [
            other
            for other in self.runs.values()
            if other.name == run.name and other.run_id not in self._untold
        ]
        self._said[run.name] = [message for other in others for message in other.messages]
