"""What an answer may have cost, for a server that does not say."""

from __future__ import annotations

from nbagents.messages import FilePart, Message, Part, ToolCallPart, ToolResultPart, Usage
from nbagents.models.base import ModelRequest

__all__ = ["estimated_usage"]

_BYTES_PER_TOKEN = 4
_BYTES_OF_FILE = 4_000
"""A picture costs about a thousand tokens, however many bytes it has."""


def estimated_usage(request: ModelRequest, answer: Message) -> Usage:
    """Count some four bytes of text as a token."""
    tools = sum(_size(f"{tool.name}{tool.description}{tool.parameters}") for tool in request.tools)
    said = sum(_of_message(message) for message in request.messages)
    read = _size(request.system) + tools + said
    return Usage(_tokens(read), _tokens(_of_message(answer)), estimated=True)


def _tokens(size: int) -> int:
    return -(-size // _BYTES_PER_TOKEN)


def _of_message(message: Message) -> int:
    return sum(map(_of_part, message.parts))


def _of_part(part: Part) -> int:
    if isinstance(part, FilePart):
        return _BYTES_OF_FILE
    if isinstance(part, ToolResultPart):
        return sum(map(_of_part, part.content))
    if isinstance(part, ToolCallPart):
        return _size(part.name) + _size(part.args)
    return _size(part.text)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
