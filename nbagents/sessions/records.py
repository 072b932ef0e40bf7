"""The codec of records: a few events, as one line of JSON."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Annotated, Any, cast

from pydantic import Discriminator, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from nbagents.errors import SessionCorrupt
from nbagents.events import DurableEvent, Event, event_codec
from nbagents.jsonable import jsonable
from nbagents.redaction import redact_json

__all__ = ["Redact", "decode", "encode", "no_collection", "without_keys"]

Redact = Callable[[DurableEvent], DurableEvent]
"""Changes an event before it is stored; the run itself goes on with the event as it was."""

_FORMAT = 1
_HEAD, _TAIL = b'{"v":1,"n":%d,"events":[', b"]}\n"
# So long the interpreter may be held up by one call.
_CHUNK = 100_000
_run_id_of = attrgetter("run_id")
_MANY_OBJECTS = 5_000


def encode(events: Sequence[tuple[DurableEvent, Redact | None]], number: int = 1) -> bytes:
    """Write events as record `number`, without any key."""
    texts = redact_json([_dumped(_changed(event, hook)) for event, hook in events])
    return _HEAD % number + b",".join(texts) + _TAIL


def without_keys(event: Event) -> Event:
    """Return an event without any key, as it is stored."""
    text = _dumped(event)
    [cleaned] = redact_json([text])
    return event if cleaned is text else event_codec().validate_json(cleaned)


def _changed(event: DurableEvent, hook: Redact | None) -> DurableEvent:
    if hook is None:
        return event
    changed = hook(event)
    if type(changed) is not type(event) or changed.run_id != event.run_id:
        kind = type(event).__name__
        raise TypeError(f"redact must return the {kind} that it was given, or a changed one")
    return changed


def _dumped(event: Event) -> bytes:
    try:
        # Each field that may be None is so by default.
        return event_codec().dump_json(event, exclude_none=True, fallback=repr)
    except (PydanticSerializationError, UnicodeError):
        return to_json(jsonable(event_codec().dump_python(event)))


@functools.cache
def _events() -> TypeAdapter[list[DurableEvent]]:
    return TypeAdapter(list[Annotated[DurableEvent, Discriminator("type")]])


def decode(records: Sequence[bytes], first: int, where: str) -> tuple[list[DurableEvent], str]:
    """Read records, of which the first has the number `first`; return the events, and a note.

    A last record that is torn is left out, which the note says. Raises `SessionCorrupt` that names
    the first record that cannot be read or is out of place, with the events before it as
    `error.events`.
    """
    note = ""
    if records and not records[-1].endswith(b"\n"):
        number = first + len(records) - 1
        note = (
            f"Record {number} of {where} was torn by a crash while it was written, and is left out."
        )
        records = records[:-1]
    events: list[DurableEvent] = []
    start = 0
    with no_collection():
        while start < len(records):
            end, size = start, 0
            while end < len(records) and size < _CHUNK:
                size += len(records[end])
                end += 1
            try:
                events.extend(_read(records[start:end], first + start))
            except ValueError:
                _read_one_by_one(records[start:end], first + start, where, events)
            start = end
    return events, note


@contextmanager
def no_collection() -> Generator[None]:
    """Look for no garbage while thousands of objects are made, none of which is any.

    Afterwards they are taken for old ones, so that the next look at the young ones is as short as
    ever; others that are young just now come along.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if gc.get_count()[0] > _MANY_OBJECTS and not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def _read(records: Sequence[bytes], first: int) -> list[DurableEvent]:
    bodies: list[bytes] = []
    for number, record in enumerate(records, first):
        head = _HEAD % number
        if not record.startswith(head) or not record.endswith(_TAIL):
            raise ValueError("Another format")
        bodies.append(record[len(head) : -len(_TAIL)])
    events = _events().validate_json(b"[" + b",".join(bodies) + b"]")
    if "" in map(_run_id_of, events):
        raise ValueError("An event of no run")
    return events


def _read_one_by_one(
    records: Sequence[bytes], first: int, where: str, events: list[DurableEvent]
) -> None:
    """Find the record that cannot be read, and say why."""
    for number, record in enumerate(records, first):
        try:
            # An editor may have ended the lines as Windows does.
            events.extend(_read([record.rstrip() + b"\n"], number))
        except ValueError as error:
            problem = SessionCorrupt(f"Record {number} of {where} {_why(record, number, error)}")
            problem.events = events
            raise problem from None


def _why(record: bytes, number: int, error: ValueError) -> str:
    upgrade = "Upgrade nbagents to read it."
    before = "What stands before it can be read."
    try:
        known: Any = from_json(record)
    except ValueError:
        return f"is not JSON. {before}"
    told = cast("dict[str, Any]", known) if isinstance(known, dict) else {}
    version, own = told.get("v"), told.get("n")
    if isinstance(version, int) and version > _FORMAT:
        return f"was written by a newer version (format {version}, this one reads {_FORMAT}). {upgrade}"
    if isinstance(own, int) and own != number:
        return f"was written as record {own}: some were removed, doubled or moved. {before}"
    if isinstance(error, ValidationError) and isinstance(version, int):
        problem = error.errors(include_url=False, include_input=False)[0]
        if problem["type"] == "union_tag_invalid":
            return f"tells of something that this version does not know. {upgrade}"
        place = ".".join(str(step) for step in problem["loc"])
        return f"cannot be read ({place}: {problem['msg']}). {before}"
    return f"is no record of nbagents. {before}"
