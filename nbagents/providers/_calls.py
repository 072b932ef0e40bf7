"""Calls of tools: put together from what servers stream, and written so that every server takes them back."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NoReturn, cast

from nbagents.events import ToolCallDelta
from nbagents.messages import Message, ToolCallPart, ToolResultPart

__all__ = [
    "CallAssembler",
    "arguments_text",
    "call_object",
    "distinct_calls",
    "fitting_id",
    "fitting_name",
]

_BLANK = {"", "{}", "null"}
_EXTRAS = ("extra_content", "provider_specific_fields")
_UNFIT = re.compile(r"[^A-Za-z0-9_-]+")


class CallAssembler:
    """Tells the calls of one streamed answer apart, whatever a server says of their indexes.

    Some give each call the index 0, or none; some repeat the name in each piece, or send `{}` before
    the arguments; some write arguments as an object.
    """

    def __init__(self) -> None:
        self.extras: list[tuple[int, dict[str, Any]]] = []
        """What a server added to a call and wants back with it, by the position of the call."""
        self._calls: list[_Call] = []
        self._at: dict[int, _Call] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, entries: Any) -> Iterator[ToolCallDelta]:
        """Take the next pieces, a list of them or one."""
        pieces: list[dict[str, Any]] = [entries] if isinstance(entries, dict) else entries
        touched: set[int] = set()
        for place, piece in enumerate(pieces):
            function: dict[str, Any] = piece.get("function") or piece
            name: str = function.get("name") or ""
            args = arguments_text(function.get("arguments"))
            call_id = "" if (given := piece.get("id")) in {None, "null"} else str(given)
            index = _number(piece.get("index"), place if len(pieces) > 1 else None)
            call = self._find(index, call_id, name, args)
            if call is None or (name and call.position in touched):
                call = self._begin(index)
            touched.add(call.position)
            self.extras.extend(
                (call.position, {extra: piece[extra]}) for extra in _EXTRAS if piece.get(extra)
            )
            yield call.grow(call_id, name, args)

    def _begin(self, index: int | None) -> _Call:
        call = _Call(len(self._calls))
        self._calls.append(call)
        if index is not None:
            self._at[index] = call
        return call

    def _find(self, index: int | None, call_id: str, name: str, args: str) -> _Call | None:
        """Return the call that a piece belongs to, or None if it begins one."""
        known = self._calls[-1] if index is None and self._calls else self._at.get(index or 0)
        if known is not None and not name and call_id not in {"", known.call_id}:
            return next((call for call in self._calls if call.call_id == call_id), known)
        if known is None or not name:
            return known
        if not call_id or not known.call_id:
            return None if args.lstrip().startswith("{") and known.is_whole() else known
        if call_id == known.call_id:
            return known
        return next((call for call in self._calls if call.call_id == call_id), None)


class _Call:
    __slots__ = ("args", "call_id", "name", "position")

    def __init__(self, position: int) -> None:
        self.position = position
        self.call_id = ""
        self.name = ""
        self.args: list[str] = []

    def grow(self, call_id: str, name: str, args: str) -> ToolCallDelta:
        """Add a piece and return what is new in it."""
        call_id, self.call_id = "" if self.call_id else call_id, self.call_id or call_id
        name = name.removeprefix(self.name)
        if self.args:
            name = ""
        self.name += name
        if not self.args and args.strip() in _BLANK:
            args = ""  # They may still follow.
        if args:
            self.args.append(args)
        return ToolCallDelta(self.position, call_id, name, args)

    def is_whole(self) -> bool:
        """Tell whether the arguments are complete, so that nothing can follow."""
        if not self.args or not self.args[-1].rstrip().endswith("}"):
            return False
        try:
            return isinstance(json.loads("".join(self.args)), dict)
        except ValueError:
            return False


def _number(index: Any, place: int | None) -> int | None:
    if isinstance(index, int):
        return index
    return int(index) if isinstance(index, str) and index.isdecimal() else place


def arguments_text(args: Any) -> str:
    """Return arguments as JSON text, also when a server wrote them as an object or as null."""
    if args is None:
        return ""
    return (
        args
        if isinstance(args, str)
        else json.dumps(args, ensure_ascii=False, separators=(",", ":"))
    )


def call_object(args: str) -> dict[str, Any]:
    """Return the object that servers want for the arguments of a call, which may be no JSON at all."""
    try:
        parsed: Any = json.loads(args, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        parsed = None
    return cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else {"_malformed": args}


def _no_constant(name: str) -> NoReturn:
    """Refuse `NaN` and `Infinity`, which Python reads and JSON does not know."""
    raise ValueError(name)


def distinct_calls(messages: Sequence[Message]) -> list[Message]:
    """Give each call of a conversation an id that no other has; its result follows it.

    Models and servers use an id twice in different messages, and some vendors refuse that.
    """
    seen: set[str] = set()
    renamed: dict[str, str] = {}
    made: list[Message] = []
    for message in messages:
        for call in message.tool_calls:
            renamed.pop(call.call_id, None)
            if call.call_id in seen:
                renamed[call.call_id] = f"{call.call_id}_{len(made)}"
            seen.add(call.call_id)
        made.append(_renamed(message, renamed) if renamed else message)
    return made


def _renamed(message: Message, renamed: dict[str, str]) -> Message:
    parts = tuple(
        replace(part, call_id=renamed[part.call_id])
        if isinstance(part, (ToolCallPart, ToolResultPart)) and part.call_id in renamed
        else part
        for part in message.parts
    )
    return message if parts == message.parts else replace(message, parts=parts)


def fitting_id(call_id: str, allowed: re.Pattern[str]) -> str:
    """Return the id of a call, or one made from it that fits every vendor: 9 letters and digits."""
    if allowed.fullmatch(call_id):
        return call_id
    return hashlib.blake2b(call_id.encode("utf-8", "replace"), digest_size=5).hexdigest()[:9]


def fitting_name(name: str) -> str:
    """Return the name of a tool as vendors take it, for a model may have written any."""
    return _UNFIT.sub("_", name)[:64] or "unknown"
