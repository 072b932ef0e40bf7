"""The answers of chat completions, as OpenAI and all who say that they are compatible stream them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any, cast

from nbagents.errors import ModelError
from nbagents.events import TextDelta, ThinkingDelta
from nbagents.messages import FilePart, StopReason, ThinkingPart, Usage
from nbagents.models.base import Chunk, PartDone
from nbagents.providers._calls import CallAssembler
from nbagents.providers._errors import stream_error, words_of
from nbagents.providers._thoughts import Seals, ThinkTags

__all__ = ["ChatAnswer", "spent_tokens", "written_tokens"]

_NOTHING: dict[str, Any] = {}
_STOPS: dict[str, StopReason] = {
    "stop": "end",
    "tool_calls": "tools",
    "function_call": "tools",
    "length": "length",
    "content_filter": "filtered",
    # Servers of open models also report the stop token or stop sequence that ended an answer.
    "eos": "end",
    "eos_token": "end",
    "stop_sequence": "end",
    # Words of other vendors that come through as they are.
    "end_turn": "end",
    "complete": "end",
    "tool_use": "tools",
    "tool_call": "tools",
    "max_tokens": "length",
    "model_length": "length",
    "refusal": "filtered",
    "safety": "filtered",
    "sensitive": "filtered",
    "recitation": "filtered",
}
_FAILURES = {"error", "abort", "network_error", "insufficient_system_resource", "timeout"}
_REASONING = ("reasoning_content", "reasoning")


class ChatAnswer:
    """Decodes the events of one answer."""

    def __init__(self, seals: Seals) -> None:
        self._seals = seals
        self._calls = CallAssembler()
        self._tags = ThinkTags()
        self._plain = False
        self._thought: list[str] = []
        self._seal: dict[str, Any] = {}
        self._started = False
        self._refused = False
        self._stop: StopReason | None = None

    def decode(self, event: dict[str, Any]) -> list[Chunk]:
        """Take the next event and return what it adds.

        Raises `ModelError` for the error that an event may carry.
        """
        choices = event.get("choices")
        if event.get("error") or (choices is None and words_of(event)):
            raise stream_error("openai", event)
        chunks: list[Chunk] = []
        for choice in choices or ():
            if choice.get("index"):
                continue  # Another answer to the same question, which `extra` asked for.
            delta: dict[str, Any] | None = choice.get("delta")
            if delta is None and not self._started:
                delta = choice.get("message")  # The answer came whole.
            if delta:
                text = delta.get("content")
                if self._plain and len(delta) == 1 and text.__class__ is str:
                    if text:
                        chunks.append(TextDelta(text))
                else:
                    chunks.extend(self._delta(delta))
            self._started = True
            if reason := choice.get("finish_reason"):
                self._stop = _stop(self._stop, reason, choice)
        return chunks

    def finish(self, *, is_whole: bool) -> tuple[list[Chunk], StopReason | None]:
        """Return what was held back, and why the answer ended, which is None if it broke off.

        `is_whole` holds when the server said so, as some do instead of a reason. Raises
        `ModelError` if there was no answer at all.
        """
        if is_whole and not self._started:
            message = "It ended its answer without sending one."
            raise ModelError(message, provider="openai", retryable=True)
        stop = self._stop or ("end" if is_whole else None)
        if stop is None:
            return [], None
        chunks = [chunk for said in self._tags.finish() for chunk in self._say(*said)]
        chunks.extend(self._end_thought())
        if self._calls.extras:
            seal = self._seals.seal({"calls": self._calls.extras})
            chunks.append(PartDone(ThinkingPart("", seal)))
        if self._refused and stop in {"end", "tools"}:
            stop = "filtered"
        elif stop == "end" and self._calls:
            stop = "tools"
        return chunks, stop

    def _delta(self, delta: dict[str, Any]) -> Iterator[Chunk]:
        yield from self._reasoning(delta)
        content = delta.get("content")
        if isinstance(content, str):
            yield from self._text(content)
        elif content is not None:
            parts: list[Any] = [content] if isinstance(content, dict) else content
            for part in parts:
                yield from self._part(part)
        for image in delta.get("images") or ():
            yield from self._part(image)
        if refusal := delta.get("refusal"):
            self._refused = True
            yield from self._say(thinking=False, text=refusal)
        calls = delta.get("tool_calls") or delta.get("function_call")
        if calls:
            yield from self._end_thought()
            yield from self._calls.add(calls)

    def _reasoning(self, delta: dict[str, Any]) -> Iterator[Chunk]:
        """Read a thought in any of the fields that vendors have for one."""
        details: list[dict[str, Any]] = delta.get("reasoning_details") or []
        field = next((name for name in _REASONING if delta.get(name)), None)
        text = _plain_text(delta[field]) if field else "".join(map(_plain_text, details))
        if details:
            _merge(self._seal.setdefault("details", []), details)
        elif field:
            self._seal.setdefault("field", field)
        if text:
            yield from self._say(thinking=True, text=text)

    def _text(self, text: str) -> Iterator[Chunk]:
        if self._tags.is_over:
            yield from self._say(thinking=False, text=text)
            return
        for thinking, said in self._tags.feed(text):
            yield from self._say(thinking=thinking, text=said)
        self._plain = self._tags.is_over and not self._thought

    def _say(self, thinking: bool, text: str) -> Iterator[Chunk]:
        if not text:
            return
        if thinking:
            self._thought.append(text)
            self._plain = False
            yield ThinkingDelta(text)
        else:
            yield from self._end_thought()
            yield TextDelta(text)

    def _part(self, part: dict[str, Any] | str) -> Iterator[Chunk]:
        """Read one part of a content that is a list, as Mistral's reasoning models send it."""
        if isinstance(part, str):
            yield from self._text(part)
            return
        kind = part.get("type")
        if kind in {"thinking", "reasoning"}:
            signed = {"signature": part["signature"]} if part.get("signature") else {}
            self._seal.setdefault("thinking", {}).update(signed)
            yield from self._say(thinking=True, text=_plain_text(part))
        elif kind == "image_url":
            file = _file(part.get("image_url"))
            if file is not None:
                yield from self._end_thought()
                yield PartDone(file)
        elif kind == "refusal":
            self._refused = True
            yield from self._say(thinking=False, text=part.get("refusal") or "")
        elif isinstance(text := part.get("text"), str):
            yield from self._text(text)

    def _end_thought(self) -> Iterator[Chunk]:
        """Seal the thought that ended, if the server may want it back."""
        self._plain = self._tags.is_over
        if self._thought or "details" in self._seal:
            seal = self._seals.seal(self._seal) if self._seal else None
            yield PartDone(ThinkingPart("".join(self._thought), seal))
            self._thought.clear()
        self._seal = {}


def _merge(known: list[dict[str, Any]], pieces: list[dict[str, Any]]) -> None:
    """Join the pieces of one detail: OpenRouter wants each back as a whole."""
    for piece in pieces:
        last = known[-1] if known else _NOTHING
        same = [last.get(name) == piece.get(name) for name in ("type", "index")]
        if not (known and all(same) and "index" in piece):
            known.append(dict(piece))
            continue
        for name, value in piece.items():
            grows = name in {"text", "summary", "data"} and isinstance(last.get(name), str)
            if value is not None:
                last[name] = last[name] + value if grows else value


def _plain_text(said: Any) -> str:
    """Return the text of a thought, which some servers wrap in objects and lists."""
    if isinstance(said, str):
        return said
    if isinstance(said, list):
        return "".join(map(_plain_text, cast("list[Any]", said)))
    if not isinstance(said, dict):
        return ""
    fields = cast("dict[str, Any]", said)
    return next(
        (
            text
            for name in ("text", "thinking", "summary", "content")
            if (text := _plain_text(fields.get(name)))
        ),
        "",
    )


def _file(image: Any) -> FilePart | None:
    """Read a picture that the model made."""
    url: Any = cast("dict[str, Any]", image).get("url") if isinstance(image, dict) else image
    head, comma, data = str(url).partition(";base64,")
    if not comma or not head.startswith("data:"):
        return None
    try:
        return FilePart(head.removeprefix("data:"), base64.b64decode(data))
    except binascii.Error:
        return None


def _stop(before: StopReason | None, reason: Any, choice: dict[str, Any]) -> StopReason:
    """Name why the answer ended. Raises `ModelError` when the server says that it failed.

    An answer that was cut once stays so, whatever reason comes `before` or after that.
    """
    if before not in {None, "end", "tools"}:
        return before or "unknown"
    folded = str(reason).lower()
    if folded not in _FAILURES:
        return "filtered" if _is_filtered(choice) else _STOPS.get(folded, "unknown")
    if choice.get("error"):
        raise stream_error("openai", choice)
    message = f"The server failed in the middle of its answer (finish_reason {reason!r})."
    raise ModelError(message, provider="openai", retryable=True)


def _is_filtered(choice: dict[str, Any]) -> bool:
    """Tell whether Azure's content filter stopped the answer, whatever reason it gives."""
    found: dict[str, Any] = choice.get("content_filter_results") or _NOTHING
    kinds = (cast("dict[str, Any]", kind) for kind in found.values() if isinstance(kind, dict))
    return any(kind.get("filtered") is True for kind in kinds)


def spent_tokens(spent: dict[str, Any]) -> Usage:
    """Count the tokens; the cached ones have a name of their own at some vendors."""
    details = _details(spent)
    cached = (
        _count(details.get("cached_tokens"))
        or _count(spent.get("prompt_cache_hit_tokens"))
        or _count(spent.get("cached_tokens"))
    )
    read, written = _count(spent.get("prompt_tokens")), _count(spent.get("completion_tokens"))
    return Usage(read, written, cached)


def written_tokens(spent: dict[str, Any]) -> int:
    """Count the tokens that the vendor wrote into its cache, which it may bill at another rate."""
    return _count(_details(spent).get("cache_write_tokens"))


def _details(spent: dict[str, Any]) -> dict[str, Any]:
    given = spent.get("prompt_tokens_details") or spent.get("prompt_token_details")
    return cast("dict[str, Any]", given) if isinstance(given, dict) else _NOTHING


def _count(tokens: Any) -> int:
    """Read a number of tokens; what is none counts as unknown, and does not cost the answer."""
    if isinstance(tokens, str) and tokens.isdecimal():
        return int(tokens)
    return max(0, int(tokens)) if isinstance(tokens, (int, float)) else 0
