"""Where the outputs of a replayed notebook are not as they were."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Discriminator, TypeAdapter, ValidationError

from nbagents.errors import UserError
from nbagents.events import (
    DurableEvent,
    HandedOff,
    MessageFinished,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunStarted,
    event_codec,
)
from nbagents.notebook.document import events_in
from nbagents.notebook.wire import PICTURE_MIME, RUN_MIME

__all__ = ["differences", "documents", "events_of"]

# Where an object is in memory, the id of a run, and what `%time` prints.
_BY_CHANCE = re.compile(
    r" at 0x[0-9a-f]+|(?<=<Run )[0-9a-f]{12}(?= of )|^(?:CPU times|Wall time): .*$", re.MULTILINE
)
# What differs from run to run, or follows from what is compared.
_LEFT_OUT = {
    "at",
    "declared",
    "parent_id",
    "question_id",
    "replayed",
    "request",
    "run_id",
    "seconds",
    "seq",
    "usage",
    "where",
}
# How the kernel, `%ask` and the panel report a stop.
_STOPS = {"Cancelled", "CancelledError", "KeyboardInterrupt", "Stopped"}
_MISS = "ReplayMiss"
_IN_ORDER = (RunStarted, MessageFinished, HandedOff, RunFinished, RunFailed, RunCancelled)
_LONGEST = 160


_Course = list[tuple[str, list[Any], list[Any]]]
"""For each run its path, what happened in order, and what may have happened side by side."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a reader learns from one output."""

    kind: str
    """run, text, topology, error, or miss: an error of the replay itself."""
    value: Any
    order: Sequence[Any] = ()
    """Of a run: all that happened in it, as it came."""

    def same(self, other: _Shown, *, any_order: bool) -> bool:
        """Tell whether it says the same; with `any_order`, text may be arranged in another way."""
        if self.kind != other.kind:
            return False
        if self.kind == "miss":  # Its words are for people, and differ between versions.
            return True
        if self.kind == "text" and any_order:
            return _words(self.value) == _words(other.value)
        return self.value == other.value


def differences(before: Sequence[Any], after: Sequence[Any]) -> dict[int, str]:
    """Return the first difference in the outputs of each cell, by the number of the cell.

    The parts of a team that run side by side may come in another order. Where they did, what the
    cells print from then on may have another order too.
    """
    found: dict[int, str] = {}
    any_order = False
    for number, (one, other) in enumerate(zip(before, after, strict=True), 1):
        if one.cell_type != "code":
            continue
        was, now = list(_shown(one)), list(_shown(other))
        any_order = any_order or _is_reordered(was, now)
        if difference := _difference(was, now, any_order=any_order):
            found[number] = difference
    return found


def documents(cell: Any) -> Iterator[dict[str, Any]]:
    """Return the runs that the outputs of a cell hold."""
    for output in cell.get("outputs", ()):
        yield from _documents_in(output)


def _documents_in(output: Any) -> list[dict[str, Any]]:
    """Take the runs out of an output; of those that plain code began it may hold several."""
    first = output.get("data", {}).get(RUN_MIME)
    held = [first, *(first.get("more") or ())] if isinstance(first, dict) else []
    return [document for document in held if document.get("events")]


@functools.cache
def _codec() -> TypeAdapter[list[DurableEvent]]:
    return TypeAdapter(list[Annotated[DurableEvent, Discriminator("type")]])


def events_of(document: dict[str, Any], where: str) -> list[DurableEvent]:
    """Read the events of a saved run. Raises `UserError` that names `where` it is."""
    try:
        return _codec().validate_json(json.dumps(events_in(document)))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in problem["loc"])
        raise UserError(f"The run in {where} cannot be read ({place}: {problem['msg']}).") from None


def _shown(cell: Any) -> Iterator[_Shown]:
    """Tell what a reader learns from the outputs: what runs did, and what other code has shown."""
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        if held := _documents_in(output):
            for document in held:
                yield _Shown("run", *_course(events_of(document, "an output")))
        elif output.output_type == "stream":
            if output.name == "stdout":  # Warnings name paths.
                yield _Shown("text", _BY_CHANCE.sub("", output.text))
        elif output.output_type == "error":
            kind = "miss" if output.ename == _MISS else "error"
            stopped = output.ename in _STOPS
            yield _Shown(kind, "Stopped by you" if stopped else output.evalue or output.ename)
        elif PICTURE_MIME in data or "nbagents" in output.get("metadata", {}):
            continue  # It is about the machine, the time, or the run beside it.
        elif "text/vnd.graphviz" in data:
            yield _Shown("topology", data["text/vnd.graphviz"])
        else:
            yield _Shown("text", _BY_CHANCE.sub("", str(data.get("text/plain", sorted(data)))))


def _is_reordered(before: Sequence[_Shown], after: Sequence[_Shown]) -> bool:
    """Tell whether a run did the same in another order."""
    return any(
        was.kind == now.kind == "run" and was.value == now.value and was.order != now.order
        for was, now in zip(before, after, strict=False)
    )


def _difference(before: Sequence[_Shown], after: Sequence[_Shown], *, any_order: bool) -> str:
    """Describe the first difference in the outputs of a cell; empty if there is none."""
    for now in after:
        is_new = not any(was.same(now, any_order=any_order) for was in before)
        if now.kind in {"error", "miss"} and is_new:
            return now.value
    for was, now in zip(before, after, strict=False):
        if was.same(now, any_order=any_order):
            continue
        if was.kind == now.kind == "run":
            return _first_change(was.value, now.value)
        return f"expected {_short(was)}, got {_short(now)}"
    if len(before) > len(after):
        return f"{_short(before[len(after)])} is missing"
    return f"{_short(after[len(before)])} is new" if len(after) > len(before) else ""


def _words(text: str) -> list[str]:
    return sorted(re.findall(r"\w+|[^\w\s]", text))


def _course(events: Sequence[DurableEvent]) -> tuple[_Course, list[Any]]:
    """Tell what happened in each run, and in which order all of it came, which is partly chance."""
    course: dict[str, tuple[str, list[Any], list[Any]]] = {}
    order: list[Any] = []
    for event in events:
        if isinstance(event, RunStarted):
            above = f"{course[event.parent_id][0]}/" if event.parent_id in course else ""
            course[event.run_id] = f"{above}{event.node or event.name}", [], []
        path, in_order, at_once = course[event.run_id]
        plain = _plain(event)
        (in_order if isinstance(event, _IN_ORDER) else at_once).append(plain)
        order.append((path, plain))
    for _, _, at_once in course.values():
        at_once.sort(key=repr)
    return sorted(course.values(), key=repr), order


def _plain(event: DurableEvent) -> dict[str, Any]:
    told = event_codec().dump_python(event, mode="json", exclude_none=True, fallback=repr)
    if isinstance(event, MessageFinished):
        told["message"].pop("usage", None)
    if isinstance(event, RunStarted):  # What came before may be left to the run that it follows.
        told["input"] = told["input"][-1:]
        told.pop("follows", None)
    if isinstance(event, RunCancelled):  # Runs inside of one that is stopped are not told why.
        told.pop("reason")
    if isinstance(event, RunFailed) and event.error == _MISS:
        told.pop("message")
    return {name: value for name, value in told.items() if name not in _LEFT_OUT}


def _first_change(before: _Course, after: _Course) -> str:
    one, other = dict.fromkeys(run[0] for run in before), dict.fromkeys(run[0] for run in after)
    if gone := [name for name in one if name not in other]:
        return f"{gone[0]} did not run"
    if new := [name for name in other if name not in one]:
        return f"{new[0]} ran, but is not in the recording"
    for (name, *was), (_, *now) in zip(before, after, strict=False):
        for step, other_step in zip([*was[0], *was[1]], [*now[0], *now[1]], strict=False):
            if step != other_step:
                return f"in {name}: expected {_short(step)}, got {_short(other_step)}"
        if was != now:
            return f"{name} took different steps than recorded"
    return f"expected {len(before)} runs, got {len(after)}"


def _short(told: Any) -> str:
    match told:
        case _Shown(value=value):
            text = str(value)
        case {"type": "message_finished", "message": message}:
            text = json.dumps(message["parts"], ensure_ascii=False)
        case _:
            text = json.dumps(told, ensure_ascii=False)
    text = " ".join(text.split())
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
