"""The codec of records: a few events, as one line of JSON."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, cast

from pydantic import Discriminator, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from nbagents.errors import SessionCorrupt, known_secrets, may_hold_secret, redact
from nbagents.events import DurableEvent, event_codec

__all__ = ["Redact", "decode", "encode", "no_collection"]

Redact = Callable[[DurableEvent], DurableEvent]
"""Changes an event before it is stored; the run itself goes on with the event as it was."""

_FORMAT = 1
_HEAD, _TAIL = b'{"v":1,"events":[', b"]}\n"
# So long the interpreter may be held up by one call.
_CHUNK = 200_000


def encode(events: Sequence[tuple[DurableEvent, Redact | None]]) -> bytes:
    """Write events as one record, without any key that is known or looks like one."""
    secrets = [to_json(secret)[1:-1].decode() for secret in known_secrets()]
    texts = (_encoded(hook(event) if hook else event, secrets) for event, hook in events)
    return _HEAD + b",".join(texts) + _TAIL


def _encoded(event: DurableEvent, secrets: Sequence[str]) -> bytes:
    try:
        # Each field that may be None is so by default.
        text = event_codec().dump_json(event, exclude_none=True, fallback=repr)
    except (PydanticSerializationError, UnicodeError):
        plain = event_codec().dump_python(event)
        return to_json(_cleaned(plain), bytes_mode="base64", fallback=repr)
    known = text.decode()
    if may_hold_secret(known) or any(secret in known for secret in secrets):
        return to_json(_cleaned(from_json(text)))
    return text


def _cleaned(value: Any) -> Any:
    """Take keys out of all texts, and what is no Unicode."""
    if isinstance(value, str):
        return redact(value.encode("utf-8", "replace").decode())
    if isinstance(value, dict):
        known = cast("dict[Any, Any]", value)
        return {_cleaned(key): _cleaned(item) for key, item in known.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(item) for item in cast("Sequence[Any]", value)]
    return value


@functools.cache
def _events() -> TypeAdapter[list[DurableEvent]]:
    return TypeAdapter(list[Annotated[DurableEvent, Discriminator("type")]])


def decode(records: Sequence[bytes], first: int, where: str) -> tuple[list[DurableEvent], str]:
    """Read records, of which the first has the number `first`; return the events, and a note.

    A last record that is torn is left out, which the note says. Raises `SessionCorrupt` that names
    the first record that cannot be read, with the events before it as `error.events`.
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
                events.extend(_read(records[start:end]))
            except ValueError:
                _read_one_by_one(records[start:end], first + start, where, events)
            start = end
    return events, note


@contextmanager
def no_collection() -> Generator[None]:
    """Look for no garbage while thousands of objects are made, none of which is any."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _read(records: Sequence[bytes]) -> list[DurableEvent]:
    bodies: list[bytes] = []
    for record in records:
        if not record.startswith(_HEAD) or not record.endswith(_TAIL):
            raise ValueError("Another format")
        bodies.append(record[len(_HEAD) : -len(_TAIL)])
    return _events().validate_json(b"[" + b",".join(bodies) + b"]")


def _read_one_by_one(
    records: Sequence[bytes], first: int, where: str, events: list[DurableEvent]
) -> None:
    """Find the record that cannot be read, and say why."""
    for number, record in enumerate(records, first):
        try:
            events.extend(_read([record]))
        except ValueError as error:
            problem = SessionCorrupt(f"Record {number} of {where} {_why(record, error)}")
            problem.events = events
            raise problem from None


def _why(record: bytes, error: ValueError) -> str:
    upgrade = "Upgrade nbagents to read it: pip install -U jupyter-nbagents."
    try:
        known: Any = from_json(record)
    except ValueError:
        return "is not JSON. What stands before it can be read."
    version: Any = cast("dict[str, Any]", known).get("v") if isinstance(known, dict) else None
    if isinstance(version, int) and version > _FORMAT:
        return f"was written by a newer version (format {version}, this one reads {_FORMAT}). {upgrade}"
    if isinstance(error, ValidationError) and isinstance(version, int):
        problem = error.errors(include_url=False, include_input=False)[0]
        if problem["type"] == "union_tag_invalid":
            return f"tells of something that this version does not know. {upgrade}"
        place = ".".join(str(step) for step in problem["loc"])
        return f"cannot be read ({place}: {problem['msg']}). What stands before it can be read."
    return "is no record of nbagents. What stands before it can be read."
