"""Fold chunks into the message that they add up to."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace

from nbagents.events import TextDelta, ThinkingDelta, ToolCallDelta
from nbagents.messages import Message, Part, TextPart, ThinkingPart, ToolCallPart, Usage
from nbagents.models.base import Chunk, ModelDone, PartDone, UsageSoFar
from nbagents.untrusted import Pieces, received

__all__ = ["Collector", "Incoming"]


class Incoming:
    """Receives the chunks of one answer, so that what is displayed is what is kept."""

    def __init__(self) -> None:
        self._pieces = Pieces()
        self._last: TextDelta | ThinkingDelta | ToolCallDelta | None = None
        """A chunk of the text that arrives just now."""

    def take(self, chunk: Chunk) -> Sequence[Chunk]:
        """Return the chunks to pass on: none while a character waits for its other half."""
        if type(chunk) is TextDelta and chunk.text.isprintable() and not self._pieces.held:
            self._last = chunk  # Nearly every token.
            return (chunk,)
        if isinstance(chunk, UsageSoFar):
            return (chunk,)
        if isinstance(chunk, (PartDone, ModelDone)):
            return (*self._rest(), chunk)
        last, self._last = self._last, chunk
        if self._pieces.held and not _is_same(last, chunk):
            self._last = last
            return (*self._rest(), *self.take(chunk))
        if isinstance(chunk, ToolCallDelta):
            return self._take_call(chunk)
        text = self._pieces.take(chunk.text)
        if text is chunk.text:
            return (chunk,)
        return (replace(chunk, text=text),) if text else ()

    def _take_call(self, chunk: ToolCallDelta) -> Sequence[Chunk]:
        args = self._pieces.take(chunk.args)
        name, call_id = received(chunk.name), received(chunk.call_id)
        return (replace(chunk, args=args, name=name, call_id=call_id),)

    def _rest(self) -> Sequence[Chunk]:
        """Return what the text that arrived last still lacks."""
        last, text = self._last, self._pieces.rest()
        if last is None or not text:
            return ()
        if isinstance(last, ToolCallDelta):
            return (ToolCallDelta(last.index, "", "", text),)
        return (replace(last, text=text),)


def _is_same(one: object, other: object) -> bool:
    """Tell whether two chunks are of one text."""
    return type(one) is type(other) and getattr(one, "index", 0) == getattr(other, "index", 0)


class _Call:
    __slots__ = ("args", "call_id", "name")

    def __init__(self) -> None:
        self.call_id = ""
        self.name = ""
        self.args: list[str] = []


class Collector:
    """Takes the chunks of one answer; each costs the same, however long the answer grows."""

    def __init__(self) -> None:
        self.done: ModelDone | None = None
        self.usage: Usage | None = None
        """What the answer has cost, as far as it is known."""
        self._parts: list[Part | _Call] = []
        self._calls: dict[int, _Call] = {}
        self._text: list[str] = []
        self._thinking: list[str] = []

    @property
    def started(self) -> bool:
        """True once anything of the answer has come."""
        return bool(self._parts or self._text or self._thinking)

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk."""
        kind = type(chunk)
        if kind is TextDelta:
            if self._thinking:
                self._close()
            self._text.append(chunk.text)  # pyright: ignore[reportAttributeAccessIssue,reportUnknownArgumentType,reportUnknownMemberType]
        elif isinstance(chunk, ThinkingDelta):
            if self._text:
                self._close()
            self._thinking.append(chunk.text)
        elif isinstance(chunk, ToolCallDelta):
            self._add_call(chunk)
        elif isinstance(chunk, PartDone):
            if isinstance(chunk.part, ThinkingPart):
                self._thinking.clear()
            self._close()
            self._parts.append(chunk.part)
        elif isinstance(chunk, UsageSoFar):
            self.usage = chunk.usage if chunk.usage.total_tokens else None
        elif isinstance(chunk, ModelDone):
            self.done = chunk
            self.usage = chunk.usage

    def message(self, agent: str | None, *, interrupted: bool = False) -> Message:
        """Make the message. An interrupted one keeps its text and drops calls cut in the middle."""
        self._close()
        parts: list[Part] = []
        seen: set[str] = set()
        for part in self._parts:
            if not isinstance(part, _Call):
                parts.append(part)
            elif not interrupted:
                parts.append(_finished(part, seen))
        stop = "interrupted" if interrupted or self.done is None else self.done.stop
        return Message("assistant", tuple(parts), agent, self.usage, stop)

    def _add_call(self, chunk: ToolCallDelta) -> None:
        call = self._calls.get(chunk.index)
        if call is None:
            self._close()
            call = self._calls[chunk.index] = _Call()
            self._parts.append(call)
        call.call_id = call.call_id or chunk.call_id
        call.name += chunk.name
        call.args.append(chunk.args)

    def _close(self) -> None:
        if self._text:
            self._parts.append(TextPart("".join(self._text)))
            self._text.clear()
        if self._thinking:
            self._parts.append(ThinkingPart("".join(self._thinking)))
            self._thinking.clear()


def _finished(call: _Call, seen: set[str]) -> ToolCallPart:
    """Give the call an id of its own: some vendors send two calls with one, or none at all.

    One that had none gets an id that no other message has, for some vendors look at them all.
    """
    call.call_id = wanted = call.call_id or f"call_{uuid.uuid4().hex[:16]}"
    call_id, copy = wanted, 1
    while call_id in seen:
        copy += 1
        call_id = f"{wanted}_{copy}"
    seen.add(call_id)
    args = "".join(call.args)
    # Some servers write `null` for a call without arguments.
    return ToolCallPart(call_id, call.name, "{}" if args.strip() in {"", "null"} else args)
