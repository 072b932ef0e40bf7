"""OpenAI's chat completions, and every endpoint that speaks them."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast

from nbagents._optional import require
from nbagents.errors import ModelError, UserError
from nbagents.messages import EncodedMessages, ToolSpec, Usage
from nbagents.models.base import Capabilities, Chunk, ModelDone, ModelRequest, UsageSoFar
from nbagents.providers._address import checked_url, http_client
from nbagents.providers._chat import ChatAnswer, spent_tokens, written_tokens
from nbagents.providers._chat_messages import ChatMessages
from nbagents.providers._dialects import IDS, Dialect, dialect_of, learned
from nbagents.providers._errors import expected_form
from nbagents.providers._http import END, Clients, dump, json_events
from nbagents.providers._keys import checked_key
from nbagents.providers._portable import Portable
from nbagents.providers._thoughts import Seals
from nbagents.providers.prices import cost

__all__ = ["Dialect", "OpenAIModel"]

_HOME = "https://api.openai.com/v1"
_KEY = "OPENAI_API_KEY"


class OpenAIModel(Portable):
    """A model behind `POST /chat/completions`.

    `base_url` may name any compatible server (vLLM, Ollama, LM Studio, ...), which then needs no
    key; to one without TLS `OPENAI_API_KEY` is not sent. `dialect` says what the server takes where it is not known by its address; what it
    refuses is left out from then on. Without them `OPENAI_BASE_URL` is read at once, `OPENAI_API_KEY` at the first request.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        dialect: Dialect | None = None,
    ) -> None:
        self.model = name
        self.name = f"openai:{name}"
        self.capabilities = Capabilities()
        source = "base_url" if base_url else "OPENAI_BASE_URL"
        url = base_url or os.environ.get("OPENAI_BASE_URL")
        self._base_url = checked_url(url, source, "/chat/completions")
        self._is_open = (base_url or "").startswith("http://")
        self._api_key = api_key
        self._clients = Clients(self._make_client)
        self._seals = Seals(self._base_url or _HOME)
        self._adopt(dialect or dialect_of(self._base_url or _HOME))

    def __repr__(self) -> str:
        return f"OpenAIModel({self.model!r})"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        """Ask, and yield the answer as it comes."""
        answer, is_whole = ChatAnswer(self._seals), False
        last: dict[str, Any] = {}
        try:
            with expected_form("openai"):
                async with aclosing(self._events(request)) as events:
                    async for batch in events:
                        for event in batch:
                            if event is END:
                                is_whole = True
                                continue
                            if event.get("usage"):
                                last = event
                            for chunk in answer.decode(event):
                                yield chunk
                held, stop = answer.finish(is_whole=is_whole)
        except ModelError:
            yield UsageSoFar(self._usage(last))
            raise
        for chunk in held:
            yield chunk
        usage = self._usage(last)
        if stop is None:
            yield UsageSoFar(usage)
        else:
            yield ModelDone(stop, usage if usage.total_tokens else None)

    async def _events(self, request: ModelRequest) -> AsyncGenerator[list[Any], None]:
        """Post the request, and once more without what the server refuses."""
        tried = {self._dialect}
        async with self._clients.lease() as client:
            while True:
                dialect, posted = self._dialect, self._body(request)
                events = json_events(client, "/chat/completions", posted, provider="openai")
                try:
                    async with aclosing(events):
                        async for batch in events:
                            yield batch
                except ModelError as error:
                    less = learned(dialect, error, request)
                    if less is None or less in tried:
                        raise
                    tried.add(less)
                    abilities = self.capabilities
                    self._adopt(less)
                    if self.capabilities != abilities:
                        raise  # The request itself must be another one.
                else:
                    return

    def _adopt(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._encoded = EncodedMessages(ChatMessages(self._seals, IDS[dialect.call_ids]))
        self.capabilities = replace(
            self.capabilities,
            native_output=self.capabilities.native_output and dialect.json_schema,
            native_output_with_tools=dialect.json_schema_with_tools,
        )

    def _usage(self, event: dict[str, Any]) -> Usage:
        """Count the tokens; other servers and other tiers have prices that are not known here."""
        given = event.get("usage")
        spent = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
        tier = event.get("service_tier")
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
        return sdk.AsyncOpenAI(
            api_key=key,
            base_url=self._base_url,
            max_retries=0,
            http_client=http_client(sdk, self._base_url or _HOME),
        )

    def _body(self, request: ModelRequest) -> bytes:
        dialect = self._dialect
        head: dict[str, Any] = {"model": self.model, "stream": True}
        if dialect.stream_options:
            head["stream_options"] = {"include_usage": True}
        if request.tools:
            head["tools"] = [_tool(spec) for spec in request.tools]
            head["tool_choice"] = request.tool_choice if dialect.forced_tools else "auto"
        if request.output is not None:
            head["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": request.output.name, "schema": request.output.schema},
            }
        settings = request.settings
        if settings.temperature is not None:
            head["temperature"] = settings.temperature
        if settings.max_tokens is not None:
            head[dialect.max_tokens] = settings.max_tokens
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
