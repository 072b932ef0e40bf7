"""The record of one tree of runs: its events, its questions, and who wants to know of them."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from nbagents.errors import unknown_name
from nbagents.events import DurableEvent, Event, InputReceived, InputRequested
from nbagents.questions import Answers, OpenQuestion, Prepared, present_human

__all__ = ["Journal", "Record", "Watcher", "check_answers", "unasked"]

_IDS = re.compile(r"q\d+", re.IGNORECASE)


class Watcher(Protocol):
    """Whoever wants to see events as they happen."""

    def see(self, event: Event) -> bool:
        """Take one event, quickly; True means that there is no room for more just now."""
        ...

    async def room(self) -> None:
        """Return when there is room again; this is how a slow reader slows a run."""
        ...


class Journal(Protocol):
    """Whoever writes the events of a run down where a crash does not reach them."""

    is_exact: bool
    """Each result of a tool is also saved on its own, as soon as it is there."""
    is_held: bool
    """The run waits for a person, and may be taken over."""

    def add(self, event: DurableEvent) -> None:
        """Take one event, quickly."""
        ...

    async def keep(self) -> None:
        """Return when all that was taken is safe. Raises `SessionError` when it cannot be."""
        ...

    def keep_soon(self) -> None:
        """Begin to make it safe; nobody waits for it."""
        ...

    def close(self) -> None:
        """Take nothing any more: the run is over."""
        ...


@dataclass(slots=True)
class Record:
    """The events of one tree of runs, in the order in which they happened."""

    watcher: Watcher | None = None
    task: asyncio.Task[Any] | None = None
    """Runs the outermost run."""
    journal: Journal | None = None
    parked: Journal | None = None
    """The journal of a run that waits: that it is let go is no end of it."""
    events: list[DurableEvent] = field(default_factory=list[DurableEvent])
    seq: int = 0
    declared: Mapping[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """What the agents of a session were before, by name."""
    answers: Answers | None = None
    """What stands ready for questions to a person."""
    prepared: Prepared = field(init=False)
    questions: dict[str, OpenQuestion] = field(default_factory=dict[str, OpenQuestion])
    """Those that have been asked and are not over."""
    asked: int = 0
    """How many questions there have been."""
    attended: int = 0
    """How many are before a person just now."""
    news: list[asyncio.Future[None]] = field(default_factory=list[asyncio.Future[None]])
    """Wake whoever waits for the end of the tree, or for it to stand still."""

    _ahead: float = field(init=False)
    """What the clock of the computer is ahead of the one that is never set back."""

    def __post_init__(self) -> None:
        self.prepared = Prepared(self.answers)
        self._ahead = time.time() - time.monotonic()

    def now(self) -> float:
        """Return the time, in seconds since the epoch, by a clock that is not set during a run."""
        return self._ahead + time.monotonic()

    def retell(self, events: Sequence[DurableEvent]) -> None:
        """Begin with what had happened before."""
        self.events.extend(events)
        self.seq = max(event.seq for event in events)
        asked = {event.question_id for event in events if isinstance(event, InputRequested)}
        self.asked = len(asked)
        if self.watcher is not None:
            for event in events:
                self.watcher.see(event)

    def park(self) -> None:
        """Write nothing down until somebody answers, or the run is resumed."""
        if self.journal is not None:
            self.journal.is_held = True
            self.journal, self.parked = None, self.journal

    def unpark(self) -> None:
        """Write down again what happens."""
        if self.parked is not None:
            self.parked.is_held = False
            self.journal, self.parked = self.parked, None

    def close(self) -> None:
        """Write nothing down any more."""
        if journal := self.journal or self.parked:
            journal.close()

    def wake(self) -> None:
        """Tell that the tree has ended, or may stand still."""
        for news in self.news:
            if not news.done():
                news.set_result(None)
        self.news.clear()

    def attend(self, question: OpenQuestion) -> None:
        """Bring a question before a person, if there is one, until it is over."""
        human = present_human()
        if human is None or not question.is_open:
            return

        def end(task: asyncio.Task[None]) -> None:
            self.attended -= 1
            question.attendant = None
            if not task.cancelled() and (error := task.exception()):
                question.fail(error)
            self.wake()

        self.attended += 1
        question.attendant = asyncio.create_task(human.attend(question))
        question.attendant.add_done_callback(end)


def unasked(events: Iterable[DurableEvent], answers: Answers | None) -> list[str]:
    """List the names among `answers` that no question has had: as its id, its prompt, its asker."""
    if not isinstance(answers, Mapping):
        return []
    asked = [event for event in events if isinstance(event, InputRequested)]
    names = {name for event in asked for name in _names(event)}
    return [name for name in answers if name not in names and name != "*"]


def check_answers(events: Sequence[DurableEvent], answers: Answers | None) -> None:
    """Raise `UserError` for the id of a question that a waiting run does not ask.

    A prompt or an asker may be that of a question still to come; `Run.problems` names those that
    nothing was asked by.
    """
    asked = {event.question_id: event for event in events if isinstance(event, InputRequested)}
    for event in events:
        if isinstance(event, InputReceived):
            asked.pop(event.question_id, None)
    for name in unasked(events, answers):
        if asked and _IDS.fullmatch(str(name)):
            raise unknown_name("open question", str(name), asked)


def _names(event: InputRequested) -> tuple[str, str, str]:
    """Name the keys by which an answer finds a question."""
    return event.question_id, event.prompt, event.asker
