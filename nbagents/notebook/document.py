"""The document of a run, as it is written into outputs and files."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from nbagents.errors import UserError
from nbagents.events import DurableEvent, Event, RunStarted, TextDelta, ThinkingDelta
from nbagents.notebook.wire import PictureStub, RunDocument, codec
from nbagents.runnable import Run
from nbagents.sessions.records import encode
from nbagents.topology import LayoutUnavailable
from nbagents.untrusted import clean

__all__ = ["document_of", "joined", "picture_stub", "placeholder", "write_document"]

_SUFFIX = ".nbagents.json"


def document_of(
    events: Sequence[Event],
    *,
    picture: str | None = None,
    ending: str = "",
    live: bool = False,
    folded: bool = False,
) -> dict[str, Any]:
    """Return the document of a run, the outermost of its events, as JSON without any key.

    `picture` is the SVG of a team before anything has run.
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
    pairs = [(cast("DurableEvent", event), None) for event in joined(events)]
    told = json.loads(encode(pairs), parse_constant=lambda _: None)
    return {**known, "events": told["events"]}


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
    text = json.dumps(document_of(run.events, picture=picture), ensure_ascii=False)
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
