"""The document of a run, as it is written into outputs and files."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from pydantic_core import from_json

from nbagents.errors import UserError
from nbagents.events import DurableEvent, Event, RunStarted, TextDelta, ThinkingDelta
from nbagents.notebook.wire import PictureStub, RunDocument, codec
from nbagents.runnable import Run
from nbagents.runnable.following import followed
from nbagents.sessions.records import encode
from nbagents.topology import LayoutUnavailable
from nbagents.untrusted import clean

__all__ = ["document_of", "events_in", "joined", "picture_stub", "placeholder", "write_document"]

_SUFFIX = ".nbagents.json"
_VALUES = ("output", "args", "schema", "details", "answer", "value", "data", "declared")
"""Fields of events that hold values of the user's or the model's."""


def document_of(
    events: Sequence[Event],
    *,
    picture: str | None = None,
    ending: str = "",
    live: bool = False,
    folded: bool = False,
    alone: bool = False,
) -> dict[str, Any]:
    """Return the document of a run, the outermost of its events, as JSON without any key.

    `picture` is the SVG of a team before anything has run. A conversation that follows another run
    is saved from there on, unless the document stands `alone`.
    """
    start = events[0]
    document = RunDocument(
        run_id=start.run_id,
        live=live,
        picture=picture,
        ending=ending,
        replayed=isinstance(start, RunStarted) and start.replayed,
        folded=folded,
    )
    known = codec(RunDocument).dump_python(document, mode="json", exclude_none=True)
    # The log's own codec takes out keys; of what no page can read, null is left.
    kept = events if alone else [_from_there_on(event, start.run_id) for event in events]
    pairs = [(cast("DurableEvent", event), None) for event in joined(kept)]
    told = json.loads(encode(pairs), parse_constant=lambda _: None)
    return {**known, "events": [_in_order(event) for event in told["events"]]}


def _from_there_on(event: Event, run_id: str) -> Event:
    """Leave out the messages of the run that a conversation follows."""
    if not isinstance(event, RunStarted):
        return event
    count, other = followed(event.input, run_id)
    return replace(event, input=event.input[count:], follows=other) if count else event


def _in_order(event: dict[str, Any]) -> dict[str, Any]:
    """Move values whose keys a notebook file would sort into `ordered`, as JSON text."""
    unsorted = {
        name: event[name] for name in _VALUES if name in event and not _is_sorted(event[name])
    }
    if not unsorted:
        return event
    rest = {name: value for name, value in event.items() if name not in unsorted}
    ordered = {name: json.dumps(value, ensure_ascii=False) for name, value in unsorted.items()}
    return {**rest, "ordered": ordered}


def _is_sorted(value: Any) -> bool:
    if isinstance(value, dict):
        known = cast("dict[str, Any]", value)
        # The order of the fields of a file is not data, and its bytes are not text.
        is_file = known.get("type") == "file" and "media_type" in known
        return is_file or (list(known) == sorted(known) and all(map(_is_sorted, known.values())))
    return not isinstance(value, list) or all(map(_is_sorted, cast("list[Any]", value)))


def events_in(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the events of a document as JSON, with the keys of values in their order."""
    return [_restored(event) for event in document["events"]]


def _restored(event: dict[str, Any]) -> dict[str, Any]:
    ordered = event.get("ordered")
    if not isinstance(ordered, dict):
        return event
    rest = {name: value for name, value in event.items() if name != "ordered"}
    try:
        texts = cast("dict[str, str]", ordered)
        values = {name: from_json(text) for name, text in texts.items() if name in _VALUES}
    except (TypeError, ValueError):
        return rest
    return {**rest, **values}


def write_document(run: Run[Any], path: str | Path) -> Path:
    """Write a run as a `.nbagents.json` file, which JupyterLab opens; return the path.

    Raises `UserError` for another name, and when it cannot be written.
    """
    path = Path(path)
    if not path.name.endswith(_SUFFIX):
        raise UserError(f"A run is written to a file like run{_SUFFIX}, not to {str(path)!r}.")
    picture: str | None = None
    if (topology := run.topology()) is not None:
        with contextlib.suppress(LayoutUnavailable):
            picture = clean(topology.svg)
    document = document_of(run.events, picture=picture, alone=True)
    text = json.dumps(document, ensure_ascii=False)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.") from None
    return path


def placeholder(run_id: str) -> dict[str, Any]:
    """Return what stands for the document in a frame of a run that is under way."""
    document = RunDocument(run_id=run_id, live=True)
    return codec(RunDocument).dump_python(document, mode="json", exclude_none=True)


def picture_stub(run_id: str) -> dict[str, Any]:
    """Return what stands beside the picture of a run."""
    return codec(PictureStub).dump_python(PictureStub(run_id), mode="json")


def joined(events: Iterable[Event]) -> list[Event]:
    """Join deltas of one text that follow each other; the number of the last one counts."""
    told: list[Event] = []
    pieces: list[str] = []
    last: TextDelta | ThinkingDelta | None = None

    def flush() -> None:
        nonlocal last
        if last is not None:
            told.append(replace(last, text="".join(pieces)))
        pieces.clear()
        last = None

    for event in events:
        if not isinstance(event, (TextDelta, ThinkingDelta)):
            flush()
            told.append(event)
            continue
        if last is not None and (type(last), last.run_id) != (type(event), event.run_id):
            flush()
        pieces.append(event.text)
        last = event
    flush()
    return told
