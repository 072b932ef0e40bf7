"""The fingerprint of a request to a model, by which a replay finds its answer."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic_core import from_json, to_json

from nbagents.messages import EncodedMessages, Message, ToolSpec, message_codec

__all__ = ["Requests", "as_json"]


def _hash(*pieces: bytes) -> bytes:
    made = hashlib.blake2b(digest_size=8)
    for piece in pieces:
        made.update(len(piece).to_bytes(8, "little") + piece)
    return made.digest()


def as_json(value: Any) -> bytes:
    """Write any value as JSON that does not depend on the order of keys."""
    plain: Any = from_json(to_json(value, fallback=repr))
    return json.dumps(plain, sort_keys=True).encode()


def _encoded(message: Message) -> bytes:
    """Hash a message; what it had cost is no part of what is asked."""
    try:
        return _hash(message_codec().dump_json(message, exclude={"usage"}, fallback=repr))
    except ValueError:  # Half a character.
        return _hash(repr(message.parts).encode("utf-8", "replace"))


_of_message = EncodedMessages(_encoded)


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
        self._talk = hashlib.blake2b(digest_size=8)
        self._known = 0

    def after(self, messages: Sequence[Message]) -> str:
        """Name the request that comes behind these messages, which only ever grow."""
        for index in range(self._known, len(messages)):
            self._talk.update(_of_message(messages[index]))
        self._known = len(messages)
        return f"{self._head}-{self._talk.hexdigest()}"
