"""What two sessions do not have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic_core import to_json

from nbagents.events import (
    DurableEvent,
    EdgeTaken,
    HandedOff,
    InputReceived,
    InputRequested,
    MessageFinished,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunResumed,
    RunStarted,
    StateChanged,
    ToolFinished,
    ToolStarted,
)

__all__ = ["Diff", "told"]


@dataclass(frozen=True, slots=True)
class Diff:
    """Two sessions that begin alike: how far, and what each of them has behind that."""

    common: int
    """So many events at the beginning are the same."""
    ours: tuple[DurableEvent, ...]
    theirs: tuple[DurableEvent, ...]

    @classmethod
    def of(cls, ours: Sequence[DurableEvent], theirs: Sequence[DurableEvent]) -> Diff:
        """Compare events in order."""
        common = 0
        for mine, other in zip(ours, theirs, strict=False):
            if mine != other:
                break
            common += 1
        return cls(common, tuple(ours[common:]), tuple(theirs[common:]))

    def __str__(self) -> str:
        lines = [f"  {self.common} events in common"]
        lines.extend(f"- {line}" for line in _lines(self.ours))
        lines.extend(f"+ {line}" for line in _lines(self.theirs))
        return "\n".join(lines)

    __repr__ = __str__


def _lines(events: Iterable[DurableEvent]) -> Iterable[str]:
    names: dict[str, str] = {}
    for event in events:
        if isinstance(event, RunStarted):
            names[event.run_id] = event.name
        yield f"{names.get(event.run_id, event.run_id)}: {told(event)}"


def told(event: DurableEvent) -> str:
    """Tell an event in one line."""
    flat = " ".join(_told(event).split())
    return flat if len(flat) <= _LONGEST else f"{flat[: _LONGEST - 1]}…"


def _told(event: DurableEvent) -> str:
    match event:
        case RunStarted():
            return f"began with {' '.join(message.text for message in event.input)}"
        case RunResumed():
            return f"went on. {event.note}"
        case RunFinished():
            return f"reached its limit {event.limit}" if event.limit else "finished"
        case RunFailed():
            return f"failed: {event.error}: {event.message}"
        case RunCancelled():
            return f"was stopped: {event.reason}"
        case _:
            return _told_in_run(event)


def _told_in_run(event: DurableEvent) -> str:
    match event:
        case MessageFinished():
            calls = ", ".join(call.name for call in event.message.tool_calls)
            text = f"{event.message.text} {f'[calls {calls}]' if calls else ''}"
        case ToolStarted():
            text = f"{event.name}({to_json(event.args).decode()})"
        case ToolFinished():
            text = f"{event.result.name} -> {event.result.text}"
        case HandedOff():
            text = f"{event.source} handed over to {event.target}: {event.reason}"
        case EdgeTaken():
            text = f"{event.source} -> {event.target or 'nowhere'}"
        case InputRequested():
            text = f"asked: {event.prompt}"
        case InputReceived():
            text = f"answered {event.question_id}: {to_json(event.answer).decode()}"
        case StateChanged():
            value = "removed" if event.removed else to_json(event.value).decode()
            text = f"{event.key} = {value}"
        case _:
            text = event.type
    return text


_LONGEST = 100
