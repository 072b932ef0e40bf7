"""The port: one verb that streams an answer as chunks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from nbagents.events import TextDelta, ThinkingDelta, ToolCallDelta
from nbagents.messages import FilePart, Message, StopReason, ThinkingPart, ToolSpec, Usage

__all__ = [
    "Capabilities",
    "Chunk",
    "Model",
    "ModelDone",
    "ModelRequest",
    "OutputSpec",
    "PartDone",
    "Settings",
    "UsageSoFar",
]


@dataclass(frozen=True, slots=True)
class PartDone:
    """A part that arrived whole; a thinking part takes the place of the deltas before it."""

    part: FilePart | ThinkingPart


@dataclass(frozen=True, slots=True)
class UsageSoFar:
    """What the answer is known to have cost by now, which counts if it breaks off."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class ModelDone:
    """The end of every answer, exactly once."""

    stop: StopReason
    usage: Usage | None
    """None when the server does not say what the answer cost."""


Chunk = TextDelta | ThinkingDelta | ToolCallDelta | PartDone | UsageSoFar | ModelDone
"""What a model streams. Deltas are the very events that the run reports: nothing is made twice."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can do, as facts that the loop may ask about."""

    tools: bool = True
    native_output: bool = True
    """The vendor itself holds the answer to a JSON Schema."""
    native_output_with_tools: bool = True
    """It does so for requests that have tools, too."""
    files: frozenset[str] = frozenset({"image", "pdf"})
    """Kinds of file that may be sent."""
    note: str | None = None
    """What a reader must know of the model's answers."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to sample. What is None is left to the vendor."""

    temperature: float | None = None
    max_tokens: int | None = None
    extra: dict[str, Any] = field(default_factory=dict[str, Any])
    """Fields of the vendor's own request, sent as they are."""


@dataclass(frozen=True, slots=True, eq=False)
class OutputSpec:
    """The shape that the whole answer must have."""

    name: str
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One question to a model. Sequences are shared with the run and must not be changed."""

    messages: Sequence[Message]
    system: str = ""
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: Literal["auto", "required"] = "auto"
    output: OutputSpec | None = None
    """Only ever set for a model with `capabilities.native_output`."""
    settings: Settings = field(default_factory=Settings)


class Model(Protocol):
    """A language model. Hold no state of a request on it: it serves many at once."""

    @property
    def name(self) -> str:
        """The full name, `provider:model`."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; it may learn from a refusal that its server can do less."""
        ...

    def stream(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        """Ask, and yield the answer as it comes; the last chunk is `ModelDone`.

        Raises `ModelError`. Closing the generator, or cancelling its task, closes the connection.
        """
        ...
