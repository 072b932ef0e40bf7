"""What is Anthropic's alone; what every provider owes is in tests/contract."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from nbagents.errors import ModelError, UserError
from nbagents.messages import (
    FilePart,
    Message,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    Usage,
    user_message,
)
from nbagents.models.base import ModelRequest, OutputSpec, Settings
from nbagents.providers.anthropic import AnthropicModel
from tests.contract.vendors import ask
from tests.wire.anthropic import AnthropicWire
from tests.wire.server import Call, Reply, Text, Thinking, reply

MODEL = "claude-sonnet-5-5"


@pytest.fixture
async def server() -> AsyncIterator[AnthropicWire]:
    """Serve three plain answers."""
    async with AnthropicWire([reply("Hi")] * 3) as server:
        yield server


def model(server: AnthropicWire, name: str = MODEL) -> AnthropicModel:
    return AnthropicModel(name, base_url=server.url, api_key="sk-ant-test")


async def sent(server: AnthropicWire, request: ModelRequest) -> Any:
    """Ask, and return the body that arrived."""
    await ask(model(server), request)
    return server.requests[-1].json


def events(*chunks: dict[str, Any]) -> Reply:
    """Make an answer of hand-written events."""
    wire = AnthropicWire([])
    return Reply(raw=tuple(wire.sse(chunk, "\n") for chunk in chunks))


# Thoughts


async def test_thoughts_go_back_as_they_came():
    thoughts = (
        Thinking("First,", "c2VhbDE="),
        Thinking("", "c2VhbGVk", redacted=True),
        Thinking("", "b21pdHRlZA=="),
    )
    async with AnthropicWire([reply(*thoughts, Call("now")), reply("Noon.")]) as server:
        first = await ask(model(server))
        await ask(model(server), ModelRequest([user_message("Hello?"), first]))
    assert first.parts[:3] == (
        ThinkingPart("First,", "c2VhbDE="),
        ThinkingPart("", "c2VhbGVk", redacted=True),
        ThinkingPart("", "b21pdHRlZA=="),
    )
    assert server.requests[1].json["messages"][1]["content"][:3] == [
        {"type": "thinking", "thinking": "First,", "signature": "c2VhbDE="},
        {"type": "redacted_thinking", "data": "c2VhbGVk"},
        {"type": "thinking", "thinking": "", "signature": "b21pdHRlZA=="},
    ]


# Requests


async def test_the_prompt_and_the_conversation_are_marked_for_the_cache(server):
    body = await sent(server, ModelRequest([user_message("Hi")], "Be brief."))
    marker = {"type": "ephemeral"}
    assert body["system"] == [{"type": "text", "text": "Be brief.", "cache_control": marker}]
    assert body["cache_control"] == marker


async def test_a_temperature_is_sent_in_the_version_of_the_api_that_takes_one(server):
    await sent(server, ModelRequest([user_message("Hi")], settings=Settings(temperature=0)))
    await sent(server, ModelRequest([user_message("Hi")]))
    versions = [request.headers["anthropic-version"] for request in server.requests]
    assert versions[0] == "2023-06-01"
    assert versions[1] > versions[0]


async def test_the_most_tokens_are_what_the_model_can_write_unless_said_otherwise(server):
    for name in (MODEL, "claude-3-opus-20240229"):
        await ask(model(server, name))
    request = ModelRequest([user_message("Hi")], settings=Settings(max_tokens=5))
    await sent(server, request)
    assert [one.json["max_tokens"] for one in server.requests] == [32_000, 4_096, 5]


async def test_extra_fields_and_the_schema_live_together(server):
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    request = ModelRequest(
        [user_message("Hi")],
        output=OutputSpec("Nothing", schema),
        settings=Settings(extra={"output_config": {"effort": "low"}, "service_tier": "auto"}),
    )
    body = await sent(server, request)
    form = {"type": "json_schema", "schema": schema}
    assert body["output_config"] == {"effort": "low", "format": form}
    assert body["service_tier"] == "auto"


async def test_files_go_in_by_their_address(server):
    files = (
        FilePart("image/png", url="https://example.org/cat.png"),
        FilePart("application/pdf", url="https://example.org/cat.pdf"),
    )
    body = await sent(server, ModelRequest([user_message(*files)]))
    assert body["messages"][0]["content"] == [
        {"type": "image", "source": {"type": "url", "url": "https://example.org/cat.png"}},
        {"type": "document", "source": {"type": "url", "url": "https://example.org/cat.pdf"}},
    ]


async def test_a_file_that_claude_cannot_read_is_named(server):
    song = FilePart("audio/mpeg", b"...", name="song.mp3")
    with pytest.raises(UserError, match=r"song\.mp3 is audio/mpeg"):
        await ask(model(server), ModelRequest([user_message(song)]))
    assert server.requests == []


# Schemas


@pytest.mark.parametrize(
    ("name", "native"),
    [
        ("claude-sonnet-5-5", True),
        ("claude-opus-4-5", True),
        ("claude-haiku-4-5-20251001", True),
        ("claude-opus-4-1-20250805", False),
        ("claude-sonnet-4-20250514", False),
        ("claude-opus-4-0", False),
        ("claude-3-7-sonnet-latest", False),
        ("claude-2.1", False),
    ],
)
def test_claudes_since_4_5_hold_an_answer_to_a_schema(name: str, native: bool):
    assert AnthropicModel(name).capabilities.native_output is native


async def test_what_a_schema_may_not_say_is_said_in_words(server):
    schema = {
        "$defs": {
            "Size": {"enum": ["S", "M"], "type": "string"},
            "Box": {"type": "object", "properties": {"size": {"$ref": "#/$defs/Size"}}},
        },
        "type": "object",
        "properties": {
            "count": {"type": "integer", "minimum": 1, "description": "How many", "default": 3},
            "when": {"type": "string", "format": "date", "pattern": "^2"},
            "box": {"oneOf": [{"$ref": "#/$defs/Box", "title": "B"}, {"type": "null"}]},
        },
        "required": ["count"],
    }
    request = ModelRequest([user_message("Hi")], output=OutputSpec("Order", schema))
    body = await sent(server, request)
    assert body["output_config"]["format"]["schema"] == {
        "$defs": {
            "Size": {"enum": ["S", "M"], "type": "string"},
            "Box": {
                "type": "object",
                "properties": {"size": {"$ref": "#/$defs/Size"}},
                "additionalProperties": False,
            },
        },
        "type": "object",
        "properties": {
            "count": {"type": "integer", "description": "How many (minimum: 1)"},
            "when": {"type": "string", "format": "date", "description": "(pattern: ^2)"},
            "box": {"anyOf": [{"$ref": "#/$defs/Box"}, {"type": "null"}]},
        },
        "required": ["count"],
        "additionalProperties": False,
    }


TREE = {
    "$defs": {
        "Tree": {
            "type": "object",
            "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}},
        }
    },
    "$ref": "#/$defs/Tree",
}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "array", "prefixItems": [{"type": "string"}], "minItems": 1},
        {"type": "object", "properties": {"anything": {"title": "Anything"}}},
        TREE,
    ],
    ids=["dict", "tuple", "any", "tree"],
)
async def test_a_schema_that_cannot_be_held_is_asked_for_in_words(server, schema):
    request = ModelRequest([user_message("Hi")], "Be brief.", output=OutputSpec("It", schema))
    body = await sent(server, request)
    assert "output_config" not in body
    assert body["system"][0]["text"].startswith("Be brief.\n\nAnswer with nothing but JSON")
    assert json.dumps(schema, separators=(",", ":")) in body["system"][0]["text"]


# Answers


async def test_events_and_blocks_that_nobody_here_knows_are_passed_over():
    answer = events(
        {"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}},
        {"type": "moon_phase", "phase": "full"},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "server_tool_use", "id": "s", "name": "web_search"},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": '{"query": "x"}'},
        },
        {"type": "content_block_stop", "index": 0},
        {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "text", "text": "Fo"},
        },
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "text_delta", "text": "und."},
        },
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "citations_delta", "citation": {"type": "page_location"}},
        },
        {"type": "content_block_stop", "index": 1},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "pause_turn"},
            "usage": {"input_tokens": 9, "output_tokens": 3},
        },
        {"type": "message_stop"},
    )
    async with AnthropicWire([answer]) as server:
        message = await ask(model(server))
    assert message == Message("assistant", (TextPart("Found."),), "agent", Usage(9, 3), "paused")


async def test_a_compatible_server_may_send_a_calls_arguments_whole():
    block = {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1}}
    answer = events(
        {"type": "message_start", "message": {}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
        {"type": "message_stop"},
    )
    async with AnthropicWire([answer]) as server:
        message = await ask(model(server))
    assert message.tool_calls == (ToolCallPart("t1", "add", '{"a":1}'),)


@pytest.mark.parametrize(
    ("kind", "status", "retryable"),
    [
        ("overloaded_error", 529, True),
        ("rate_limit_error", 429, True),
        ("timeout_error", 504, True),
        ("api_error", 500, True),
        ("invalid_request_error", 400, False),
        ("authentication_error", 401, False),
    ],
)
async def test_an_error_inside_the_stream_has_the_status_it_would_have_had(kind, status, retryable):
    error = {"type": "error", "error": {"type": kind, "message": "So."}, "request_id": "req_9"}
    async with AnthropicWire([events(error)]) as server:
        with pytest.raises(ModelError, match="So") as raised:
            await ask(model(server))
    assert (raised.value.status, raised.value.retryable) == (status, retryable)
    assert raised.value.request_id == "req_9"


# Money


@pytest.mark.parametrize(
    ("more", "price"),
    [
        ({}, Decimal("0.003605")),
        (
            {"service_tier": "standard", "server_tool_use": {"web_search_requests": 0}},
            Decimal("0.003605"),
        ),
        ({"cache_creation": {"ephemeral_1h_input_tokens": 1000}}, Decimal("0.005105")),
        ({"service_tier": "priority"}, None),
        ({"speed": "fast"}, None),
        ({"server_tool_use": {"web_search_requests": 1}}, None),
    ],
)
def test_an_answer_is_priced_only_at_the_ordinary_rate(more: dict[str, Any], price: Any):
    spent = {
        "input_tokens": 10,
        "cache_read_input_tokens": 850,
        "cache_creation_input_tokens": 1000,
        "output_tokens": 100,
    }
    usage = AnthropicModel(MODEL)._usage(spent | more)
    assert usage == Usage(1860, 100, 850, price)


# Set-up


@pytest.mark.parametrize("variable", ["HOME", "ANTHROPIC_CONFIG_DIR"])
async def test_a_missing_key_is_named(variable: str, monkeypatch, tmp_path):
    monkeypatch.setenv(variable, str(tmp_path))
    with pytest.raises(UserError, match="ANTHROPIC_API_KEY is not set"):
        await ask(AnthropicModel(MODEL))


async def test_a_server_of_ones_own_needs_no_key(server, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert (await ask(AnthropicModel(MODEL, base_url=server.url))).text == "Hi"


async def test_a_gateway_may_have_a_token_in_place_of_a_key(server, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "gate-token")
    await ask(AnthropicModel(MODEL, base_url=server.url))
    assert server.requests[0].headers["authorization"] == "Bearer gate-token"


async def test_the_address_may_come_from_the_environment(server, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    assert (await ask(AnthropicModel(MODEL, api_key="sk-ant-test"))).text == "Hi"


async def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "anthropic", None)
    with pytest.raises(UserError, match=r'install "anthropic>=2"'):
        await ask(AnthropicModel(MODEL, api_key="sk-ant-test"))


async def test_text_is_one_block_in_the_answer_and_the_history():
    async with AnthropicWire([reply(Text("One."), Text("Two.")), reply("Three.")]) as server:
        first = await ask(model(server))
        await ask(model(server), ModelRequest([user_message("Hi"), first, user_message("Go on.")]))
    assert first.text == "One.Two."
    assert server.requests[1].json["messages"][1]["content"] == [
        {"type": "text", "text": "One.Two."}
    ]
