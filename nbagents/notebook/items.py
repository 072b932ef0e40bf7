"""What a run is drawn as: the run, and the things that happened in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from nbagents.events import InputReceived, InputRequested
from nbagents.messages import ZERO_USAGE, FilePart, ToolResultPart, Usage
from nbagents.redaction import redact

__all__ = [
    "FileItem",
    "HandoffItem",
    "Item",
    "NodeStatus",
    "NoteItem",
    "QuestionItem",
    "ResumedItem",
    "RunNode",
    "TextItem",
    "ToolItem",
    "ToolStatus",
]

_SAID_BY_HEADER = {"Cancelled", "Stopped by you"}
"""Reasons that only repeat the word for the status."""

NodeStatus = Literal["asking", "answering", "finished", "limited", "failed", "stopped"]
ToolStatus = Literal["writing", "running", "done", "failed", "refused", "stopped"]


@dataclass(slots=True)
class TextItem:
    """Text that was said, or thought."""

    thinking: bool = False
    pieces: list[str] = field(default_factory=list)
    _shown: str | None = None

    @property
    def text(self) -> str:
        """All of it so far, without the keys that its pieces make together."""
        if self._shown is None or len(self.pieces) > 1:
            self.pieces[:] = ["".join(self.pieces)]
            self._shown = redact(self.pieces[0])
        return self._shown


@dataclass(slots=True)
class FileItem:
    """A file that the model made."""

    part: FilePart


@dataclass(slots=True)
class NoteItem:
    """Something that happened on the way, such as a retry."""

    text: str


@dataclass(slots=True)
class HandoffItem:
    """Control passed from one member of a swarm to another."""

    source: str
    target: str
    reason: str


@dataclass(slots=True)
class ResumedItem:
    """A run that had been cut off went on."""

    text: str
    note: str
    """What is not as it was when the run began."""


@dataclass(slots=True)
class QuestionItem:
    """A question to a person, and the answer."""

    asked: InputRequested
    received: InputReceived | None = None
    is_open: bool = True


@dataclass(slots=True)
class ToolItem:
    """A call of a tool, and the runs that it opened."""

    name: str
    call_id: str = ""
    args: dict[str, Any] | None = None
    written: int = 0
    """Characters of the arguments that have arrived, while they are being written."""
    status: ToolStatus = "writing"
    progress: Any = None
    result: ToolResultPart | None = None
    seconds: float = 0.0
    traceback: str | None = None
    runs: list[RunNode] = field(default_factory=list)
    questions: list[QuestionItem] = field(default_factory=list)


@dataclass(slots=True)
class RunNode:
    """A run, as it is drawn."""

    run_id: str
    name: str
    kind: str
    model: str | None
    note: str | None
    question: str
    started: float
    parent: RunNode | None = None
    path: str = ""
    """Its node in the topology."""
    status: NodeStatus = "asking"
    reason: str = ""
    error: str = ""
    output: Any = None
    ended: float | None = None
    is_replayed: bool = False
    """Its answers are recorded ones."""
    off: float = 0.0
    """Seconds for which nothing ran, between a cut and going on."""
    usage: Usage = ZERO_USAGE
    items: list[Item] = field(default_factory=list)
    waiting: int = 0
    """Open questions to a person, here and in all runs below."""
    has_asked: bool = False
    """True once a person was asked, here or in a run below."""
    leads_on: bool = False
    """True once a graph went on from here."""
    turn_start: int = 0
    """Index of the first item of the message that is being made."""
    calls: dict[int, ToolItem] = field(default_factory=dict)
    """The calls of the message that is being made, by their index."""

    @property
    def is_over(self) -> bool:
        """True when nothing more will happen."""
        return self.ended is not None

    @property
    def ending(self) -> str | None:
        """What precedes the reason of its end; None without one, or when the header says it all."""
        if self.status == "stopped" and self.reason in _SAID_BY_HEADER:
            return None
        words = {"failed": f"{self.error}: ", "limited": "Limit reached: ", "stopped": ""}
        return words.get(self.status) if self.reason else None

    def seconds(self, now: float) -> float:
        """Wall time, until `now` for a run that is not over."""
        return max(0.0, (self.ended or now) - self.started - self.off)


Item = (
    TextItem | FileItem | NoteItem | HandoffItem | ResumedItem | QuestionItem | ToolItem | RunNode
)
