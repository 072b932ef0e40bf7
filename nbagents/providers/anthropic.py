"""Anthropic's messages."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from nbagents._optional import require
from nbagents.errors import ModelError, UserError
from nbagents.events import TextDelta, ThinkingDelta, ToolCallDelta
from nbagents.messages import (
    EncodedMessages,
    FilePart,
    Message,
    Part,
    StopReason,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    Usage,
)
from nbagents.models.base import Capabilities, Chunk, ModelDone, ModelRequest, PartDone
from nbagents.providers._calls import call_object
from nbagents.providers._claude import closed_schema, is_recent, schema_prompt
from nbagents.providers._errors import status_error
from nbagents.providers._http import END, Clients, dump, json_events
from nbagents.providers._keys import checked_key
from nbagents.providers._portable import Portable
from nbagents.providers.prices import cost
from nbagents.redaction import remember_url

__all__ = ["AnthropicModel"]

_HOME = "https://api.anthropic.com"
_KEY = "ANTHROPIC_API_KEY"
_CACHED = {"type": "ephemeral"}
_STOPS: dict[str, StopReason] = {
    "": "end",  # Some compatible servers give no reason.
    "end_turn": "end",
    "stop_sequence": "end",
    "tool_use": "tools",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "filtered",
    "pause_turn": "paused",
}
_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}


class AnthropicModel(Portable):
    """A Claude, or whatever else answers `POST /v1/messages` at `base_url`.

    Without `api_key` the SDK finds one when the first request is made, in `ANTHROPIC_API_KEY`
    before all. The system prompt, the tools and the conversation so far are marked for the cache.
    """

    def __init__(
        self, name: str, *, base_url: str | None = None, api_key: str | None = None
    ) -> None:
        self.model = name
        self.name = f"anthropic:{name}"
        self.capabilities = Capabilities(native_output=is_recent(name))
        self._base_url = base_url or os.environ.get("ANTHROPIC_BASE_URL")
        self._api_key = api_key
        remember_url(self._base_url or "")
        self._clients = Clients(self._make_client)
        self._encoded = EncodedMessages(encode_message)

    def __repr__(self) -> str:
        return f"AnthropicModel({self.model!r})"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        """Ask, and yield the answer as it comes."""
        body = self._body(request)
        # Since version 2026-10-21 of the API, which the SDK speaks, `temperature` is an error.
        older = request.settings.temperature is not None
        headers = {"anthropic-version": "2023-06-01"} if older else None
        answer = Answer()
        async with self._clients.lease() as client:
            events = json_events(
                client, "/v1/messages", body, provider="anthropic", headers=headers
            )
            async with aclosing(events):
                async for batch in events:
                    for event in batch:
                        chunk = None if event is END else answer.decode(event)
                        if chunk is not None:
                            yield chunk
        if answer.stop is not None:
            yield ModelDone(answer.stop, self._usage(answer.spent))

    def _usage(self, spent: dict[str, Any]) -> Usage:
        """Count all tokens read, and price them if they were sold here at the ordinary rate."""
        read = spent.get("cache_read_input_tokens", 0)
        written = spent.get("cache_creation_input_tokens", 0)
        usage = Usage(
            spent.get("input_tokens", 0) + read + written, spent.get("output_tokens", 0), read
        )
        own = urlsplit(self._base_url or _HOME).hostname == urlsplit(_HOME).hostname
        searches: dict[str, int] = spent.get("server_tool_use", {})
        rates = {spent.get("service_tier", "standard"), spent.get("speed", "standard")}
        if not own or any(searches.values()) or rates != {"standard"}:
            return usage
        hour = spent.get("cache_creation", {}).get("ephemeral_1h_input_tokens", 0)
        price = cost("anthropic", self.model, usage, written_tokens=written, written_1h_tokens=hour)
        return replace(usage, cost=price)

    def _make_client(self) -> Any:
        sdk = require("anthropic", "anthropic")
        fix = "Set it, or choose another model, such as 'local'."
        try:
            client = sdk.AsyncAnthropic(
                api_key=self._api_key, base_url=self._base_url, max_retries=0
            )
        except sdk.CredentialsError as error:
            raise UserError(f"{_KEY} is not set. {fix} The SDK looked further: {error}") from None
        for key, name in ((client.api_key, _KEY), (client.auth_token, "ANTHROPIC_AUTH_TOKEN")):
            if key:
                checked_key(key, "the argument api_key" if key == self._api_key else name)
        if not (client.api_key or client.auth_token or client.credentials):
            if self._base_url is None:
                raise UserError(f"{_KEY} is not set. {fix}")
            client.api_key = "none"
        return client

    def _body(self, request: ModelRequest) -> bytes:
        settings = request.settings
        head: dict[str, Any] = {
            "model": self.model,
            "max_tokens": settings.max_tokens or (32_000 if is_recent(self.model) else 4_096),
            "stream": True,
            "cache_control": _CACHED,
        }
        if request.tools:
            head["tools"] = [_tool(spec) for spec in request.tools]
            if request.tool_choice == "required":
                head["tool_choice"] = {"type": "any"}
        if settings.temperature is not None:
            head["temperature"] = settings.temperature
        head.update(settings.extra)
        system = request.system
        if request.output is not None:
            schema = closed_schema(request.output.schema)
            if schema is None:
                system = f"{system}\n\n{schema_prompt(request.output)}".strip()
            else:
                form = {"format": {"type": "json_schema", "schema": schema}}
                head["output_config"] = {**head.get("output_config", {}), **form}
        if system:
            head["system"] = [{"type": "text", "text": system, "cache_control": _CACHED}]
        messages = filter(None, map(self._encoded, request.messages))
        return b'%s,"messages":[%s]}' % (dump(head)[:-1], b",".join(messages))


def _tool(spec: ToolSpec) -> dict[str, Any]:
    return {"name": spec.name, "description": spec.description, "input_schema": spec.parameters}


def encode_message(message: Message) -> bytes:
    """Write one message, or nothing if nothing in it may be sent."""
    content = [block for part in message.parts if (block := _block(part)) is not None]
    return dump({"role": message.role, "content": content}) if content else b""


def _block(part: Part) -> dict[str, Any] | None:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text} if part.text.strip() else None
    if isinstance(part, FilePart):
        return _file(part)
    if isinstance(part, ToolCallPart):
        arguments = call_object(part.args)
        return {"type": "tool_use", "id": part.call_id, "name": part.name, "input": arguments}
    if isinstance(part, ToolResultPart):
        content = [block for inner in part.content if (block := _block(inner)) is not None]
        return {
            "type": "tool_result",
            "tool_use_id": part.call_id,
            "content": content or "(nothing)",
            "is_error": part.is_error,
        }
    if part.signature is None:
        return None  # A thought without its seal, cut short or another vendor's, is refused.
    if part.redacted:
        return {"type": "redacted_thinking", "data": part.signature}
    return {"type": "thinking", "thinking": part.text, "signature": part.signature}


def _file(part: FilePart) -> dict[str, Any]:
    if part.data is None:
        source = {"type": "url", "url": part.url}
    else:
        data = base64.b64encode(part.data).decode()
        source = {"type": "base64", "media_type": part.media_type, "data": data}
    if part.media_type.startswith("image/"):
        return {"type": "image", "source": source}
    if part.media_type == "application/pdf":
        title = {"title": part.name} if part.name else {}
        return {"type": "document", "source": source, **title}
    msg = f"Claude reads images and PDFs; {part.name or 'a file'} is {part.media_type}."
    raise UserError(msg)


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
        self._reason = ""

    def decode(self, event: dict[str, Any]) -> Chunk | None:
        """Take the next event and return what it adds.

        Raises `ModelError` for the error that an event may carry.
        """
        kind = event.get("type")
        if kind == "content_block_delta":
            return self._delta(event["index"], event["delta"])
        if kind == "content_block_start":
            return self._start(event["index"], event["content_block"])
        if kind == "content_block_stop":
            return self._end_of_thought(event["index"])
        if kind == "message_start":
            self._spend(event["message"].get("usage"))
        elif kind == "message_delta":
            self._reason = event["delta"].get("stop_reason") or self._reason
            self._spend(event.get("usage"))
        elif kind == "message_stop":
            self.stop = _STOPS.get(self._reason, "unknown")
        elif kind == "error":
            raise _stream_error(event)
        return None

    def _start(self, index: int, block: dict[str, Any]) -> Chunk | None:
        kind = block.get("type")
        if kind == "tool_use":
            position = self._calls[index] = len(self._calls)
            # Some compatible servers send the arguments here, whole.
            whole = dump(block["input"]).decode() if block.get("input") else ""
            return ToolCallDelta(position, block["id"], block["name"], whole)
        if kind == "redacted_thinking":
            return PartDone(ThinkingPart("", block["data"], redacted=True))
        if kind == "thinking":
            self._thoughts[index] = [block.get("thinking") or ""]
            self._seals[index] = block.get("signature") or ""
        elif kind == "text" and block.get("text"):
            return TextDelta(block["text"])
        return None

    def _delta(self, index: int, delta: dict[str, Any]) -> Chunk | None:
        kind = delta.get("type")
        if kind == "text_delta":
            return TextDelta(delta["text"])
        if kind == "input_json_delta":
            position = self._calls.get(index)  # Unknown for the vendor's own, server-side tools.
            return (
                None if position is None else ToolCallDelta(position, "", "", delta["partial_json"])
            )
        if kind == "thinking_delta":
            self._thoughts.setdefault(index, []).append(delta["thinking"])
            return ThinkingDelta(delta["thinking"])
        if kind == "signature_delta":
            self._seals[index] = self._seals.get(index, "") + delta["signature"]
        return None

    def _end_of_thought(self, index: int) -> Chunk | None:
        pieces = self._thoughts.pop(index, None)
        if pieces is None:
            return None
        return PartDone(ThinkingPart("".join(pieces), self._seals.get(index) or None))

    def _spend(self, spent: dict[str, Any] | None) -> None:
        """Keep the latest of each count: they grow, and not every event has them all."""
        known = {name: value for name, value in (spent or {}).items() if value is not None}
        self.spent.update(known)


def _stream_error(event: dict[str, Any]) -> ModelError:
    """Make the error that arrived inside a stream, which began with a friendly 200."""
    error: dict[str, Any] = event.get("error") or {}
    return status_error(
        "anthropic",
        _STATUS.get(str(error.get("type")), 500),
        str(error.get("message") or error),
        request_id=event.get("request_id"),
        key=_KEY,
    )
