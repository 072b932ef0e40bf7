"""Which code an error comes from: the user's own lines or those of nbagents."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path
from types import TracebackType

__all__ = ["is_ours", "line_of", "without_ours"]

_OURS = str(Path(__file__).parent)
_INSTALLED = tuple({sysconfig.get_path(kind) for kind in ("stdlib", "purelib", "platlib")})


def is_ours(frames: TracebackType) -> bool:
    """Tell whether the first of these frames runs code of nbagents."""
    return frames.tb_frame.f_code.co_filename.startswith(_OURS)


def without_ours(frames: TracebackType | None) -> TracebackType | None:
    """Leave out the frames of nbagents, except for the one that has raised the error."""
    every: list[TracebackType] = []
    while frames is not None:
        every.append(frames)
        frames = frames.tb_next
    kept: TracebackType | None = None
    for frame in reversed(every):
        if kept is None or not is_ours(frame):
            kept = TracebackType(kept, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return kept


def line_of(error: BaseException) -> str:
    """Return the last line of the user's own code that led to an error: `Line 2 of f: return x["a"]`.

    Empty when none did.
    """
    for summary in reversed(traceback.extract_tb(error.__traceback__)):
        path = summary.filename
        if path.startswith((_OURS, "<frozen", *_INSTALLED)) or not summary.line:
            continue
        # A cell has no file, and a name that says nothing.
        line = f"{Path(path).name}, line" if Path(path).is_file() else "Line"
        scope = "" if summary.name == "<module>" else f" of {summary.name}"
        return f"{line} {summary.lineno}{scope}: {summary.line}"
    return ""
