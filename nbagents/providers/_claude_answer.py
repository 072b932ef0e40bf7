"""The answers of Anthropic's messages, also from servers that leave out what the documentation promises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nbagents.events import TextDelta, ThinkingDelta, ToolCallDelta
from nbagents.messages import StopReason, ThinkingPart
from nbagents.models.base import Chunk, PartDone
from nbagents.providers._calls import arguments_text
from nbagents.providers._errors import stream_error, words_of

__all__ = ["Answer"]

_STOPS: dict[str, StopReason] = {
    "": "end",  # Some compatible servers give no reason.
    "end_turn": "end",
    "stop_sequence": "end",
    "tool_use": "tools",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "filtered",
    "pause_turn": "paused",
    # Words of other vendors that compatible servers pass on.
    "stop": "end",
    "tool_calls": "tools",
    "length": "length",
    "content_filter": "filtered",
}
_NOTHING: dict[str, Any] = {}
_TEXTS = {
    "text": "text_delta",
    "partial_json": "input_json_delta",
    "thinking": "thinking_delta",
    "signature": "signature_delta",
}


class Answer:
    """Decodes the events of one answer."""

    def __init__(self) -> None:
        self.spent: dict[str, Any] = {}
        """The vendor's own count of tokens."""
        self.stop: StopReason | None = None
        """Why the answer ended, once it has."""
        self._calls: dict[int, int] = {}
        self._thoughts: dict[int, list[str]] = {}
        self._seals: dict[int, str] = {}
        self._reason: str | None = None
        self._last = 0

    def decode(self, event: dict[str, Any]) -> tuple[Chunk, ...] | Iterator[Chunk]:
        """Take the next event and return what it adds.

        Raises `ModelError` for the error that an event may carry.
        """
        kind = event.get("type") or _kind(event)
        if kind == "content_block_delta":
            return self._delta(self._index(event), event.get("delta") or _NOTHING)
        if kind == "content_block_start":
            return self._start(self._index(event), event.get("content_block") or _NOTHING)
        if kind == "content_block_stop":
            return self._end_of_thought(self._index(event))
        if kind == "message_start":
            self._spend((event.get("message") or _NOTHING).get("usage"))
        elif kind == "message_delta":
            self._reason = (event.get("delta") or _NOTHING).get("stop_reason") or self._reason
            self._spend(event.get("usage"))
        elif kind == "message_stop":
            self.stop = self._stop(self._reason or "")
        elif kind == "message":
            return self._whole(event)
        elif kind == "error" or (kind is None and words_of(event)):
            raise stream_error("anthropic", event, key="ANTHROPIC_API_KEY")
        return ()

    def finish(self) -> None:
        """Take the end of the stream for the end of the answer if its reason has been given."""
        if self.stop is None and self._reason is not None:
            self.stop = self._stop(self._reason)

    def _stop(self, reason: str) -> StopReason:
        stop = _STOPS.get(reason, "unknown")
        return "tools" if stop == "end" and self._calls else stop

    def _whole(self, message: dict[str, Any]) -> Iterator[Chunk]:
        """Read an answer that came whole, not in events."""
        for index, block in enumerate(message.get("content") or ()):
            yield from self._start(index, block)
            yield from self._end_of_thought(index)
        self._spend(message.get("usage"))
        self.stop = self._stop(message.get("stop_reason") or "")

    def _index(self, event: dict[str, Any]) -> int:
        index: int | None = event.get("index")
        if index is None:
            return self._last
        self._last = index
        return index

    def _start(self, index: int, block: dict[str, Any]) -> tuple[Chunk, ...]:
        kind = block.get("type")
        if kind == "tool_use":
            position = self._calls[index] = len(self._calls)
            # Some compatible servers send the arguments here, whole.
            whole = arguments_text(block.get("input") or None)
            call_id, name = block.get("id") or "", block.get("name") or ""
            return (ToolCallDelta(position, call_id, name, "" if whole == "{}" else whole),)
        if kind == "redacted_thinking":
            return (PartDone(ThinkingPart("", block.get("data"), redacted=True)),)
        if kind == "thinking":
            thought = block.get("thinking") or ""
            self._thoughts[index] = [thought]
            self._seals[index] = block.get("signature") or ""
            return (ThinkingDelta(thought),) if thought else ()
        if text := block.get("text"):
            return (TextDelta("" + text),)
        return ()

    def _delta(self, index: int, delta: dict[str, Any]) -> tuple[Chunk, ...]:
        kind = delta.get("type") or next((_TEXTS[name] for name in _TEXTS if name in delta), None)
        if kind == "text_delta":
            return (TextDelta("" + text),) if (text := delta.get("text")) else ()
        if kind == "input_json_delta":
            position = self._calls.get(index)  # Unknown for the vendor's own, server-side tools.
            args = arguments_text(delta.get("partial_json"))
            return () if position is None else (ToolCallDelta(position, "", "", args),)
        if kind == "thinking_delta":
            thought = "" + (delta.get("thinking") or "")
            self._thoughts.setdefault(index, []).append(thought)
            return (ThinkingDelta(thought),)
        if kind == "signature_delta":
            self._seals[index] = self._seals.get(index, "") + (delta.get("signature") or "")
        return ()

    def _end_of_thought(self, index: int) -> tuple[Chunk, ...]:
        pieces = self._thoughts.pop(index, None)
        if pieces is None:
            return ()
        return (PartDone(ThinkingPart("".join(pieces), self._seals.get(index) or None)),)

    def _spend(self, spent: dict[str, Any] | None) -> None:
        """Keep the latest of each count: they grow, and not every event has them all."""
        known = {name: value for name, value in (spent or {}).items() if value is not None}
        self.spent.update(known)


def _kind(event: dict[str, Any]) -> str | None:
    """Tell the kind of an event that says it only in its `event:` line, or not at all."""
    if "error" in event:
        return "error"
    if "content_block" in event:
        return "content_block_start"
    if "message" in event and isinstance(event["message"], dict):
        return "message_start"
    if "content" in event:
        return "message"
    if "delta" in event:
        return "content_block_delta" if event["delta"].keys() & _TEXTS.keys() else "message_delta"
    return None
