"""What a model reads of a Python value: text, and files for what can only be seen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, cast

from pydantic_core import from_json, to_json, to_jsonable_python

from nbagents.jsonable import jsonable
from nbagents.messages import FilePart, TextPart
from nbagents.tools.pictures import file_of_bytes, picture
from nbagents.tools.tables import array_text, table_text
from nbagents.untrusted import printed, received_json

__all__ = ["LONGEST", "UnreadableError", "progress_of", "render", "shorten"]

LONGEST = 30_000
"""Characters of one value that are sent: about 8,000 tokens."""

Content = tuple[TextPart | FilePart, ...]

_HEAD = 2 / 3
_LITTER = re.compile(r"\\(?:u00[01]|r|b)|[\x7f\x9b]")
"""Control characters, as JSON writes them."""
_LOOKED_AT = 100
"""Values of a list or a dictionary; longer ones are data, and hold no pictures."""


class UnreadableError(TypeError):
    """A value that no model can read; the message says what to use instead."""


def render(value: object, longest: int = LONGEST) -> Content:
    """Turn any value into text and files.

    A table is written as labeled CSV, an array and plain data as JSON; a figure, an image, or
    bytes of an image or a PDF become a file. What is longer than `longest` characters is cut in
    the middle, and says how much is left out. Raises `UnreadableError` for what has no readable form.
    """
    if isinstance(value, TextPart | FilePart):
        return (value,)
    if isinstance(value, str):
        return (TextPart(shorten(printed(value), longest)),)
    if isinstance(value, bytes | bytearray | memoryview):
        return (_of_bytes(bytes(cast("Any", value)), longest),)
    if isinstance(value, list | tuple) and _any_stands_alone(cast("Sequence[object]", value)):
        items = cast("Sequence[object]", value)
        return tuple(part for item in items for part in render(item, longest))
    if isinstance(value, Mapping) and _any_stands_alone(cast("Any", value).values()):
        named = cast("Mapping[object, object]", value).items()
        return tuple(
            part for name, item in named for part in (TextPart(f"{name}:"), *render(item, longest))
        )
    other = cast("Any", value)
    if (drawn := _picture(other)) is not None:
        return (drawn,)
    text = table_text(other, longest) or array_text(other, longest)
    return (TextPart(text or shorten(_text(other), longest)),)


def progress_of(value: object) -> Any:
    """Turn what a tool reports on its way into JSON values; of a progress bar, its last state."""
    return printed(value) if isinstance(value, str) else received_json(jsonable(value))


def shorten(text: str, longest: int = LONGEST) -> str:
    """Cut a long text in its middle, and say there how much is left out."""
    if len(text) <= longest:
        return text
    first = int(longest * _HEAD)
    last = longest - first
    left = len(text) - longest
    return (
        f"{text[:first]}\n[{left:,} characters left out here: ask for a part of it]\n{text[-last:]}"
    )


def _any_stands_alone(values: Iterable[object]) -> bool:
    return any(map(_stands_alone, islice(values, _LOOKED_AT)))


def _stands_alone(value: object) -> bool:
    """Tell whether a value in a list or a dictionary is written on its own, not as JSON."""
    if isinstance(value, TextPart | FilePart):
        return True
    if isinstance(value, str | int | float | bool | list | tuple | dict | None):
        return False
    if isinstance(value, bytes):
        return file_of_bytes(value) is not None
    return _picture(value) is not None or table_text(value, 0) is not None


def _picture(value: object) -> FilePart | None:
    try:
        return picture(value)
    except Exception as error:
        problem = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        raise UnreadableError(
            f"This {type(value).__qualname__} could not be drawn as a picture ({problem}). "
            "Use its data, or FilePart('image/png', data=...)."
        ) from error


def _of_bytes(data: bytes, longest: int) -> TextPart | FilePart:
    if file := file_of_bytes(data):
        return file
    try:
        return TextPart(shorten(printed(data.decode()), longest))
    except UnicodeDecodeError:
        raise UnreadableError(
            f"{len(data):,} bytes are neither text nor an image nor a PDF. "
            "Use text, or FilePart(media_type, data=...)."
        ) from None


def _text(value: object) -> str:
    """Write plain data as JSON; what is one text in JSON, such as a date, without its quotes."""
    unreadable: list[UnreadableError] = []

    def plain(inner: Any) -> Any:
        try:
            return _plain(inner)
        except UnreadableError as error:
            unreadable.append(error)
            raise

    try:
        text = to_json(value, fallback=plain).decode()
        if _LITTER.search(text):
            text = to_json(_printed_leaves(from_json(text))).decode()
    except ValueError as error:
        if unreadable:
            raise unreadable[0] from None
        try:
            if "surrogates not allowed" in str(error):  # Half a character, in a text.
                known = to_jsonable_python(_printed_leaves(value), fallback=plain)
                text = to_json(_printed_leaves(known)).decode()
            else:  # Slower, and not misled by what claims to be a date, as NaT of pandas does.
                text = json.dumps(value, default=plain, ensure_ascii=False)
        except (TypeError, ValueError, RecursionError):
            kind = type(value).__qualname__
            message = f"This {kind} cannot be written as JSON: {error}."
            raise UnreadableError(message) from None
    return from_json(text) if text.startswith('"') else text


def _printed_leaves(value: Any) -> Any:
    """Return lists and dictionaries in which each text is as a terminal shows it in the end."""
    if isinstance(value, str):
        return printed(value)
    if isinstance(value, dict):
        known = cast("dict[Any, Any]", value)
        return {_printed_leaves(key): _printed_leaves(item) for key, item in known.items()}
    if isinstance(value, list):
        return [_printed_leaves(item) for item in cast("list[Any]", value)]
    return value


def _plain(value: Any) -> Any:
    """Turn what JSON does not know into what it does: numbers of numpy, arrays, objects with text."""
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist"):
        plain = value.tolist()
        if type(plain) is not type(value):
            return plain
        return float(value) if value.dtype.kind == "f" else str(value)  # No number of Python's.
    if (text := table_text(value, LONGEST)) is not None:
        return text
    kind = cast("type[Any]", type(value))
    if kind.__repr__ is object.__repr__ and kind.__str__ is object.__str__:
        raise UnreadableError(
            f"A value of the type {kind.__qualname__} has no form that a model can read. Use text, "
            "numbers, lists or dictionaries of these, a table, a pydantic model, a figure, an image "
            "or a FilePart."
        )
    return str(value)
