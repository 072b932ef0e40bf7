"""Messages: what models and people say to each other, in nobody's wire format but our own."""

from __future__ import annotations

import functools
import re
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Discriminator, TypeAdapter

from nbagents.errors import UserError
from nbagents.untrusted import received, received_json, whole, whole_json_text

__all__ = [
    "ZERO_USAGE",
    "EncodedMessages",
    "FilePart",
    "Message",
    "Part",
    "StopReason",
    "TextPart",
    "ThinkingPart",
    "ToolCallPart",
    "ToolResultPart",
    "ToolSpec",
    "Usage",
    "message_codec",
    "user_message",
]

# What OpenAI, Anthropic and Bedrock all accept.
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")

StopReason = Literal["end", "tools", "length", "filtered", "paused", "unknown", "interrupted"]
"""Why an answer ended. After any but the first two it is incomplete, and none of its calls run:
`length` is a limit of tokens, `filtered` a content filter or a refusal, `paused` the vendor's own
pause, after which the model can continue, `unknown` a reason that the provider does not know."""


def _set(part: Any, field: str, text: Any) -> None:
    """Set a field of a frozen part while it is made."""
    if text is not getattr(part, field):
        object.__setattr__(part, field, text)


@dataclass(frozen=True, slots=True)
class TextPart:
    """Plain text, or Markdown; never trusted HTML."""

    text: str
    type: Literal["text"] = "text"

    def __post_init__(self) -> None:
        if (text := received(self.text)) is not self.text:
            object.__setattr__(self, "text", text)


@dataclass(frozen=True, slots=True)
class ThinkingPart:
    """What the model thought before it spoke."""

    text: str
    signature: str | None = None
    """The vendor's opaque seal, sent back as it came; with `redacted`, the sealed thought itself."""
    redacted: bool = False
    type: Literal["thinking"] = "thinking"

    def __post_init__(self) -> None:
        # Only what no vendor could send: the signature is that of the text as it is.
        _set(self, "text", whole(self.text))


@dataclass(frozen=True, slots=True)
class FilePart:
    """An image, a PDF or another file, by its bytes or by its address."""

    __pydantic_config__: ClassVar = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    media_type: str
    data: bytes | None = None
    url: str | None = None
    name: str | None = None
    type: Literal["file"] = "file"

    def __post_init__(self) -> None:
        _set(self, "url", self.url and received(self.url))
        _set(self, "name", self.name and received(self.name))


@dataclass(frozen=True, slots=True)
class ToolCallPart:
    """The model asks for a tool."""

    call_id: str
    name: str
    args: str
    """JSON text as the model wrote it, except that characters are whole: not parsed, not trusted."""
    type: Literal["tool_call"] = "tool_call"

    def __post_init__(self) -> None:
        _set(self, "call_id", received(self.call_id))
        _set(self, "name", received(self.name))
        _set(self, "args", whole_json_text(self.args))


@dataclass(frozen=True, slots=True)
class ToolResultPart:
    """What a tool answered, or why it could not."""

    call_id: str
    name: str
    content: tuple[TextPart | FilePart, ...]
    is_error: bool = False
    type: Literal["tool_result"] = "tool_result"

    @property
    def text(self) -> str:
        """The text of the result, without its files."""
        return "\n".join(part.text for part in self.content if isinstance(part, TextPart))


Part = Annotated[
    TextPart | ThinkingPart | FilePart | ToolCallPart | ToolResultPart, Discriminator("type")
]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and money. Adding two adds both; an unknown price stays unknown."""

    input_tokens: int = 0
    """All tokens read, those from a cache included."""
    output_tokens: int = 0
    """All tokens written, thinking included."""
    cached_tokens: int = 0
    """The part of `input_tokens` that came from the vendor's cache."""
    cost: Decimal | None = None
    """US dollars; None when the price is unknown, never a guess."""
    estimated: bool = False
    """True when tokens of it were counted from the text, because a server does not report them."""

    def __add__(self, other: Usage) -> Usage:
        cost = None if self.cost is None or other.cost is None else self.cost + other.cost
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            cost,
            self.estimated or other.estimated,
        )

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


ZERO_USAGE = Usage(cost=Decimal(0))
"""Nothing spent: the start of every sum."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Message:
    """One message of a conversation."""

    role: Literal["user", "assistant"]
    parts: tuple[Part, ...]
    agent: str | None = None
    """The agent that said it, for an assistant's message."""
    usage: Usage | None = None
    """What it cost to make, for an assistant's message."""
    stop: StopReason = "end"
    """Why the model stopped; `interrupted` for a message that was cut short."""

    @property
    def text(self) -> str:
        """All text parts joined."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))

    @property
    def tool_calls(self) -> tuple[ToolCallPart, ...]:
        """The tools that the model asked for, in its order."""
        return tuple([part for part in self.parts if isinstance(part, ToolCallPart)])

    def with_stop(self, stop: StopReason) -> Message:
        """Make a copy that ended for another reason."""
        return replace(self, stop=stop)


@dataclass(frozen=True, slots=True, eq=False)
class ToolSpec:
    """What a model is told of a tool."""

    name: str
    description: str
    parameters: dict[str, Any]
    """A JSON Schema of type `object`."""
    examples: tuple[tuple[str, dict[str, Any]], ...] = field(default=())
    """Requests and the arguments that fit them; small models choose better with two or three."""

    def __post_init__(self) -> None:
        if not _TOOL_NAME.match(self.name):
            allowed = "at most 64 letters, digits, '_' and '-'"
            raise UserError(f"{self.name!r} cannot be a tool's name, which has {allowed}.")
        _set(self, "description", received(self.description))
        _set(self, "parameters", received_json(self.parameters))


def user_message(*parts: str | Part) -> Message:
    """Make a user's message from texts and parts."""
    return Message("user", tuple(TextPart(p) if isinstance(p, str) else p for p in parts))


@functools.cache
def message_codec() -> TypeAdapter[Message]:
    """The JSON codec of `Message`; bytes travel as base64."""
    return TypeAdapter(Message)


class EncodedMessages:
    """Remembers the bytes of each message, so that a long history is encoded only once.

    Messages never change; an entry goes when its message does.
    """

    def __init__(self, encode: Callable[[Message], bytes]) -> None:
        self._encode = encode
        self._known: dict[int, tuple[weakref.ref[Message], bytes]] = {}

    def __call__(self, message: Message) -> bytes:
        """Return the bytes of a message."""
        key = id(message)
        known = self._known.get(key)
        if known is not None and known[0]() is message:
            return known[1]
        encoded = self._encode(message)
        forget = self._known.pop
        self._known[key] = (weakref.ref(message, lambda _: forget(key, None)), encoded)
        return encoded
