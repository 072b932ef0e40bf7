"""Going on with a run that was cut off: what it had come to, and what is not as it was."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from nbagents import errors
from nbagents.errors import LimitReached, NbAgentsError, SessionError, UserError
from nbagents.events import DurableEvent, MessageFinished, RunFailed, RunFinished
from nbagents.jsonable import DEEPEST, LARGEST_INT, jsonable
from nbagents.messages import FilePart
from nbagents.past import Past
from nbagents.replay import RecordedError
from nbagents.runnable.result import Result
from nbagents.untrusted import received, received_json

__all__ = ["changes", "check_ways", "loose_files", "recordable", "restored"]


_SCALARS = frozenset({str, float, bool, type(None)})


def recordable(output: object, adapter: TypeAdapter[Any] | None) -> tuple[Any, str | None]:
    """Turn an output into JSON; and name its type when it cannot be had back from that."""
    try:
        return _copied(output, 0), None
    except _OtherError:  # Something else is in it.
        is_lossy = adapter is None and not _is_plain(output)
        return received_json(jsonable(output)), type(output).__name__ if is_lossy else None


class _OtherError(Exception):
    """The value is not JSON as it is."""


def _copied(value: Any, depth: int) -> Any:
    """Copy JSON in which texts are received: nearly all outputs, looked at once."""
    kind = cast("type[Any]", type(value))
    if kind is str:
        return value if value.isprintable() else received(value)
    if kind is float or kind is bool or value is None:
        return value
    if kind is int and -LARGEST_INT <= value <= LARGEST_INT:
        return value
    if kind is list and depth < DEEPEST:
        return [_copied(item, depth + 1) for item in value]
    if kind is dict and depth < DEEPEST:
        return {_named(key): _copied(item, depth + 1) for key, item in value.items()}
    raise _OtherError


def _named(key: Any) -> str:
    if type(key) is not str:
        raise _OtherError
    return key if key.isprintable() else received(key)


def _is_plain(value: object, depth: int = 0) -> bool:
    """Tell whether JSON gives back what it was made of."""
    if depth > DEEPEST:  # Or it contains itself.
        return False
    if type(value) is int:
        return abs(value) <= LARGEST_INT
    if type(value) in _SCALARS or type(value) is FilePart:
        return True
    if type(value) is list:
        return all(_is_plain(item, depth + 1) for item in cast("list[object]", value))
    if type(value) is dict:
        known = cast("dict[object, object]", value).items()
        return all(type(key) is str and _is_plain(item, depth + 1) for key, item in known)
    return False


def loose_files(
    result: Result[Any], events: Sequence[DurableEvent], run_id: str
) -> tuple[FilePart, ...]:
    """Return the files that stand neither in a message of the run nor in its output."""
    if not result.files or isinstance(result.output, (FilePart, list, tuple)):
        return ()
    spoke = any(isinstance(each, MessageFinished) and each.run_id == run_id for each in events)
    return () if spoke else result.files


def restored(name: str, past: Past, adapter: TypeAdapter[Any] | None) -> Result[Any]:
    """Make the result of a run that had finished out of what the record has of it.

    Raises what it had raised, and `SessionError` when its output cannot be had back.
    """
    end = past.end
    if past.has_failed or not isinstance(end, RunFinished):
        raise _failure(past)
    if end.lossy:
        message = f"{name!r} had given a {end.lossy}, which no record can hold, so the run cannot go on from there. Return JSON values, or say by an annotation which dataclass or pydantic model is returned; and ask again."
        raise SessionError(message)
    if any(ended.ends_run for ended in past.results.values()):
        adapter = None  # It passed control on, with a text.
    try:
        output = adapter.validate_json(to_json(end.output)) if adapter else _revived(end.output)
    except ValidationError as error:
        kinds = "; ".join(problem["msg"] for problem in error.errors())
        message = f"What {name!r} had given does not fit its type any more ({kinds:.200}). Ask again, or give it back the type that it had."
        raise SessionError(message) from None
    said = past.messages[-1].parts if past.messages else ()
    files = end.files or tuple(part for part in (*said, *_items(output)) if _is_file(part))
    return Result(output, cast("tuple[FilePart, ...]", files))


def _items(output: object) -> tuple[object, ...]:
    return tuple(cast("list[object]", output)) if isinstance(output, (list, tuple)) else (output,)


def _is_file(part: object) -> bool:
    return isinstance(part, FilePart)


_FILE: TypeAdapter[FilePart] = TypeAdapter(FilePart)


def _revived(value: Any) -> Any:
    """Have the files back that stand in JSON."""
    if isinstance(value, list):
        return [_revived(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    known = cast("dict[str, Any]", value)
    if known.get("type") == "file" and "media_type" in known:
        return _FILE.validate_json(to_json(known))
    return {key: _revived(item) for key, item in known.items()}


def _failure(past: Past) -> Exception:
    """Make the error again by which a run had ended."""
    end = past.end
    if isinstance(end, RunFinished):
        name, _, value = (end.limit or "").partition("=")
        try:
            known: Any = from_json(value)
        except ValueError:
            known = value
        return LimitReached(name, known)
    assert isinstance(end, RunFailed)
    kind = getattr(errors, end.error, None)
    if isinstance(kind, type) and issubclass(kind, NbAgentsError) and kind is not LimitReached:
        try:
            return kind(end.message)
        except TypeError:
            pass
    return RecordedError(end.error, end.message)


def changes(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, str]:
    """Tell what is not as it was: a note, and what a person has to decide about; both may be empty."""
    if not before:
        return "", ""
    notes: list[str] = []
    if (old := before.get("model")) != (new := now.get("model")):
        notes.append(f"The model of {name} was {old}, and is {new} now.")
    for kind in ("tools", "parts"):
        had, has = before.get(kind, []), now.get(kind, [])
        gone = [part for part in had if part not in has]
        more = [part for part in has if part not in had]
        if gone and kind == "tools":
            notes.append(f"{name} has no longer: {', '.join(gone)}.")
        if more:
            notes.append(f"{name} has now also: {', '.join(more)}.")
    lost = [part for part in before.get("parts", []) if part not in now.get("parts", [])]
    problem = f"{name} has no longer: {', '.join(lost)}." if lost else ""
    if before.get("output") != now.get("output"):
        old, new = (_shape(declared.get("output")) for declared in (before, now))
        problem = f"The answers of {name} were {old}, and are {new} now."
    return " ".join(notes), problem


def check_ways(name: str, before: Mapping[str, Any], now: Mapping[str, Any], past: Past) -> None:
    """Check that the nodes which a graph has left lead where they led, and asked what they ask now.

    Raises `UserError` for one that does not. Nodes that have not ended may have changed.
    """
    had, has = before.get("ways", {}), now.get("ways", {})
    for source, _ in past.departures:
        if source in had and had[source] != has.get(source, []):
            old, new = (", ".join(ways.get(source, [])) or "nowhere" for ways in (had, has))
            message = f"{name} has left {source!r}, which led to {old}, and leads to {new} now. Give it back its edges, or ask anew; a session can be branched off before that: %session fork NEW --at STEP."
            raise UserError(message)
    asked, asks = before.get("questions", {}), now.get("questions", {})
    for node in past.ended_nodes:
        if node in asked and node in asks and asked[node] != asks[node]:
            old, new = asked[node][0], asks[node][0]
            change = "other details or another type" if old == new else f"{new!r}"
            message = f"The question {node!r} of {name} was answered when it was {old!r}, and has {change} now, so that answer cannot be used. Restore the question, ask the graph something new, or branch off before the answer: %session fork NEW --at STEP."
            raise UserError(message)


def _shape(schema: Any) -> str:
    if schema is None:
        return "text"
    known = cast("dict[str, Any]", schema)
    title: str = known.get("title") or known.get("type") or json.dumps(known)[:60]
    fields = ", ".join(known.get("properties", {}))
    return f"{title} ({fields})" if fields else title
