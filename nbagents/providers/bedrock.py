"""Amazon Bedrock's Converse stream."""

from __future__ import annotations

import base64
import os
import re
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from nbagents._optional import require
from nbagents.errors import ModelError, UserError
from nbagents.events import TextDelta, ThinkingDelta, ToolCallDelta
from nbagents.messages import (
    FilePart,
    Message,
    Part,
    StopReason,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from nbagents.models.base import Capabilities, Chunk, ModelDone, ModelRequest, PartDone
from nbagents.providers._boto import blocking_events, watch_connections
from nbagents.providers._calls import call_object
from nbagents.providers._claude import closed_schema, is_recent, schema_prompt
from nbagents.providers._http import dump
from nbagents.providers._keys import checked_key
from nbagents.providers._portable import Portable
from nbagents.providers.prices import cost
from nbagents.redaction import remember_credentials, remember_url

__all__ = ["BedrockModel"]

_VARIABLES = (
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)
_CACHED = {"cachePoint": {"type": "default"}}
_IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_STOPS: dict[str, StopReason] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "tool_use": "tools",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "filtered",
    "content_filtered": "filtered",
}
_READ_SECONDS = 600
_CONNECT_SECONDS = 10
_POOL = 100


class BedrockModel(Portable):
    """Any model that Bedrock's `ConverseStream` serves, by its id, inference profile or ARN.

    Credentials and region come from boto3's own chain (`AWS_BEARER_TOKEN_BEDROCK`, `AWS_PROFILE`,
    `aws configure`, a role, ...) when the first request is made.
    """

    def __init__(
        self, name: str, *, region: str | None = None, endpoint_url: str | None = None
    ) -> None:
        self.model = name
        self.name = f"bedrock:{name}"
        self._claude = "anthropic.claude" in name and is_recent(name)
        self.capabilities = Capabilities(native_output=self._claude)
        self._region = region
        self._endpoint_url = endpoint_url
        remember_url(endpoint_url or "")
        self._client: Any = None
        self._building = threading.Lock()

    def __repr__(self) -> str:
        return f"BedrockModel({self.model!r})"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        """Ask, and yield the answer as it comes."""
        answer = Answer()
        call = encode(self.model, request, claude=self._claude)
        async with aclosing(blocking_events(lambda: self._ask(call))) as events:
            async for batch in events:
                for event in batch:
                    chunk = answer.decode(event)
                    if chunk is not None:
                        yield chunk
        if answer.stop is not None:
            yield ModelDone(answer.stop, self._usage(answer))

    def _ask(self, call: dict[str, Any]) -> Any:
        """Send the request and return the stream of events; blocks."""
        with self._building:
            if self._client is None:
                self._client = self._make_client()
        remember_credentials(self._client)  # Each time, as they may be temporary.
        return self._client.converse_stream(**call)["stream"]

    def _make_client(self) -> Any:
        for name in _VARIABLES:
            if key := os.environ.get(name):
                checked_key(key, name)
        session = require("boto3", "bedrock").Session()
        config = require("botocore.config", "bedrock").Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            max_pool_connections=_POOL,
            retries={"total_max_attempts": 1},
        )
        client = session.client(
            "bedrock-runtime",
            region_name=self._region or os.environ.get("AWS_REGION"),
            endpoint_url=self._endpoint_url,
            config=config,
        )
        watch_connections(client)
        return client

    def _usage(self, answer: Answer) -> Usage:
        """Count all tokens read, and price them if Amazon sold them at the ordinary rate."""
        spent = answer.spent
        read, written = spent.get("cacheReadInputTokens", 0), spent.get("cacheWriteInputTokens", 0)
        usage = Usage(
            spent.get("inputTokens", 0) + read + written, spent.get("outputTokens", 0), read
        )
        endpoint: str = self._client.meta.endpoint_url
        host = urlsplit(endpoint).hostname or ""
        if not (host.endswith(".amazonaws.com") and answer.ordinary):
            return usage
        details: list[dict[str, Any]] = spent.get("cacheDetails") or []
        hour = sum(entry["inputTokens"] for entry in details if entry.get("ttl") == "1h")
        price = cost("bedrock", self.model, usage, written_tokens=written, written_1h_tokens=hour)
        return replace(usage, cost=price)


def encode(model: str, request: ModelRequest, *, claude: bool) -> dict[str, Any]:
    """Write a request as the arguments of `converse_stream`.

    With `claude`, it is marked for the cache, and an output is held to its schema.
    """
    settings = request.settings
    extra = dict(settings.extra)
    inference: dict[str, Any] = {**extra.pop("inferenceConfig", {})}
    if settings.temperature is not None:
        inference["temperature"] = settings.temperature
    if settings.max_tokens is not None:
        inference["maxTokens"] = settings.max_tokens
    call: dict[str, Any] = {"modelId": model, "messages": _messages(request.messages)}
    if inference:
        call["inferenceConfig"] = inference
    if tools := _tools(request):
        config: dict[str, Any] = {"tools": tools}
        if request.tool_choice == "required":
            config["toolChoice"] = {"any": {}}
        call["toolConfig"] = config
    call.update(extra)
    system = request.system
    if request.output is not None:
        schema = closed_schema(request.output.schema)
        if schema is None:
            system = f"{system}\n\n{schema_prompt(request.output)}".strip()
        else:
            definition = {"name": request.output.name, "schema": dump(schema).decode()}
            form = {"type": "json_schema", "structure": {"jsonSchema": definition}}
            call["outputConfig"] = {**call.get("outputConfig", {}), "textFormat": form}
    if system:
        call["system"] = [{"text": system}]
    if claude and call["messages"]:
        call.get("system", []).append(_CACHED)
        call["messages"][-1]["content"].append(_CACHED)
    return call


def _messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Write the conversation; Converse wants the two roles to take turns."""
    names: set[str] = set()
    turns: list[dict[str, Any]] = []
    for message in messages:
        content = [block for part in message.parts if (block := _block(part, names)) is not None]
        if turns and turns[-1]["role"] == message.role:
            turns[-1]["content"].extend(content)
        elif content:
            turns.append({"role": message.role, "content": content})
    return turns


def _tools(request: ModelRequest) -> list[dict[str, Any]]:
    if request.tools:
        return [
            _tool(spec.name, {"json": spec.parameters}, spec.description) for spec in request.tools
        ]
    # A conversation in which tools were used is refused unless some are declared.
    used = dict.fromkeys(call.name for message in request.messages for call in message.tool_calls)
    return [_tool(name, {"json": {"type": "object"}}, "Not available now.") for name in used]


def _tool(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"toolSpec": {"name": name, "description": description or name, "inputSchema": schema}}


def _block(part: Part, names: set[str]) -> dict[str, Any] | None:
    if isinstance(part, TextPart):
        return {"text": part.text} if part.text.strip() else None
    if isinstance(part, FilePart):
        return _file(part, names)
    if isinstance(part, ToolCallPart):
        use = {"toolUseId": part.call_id, "name": part.name, "input": call_object(part.args)}
        return {"toolUse": use}
    if isinstance(part, ToolResultPart):
        content = [block for inner in part.content if (block := _block(inner, names)) is not None]
        status = {"status": "error"} if part.is_error else {}
        result = {"toolUseId": part.call_id, "content": content or [{"text": "(nothing)"}]}
        return {"toolResult": {**result, **status}}
    if part.signature is None:
        return None  # A thought without its seal, cut short or another vendor's, is refused.
    if part.redacted:
        return {"reasoningContent": {"redactedContent": base64.b64decode(part.signature)}}
    return {"reasoningContent": {"reasoningText": {"text": part.text, "signature": part.signature}}}


def _file(part: FilePart, names: set[str]) -> dict[str, Any]:
    if part.data is not None:
        source: dict[str, Any] = {"bytes": part.data}
    elif part.url is not None and part.url.startswith("s3://"):
        source = {"s3Location": {"uri": part.url}}
    else:
        raise UserError(
            f"Bedrock takes files by their content or from s3://, not by address: read {part.url} first."
        )
    if part.media_type in _IMAGES:
        return {"image": {"format": _IMAGES[part.media_type], "source": source}}
    if part.media_type == "application/pdf":
        name = _document_name(part, names)
        return {"document": {"format": "pdf", "name": name, "source": source}}
    kinds = ", ".join(sorted({*_IMAGES, "application/pdf"}))
    raise UserError(f"Bedrock reads {kinds}; {part.name or 'a file'} is {part.media_type}.")


def _document_name(part: FilePart, names: set[str]) -> str:
    """Make a name that Bedrock takes: plain characters, and no other in the request like it."""
    stem = (part.name or "").rpartition(".")[0] or part.name or ""
    plain = " ".join(re.sub(r"[^A-Za-z0-9()\[\]-]+", " ", stem)[:180].split()) or "document"
    numbered = (plain, *(f"{plain} {number}" for number in range(2, len(names) + 3)))
    name = next(name for name in numbered if name.lower() not in names)
    names.add(name.lower())
    return name


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
            return self._delta(delta["contentBlockIndex"], delta["delta"])
        if (start := event.get("contentBlockStart")) is not None:
            return self._start(start["contentBlockIndex"], start["start"].get("toolUse"))
        if (end := event.get("contentBlockStop")) is not None:
            thought = self._thoughts.pop(end["contentBlockIndex"], None)
            return None if thought is None else PartDone(thought.part())
        if (stop := event.get("messageStop")) is not None:
            self._end(stop["stopReason"])
        elif (about := event.get("metadata")) is not None:
            self.spent = about["usage"]
            tier: dict[str, Any] = about.get("serviceTier", {})
            speed: dict[str, Any] = about.get("performanceConfig", {})
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
        return ToolCallDelta(position, use["toolUseId"], use["name"], "")

    def _delta(self, index: int, delta: dict[str, Any]) -> Chunk | None:
        if (text := delta.get("text")) is not None:
            return TextDelta(text)
        if (use := delta.get("toolUse")) is not None and index in self._calls:
            return ToolCallDelta(self._calls[index], "", "", use["input"])
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
