"""The past of a run: what the record tells of one that was cut off, so that it can go on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from nbagents.errors import SessionError
from nbagents.events import (
    DurableEvent,
    EdgeTaken,
    HandedOff,
    InputReceived,
    InputRequested,
    MessageFinished,
    RunFailed,
    RunFinished,
    RunResumed,
    RunStarted,
    StateChanged,
    ToolFinished,
    ToolStarted,
    messages_of,
    was_interrupted,
)
from nbagents.messages import ZERO_USAGE, Message, ToolCallPart, ToolResultPart, Usage

__all__ = ["Departure", "Past"]

_Key = tuple[str | None, str | None, str]
Departure = tuple[str, list[str | None]]
"""A node that was left, and where to."""


class Past:
    """What had happened in a run before, read off its events in the order in which they stand.

    What is done is taken from here by whoever would do it again, in the order in which it was
    done; what was under way is done again. A run that was stopped counts as cut off.
    """

    def __init__(self, start: RunStarted) -> None:
        self.start = start
        self.end: RunFinished | RunFailed | None = None
        self.own: list[DurableEvent] = [start]
        self.state: dict[str, Any] = {}
        """What its runs had shared."""
        self.handoffs: deque[HandedOff] = deque()
        self.departures: deque[Departure] = deque()
        """Nodes that were left, and where to, in order."""
        self.calls: dict[str, ToolStarted] = {}
        """Calls of the last message whose tools had begun."""
        self.results: dict[str, ToolFinished] = {}
        """Calls of the last message whose tools had ended."""
        self._spent: Usage = ZERO_USAGE
        self._children: dict[_Key, deque[Past]] = {}
        self._questions: dict[str | None, deque[tuple[InputRequested, list[InputReceived]]]] = {}
        self._asked: dict[str, list[InputReceived]] = {}
        self._leaving: str | None = None

    @classmethod
    def of(cls, events: Iterable[DurableEvent], run_id: str) -> Past:
        """Read the past of a run, and of all the runs below it.

        Raises `SessionError` when the events do not tell of the run.
        """
        runs: dict[str, Past] = {}
        for event in events:
            if isinstance(event, RunStarted):
                parent = runs.get(event.parent_id or "")
                if parent is not None or event.run_id == run_id:
                    runs[event.run_id] = past = cls(event)
                    if parent is not None:
                        parent._begin(past)  # noqa: SLF001 - another one of them
            elif past := runs.get(event.run_id):
                past._add(event)  # noqa: SLF001 - another one of them
        if run_id not in runs:
            raise SessionError(f"The record knows no run {run_id!r}.")
        return runs[run_id]

    @property
    def declared(self) -> dict[str, Any]:
        """What had been run, as it was when the run last began or went on."""
        for event in reversed(self.own):
            if isinstance(event, (RunStarted, RunResumed)):
                return event.declared or {}
        return {}

    @property
    def messages(self) -> list[Message]:
        """What was said since its beginning; without the results of the last message's calls."""
        said = messages_of(self.own, self.start.run_id)[len(self.start.input) :]
        while said and (said[-1].role == "user" or said[-1].stop == "interrupted"):
            said.pop()
        return said

    @property
    def pending(self) -> tuple[ToolCallPart, ...]:
        """The calls of the last message."""
        said = self.messages
        return said[-1].tool_calls if said else ()

    def result(self, call_id: str) -> ToolResultPart | None:
        """What a call of the last message came to; None if that is not known."""
        ended = self.results.get(call_id)
        return ended.result if ended else None

    @property
    def spent(self) -> Usage:
        """What it had cost, without the runs below it that are asked for again."""
        done = (
            past.total
            for (call_id, _, _), pasts in self._children.items()
            if call_id in self.results
            for past in pasts
        )
        return sum(done, self._spent)

    @property
    def total(self) -> Usage:
        """What it and all below it had cost."""
        if self.end is not None:
            return self.end.usage
        below = (past.total for pasts in self._children.values() for past in pasts)
        return sum(below, self._spent)

    @property
    def ended_nodes(self) -> set[str]:
        """The nodes of a graph whose runs have ended."""
        ended = (node for (_, node, _), runs in self._children.items() if any(r.end for r in runs))
        return {node for node in ended if node is not None}

    def child(self, call_id: str | None, node: str | None, name: str) -> Past | None:
        """Take the next run below it that stood in the same place; None when there was none."""
        pasts = self._children.get((call_id, node, name))
        return pasts.popleft() if pasts else None

    def question(self, call_id: str | None) -> tuple[InputRequested, InputReceived | None] | None:
        """Take the next question that was asked in the same place, and the answer if there is one."""
        asked = self._questions.get(call_id)
        if not asked:
            return None
        question, answers = asked.popleft()
        return question, answers[-1] if answers else None

    def waits(self, call_id: str) -> InputRequested | None:
        """Return the question that a call was cut off at, if it waited for an answer."""
        asked = self._questions.get(call_id, ())
        return next((question for question, answers in asked if not answers), None)

    def hear(self, answer: InputReceived) -> None:
        """Take the answer to a question of the past."""
        self._asked[answer.question_id].append(answer)

    def reopen(self) -> None:
        """Take back the end, and the ends of those below that had led to it."""
        failed, self.end = self.end, None
        if failed is None:
            return
        below = [past for pasts in self._children.values() for past in pasts]
        ended = [past for past in below if past.end and past.has_failed]
        if ended:
            max(ended, key=lambda past: past.end.seq if past.end else 0).reopen()

    @property
    def has_failed(self) -> bool:
        """Tell whether it ended without an answer."""
        return isinstance(self.end, RunFailed) or bool(self.end and self.end.limit)

    def _begin(self, past: Past) -> None:
        start = past.start
        if start.node == self._leaving:
            self._leaving = None
        key = (start.call_id, start.node, start.name)
        self._children.setdefault(key, deque()).append(past)

    def _add(self, event: DurableEvent) -> None:
        self.own.append(event)
        match event:
            case MessageFinished(message=message) if message.stop != "interrupted":
                self._next_turn(message)
            case ToolStarted():
                self.calls[event.call_id] = event
                self.results.pop(event.call_id, None)
            case ToolFinished() if not was_interrupted(event.result):
                self.results[event.call_id] = event
            case HandedOff():
                self.handoffs.append(event)
            case EdgeTaken():
                self._leave(event)
            case InputRequested():
                answers = self._asked.setdefault(event.question_id, [])
                self._questions.setdefault(event.call_id, deque()).append((event, answers))
            case InputReceived():
                self._asked.setdefault(event.question_id, []).append(event)
            case StateChanged():
                self.state.pop(event.key, None)
                if not event.removed:
                    self.state[event.key] = event.value
            case RunFinished() | RunFailed():
                self.end = event
            case RunResumed():
                self.end = None
            case _:
                pass

    def _next_turn(self, message: Message) -> None:
        """Forget the places of the turn before: a model may use the names of its calls again."""
        below = [past for pasts in self._children.values() for past in pasts]
        self._spent = sum((past.total for past in below), self._spent + (message.usage or Usage()))
        self.calls, self.results = {}, {}
        self._children, self._questions, self._asked = {}, {}, {}

    def _leave(self, event: EdgeTaken) -> None:
        if self._leaving == event.source:
            self.departures[-1][1].append(event.target)
        else:
            self._leaving = event.source
            self.departures.append((event.source, [event.target]))
