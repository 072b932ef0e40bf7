"""What servers of chat completions take, by vendor, and what one is learned not to take."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

from nbagents.errors import ModelError
from nbagents.models.base import ModelRequest

__all__ = ["Dialect", "dialect_of", "learned"]

CallIds = Literal["any", "short", "nine"]
IDS: dict[CallIds, re.Pattern[str]] = {
    "any": re.compile(r".+", re.DOTALL),
    "short": re.compile(r"[\x21-\x7e]{1,40}"),
    "nine": re.compile(r"[A-Za-z0-9]{9}"),
}
_REFUSALS = {400, 404, 422, 501, None}
_JSON = ("response_format", "response format", "json", "schema", "structured output", "mime type")


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a server of chat completions takes; the defaults are what most of them take."""

    max_tokens: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """The field that limits the tokens of an answer."""
    stream_options: bool = True
    """It reports usage in a stream when it is asked to by `stream_options`."""
    json_schema: bool = True
    """It holds an answer to a JSON Schema; else typed answers are calls of a tool."""
    json_schema_with_tools: bool = True
    """It does so for requests that have tools, too."""
    forced_tools: bool = True
    """It takes `tool_choice="required"`."""
    call_ids: CallIds = "any"
    """The ids of calls that it takes back: `short` ones have up to 40 characters of ASCII, `nine` are 9
    letters and digits."""


_OPENAI = Dialect(max_tokens="max_completion_tokens", call_ids="short")
_BY_TOOL = Dialect(json_schema=False)
_HOSTS = {
    "api.openai.com": _OPENAI,
    "openai.azure.com": _OPENAI,
    "cognitiveservices.azure.com": _OPENAI,
    "services.ai.azure.com": _OPENAI,
    "api.deepseek.com": _BY_TOOL,
    "api.groq.com": _BY_TOOL,  # Its JSON Schemas exclude streams and tools.
    "mistral.ai": Dialect(stream_options=False, call_ids="nine"),
    "databricks.com": Dialect(stream_options=False),
    "azuredatabricks.net": Dialect(stream_options=False),
    "googleapis.com": Dialect(json_schema_with_tools=False),
    "cohere.ai": Dialect(json_schema_with_tools=False),
    "cohere.com": Dialect(json_schema_with_tools=False),
    "cerebras.ai": Dialect(json_schema_with_tools=False, forced_tools=False),
    "z.ai": Dialect(json_schema=False, forced_tools=False),
    "bigmodel.cn": Dialect(json_schema=False, forced_tools=False),
    "aliyuncs.com": Dialect(json_schema=False, forced_tools=False),
}


def dialect_of(url: str) -> Dialect:
    """Return what the server at an address is known to take."""
    host = (urlsplit(url).hostname or "").lower()
    return next(
        (known for name, known in _HOSTS.items() if f".{host}".endswith(f".{name}")), Dialect()
    )


def learned(dialect: Dialect, error: ModelError, request: ModelRequest) -> Dialect | None:
    """Return what a server takes now that it has refused a request, or None if that is another matter."""
    if error.status not in _REFUSALS or error.retryable:
        return None
    said = error.message.lower()
    if dialect.stream_options and ("stream_options" in said or "include_usage" in said):
        return replace(dialect, stream_options=False)
    if request.settings.max_tokens is not None and "max_completion_tokens" in said:
        other = "max_completion_tokens" if dialect.max_tokens == "max_tokens" else "max_tokens"
        return replace(dialect, max_tokens=other)
    if (ids := _call_ids(said)) not in {None, dialect.call_ids}:
        return replace(dialect, call_ids=ids or "any")
    forced = request.tool_choice == "required" and dialect.forced_tools
    if forced and ("tool_choice" in said or ("thinking" in said and "tool" in said)):
        return replace(dialect, forced_tools=False)
    if request.output is None or not any(word in said for word in _JSON):
        return None
    beside = dialect.json_schema_with_tools and ("tool" in said or "function" in said)
    if request.tools and beside:
        return replace(dialect, json_schema_with_tools=False)
    return replace(dialect, json_schema=False) if dialect.json_schema else None


def _call_ids(said: str) -> CallIds | None:
    """Read from a complaint which ids a server takes."""
    if "tool" not in said or "id" not in said:
        return None
    if "length of 9" in said or "9 char" in said:
        return "nine"
    return "short" if "maximum length 40" in said else None
