"""Amazon Bedrock's Converse stream."""

from __future__ import annotations

import base64
import os
import re
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from nbagents._optional import require
from nbagents.errors import UserError
from nbagents.messages import (
    FilePart,
    Message,
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from nbagents.models.base import Capabilities, Chunk, ModelDone, ModelRequest
from nbagents.providers._address import checked_url
from nbagents.providers._bedrock_answer import Answer, whole_answer
from nbagents.providers._boto import blocking_events, watch_connections
from nbagents.providers._calls import call_object, distinct_calls, fitting_id, fitting_name
from nbagents.providers._claude import IDS, closed_schema, is_recent, schema_prompt, thinks
from nbagents.providers._errors import expected_form
from nbagents.providers._files import IMAGES, mention, shown_files, true_type, unreadable
from nbagents.providers._http import dump
from nbagents.providers._keys import checked_key
from nbagents.providers._portable import Portable
from nbagents.providers._thoughts import is_from_chat
from nbagents.providers.prices import cost
from nbagents.redaction import remember_credentials

__all__ = ["BedrockModel"]

_VARIABLES = (
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)
_CACHED = {"cachePoint": {"type": "default"}}
_TELLS = re.compile(
    r"anthropic\.|amazon\.nova|:(?:application-inference-profile|provisioned-model)/"
)
"""Models, and names that may hide one, which take the status of a tool's result."""
_CHOOSES = re.compile(rf"{_TELLS.pattern}|mistral\.mistral-large")
"""Those that can be made to call a tool."""
_UNSTREAMED = re.compile(r"meta\.llama3|ai21\.jamba")
"""Models that do not stream when they have tools."""
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
        self._streams = _UNSTREAMED.search(name) is None
        self._region = region
        self._endpoint_url = checked_url(endpoint_url, "endpoint_url")
        self._client: Any = None
        self._building = threading.Lock()

    def __repr__(self) -> str:
        return f"BedrockModel({self.model!r})"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        """Ask, and yield the answer as it comes."""
        answer = Answer()
        call = encode(self.model, request, claude=self._claude)
        async with aclosing(blocking_events(lambda: self._ask(call))) as events:
            with expected_form("bedrock"):
                async for batch in events:
                    for event in batch:
                        chunk = answer.decode(event)
                        if chunk is not None:
                            yield chunk
        if answer.stop is not None:
            yield ModelDone(answer.stop, self._usage(answer) if answer.spent else None)

    def _ask(self, call: dict[str, Any]) -> Any:
        """Send the request and return the events of the answer; blocks.

        Some models do not stream when they have tools: their answer is one piece.
        """
        with self._building:
            if self._client is None:
                self._client = self._make_client()
        client = self._client
        remember_credentials(client)  # Each time, as they may be temporary.
        if self._streams or "toolConfig" not in call:
            try:
                return client.converse_stream(**call)["stream"]
            except client.exceptions.ValidationException as error:
                said: str = error.response["Error"].get("Message") or ""
                if "toolConfig" not in call or "stream" not in said.lower():
                    raise
                self._streams = False
        return whole_answer(client.converse(**call))

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
    call: dict[str, Any] = {"modelId": model, "messages": _messages(model, request.messages)}
    if inference:
        call["inferenceConfig"] = inference
    if tools := _tools(request):
        config: dict[str, Any] = {"tools": tools}
        thinking = thinks(extra.get("additionalModelRequestFields") or {})
        if request.tool_choice == "required" and _CHOOSES.search(model) and not thinking:
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


def _messages(model: str, messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Write the conversation; Converse wants the two roles to take turns."""
    names: set[str] = set()
    tells = _TELLS.search(model) is not None
    turns: list[dict[str, Any]] = []
    for message in distinct_calls(messages):
        is_said = message.role == "assistant"
        shown = shown_files(message, lambda file: _file(file, set())) if is_said else None
        for one in (shown, message) if shown else (message,):
            content = [_mentioned(part, names, one) for part in one.parts]
            _extend(turns, one.role, [block for block in content if block is not None])
    if not tells:
        for turn in turns:
            for block in turn["content"]:
                block.get("toolResult", {}).pop("status", None)
    return turns


def _extend(turns: list[dict[str, Any]], role: str, content: list[dict[str, Any]]) -> None:
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"].extend(content)
    elif content:
        turns.append({"role": role, "content": content})


def _mentioned(part: Part, names: set[str], message: Message) -> dict[str, Any] | None:
    """Write a part; a file that an assistant made is only mentioned, and shown before it."""
    if isinstance(part, FilePart) and message.role == "assistant":
        return {"text": mention(part)}
    return _block(part, names)


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
        call_id, name = fitting_id(part.call_id, IDS), fitting_name(part.name)
        return {"toolUse": {"toolUseId": call_id, "name": name, "input": call_object(part.args)}}
    if isinstance(part, ToolResultPart):
        content = [block for inner in part.content if (block := _block(inner, names)) is not None]
        status = {"status": "error"} if part.is_error else {}
        call_id = fitting_id(part.call_id, IDS)
        result = {"toolUseId": call_id, "content": content or [{"text": "(nothing)"}]}
        return {"toolResult": {**result, **status}}
    if part.signature is None or is_from_chat(part.signature):
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
    kind = true_type(part)
    if kind in IMAGES:
        return {"image": {"format": kind.removeprefix("image/"), "source": source}}
    if kind == "application/pdf":
        name = _document_name(part, names)
        return {"document": {"format": "pdf", "name": name, "source": source}}
    raise unreadable("Bedrock", part)


def _document_name(part: FilePart, names: set[str]) -> str:
    """Make a name that Bedrock takes: plain characters, and no other in the request like it."""
    stem = (part.name or "").rpartition(".")[0] or part.name or ""
    plain = " ".join(re.sub(r"[^A-Za-z0-9()\[\]-]+", " ", stem)[:180].split()) or "document"
    numbered = (plain, *(f"{plain} {number}" for number in range(2, len(names) + 3)))
    name = next(name for name in numbered if name.lower() not in names)
    names.add(name.lower())
    return name
