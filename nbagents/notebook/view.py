"""The view: a pure fold of events into what is drawn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic_core import from_json

from nbagents.events import (
    EdgeTaken,
    Event,
    HandedOff,
    InputReceived,
    InputRequested,
    MessageFinished,
    Retrying,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunStarted,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
    TurnStarted,
    was_interrupted,
)
from nbagents.messages import (
    ZERO_USAGE,
    FilePart,
    Message,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from nbagents.notebook.states import States
from nbagents.topology import Topology

__all__ = [
    "FileItem",
    "HandoffItem",
    "Item",
    "NoteItem",
    "QuestionItem",
    "RunNode",
    "RunView",
    "TextItem",
    "ToolItem",
]

NodeStatus = Literal["asking", "answering", "finished", "limited", "failed", "stopped"]
ToolStatus = Literal["writing", "running", "done", "failed", "refused", "stopped"]


@dataclass(slots=True)
class TextItem:
    """Text that was said, or thought."""

    thinking: bool = False
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of it so far."""
        if len(self.pieces) > 1:
            self.pieces[:] = ["".join(self.pieces)]
        return self.pieces[0] if self.pieces else ""


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


_STOP_NOTES = {
    "length": "The answer was cut off: it reached its longest length.",
    "filtered": "The vendor's content filter ended the answer.",
}


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

    def seconds(self, now: float) -> float:
        """Wall time, until `now` for a run that is not over."""
        return max(0.0, (self.ended or now) - self.started)


Item = TextItem | FileItem | NoteItem | HandoffItem | QuestionItem | ToolItem | RunNode


class RunView:
    """All that is drawn of one tree of runs. Feed it every event, in order."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.root: RunNode | None = None
        self._nodes: dict[str, RunNode] = {}
        self._tools: dict[tuple[str, str], ToolItem] = {}
        self._questions: dict[str, tuple[RunNode, QuestionItem]] = {}
        self.ending = ""
        """What a reader can do about a run that waits."""
        self.topology: Topology | None = None
        self.states = States()
        for event in events:
            self.apply(event)

    def apply(self, event: Event) -> None:
        """Take the next event."""
        if isinstance(event, RunStarted):
            self._open(event)
            return
        node = self._nodes.get(event.run_id)
        if node is None:
            return
        match event:
            case TextDelta(text=text):
                _grow(node, text, thinking=False)
            case ThinkingDelta(text=text):
                _grow(node, text, thinking=True)
            case ToolCallDelta():
                _grow_call(node, event)
            case TurnStarted():
                node.status = "asking"
                node.turn_start = len(node.items)
                node.calls.clear()
            case MessageFinished(message=message):
                self._finish_message(node, message)
            case ToolStarted(call_id=call_id, args=args):
                tool = self._tool(node, call_id, event.name)
                tool.status, tool.args = "running", args
                self.states.use(f"{node.path}/{tool.name}", tool)
            case ToolProgress(call_id=call_id, data=data):
                self._tool(node, call_id, "").progress = data
            case ToolFinished():
                self._finish_tool(node, event)
            case Retrying():
                _retry(node, event)
            case HandedOff(source=source, target=target, reason=reason):
                node.items.append(HandoffItem(source, target, reason))
                self.states.take(node.path, source, target)
            case EdgeTaken(source=source, target=str(target)):
                self.states.take(node.path, source, target)
                _lead_on(node, source)
            case InputRequested():
                self._ask(node, event)
            case InputReceived():
                self._answer(event)
            case RunFinished(output=output, limit=limit):
                node.output, node.reason = output, limit or ""
                self._close(node, "limited" if limit else "finished", event)
            case RunFailed(error=error, message=message):
                node.error, node.reason = error, message
                self._close(node, "failed", event)
            case RunCancelled(reason=reason):
                node.reason = reason
                self._close(node, "stopped", event)

    def _open(self, event: RunStarted) -> None:
        parent = self._nodes.get(event.parent_id or "")
        asked = event.input[-1].text if event.input else ""
        if event.topology is not None:
            self.topology = event.topology
        node = RunNode(
            event.run_id,
            event.name,
            event.kind,
            event.model,
            event.note,
            asked,
            event.at,
            parent,
        )
        self._nodes[event.run_id] = node
        if parent is None:
            self.root = self.root or node
            node.path = event.name
        elif event.node is not None:
            node.path = f"{parent.path}/{event.node}"
            node.name = event.node
            parent.items.append(node)
        else:
            tool = self._tool(parent, event.call_id or "", event.name)
            node.path = f"{parent.path}/{tool.name}"
            tool.runs.append(node)
        while parent is not None and node.note:
            parent.note = parent.note or node.note
            parent = parent.parent
        self.states.start(node)

    def _ask(self, node: RunNode, event: InputRequested) -> None:
        question = QuestionItem(event)
        self._questions[event.question_id] = node, question
        tool = self._tools.get((node.run_id, event.call_id or ""))
        (node.items if tool is None else tool.questions).append(question)
        _wait(node, 1)

    def _answer(self, event: InputReceived) -> None:
        node, question = self._questions[event.question_id]
        if question.is_open:
            question.received, question.is_open = event, False
            self.states.answered(node.path)
            _wait(node, -1)

    def _tool(self, node: RunNode, call_id: str, name: str) -> ToolItem:
        key = (node.run_id, call_id)
        if key not in self._tools:
            tool = self._tools[key] = ToolItem(name, call_id)
            node.items.append(tool)
        return self._tools[key]

    def _finish_message(self, node: RunNode, message: Message) -> None:
        """Put the message in the place of its deltas; what happened on the way stays."""
        notes = [item for item in node.items[node.turn_start :] if isinstance(item, NoteItem)]
        node.items[node.turn_start :] = notes
        node.calls.clear()
        for part in message.parts:
            if isinstance(part, ToolCallPart):
                # Ids are only unique in their own message.
                tool = ToolItem(part.name, part.call_id, _parsed(part.args))
                self._tools[node.run_id, part.call_id] = tool
                node.items.append(tool)
            elif isinstance(part, FilePart):
                node.items.append(FileItem(part))
            elif isinstance(part, (TextPart, ThinkingPart)) and part.text:
                node.items.append(TextItem(isinstance(part, ThinkingPart), [part.text]))
        if message.stop in _STOP_NOTES:
            node.items.append(NoteItem(_STOP_NOTES[message.stop]))
        node.turn_start = len(node.items)
        spender: RunNode | None = node
        while spender is not None and message.usage is not None:
            spender.usage = spender.usage + message.usage
            spender = spender.parent

    def _finish_tool(self, node: RunNode, event: ToolFinished) -> None:
        tool = self._tool(node, event.call_id, event.result.name)
        refused = tool.status == "writing" and bool(tool.questions)
        failed: ToolStatus = "refused" if refused else "failed"
        failed = "stopped" if was_interrupted(event.result) else failed
        tool.status = failed if event.result.is_error else "done"
        tool.result, tool.seconds, tool.traceback = event.result, event.seconds, event.traceback
        tool.progress = None

    def _close(
        self, node: RunNode, status: NodeStatus, event: RunFinished | RunFailed | RunCancelled
    ) -> None:
        node.status, node.ended, node.usage = status, event.at, event.usage
        for asker, question in self._questions.values():
            if asker is node and question.is_open:
                question.is_open = False
                _wait(node, -1)
        for item in node.items:
            if isinstance(item, ToolItem) and item.status in {"writing", "running"}:
                item.status = "stopped"


def _grow(node: RunNode, text: str, *, thinking: bool) -> None:
    node.status = "answering"
    last = node.items[-1] if len(node.items) > node.turn_start else None
    if isinstance(last, TextItem) and last.thinking is thinking:
        last.pieces.append(text)
    else:
        node.items.append(TextItem(thinking, [text]))


def _grow_call(node: RunNode, event: ToolCallDelta) -> None:
    node.status = "answering"
    tool = node.calls.get(event.index)
    if tool is None:
        tool = node.calls[event.index] = ToolItem("")
        node.items.append(tool)
    tool.name += event.name
    tool.written += len(event.args)


def _wait(node: RunNode, change: int) -> None:
    waiting: RunNode | None = node
    while waiting is not None:
        waiting.waiting += change
        waiting.has_asked = True
        waiting = waiting.parent


def _lead_on(node: RunNode, source: str) -> None:
    for item in reversed(node.items):
        if isinstance(item, RunNode) and item.name == source:
            item.leads_on = True
            return


def _retry(node: RunNode, event: Retrying) -> None:
    if event.restart:
        del node.items[node.turn_start :]
        node.calls.clear()
    wait = f" Again in {event.seconds:.0f} s." if event.seconds >= 1 else " Asked again."
    node.items.insert(node.turn_start, NoteItem(f"Attempt {event.attempt}: {event.error}{wait}"))
    node.turn_start += 1
    node.status = "asking"


def _parsed(args: str) -> dict[str, Any]:
    """Read arguments for the eye; what is not an object is shown as it came."""
    try:
        value = from_json(args)
    except ValueError:
        value = args
    return value if isinstance(value, dict) else {"": value}
