"""What crosses to the page: the document of a run, which outputs hold, and what the panel hears."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter

from nbagents.events import DurableEvent, Event

__all__ = [
    "PICTURE_MIME",
    "RUN_MIME",
    "VERSION",
    "AgentRow",
    "Answer",
    "Document",
    "Events",
    "FromKernel",
    "FromPage",
    "Hello",
    "PictureStub",
    "QuestionRow",
    "Refused",
    "RunDocument",
    "RunRow",
    "SessionRow",
    "State",
    "Stop",
    "Watch",
    "Wire",
    "codec",
]

RUN_MIME = "application/vnd.nbagents.run+json"
PICTURE_MIME = "application/vnd.nbagents.picture+json"
"""Stands beside the picture of a team; whoever shows the run's document draws it there."""
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDocument:
    """All that is known of a run and the runs below it: a saved output, or a `.nbagents.json` file."""

    run_id: str
    """The outermost run."""
    version: int = VERSION
    live: bool = False
    """The run is under way. In an output it then has no events: they come over the panel's line."""
    events: tuple[Event, ...] = ()
    """In their order; of a run that is over, only durable ones."""
    picture: str | None = None
    """SVG of what a team is made of: `g[data-node]` are nodes, `path[data-from][data-to]` links."""
    ending: str = ""
    """What a reader can do about a run that waits."""
    replayed: bool = False
    """The answers were recorded ones, and cost nothing."""
    folded: bool = False
    """Nobody has asked to see it: it is one line, until somebody opens it."""
    more: tuple[RunDocument, ...] | None = None
    """Others of the same cell that nobody has asked to see."""
    heading: str | None = None
    """The one line for all of them."""


@dataclass(frozen=True, slots=True)
class PictureStub:
    """The picture of a run is drawn in this output, for those who do not draw its document."""

    run_id: str
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class AgentRow:
    """A variable of the notebook that can be asked."""

    name: str
    kind: str
    model: str | None
    detail: str
    """Its tools or its members, in a few words."""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session of the store that is in use."""

    id: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run of this kernel."""

    run_id: str
    name: str
    kind: str
    status: Literal["running", "waiting", "finished", "failed", "cancelled", "limited"]
    started: float
    """Seconds since the epoch."""
    seconds: float | None
    """Wall time, once it is over."""
    tokens: int
    cost: str | None
    """US dollars, as a decimal number."""
    cell: str | None = None
    """The id of the cell that runs it, if the page has said."""


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """A question that waits for a person."""

    run_id: str
    """The outermost run."""
    question_id: str
    asker: str
    prompt: str
    reason: str
    schema: dict[str, Any]
    """JSON Schema of the answer."""
    details: str = ""
    """JSON text with escapes for invisible characters."""


@dataclass(frozen=True, slots=True)
class State:
    """All that the panel shows; it takes the place of what was shown."""

    agents: tuple[AgentRow, ...]
    sessions: tuple[SessionRow, ...]
    runs: tuple[RunRow, ...]
    """The newest first."""
    questions: tuple[QuestionRow, ...]
    version: int = VERSION
    type: Literal["state"] = "state"


@dataclass(frozen=True, slots=True)
class Events:
    """What has just happened in a run that is watched; an event counts once, by its `seq`."""

    run_id: str
    """The outermost run."""
    events: tuple[Event, ...]
    type: Literal["events"] = "events"


@dataclass(frozen=True, slots=True)
class Document:
    """All that has happened in a run so far."""

    document: RunDocument
    type: Literal["document"] = "document"


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer was not taken."""

    run_id: str
    question_id: str
    message: str
    type: Literal["refused"] = "refused"


@dataclass(frozen=True, slots=True)
class Hello:
    """The page is there; it is sent the state."""

    type: Literal["hello"] = "hello"


@dataclass(frozen=True, slots=True)
class Watch:
    """The page shows a run that is under way, and wants its document as it is now."""

    run_id: str
    type: Literal["watch"] = "watch"


@dataclass(frozen=True, slots=True)
class Answer:
    """A person has answered a question."""

    run_id: str
    question_id: str
    answer: Any
    type: Literal["answer"] = "answer"


@dataclass(frozen=True, slots=True)
class Stop:
    """A person wants a run to end."""

    run_id: str
    type: Literal["stop"] = "stop"


FromKernel = State | Events | Document | Refused
FromPage = Hello | Watch | Answer | Stop


@dataclass(frozen=True, slots=True)
class Wire:
    """Everything, for the types of the page, which are made from its JSON Schema."""

    run: RunDocument
    picture: PictureStub
    durable: DurableEvent
    kernel: FromKernel
    page: FromPage


@functools.cache
def codec(kind: Any) -> TypeAdapter[Any]:
    """Return the JSON codec of one of the types above; NaN, which no page can read, becomes null."""
    return TypeAdapter(kind)
