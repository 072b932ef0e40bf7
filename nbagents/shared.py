"""What runs share: JSON values, of which each change is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic_core import PydanticSerializationError, from_json, to_json

from nbagents.errors import UserError
from nbagents.events import StateChanged
from nbagents.jsonable import DEEPEST, LARGEST_INT, jsonable

__all__ = ["Shared"]


class Shared:
    """A dictionary that anybody writes to, from any thread, and what was told of it so far.

    It holds JSON values: text, numbers, booleans, `None`, lists, and dictionaries by text. A tuple
    or a set is refused too, though JSON could be made of it: a run that goes on elsewhere would
    find a list in its place.
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self.values: dict[str, Any] = dict(values or {})
        self._told = {key: _json(key, value) for key, value in self.values.items()}

    def changes(self) -> list[StateChanged]:
        """Return what has changed since this was last asked.

        Raises `UserError` for a value that is not JSON, and then has told nothing.
        """
        if not self.values and not self._told:
            return []
        values = dict(self.values)
        texts = {key: _json(key, value) for key, value in values.items()}
        changed = [key for key in texts if texts[key] != self._told.get(key)]
        for key in changed:
            _check(f"[{key!r}]", values[key])
        gone = [StateChanged(key, None, removed=True) for key in self._told if key not in texts]
        self._told = texts
        return [*gone, *(StateChanged(key, from_json(texts[key])) for key in changed)]


def _json(key: str, value: Any) -> bytes:
    if not isinstance(key, str):  # pyright: ignore[reportUnnecessaryIsInstance] - anybody writes
        raise _refusal(f"The key of ctx.state[{key!r}]", key)
    try:
        return to_json({key: value})[len(to_json(key)) + 2 : -1]
    except (PydanticSerializationError, ValueError) as error:
        _check(f"[{key!r}]", value)
        if isinstance(error, PydanticSerializationError):  # Half a character, in a text.
            return to_json(jsonable(value))
        raise _refusal(f"ctx.state[{key!r}]", value) from error


def _check(at: str, value: object, depth: int = 0) -> None:
    """Raise `UserError` for what would not come back as what it is; `at` is its place."""
    if depth > DEEPEST:
        raise UserError(
            f"ctx.state{at.partition(']')[0]}] is nested deeper than {DEEPEST} levels, or contains itself: "
            "sessions cannot save it. Store it flat, or pass it to runs by deps=."
        )
    if isinstance(value, dict):
        for key, item in list(cast("dict[object, object]", value).items()):  # Others may write.
            if not isinstance(key, str):
                raise _refusal(f"The key of ctx.state{at}[{key!r}]", key)
            _check(f"{at}[{key!r}]", item, depth + 1)
    elif isinstance(value, list):
        for number, item in enumerate(cast("list[object]", value)):
            _check(f"{at}[{number}]", item, depth + 1)
    elif isinstance(value, int) and abs(value) > LARGEST_INT:
        raise UserError(
            f"ctx.state{at} is a number of more than 4,000 digits, which JSON parsers refuse. "
            "Store it as text."
        )
    elif value is not None and not isinstance(value, (str, int, float)):
        raise _refusal(f"ctx.state{at}", value)


def _refusal(what: str, value: object) -> UserError:
    kind = type(value).__name__
    way = "Make it a list" if isinstance(value, (tuple, set, frozenset)) else "Make it one"
    return UserError(
        f"{what} is not JSON ({kind}). {way}, or hand it to runs by deps=: what they share is "
        "text, numbers, booleans, None, lists, and dictionaries by text."
    )
