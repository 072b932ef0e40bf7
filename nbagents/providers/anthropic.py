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
from nbagents.messages import (
    EncodedMessages,
    FilePart,
    Message,
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    Usage,
)
from nbagents.models.base import Capabilities, Chunk, ModelDone, ModelRequest, UsageSoFar
from nbagents.providers._address import checked_url, http_client
from nbagents.providers._calls import call_object, distinct_calls, fitting_id, fitting_name
from nbagents.providers._claude import IDS, closed_schema, is_recent, schema_prompt, thinks
from nbagents.providers._claude_answer import Answer
from nbagents.providers._errors import expected_form
from nbagents.providers._files import IMAGES, mention, shown_files, true_type, unreadable
from nbagents.providers._http import END, Clients, dump, json_events
from nbagents.providers._keys import checked_key
from nbagents.providers._portable import Portable
from nbagents.providers._thoughts import is_from_chat
from nbagents.providers.prices import cost

__all__ = ["AnthropicModel"]

_HOME = "https://api.anthropic.com"
_KEY = "ANTHROPIC_API_KEY"
_CACHED = {"type": "ephemeral"}
_SCHEMA = ("output_config", "output_format", "json_schema", "structured output")


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
        self.capabilities = Capabilities(native_output="claude" in name and is_recent(name))
        self._forces_tools = True
        source = "base_url" if base_url else "ANTHROPIC_BASE_URL"
        url = base_url or os.environ.get("ANTHROPIC_BASE_URL")
        self._base_url = checked_url(url, source, "/v1/messages", "/v1")
        self._api_key = api_key
        self._clients = Clients(self._make_client)
        self._encoded = EncodedMessages(encode_message)

    def __repr__(self) -> str:
        return f"AnthropicModel({self.model!r})"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        """Ask, and yield the answer as it comes."""
        answer = Answer()
        try:
            with expected_form("anthropic"):
                async with aclosing(self._events(request)) as events:
                    async for batch in events:
                        for event in batch:
                            if event is not END:
                                for chunk in answer.decode(event):
                                    yield chunk
                answer.finish()
        except ModelError:
            yield UsageSoFar(self._usage(answer.spent))
            raise
        usage = self._usage(answer.spent)
        if answer.stop is None:
            yield UsageSoFar(usage)
        else:
            yield ModelDone(answer.stop, usage if usage.total_tokens else None)

    async def _events(self, request: ModelRequest) -> AsyncGenerator[list[Any], None]:
        """Post the request, and once more if the server takes a lesser one."""
        # Since version 2026-10-21 of the API, which the SDK speaks, `temperature` is an error.
        older = request.settings.temperature is not None
        headers = {"anthropic-version": "2023-06-01"} if older else None
        async with self._clients.lease() as client:
            while True:
                posted = self._body(request)
                events = json_events(
                    client, "/v1/messages", posted, provider="anthropic", headers=headers
                )
                try:
                    async with aclosing(events):
                        async for batch in events:
                            yield batch
                except ModelError as error:
                    if not self._is_learned(error, request):
                        raise
                else:
                    return

    def _is_learned(self, error: ModelError, request: ModelRequest) -> bool:
        """Learn from a refusal what the server does not take; tell whether to post without it."""
        said = error.message.lower()
        if error.status not in {400, 422}:
            return False
        if request.output is not None and any(word in said for word in _SCHEMA):
            # Another request must be made: see `capabilities`.
            self.capabilities = replace(self.capabilities, native_output=False)
        elif request.tool_choice == "required" and self._forces_tools and "tool" in said:
            self._forces_tools = False
            return True
        return False

    def _usage(self, spent: dict[str, Any]) -> Usage:
        """Count all tokens read, and price them if they were sold here at the ordinary rate."""
        read: int = spent.get("cache_read_input_tokens", 0)
        written: int = spent.get("cache_creation_input_tokens", 0)
        usage = Usage(
            spent.get("input_tokens", 0) + read + written, spent.get("output_tokens", 0), read
        )
        own = urlsplit(self._base_url or _HOME).hostname == urlsplit(_HOME).hostname
        searches: dict[str, int] = spent.get("server_tool_use", {})
        rates = {spent.get("service_tier", "standard"), spent.get("speed", "standard")}
        if not own or any(searches.values()) or rates != {"standard"}:
            return usage
        hour = spent.get("cache_creation", {}).get("ephemeral_1h_input_tokens") or 0
        price = cost("anthropic", self.model, usage, written_tokens=written, written_1h_tokens=hour)
        return replace(usage, cost=price)

    def _make_client(self) -> Any:
        sdk = require("anthropic", "anthropic")
        fix = "Set it, or choose another model, such as 'local'."
        try:
            client = sdk.AsyncAnthropic(
                api_key=self._api_key,
                base_url=self._base_url,
                max_retries=0,
                http_client=http_client(sdk, self._base_url or _HOME),
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
            forced = request.tool_choice == "required" and self._forces_tools
            if forced and not thinks(settings.extra):
                head["tool_choice"] = {"type": "any"}
        if settings.temperature is not None:
            head["temperature"] = settings.temperature
        head.update(settings.extra)
        head = {name: value for name, value in head.items() if value is not None}
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
        messages = filter(None, map(self._encoded, distinct_calls(request.messages)))
        return b'%s,"messages":[%s]}' % (dump(head)[:-1], b",".join(messages))


def _tool(spec: ToolSpec) -> dict[str, Any]:
    return {"name": spec.name, "description": spec.description, "input_schema": spec.parameters}


def encode_message(message: Message) -> bytes:
    """Write one message, or nothing if nothing in it may be sent; files of an assistant come before it."""
    shown = shown_files(message, _file) if message.role == "assistant" else None
    before = b"%s," % encode_message(shown) if shown else b""
    content = [block for part in message.parts if (block := _block(part, message)) is not None]
    if message.stop == "paused" and content and content[-1]["type"] == "text":
        # It is sent as the last message, which must not end with white space.
        content[-1]["text"] = content[-1]["text"].rstrip()
    wire = dump({"role": message.role, "content": content}) if content else b""
    return (before + wire).removesuffix(b",")


def _block(part: Part, message: Message | None = None) -> dict[str, Any] | None:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text} if part.text.strip() else None
    if isinstance(part, FilePart):
        if message is not None and message.role == "assistant":
            return {"type": "text", "text": mention(part)}
        return _file(part)
    if isinstance(part, ToolCallPart):
        call_id, arguments = fitting_id(part.call_id, IDS), call_object(part.args)
        name = fitting_name(part.name)
        return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}
    if isinstance(part, ToolResultPart):
        content = [block for inner in part.content if (block := _block(inner)) is not None]
        return {
            "type": "tool_result",
            "tool_use_id": fitting_id(part.call_id, IDS),
            "content": content or "(nothing)",
            "is_error": part.is_error,
        }
    if part.signature is None or is_from_chat(part.signature):
        return None  # A thought without its seal, cut short or another vendor's, is refused.
    if part.redacted:
        return {"type": "redacted_thinking", "data": part.signature}
    return {"type": "thinking", "thinking": part.text, "signature": part.signature}


def _file(part: FilePart) -> dict[str, Any]:
    kind = true_type(part)
    if part.data is None:
        source = {"type": "url", "url": part.url}
    else:
        data = base64.b64encode(part.data).decode()
        source = {"type": "base64", "media_type": kind, "data": data}
    if kind in IMAGES:
        return {"type": "image", "source": source}
    if kind == "application/pdf":
        title = {"title": part.name} if part.name else {}
        return {"type": "document", "source": source, **title}
    raise unreadable("Claude", part)
