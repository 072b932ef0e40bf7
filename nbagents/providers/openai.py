"""OpenAI's chat completions, and every endpoint that speaks them."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from nbagents._optional import require
from nbagents.errors import UserError
from nbagents.messages import EncodedMessages, ToolSpec, Usage
from nbagents.models.base import Capabilities, Chunk, ModelDone, ModelRequest, UsageSoFar
from nbagents.providers._chat import ChatAnswer, spent_tokens, written_tokens
from nbagents.providers._chat_messages import ChatMessages
from nbagents.providers._errors import expected_form
from nbagents.providers._http import END, Clients, dump, json_events
from nbagents.providers._keys import checked_key
from nbagents.providers._portable import Portable
from nbagents.providers._thoughts import Seals
from nbagents.providers.prices import cost
from nbagents.redaction import remember_url

__all__ = ["OpenAIModel"]

_HOME = "https://api.openai.com/v1"
_KEY = "OPENAI_API_KEY"
_ANY_ID = re.compile(r".+", re.DOTALL)


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
        self._seals = Seals(self._base_url or _HOME)
        self._encoded = EncodedMessages(ChatMessages(self._seals, _ANY_ID))

    def __repr__(self) -> str:
        return f"OpenAIModel({self.model!r})"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        """Ask, and yield the answer as it comes."""
        answer, is_whole = ChatAnswer(self._seals), False
        usage: Usage | None = None
        events = self._events(self._body(request))
        with expected_form("openai"):
            async with aclosing(events):
                async for batch in events:
                    for event in batch:
                        if event is END:
                            is_whole = True
                            continue
                        if spent := event.get("usage"):
                            usage = self._usage(spent, event.get("service_tier"))
                            yield UsageSoFar(usage)
                        for chunk in answer.decode(event):
                            yield chunk
            last, stop = answer.finish(is_whole=is_whole)
            for chunk in last:
                yield chunk
        if stop is not None:
            yield ModelDone(stop, usage if usage and usage.total_tokens else None)

    async def _events(self, body: bytes) -> AsyncGenerator[list[Any], None]:
        async with self._clients.lease() as client:
            events = json_events(client, "/chat/completions", body, provider="openai")
            async with aclosing(events):
                async for batch in events:
                    yield batch

    def _usage(self, spent: dict[str, Any], tier: str | None) -> Usage:
        """Count the tokens; other servers and other tiers have prices that are not known here."""
        usage = spent_tokens(spent)
        own = self._base_url is None or self._base_url.startswith("https://api.openai.com/")
        if not own or tier not in {None, "default"}:
            return usage
        price = cost("openai", self.model, usage, written_tokens=written_tokens(spent))
        return replace(usage, cost=price)

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
        head = {name: value for name, value in head.items() if value is not None}
        messages = [self._encoded(message) for message in request.messages]
        if request.system:
            messages.insert(0, dump({"role": "system", "content": request.system}))
        return b'%s,"messages":[%s]}' % (dump(head)[:-1], b",".join(filter(None, messages)))


def _tool(spec: ToolSpec) -> dict[str, Any]:
    function = {
        "name": spec.name,
        "description": spec.description,
        "parameters": spec.parameters,
    }
    return {"type": "function", "function": function}
