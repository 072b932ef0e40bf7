"""The fingerprint of a request to a model, by which a replay finds its answer."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import weakref
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic_core import from_json, to_json

from nbagents.messages import Message, ToolSpec, message_codec

__all__ = ["Requests", "as_json"]

_AT_ONCE = 200
"""Messages that are hashed while the loop waits."""
_REMEMBERED = 64
_SHORT = 8
_LOOKED_BACK = 100


def _hash(*pieces: bytes) -> bytes:
    made = hashlib.blake2b(digest_size=8)
    for piece in pieces:
        made.update(len(piece).to_bytes(8, "little") + piece)
    return made.digest()


def as_json(value: Any) -> bytes:
    """Write any value as JSON that does not depend on the order of keys."""
    plain: Any = from_json(to_json(value, fallback=repr))
    return json.dumps(plain, sort_keys=True).encode()


def _of_message(message: Message) -> bytes:
    """Hash a message; what it had cost is no part of what is asked."""
    try:
        return _hash(message_codec().dump_json(message, exclude={"usage"}, fallback=repr))
    except ValueError:  # Half a character.
        return _hash(repr(message.parts).encode("utf-8", "replace"))


_told: dict[int, tuple[weakref.ref[Message], int, hashlib.blake2b]] = {}
"""Hashes of conversations by the id of their last message, with the ids of all their messages."""


def _remember(messages: Sequence[Message], talk: hashlib.blake2b) -> None:
    key = id(messages[-1])
    _told.pop(key, None)
    _told[key] = weakref.ref(messages[-1]), hash(tuple(map(id, messages))), talk.copy()
    if len(_told) > _REMEMBERED:
        for oldest in list(_told)[:-_REMEMBERED]:  # Other threads may do the same.
            _told.pop(oldest, None)


def _remembered(messages: Sequence[Message]) -> tuple[int, hashlib.blake2b]:
    """Find the longest beginning of a conversation that was hashed before."""
    for count in range(len(messages), max(0, len(messages) - _LOOKED_BACK), -1):
        last = messages[count - 1]
        known = _told.get(id(last))
        if known is None or known[0]() is not last:
            continue
        if known[1] == hash(tuple(map(id, messages[:count]))):
            return count, known[2].copy()
    return 0, hashlib.blake2b(digest_size=8)


@functools.lru_cache(maxsize=512)
def _of_tool(spec: ToolSpec) -> bytes:
    return _hash(as_json((spec.name, spec.description, spec.parameters, spec.examples)))


class Requests:
    """Tells the requests of one run apart by a short text, made of four hashes.

    They are of the model and its settings, the instructions, the tools and the type of the answer,
    and the conversation.
    """

    def __init__(
        self, model: Any, system: str, tools: Iterable[ToolSpec], output: dict[str, Any] | None
    ) -> None:
        told = _hash(*map(_of_tool, tools), as_json(output))
        self._head = f"{_hash(as_json(model)).hex()}-{_hash(system.encode()).hex()}-{told.hex()}"
        self._talk: hashlib.blake2b | None = None
        self._known = 0

    async def after(self, messages: Sequence[Message]) -> str:
        """Name the request that comes after these messages, which only ever grow."""
        if self._talk is None:
            self._known, self._talk = _remembered(messages)
        for index in range(self._known, len(messages)):
            self._talk.update(_of_message(messages[index]))
            if (index - self._known) % _AT_ONCE == _AT_ONCE - 1:  # Others use the loop, too.
                await asyncio.sleep(0)
        if len(messages) > max(self._known, _SHORT):
            _remember(messages, self._talk)
        self._known = len(messages)
        return f"{self._head}-{self._talk.hexdigest()}"
