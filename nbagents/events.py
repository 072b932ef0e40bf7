"""Events: the only way that anything learns about a run.

Durable events are the run's record: from them alone its messages, status and usage can be told
again. Passing events exist for whoever watches; they are never stored.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args

from pydantic import ConfigDict, Discriminator, TypeAdapter
from typing_extensions import TypeIs

from nbagents.messages import (
    ZERO_USAGE,
    FilePart,
    Message,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from nbagents.topology import Topology

__all__ = [
    "DurableEvent",
    "EdgeTaken",
    "Event",
    "HandedOff",
    "InputReceived",
    "InputRequested",
    "MessageFinished",
    "PassingEvent",
    "Retrying",
    "RunCancelled",
    "RunFailed",
    "RunFinished",
    "RunResumed",
    "RunStarted",
    "StateChanged",
    "TextDelta",
    "ThinkingDelta",
    "ToolCallDelta",
    "ToolFinished",
    "ToolProgress",
    "ToolStarted",
    "TurnStarted",
    "event_codec",
    "interrupted_result",
    "is_durable",
    "messages_of",
    "stamp",
    "was_interrupted",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stamp:
    """Where and when an event happened; written once, by `RunContext.emit`."""

    run_id: str = ""
    seq: int = 0
    """Counts the events of a run and all the runs below it, from 1."""
    at: float = 0.0
    """Seconds since the epoch."""


# The slots themselves, which are written without a look at the class that is frozen.
_SLOTS: Any = _Stamp
_set_run_id, _set_seq, _set_at = (slot.__set__ for slot in (_SLOTS.run_id, _SLOTS.seq, _SLOTS.at))


def stamp(event: Event, run_id: str, seq: int, at: float) -> None:
    """Write into a new event where and when it happened."""
    _set_run_id(event, run_id)
    _set_seq(event, seq)
    _set_at(event, at)


@dataclass(frozen=True, slots=True)
class RunStarted(_Stamp):
    """A run began."""

    name: str
    kind: str
    """`agent`, or the kind of team that runs."""
    input: tuple[Message, ...]
    parent_id: str | None = None
    call_id: str | None = None
    """The tool call of the parent that opened this run."""
    model: str | None = None
    note: str | None = None
    """What a reader must know of the model, such as that it is a small one."""
    node: str | None = None
    """The node of the graph, or the member of the swarm, whose visit this run is."""
    topology: Topology | None = None
    """What the outermost run of a team is made of."""
    declared: dict[str, Any] | None = None
    """In a session: what an agent had been, to tell when it goes on as another one."""
    replayed: bool = False
    """The answers are recorded ones: what they had cost is not paid again."""
    follows: str | None = None
    """In a saved output: the run that holds the conversation before `input`."""
    type: Literal["run_started"] = "run_started"


@dataclass(frozen=True, slots=True)
class RunResumed(_Stamp):
    """A run that was cut off goes on."""

    note: str = ""
    """What is not as it was when the run began."""
    model: str | None = None
    declared: dict[str, Any] | None = None
    type: Literal["run_resumed"] = "run_resumed"


@dataclass(frozen=True, slots=True)
class MessageFinished(_Stamp):
    """The model finished a message; it takes the place of all its deltas."""

    message: Message
    request: str | None = field(default=None, compare=False, repr=False)
    """Hashes of what it answers, by which a replay finds it; no part of what was said."""
    type: Literal["message_finished"] = "message_finished"


@dataclass(frozen=True, slots=True)
class ToolStarted(_Stamp):
    """A tool began to run."""

    call_id: str
    name: str
    args: dict[str, Any]
    type: Literal["tool_started"] = "tool_started"


@dataclass(frozen=True, slots=True)
class ToolFinished(_Stamp):
    """A tool call got its result, also when the tool never ran."""

    call_id: str
    result: ToolResultPart
    seconds: float
    traceback: str | None = None
    """For the person at the screen; the model only sees `result`."""
    ends_run: bool = False
    """Control has passed to somebody else."""
    type: Literal["tool_finished"] = "tool_finished"


@dataclass(frozen=True, slots=True)
class HandedOff(_Stamp):
    """A member of a swarm gave control to another one."""

    source: str
    target: str
    reason: str
    type: Literal["handed_off"] = "handed_off"


@dataclass(frozen=True, slots=True)
class EdgeTaken(_Stamp):
    """A graph went along an edge."""

    source: str
    target: str | None = None
    """None when a node was left, and none of its edges was taken."""
    type: Literal["edge_taken"] = "edge_taken"


@dataclass(frozen=True, slots=True)
class InputRequested(_Stamp):
    """A run waits for a person."""

    question_id: str
    """Unique among the runs of one tree: q1, q2, ..."""
    prompt: str
    schema: dict[str, Any]
    """JSON Schema of the answer."""
    asker: str
    """Who asks: the name of the agent or of the node."""
    reason: str = ""
    details: Any = None
    """What the question is about, as JSON: the arguments of a call that needs approval."""
    call_id: str | None = None
    """The tool call that asks."""
    type: Literal["input_requested"] = "input_requested"


@dataclass(frozen=True, slots=True)
class InputReceived(_Stamp):
    """A person answered."""

    question_id: str
    answer: Any = None
    """As JSON; what the schema calls a secret is left out."""
    via: Literal["form", "stdin", "prepared", "code"] = "code"
    """How the answer came: `prepared` ones stood ready, `code` is `question.answer(...)`."""
    type: Literal["input_received"] = "input_received"


@dataclass(frozen=True, slots=True)
class StateChanged(_Stamp):
    """A value that runs share was written; it belongs to the run of this event."""

    key: str
    value: Any = None
    removed: bool = False
    type: Literal["state_changed"] = "state_changed"


@dataclass(frozen=True, slots=True)
class RunFinished(_Stamp):
    """A run ended by itself: with an answer, or at a limit."""

    output: Any = None
    usage: Usage = ZERO_USAGE
    limit: str | None = None
    """The limit that ended it, such as `turns=25`."""
    files: tuple[FilePart, ...] = ()
    """Files of the answer that stand in none of its messages."""
    lossy: str | None = None
    """The type of an output that JSON cannot hold: nothing can go on from here elsewhere."""
    type: Literal["run_finished"] = "run_finished"


@dataclass(frozen=True, slots=True)
class RunFailed(_Stamp):
    """A run ended by an error."""

    error: str
    """The class of the error."""
    message: str
    usage: Usage
    request: str | None = field(default=None, compare=False, repr=False)
    """Hashes of what was asked of the model when it failed, by which a replay finds it."""
    where: str | None = field(default=None, compare=False)
    """The node that raised it, and the line of the user's own code."""
    type: Literal["run_failed"] = "run_failed"


@dataclass(frozen=True, slots=True)
class RunCancelled(_Stamp):
    """A run was stopped."""

    reason: str
    usage: Usage
    request: str | None = field(default=None, compare=False, repr=False)
    """Hashes of what was being asked of the model, by which a replay finds it."""
    type: Literal["run_cancelled"] = "run_cancelled"


@dataclass(frozen=True, slots=True)
class TurnStarted(_Stamp):
    """The model is being asked."""

    turn: int
    type: Literal["turn_started"] = "turn_started"


@dataclass(frozen=True, slots=True)
class TextDelta(_Stamp):
    """The answer grew."""

    text: str
    type: Literal["text_delta"] = "text_delta"


@dataclass(frozen=True, slots=True)
class ThinkingDelta(_Stamp):
    """The thinking grew."""

    text: str
    type: Literal["thinking_delta"] = "thinking_delta"


@dataclass(frozen=True, slots=True)
class ToolCallDelta(_Stamp):
    """A tool call, or its arguments, grew."""

    index: int
    """Tells the calls of one message apart, in the order in which they began."""
    call_id: str
    name: str
    """The tool's name, whole, in the first delta of a call; empty afterwards."""
    args: str
    type: Literal["tool_call_delta"] = "tool_call_delta"


@dataclass(frozen=True, slots=True)
class ToolProgress(_Stamp):
    """A tool that runs said how far it is."""

    call_id: str
    data: Any
    type: Literal["tool_progress"] = "tool_progress"


@dataclass(frozen=True, slots=True)
class Retrying(_Stamp):
    """The model will be asked again; said before the wait."""

    attempt: int
    seconds: float
    error: str
    restart: bool
    """The message starts again from nothing: what was streamed of it is void."""
    type: Literal["retrying"] = "retrying"


DurableEvent = (
    RunStarted
    | MessageFinished
    | ToolStarted
    | ToolFinished
    | HandedOff
    | EdgeTaken
    | InputRequested
    | InputReceived
    | StateChanged
    | RunResumed
    | RunFinished
    | RunFailed
    | RunCancelled
)
PassingEvent = TurnStarted | TextDelta | ThinkingDelta | ToolCallDelta | ToolProgress | Retrying
Event = DurableEvent | PassingEvent

_INTERRUPTED = TextPart("Interrupted: the run was stopped before this tool answered.")
_DURABLE = frozenset(get_args(DurableEvent))


def is_durable(event: Event) -> TypeIs[DurableEvent]:
    """Tell whether an event belongs to the record of its run."""
    return type(event) in _DURABLE


@functools.cache
def event_codec() -> TypeAdapter[Event]:
    """The JSON codec of all events; bytes travel as base64, and NaN as in Python's own `json`."""
    config = ConfigDict(ser_json_inf_nan="constants")
    return TypeAdapter(Annotated[Event, Discriminator("type")], config=config)


def messages_of(events: Iterable[DurableEvent], run_id: str) -> list[Message]:
    """Tell the conversation of one run again from its events.

    Each call for a tool has a result: one that never came is filled in as interrupted, since
    every vendor refuses a call without its result.
    """
    messages: list[Message] = []
    results: dict[str, ToolResultPart] = {}
    calls: tuple[ToolCallPart, ...] = ()
    is_partial = False
    for event in events:
        if event.run_id != run_id:
            continue
        if isinstance(event, MessageFinished):
            message = event.message
            if is_partial:  # The run was cut off there, and went on later.
                messages.pop()
            elif calls:
                messages.append(_results_message(calls, results))
            messages.append(message)
            is_partial = message.stop == "interrupted"
            calls, results = message.tool_calls, {}
        elif isinstance(event, RunStarted):
            messages.extend(event.input)
        elif isinstance(event, ToolFinished):
            results[event.call_id] = event.result
    if calls:
        messages.append(_results_message(calls, results))
    return messages


def _results_message(
    calls: tuple[ToolCallPart, ...], results: dict[str, ToolResultPart]
) -> Message:
    parts = (results.get(call.call_id) or interrupted_result(call) for call in calls)
    return Message("user", tuple(parts))


def interrupted_result(call: ToolCallPart) -> ToolResultPart:
    """Make the result of a call that was stopped before it had one."""
    return ToolResultPart(call.call_id, call.name, (_INTERRUPTED,), is_error=True)


def was_interrupted(result: ToolResultPart) -> bool:
    """Tell whether a result says that the call was stopped before it had one."""
    return result.is_error and result.content == (_INTERRUPTED,)
