"""The view: a pure fold of events into what is drawn."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

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
    RunResumed,
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
from nbagents.messages import FilePart, Message, TextPart, ThinkingPart, ToolCallPart
from nbagents.notebook.items import (
    FileItem,
    HandoffItem,
    NodeStatus,
    NoteItem,
    QuestionItem,
    ResumedItem,
    RunNode,
    TextItem,
    ToolItem,
    ToolStatus,
)
from nbagents.notebook.states import States
from nbagents.sessions.records import without_keys
from nbagents.topology import Topology

__all__ = ["RunView"]

_STOP_NOTES = {
    "length": "Incomplete: the answer reached its token limit.",
    "filtered": "Incomplete: the vendor's content filter stopped the answer.",
    "paused": "The vendor paused the answer; the next turn continues it.",
    "unknown": "The answer ended for an unknown reason and may be incomplete.",
    "empty": "The answer is empty.",
}


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
        self.picture: str | None = None
        """Its SVG before anything has run, once it is laid out."""
        self.states = States()
        self._last_at = 0.0
        self._seen = time.monotonic()
        """When the last event was taken, by the clock that is never set back."""
        self._cut_at = 0.0
        """When the last thing happened before the run was cut off."""
        for event in events:
            self.apply(event)

    def apply(self, event: Event) -> Event:
        """Take the next event, and return it without any key, as it may be shown.

        Deltas are returned as they are: a key may be in several, so their text is searched whole.
        """
        if not isinstance(event, (TextDelta, ThinkingDelta)):
            event = without_keys(event)
        if isinstance(event, RunStarted):
            self._open(event)
        elif (node := self._nodes.get(event.run_id)) is not None:
            self._fold(node, event)
            self._last_at = event.at or self._last_at
        self._seen = time.monotonic()
        return event

    @property
    def now(self) -> float:
        """The time by the clock of the events, for what still runs."""
        return self._last_at + time.monotonic() - self._seen

    def _fold(self, node: RunNode, event: Event) -> None:
        match event:
            case RunResumed():
                self._resume(node, event)
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
                tool.status, tool.args, tool.result = "running", args, None
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
            case RunFailed(error=error, message=message, where=where):
                node.error, node.reason = error, f"{message} ({where})" if where else message
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
        node.is_replayed = event.replayed
        self._nodes[event.run_id] = node
        self._last_at = event.at
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

    def _resume(self, node: RunNode, event: RunResumed) -> None:
        """Open a run again that was cut off, with a mark where it went on."""
        if node.parent is None:
            self._cut_at = self._last_at
        node.off += event.at - (node.ended or self._cut_at)
        if node.parent is None or event.note or (node.items and not node.waiting):
            node.items.append(
                ResumedItem(_how_it_went_on(node, event.at, self._cut_at), event.note)
            )
        node.status, node.ended = "asking", None
        node.output, node.error, node.reason = None, "", ""
        node.model = event.model or node.model
        node.turn_start = len(node.items)
        node.calls.clear()
        for asker, question in self._questions.values():
            if asker is node and question.received is None and not question.is_open:
                question.is_open = True
                _wait(node, 1)

    def leave(self) -> None:
        """Close what is under way: nothing more will come of it."""
        for node in self._nodes.values():
            if not node.is_over:
                node.status, node.ended = "stopped", self._last_at
                node.reason = "" if node.parent else "Cut off."
                _stop_tools(node)

    def _ask(self, node: RunNode, event: InputRequested) -> None:
        before = self._questions.get(event.question_id)
        if before is not None and before[1].is_open:  # Going on, other words are asked.
            before[1].is_open = False
            _wait(before[0], -1)
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
        now = node.items[node.turn_start :]
        node.items[node.turn_start :] = [
            item for item in now if isinstance(item, (NoteItem, QuestionItem))
        ]
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
        stop = "empty" if _is_empty(message) else message.stop
        if stop in _STOP_NOTES:
            node.items.append(NoteItem(_STOP_NOTES[stop]))
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
        _stop_tools(node)


def _is_empty(message: Message) -> bool:
    """Tell whether an answer that ended well has nothing to show; a thought does not count."""
    said = any(not isinstance(part, (TextPart, ThinkingPart)) for part in message.parts)
    return message.stop == "end" and not said and not message.text.strip()


def _stop_tools(node: RunNode) -> None:
    for item in node.items:
        if isinstance(item, ToolItem) and item.status in {"writing", "running"}:
            item.status = "stopped"


def _how_it_went_on(node: RunNode, at: float, cut_at: float) -> str:
    now, before = (datetime.fromtimestamp(each).astimezone() for each in (at, cut_at))
    told = now.strftime("%H:%M" if now.date() == before.date() else "%Y-%m-%d %H:%M")
    if node.waiting:
        return f"Asked again at {told}"
    if node.status == "stopped" and node.reason != "Cancelled":  # A kernel's end gives no reason.
        return f"Continued at {told} after it was stopped"
    after = {"failed": "it had failed", "limited": "it had reached its limit"}
    return f"Continued at {told} after {after.get(node.status, 'it was cut off')}"


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
