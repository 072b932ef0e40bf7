"""A run that has ended, or is under way: its events, and all that they tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from nbagents.errors import Cancelled
from nbagents.events import (
    DurableEvent,
    MessageFinished,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunStarted,
    messages_of,
)
from nbagents.messages import ZERO_USAGE, Message, Usage

__all__ = ["Result", "Run", "Status"]

T = TypeVar("T")

Status = Literal["running", "finished", "limited", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Result(Generic[T]):
    """What `execute` returns."""

    output: T


class Run(Generic[T]):
    """One execution: its events, and all that they tell."""

    def __init__(
        self,
        run_id: str,
        events: list[DurableEvent],
        result: Result[T] | None = None,
        error: BaseException | None = None,
    ) -> None:
        self.run_id = run_id
        self.events = events
        """Every durable event of this run and of all the runs below it, in order."""
        self.error = error
        """What ended the run early."""
        self._result = result

    @property
    def name(self) -> str:
        """The name of what was run."""
        return self._start.name if self._start else ""

    @property
    def status(self) -> Status:
        """How the run ended."""
        match self._end:
            case RunFinished(limit=limit):
                return "limited" if limit else "finished"
            case RunFailed():
                return "failed"
            case RunCancelled():
                return "cancelled"
            case None:
                if self.error is None:
                    return "running"
                return "cancelled" if isinstance(self.error, Cancelled) else "failed"

    @property
    def reason(self) -> str:
        """Why it ended early; empty for a run that finished."""
        match self._end:
            case RunFinished(limit=limit):
                return limit or ""
            case RunFailed(message=message):
                return message
            case RunCancelled(reason=reason):
                return reason
            case None:
                return str(self.error) if self.error else ""

    @property
    def output(self) -> T:
        """The answer, in the type that was asked for.

        Raises what ended the run early, when there is no answer.
        """
        if self._result is not None:
            return self._result.output
        if self.error is not None:
            raise self.error
        raise Cancelled(self.reason or "The run was stopped before it had an output.")

    @property
    def text(self) -> str:
        """What the model said last in this run, also when it was cut short."""
        for event in reversed(self.events):
            if isinstance(event, MessageFinished) and event.run_id == self.run_id:
                return event.message.text
        return ""

    @property
    def messages(self) -> list[Message]:
        """The whole conversation: what went in, what was said, what tools answered.

        To go on with it: `agent.run([*run.messages, "and then?"])`.
        """
        return messages_of(self.events, self.run_id)

    @property
    def usage(self) -> Usage:
        """Tokens and money of this run and all below it."""
        return self._end.usage if self._end else ZERO_USAGE

    @property
    def seconds(self) -> float:
        """Wall time from the first event to the last."""
        return self.events[-1].at - self.events[0].at if self.events else 0.0

    def __repr__(self) -> str:
        return f"<Run {self.run_id} of {self.name}: {self.status}>"

    @property
    def _start(self) -> RunStarted | None:
        first = self.events[0] if self.events else None
        return first if isinstance(first, RunStarted) else None

    @property
    def _end(self) -> RunFinished | RunFailed | RunCancelled | None:
        last = self.events[-1] if self.events else None
        return last if isinstance(last, (RunFinished, RunFailed, RunCancelled)) else None
