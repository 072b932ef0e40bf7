"""JSON values for the eye: short ones in a line, long ones clipped, files by their names."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from nbagents.messages import FilePart
from nbagents.untrusted import exact, visible

__all__ = [
    "QuestionText",
    "clipped",
    "file_of",
    "plain",
    "pretty",
    "readable",
    "short_args",
    "without_bytes",
]

_SHORT_ARGS = 90
_SHORT_VALUE = 60


class QuestionText(NamedTuple):
    """The text of a question as it is displayed, with invisible characters made visible."""

    asker: str
    prompt: str
    reason: str
    details: str
    """As JSON, a text as it is; empty when there are none."""

    @classmethod
    def of(cls, asker: str, prompt: str, reason: str, details: Any) -> QuestionText:
        """Build it from the recorded question."""
        words = map(visible, (asker, prompt, reason))
        if isinstance(details, str):
            return cls(*words, visible(details))
        return cls(*words, "" if details is None else exact(_unfolded(details)))


def file_of(value: Any) -> FilePart | None:
    """Read a file from the JSON of an output."""
    if not isinstance(value, dict) or value.get("type") != "file":
        return None
    try:
        return TypeAdapter(FilePart).validate_json(json.dumps(value))
    except ValidationError:
        return None


def without_bytes(value: Any) -> Any:
    """Put the name and the size of files into the place of their bytes."""
    if isinstance(value, list):
        return [without_bytes(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") == "file" and isinstance(value.get("data"), str):
        name = value.get("name") or value.get("media_type")
        return f"[file: {name}, {len(value['data']) * 3 // 4:,} bytes]"
    return {name: without_bytes(item) for name, item in value.items()}


def short_args(args: dict[str, Any]) -> str:
    """Write arguments as they would stand in a call, short enough for a line."""
    shown = ", ".join(
        f"{visible(name)}={exact(plain(value))}" if name else exact(plain(value))
        for name, value in args.items()
    )
    return clipped(shown, _SHORT_ARGS)


def pretty(value: Any) -> str:
    """Write a JSON value over several lines, unless it is short: a text as it is, of files the names."""
    return value if isinstance(value, str) else _unfolded(without_bytes(value))


def _unfolded(value: Any) -> str:
    line = plain(value)
    return line if len(line) <= _SHORT_VALUE else json.dumps(value, indent=2, ensure_ascii=False)


def plain(value: Any) -> str:
    """Write a JSON value in one line."""
    return json.dumps(value, ensure_ascii=False)


def readable(text: str) -> str:
    """Indent a result that is a JSON object or array."""
    if not text.startswith(("{", "[")):
        return text
    try:
        return pretty(json.loads(text))
    except ValueError:
        return text


def clipped(text: str, longest: int) -> str:
    """Cut a text that is too long."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
