"""OpenAI's chat completions, and every endpoint that speaks them."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

from nbagents._optional import require
from nbagents.errors import ModelError, UserError
from nbagents.events import TextDelta, ThinkingDelta, ToolCallDelta
from nbagents.messages import (
    EncodedMessages,
    FilePart,
    Message,
    StopReason,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    Usage,
)
from nbagents.models.base import Capabilities, Chunk, ModelDone, ModelRequest
from nbagents.providers._http import Clients, dump, json_events, status_error
from nbagents.providers._keys import checked_key
from nbagents.providers._portable import Portable
from nbagents.providers.prices import cost
from nbagents.redaction import remember_url

__all__ = ["OpenAIModel"]

_KEY = "OPENAI_API_KEY"
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
}


class OpenAIModel(Portable):
    """A model behind `POST /chat/completions`.

    `base_url` may name any compatible server (vLLM, Ollama, LM Studio, ...), which then needs no
    key; to one without TLS `OPENAI_API_KEY` is not sent. Without them `OPENAI_BASE_URL` is read at once, `OPENAI_API_KEY` at the first request.
    """

    def __init__(
        self, name: str, *, base_url: str | None = None, api_key: str | None = None
    ) -> None:
        self.model = name
        self.name = f"openai:{name}"
        self.capabilities = Capabilities()
        self._base_url = base_url or os.environ.get("OPENAI_BASE_URL")
        self._is_open = (base_url or "").startswith("http://")
        self._api_key = api_key
        remember_url(self._base_url or "")
        self._clients = Clients(self._make_client)
        self._encoded = EncodedMessages(encode_message)

    def __repr__(self) -> str:
        return f"OpenAIModel({self.model!r})"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        """Ask, and yield the answer as it comes."""
        body = self._body(request)
        stop: StopReason = "end"
        usage = Usage()
        done, tier = False, "default"
        async with self._clients.lease() as client, _expected_form():
            events = json_events(client, "/chat/completions", body, provider="openai")
            async with aclosing(events):
                async for batch in events:
                    for data in batch:
                        for choice in data.get("choices") or ():
                            delta: dict[str, Any] = choice.get("delta") or _NOTHING
                            text = delta.get("content")
                            if text:
                                yield TextDelta("" + text)
                            if len(delta) > 1 or not text:
                                for chunk in _rare_deltas(delta):
                                    yield chunk
                            if reason := choice.get("finish_reason"):
                                stop, done = _stop(reason), True
                        if data.get("error"):
                            raise _stream_error(data["error"])
                        if data.get("usage"):
                            usage, tier = _usage(data["usage"]), data.get("service_tier")
        if done:
            yield ModelDone(stop, self._priced(usage, tier))

    def _priced(self, usage: Usage, tier: str | None) -> Usage:
        """Add the cost; other servers and the other tiers have prices that nobody here knows."""
        own = self._base_url is None or self._base_url.startswith("https://api.openai.com/")
        if not own or tier not in {None, "default"}:
            return usage
        return replace(usage, cost=cost("openai", self.model, usage))

    def _make_client(self) -> Any:
        sdk = require("openai", "openai")
        key, source = self._api_key, "the argument api_key"
        if key is None and not self._is_open:
            key, source = os.environ.get(_KEY), _KEY
        if not key and self._base_url is None:
            raise UserError(f"{_KEY} is not set. Set it, or choose another model, such as 'local'.")
        key = checked_key(key, source) if key else "none"
        return sdk.AsyncOpenAI(api_key=key, base_url=self._base_url, max_retries=0)

    def _body(self, request: ModelRequest) -> bytes:
        head: dict[str, Any] = {
            "model": self.model,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if request.tools:
            head["tools"] = [_tool(spec) for spec in request.tools]
            head["tool_choice"] = request.tool_choice
        if request.output is not None:
            head["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": request.output.name, "schema": request.output.schema},
            }
        settings = request.settings
        if settings.temperature is not None:
            head["temperature"] = settings.temperature
        if settings.max_tokens is not None:
            # Only OpenAI itself has retired the field that everybody else has copied.
            field = "max_tokens" if self._base_url else "max_completion_tokens"
            head[field] = settings.max_tokens
        head.update(settings.extra)
        messages = [self._encoded(message) for message in request.messages]
        if request.system:
            messages.insert(0, dump({"role": "system", "content": request.system}))
        return b'%s,"messages":[%s]}' % (dump(head)[:-1], b",".join(filter(None, messages)))


@asynccontextmanager
async def _expected_form() -> AsyncGenerator[None, None]:
    """Say that it is the server's fault when its events are not what they should be."""
    try:
        yield
    except (AttributeError, KeyError, TypeError) as error:
        message = f"It sent an event of an unknown form ({error})."
        raise ModelError(message, provider="openai") from None


def _tool(spec: ToolSpec) -> dict[str, Any]:
    function = {
        "name": spec.name,
        "description": spec.description,
        "parameters": spec.parameters,
    }
    return {"type": "function", "function": function}


def encode_message(message: Message) -> bytes:
    """Write one message as the chat messages it becomes, separated by commas."""
    encode = _assistant if message.role == "assistant" else _user
    return b",".join(dump(wire) for wire in encode(message))


def _assistant(message: Message) -> Iterator[dict[str, Any]]:
    wire: dict[str, Any] = {"role": "assistant", "content": message.text or None}
    calls = message.tool_calls
    if calls:
        wire["tool_calls"] = [_call(call) for call in calls]
    if calls or message.text:
        yield wire


def _call(call: ToolCallPart) -> dict[str, Any]:
    return {
        "id": call.call_id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.args},
    }


def _user(message: Message) -> Iterator[dict[str, Any]]:
    """Tool results come first and hold only text: their files follow as the user's."""
    content: list[TextPart | FilePart] = []
    for part in message.parts:
        if isinstance(part, ToolResultPart):
            yield {"role": "tool", "tool_call_id": part.call_id, "content": part.text}
            content.extend(file for file in part.content if isinstance(file, FilePart))
        elif isinstance(part, (TextPart, FilePart)):
            content.append(part)
    if all(isinstance(part, TextPart) for part in content):
        text = "\n".join(part.text for part in content if isinstance(part, TextPart))
        if text:
            yield {"role": "user", "content": text}
    else:
        yield {"role": "user", "content": [_content(part) for part in content]}


def _content(part: TextPart | FilePart) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    url = part.url
    if part.data is not None:
        url = f"data:{part.media_type};base64,{base64.b64encode(part.data).decode()}"
    if part.media_type.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": url}}
    if part.data is None:
        msg = f"OpenAI takes files by their content, not by address: read {part.url} first."
        raise UserError(msg)
    return {"type": "file", "file": {"filename": part.name or "file.pdf", "file_data": url}}


def _rare_deltas(delta: dict[str, Any]) -> Iterator[Chunk]:
    # `reasoning_content` is DeepSeek's and vLLM's name, `reasoning` Ollama's and OpenRouter's.
    if thinking := delta.get("reasoning_content") or delta.get("reasoning"):
        yield ThinkingDelta(thinking)
    if refusal := delta.get("refusal"):
        yield TextDelta(refusal)
    for position, call in enumerate(delta.get("tool_calls") or ()):
        function: dict[str, Any] = call.get("function") or _NOTHING
        yield ToolCallDelta(
            call.get("index", position),
            call.get("id") or "",
            function.get("name") or "",
            function.get("arguments") or "",
        )


def _stop(reason: str) -> StopReason:
    """Name why the answer ended. Raises `ModelError` when the server says that it failed."""
    if reason == "error":
        message = "The server failed in the middle of its answer (finish_reason 'error')."
        raise ModelError(message, provider="openai", retryable=True)
    return _STOPS.get(reason, "unknown")


def _usage(spent: dict[str, Any]) -> Usage:
    details: dict[str, Any] = spent.get("prompt_tokens_details") or _NOTHING
    return Usage(
        spent.get("prompt_tokens") or 0,
        spent.get("completion_tokens") or 0,
        details.get("cached_tokens") or 0,
    )


def _stream_error(error: Any) -> Exception:
    """Make the error that arrived inside a stream, which began with a friendly 200."""
    code = error.get("code") if hasattr(error, "get") else None
    message = error.get("message") if hasattr(error, "get") else error
    status = code if isinstance(code, int) else 429 if "rate_limit" in str(code) else 500
    return status_error("openai", status, str(message))
