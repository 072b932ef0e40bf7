"""The vendors that the contract holds for; a new one is one more entry in VENDORS."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from nbagents.errors import ModelError
from nbagents.messages import Message, user_message
from nbagents.models.base import Chunk, Model, ModelRequest
from nbagents.models.collect import Collector
from nbagents.providers.anthropic import AnthropicModel
from nbagents.providers.bedrock import BedrockModel
from nbagents.providers.openai import OpenAIModel
from tests.wire.anthropic import AnthropicWire
from tests.wire.bedrock import BedrockWire
from tests.wire.openai import OpenAIWire
from tests.wire.server import Wire

LONG = "Grüße aus Zürich – 東京は晴れ 🌤️, e\u0301t\u00e9; \u2028 \u0085 done."
SECRET = "hunter2-is-in-no-vendors-shape-Zq9"


@dataclass(frozen=True)
class Vendor:
    """How to make one vendor's model, and where its requests say what ours said."""

    name: str
    wire: type[Wire]
    make: Callable[[str], Model]
    """Takes the server's address."""
    key: str
    """The variable that its errors point to."""
    tools: Callable[[Any], list[tuple[str, str, Any]]]
    """Name, description and schema of each tool in a request."""
    forced: Callable[[Any], bool]
    """True if a request says that a tool must be called."""
    schema: Callable[[Any], Any]
    """The schema of the answer in a request."""
    sampling: Callable[[Any], tuple[Any, Any]]
    """Temperature and most tokens in a request."""
    image: Callable[[str], Any]
    """The block for a PNG, of base64."""
    pdf: Callable[[str], Any]
    """The block for `report.pdf`, of base64."""
    seals: bool = True
    """Thoughts carry signatures."""


def _openai_tools(body: Any) -> list[tuple[str, str, Any]]:
    functions = [tool["function"] for tool in body["tools"]]
    return [(one["name"], one["description"], one["parameters"]) for one in functions]


def _bedrock_tools(body: Any) -> list[tuple[str, str, Any]]:
    specs = [tool["toolSpec"] for tool in body["toolConfig"]["tools"]]
    return [(one["name"], one["description"], one["inputSchema"]["json"]) for one in specs]


VENDORS = [
    Vendor(
        "openai",
        OpenAIWire,
        lambda url: OpenAIModel("gpt-5", base_url=url, api_key=SECRET),
        "OPENAI_API_KEY",
        tools=_openai_tools,
        forced=lambda body: body["tool_choice"] == "required",
        schema=lambda body: body["response_format"]["json_schema"]["schema"],
        sampling=lambda body: (body["temperature"], body["max_tokens"]),
        image=lambda data: {
            "type": "image_url",
            "image_url": {"url": f"data:image/png;base64,{data}"},
        },
        pdf=lambda data: {
            "type": "file",
            "file": {
                "filename": "report.pdf",
                "file_data": f"data:application/pdf;base64,{data}",
            },
        },
        seals=False,
    ),
    Vendor(
        "anthropic",
        AnthropicWire,
        lambda url: AnthropicModel("claude-sonnet-4-5", base_url=url, api_key=SECRET),
        "ANTHROPIC_API_KEY",
        tools=lambda body: [
            (one["name"], one["description"], one["input_schema"]) for one in body["tools"]
        ],
        forced=lambda body: body["tool_choice"] == {"type": "any"},
        schema=lambda body: body["output_config"]["format"]["schema"],
        sampling=lambda body: (body["temperature"], body["max_tokens"]),
        image=lambda data: {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": data},
        },
        pdf=lambda data: {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": data},
            "title": "report.pdf",
        },
    ),
    Vendor(
        "bedrock",
        BedrockWire,
        lambda url: BedrockModel(
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0", region="us-east-1", endpoint_url=url
        ),
        "AWS_BEARER_TOKEN_BEDROCK",
        tools=_bedrock_tools,
        forced=lambda body: body["toolConfig"]["toolChoice"] == {"any": {}},
        schema=lambda body: json.loads(
            body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"]
        ),
        sampling=lambda body: (
            body["inferenceConfig"]["temperature"],
            body["inferenceConfig"]["maxTokens"],
        ),
        image=lambda data: {"image": {"format": "png", "source": {"bytes": data}}},
        pdf=lambda data: {
            "document": {"format": "pdf", "name": "report", "source": {"bytes": data}}
        },
    ),
]


async def ask(model: Model, request: ModelRequest | str = "Hello?") -> Message:
    """Ask and collect the answer."""
    if isinstance(request, str):
        request = ModelRequest([user_message(request)])
    async with aclosing(model.stream(request)) as stream:
        return collected([chunk async for chunk in stream])


def collected(chunks: list[Chunk]) -> Message:
    """Put an answer together as the loop does, for which one without an end is broken."""
    collector = Collector()
    for chunk in chunks:
        assert collector.done is None, "something came after the end"
        collector.add(chunk)
    if collector.done is None:
        raise ModelError("The answer broke off before its end.", provider="", retryable=True)
    return collector.message("agent")


def content(body: Any) -> list[Any]:
    """Return the content of the last message of a request."""
    return body["messages"][-1]["content"]


def encoded(data: bytes) -> str:
    """Return what JSON says for bytes."""
    return base64.b64encode(data).decode()
