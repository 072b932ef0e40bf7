"""What two sessions do not have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
from nbagents.untrusted import one_line

__all__ = ["Diff", "told"]


@dataclass(frozen=True, slots=True)
class Diff:
    """Two sessions that begin alike: how far, and what each of them has behind that."""

    common: int
    """So many events at the beginning are the same."""
    ours: tuple[DurableEvent, ...]
    theirs: tuple[DurableEvent, ...]
    names: Mapping[str, str]
    """What each run is called, by its id: as what was run; the second one of that is `name (2)`."""

    @classmethod
    def of(cls, ours: Sequence[DurableEvent], theirs: Sequence[DurableEvent]) -> Diff:
        """Compare events in order."""
        common = 0
        for mine, other in zip(ours, theirs, strict=False):
            if mine != other:
                break
            common += 1
        names = {**_names(theirs), **_names(ours)}
        return cls(common, tuple(ours[common:]), tuple(theirs[common:]), names)

    def __str__(self) -> str:
        lines = [f"  {self.common} events in common"]
        lines.extend(
            f"- {one_line(self.names[event.run_id])}: {told(event)}" for event in self.ours
        )
        lines.extend(
            f"+ {one_line(self.names[event.run_id])}: {told(event)}" for event in self.theirs
        )
        return "\n".join(lines)

    __repr__ = __str__


def _names(events: Iterable[DurableEvent]) -> dict[str, str]:
    names: dict[str, str] = {}
    counted: Counter[str] = Counter()
    for event in events:
        if isinstance(event, RunStarted):
            counted[event.name] += 1
            nth = f" ({counted[event.name]})" if counted[event.name] > 1 else ""
            names[event.run_id] = f"{event.name}{nth}"
        else:
            names.setdefault(event.run_id, event.run_id)
    return names


def told(event: DurableEvent) -> str:
    """Tell an event in one line."""
    flat = one_line(_told(event))
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
