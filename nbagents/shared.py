"""What runs share: JSON values, of which each change is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

from nbagents.errors import UserError
from nbagents.events import StateChanged

__all__ = ["Shared"]


class Shared:
    """A dictionary that anybody writes to, from any thread, and what was told of it so far."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self.values: dict[str, Any] = dict(values or {})
        self._told = {key: _json(key, value) for key, value in self.values.items()}

    def changes(self) -> list[StateChanged]:
        """Return what has changed since this was last asked.

        Raises `UserError` for a value that is not JSON.
        """
        if not self.values and not self._told:
            return []
        values = dict(self.values)
        changed = [StateChanged(key, None, removed=True) for key in self._told if key not in values]
        for event in changed:
            del self._told[event.key]
        for key, value in values.items():
            text = _json(key, value)
            if text != self._told.get(key):
                self._told[key] = text
                changed.append(StateChanged(key, from_json(text)))
        return changed


def _json(key: str, value: Any) -> bytes:
    try:
        return to_json({key: value})[len(to_json(key)) + 2 : -1]
    except (PydanticSerializationError, ValueError) as error:
        kind = type(value).__name__
        message = f"ctx.state[{key!r}] is not JSON ({kind}). Runs share JSON values; hand other things to them by deps=."
        raise UserError(message) from error
