"""The answers of Bedrock's Converse, streamed or whole."""

from __future__ import annotations

import base64
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from nbagents.errors import ModelError
from nbagents.events import TextDelta, ThinkingDelta, ToolCallDelta
from nbagents.messages import StopReason, ThinkingPart
from nbagents.models.base import Chunk, PartDone
from nbagents.providers._calls import arguments_text

__all__ = ["Answer", "whole_answer"]

_STOPS: dict[str, StopReason] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "tool_use": "tools",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "filtered",
    "content_filtered": "filtered",
}


_NOTHING: dict[str, Any] = {}


class Answer:
    """Decodes the events of one answer."""

    def __init__(self) -> None:
        self.spent: dict[str, Any] = {}
        """The vendor's own count of tokens."""
        self.ordinary = True
        """False when it was served at a rate of its own."""
        self.stop: StopReason | None = None
        """Why the answer ended, once it has."""
        self._calls: dict[int, int] = {}
        self._thoughts: dict[int, _Thought] = {}

    def decode(self, event: dict[str, Any]) -> Chunk | None:
        """Take the next event and return what it adds.

        Raises `ModelError` when the model's own words were not well formed.
        """
        if (delta := event.get("contentBlockDelta")) is not None:
            return self._delta(delta.get("contentBlockIndex", 0), delta.get("delta") or {})
        if (start := event.get("contentBlockStart")) is not None:
            return self._start(
                start.get("contentBlockIndex", 0), (start.get("start") or _NOTHING).get("toolUse")
            )
        if (end := event.get("contentBlockStop")) is not None:
            thought = self._thoughts.pop(end.get("contentBlockIndex", 0), None)
            return None if thought is None else PartDone(thought.part())
        if (stop := event.get("messageStop")) is not None:
            self._end(stop.get("stopReason") or "")
        elif (about := event.get("metadata")) is not None:
            self.spent = about.get("usage") or {}
            tier: dict[str, Any] = about.get("serviceTier") or {}
            speed: dict[str, Any] = about.get("performanceConfig") or {}
            rates = tier.get("type", "default"), speed.get("latency", "standard")
            self.ordinary = rates == ("default", "standard")
        return None

    def _end(self, reason: str) -> None:
        if reason.startswith("malformed"):
            msg = f"The model wrote something that Bedrock could not read ({reason})."
            raise ModelError(msg, provider="bedrock", retryable=True)
        self.stop = _STOPS.get(reason, "unknown")

    def _start(self, index: int, use: dict[str, Any] | None) -> Chunk | None:
        if use is None or use.get("type") == "server_tool_use":
            return None
        position = self._calls[index] = len(self._calls)
        return ToolCallDelta(position, use.get("toolUseId") or "", use.get("name") or "", "")

    def _delta(self, index: int, delta: dict[str, Any]) -> Chunk | None:
        if (text := delta.get("text")) is not None:
            return TextDelta(text)
        if (use := delta.get("toolUse")) is not None and index in self._calls:
            return ToolCallDelta(self._calls[index], "", "", use.get("input") or "")
        if (thought := delta.get("reasoningContent")) is not None:
            return self._think(index, thought)
        return None

    def _think(self, index: int, delta: dict[str, Any]) -> Chunk | None:
        """Add to a thought, of which text, signature or sealed bytes come one at a time."""
        thought = self._thoughts.setdefault(index, _Thought())
        if (text := delta.get("text")) is not None:
            thought.text.append(text)
            return ThinkingDelta(text)
        if (signature := delta.get("signature")) is not None:
            thought.signature.append(signature)
        elif (sealed := delta.get("redactedContent")) is not None:
            thought.sealed.append(sealed)
        return None


@dataclass(slots=True)
class _Thought:
    text: list[str] = field(default_factory=list[str])
    signature: list[str] = field(default_factory=list[str])
    sealed: list[bytes] = field(default_factory=list[bytes])

    def part(self) -> ThinkingPart:
        text = "".join(self.text)
        if self.sealed:
            seal = base64.b64encode(b"".join(self.sealed)).decode()
            return ThinkingPart(text, seal, redacted=True)
        return ThinkingPart(text, "".join(self.signature) or None)


def whole_answer(answer: dict[str, Any]) -> Generator[dict[str, Any]]:
    """Yield the events that would have streamed the answer of `converse`."""
    blocks: list[dict[str, Any]] = answer["output"]["message"]["content"]
    for index, block in enumerate(blocks):
        place = {"contentBlockIndex": index}
        deltas: list[dict[str, Any]] = []
        if use := block.get("toolUse"):
            yield {"contentBlockStart": {**place, "start": {"toolUse": use}}}
            deltas = [{"toolUse": {"input": arguments_text(use.get("input"))}}]
        elif thought := block.get("reasoningContent"):
            pieces = {**thought.get("reasoningText", {}), **thought}
            names = ("text", "signature", "redactedContent")
            deltas = [{"reasoningContent": {n: pieces[n]}} for n in names if pieces.get(n)]
        elif text := block.get("text"):
            deltas = [{"text": text}]
        for delta in deltas:
            yield {"contentBlockDelta": {**place, "delta": delta}}
        yield {"contentBlockStop": place}
    yield {"messageStop": {"stopReason": answer.get("stopReason")}}
    yield {"metadata": answer}
