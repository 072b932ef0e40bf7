"""Models on Bedrock that are not Claude, and what they do not take."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nbagents.errors import ModelError
from nbagents.messages import (
    Message,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    user_message,
)
from nbagents.models.base import ModelRequest, Settings
from nbagents.providers.bedrock import BedrockModel, encode
from tests.contract.vendors import ask
from tests.wire.bedrock import BedrockWire, event
from tests.wire.server import Reply, Request, refuse, reply

LOOK = ToolSpec("look", "Look.", {"type": "object", "properties": {}})
USED = ModelRequest(
    [
        user_message("q"),
        Message("assistant", (ToolCallPart("c", "look", "{}"),)),
        user_message(ToolResultPart("c", "look", (TextPart("bad"),), is_error=True)),
    ],
    tools=(LOOK,),
    tool_choice="required",
)
WHOLE = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "S"}}},
                {"text": "Let me see."},
                {"toolUse": {"toolUseId": "t1", "name": "look", "input": {"a": 1}}},
            ],
        }
    },
    "stopReason": "tool_use",
    "usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5},
    "metrics": {"latencyMs": 1},
}


@pytest.fixture(autouse=True)
def _keys(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test-secret")


class Unstreamed(BedrockWire):
    """Answers with tools only where nothing streams."""

    def complaint(self, request: Request) -> Reply | None:
        if request.path.endswith("/converse"):
            return None
        if "toolConfig" in request.json:
            return refuse(400, "This model doesn't support tool use in streaming mode.")
        return super().complaint(request)


def model(server: BedrockWire, name: str) -> BedrockModel:
    return BedrockModel(name, region="us-east-1", endpoint_url=server.url)


@pytest.mark.parametrize(
    ("name", "tells", "chooses"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", True, True),
        ("amazon.nova-pro-v1:0", True, True),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/ab12", True, True),
        ("mistral.mistral-large-2402-v1:0", False, True),
        ("meta.llama3-3-70b-instruct-v1:0", False, False),
        ("us.meta.llama4-maverick-17b-instruct-v1:0", False, False),
        ("cohere.command-r-v1:0", False, False),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/us.meta.llama3-1-8b-v1:0", False, False),
    ],
)
def test_only_some_models_take_a_status_or_can_be_made_to_call(name, tells, chooses):
    sent = encode(name, USED, claude=False)
    assert ("status" in sent["messages"][-1]["content"][0]["toolResult"]) == tells
    assert ("toolChoice" in sent["toolConfig"]) == chooses


def test_no_tool_is_forced_while_the_model_thinks():
    extra = {"additionalModelRequestFields": {"thinking": {"type": "enabled"}}}
    request = ModelRequest(USED.messages, "", (LOOK,), "required", settings=Settings(extra=extra))
    assert (
        "toolChoice"
        not in encode("anthropic.claude-sonnet-4-v1:0", request, claude=True)["toolConfig"]
    )


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("meta.llama3-1-8b-instruct-v1:0", ["converse", "converse", "converse-stream"]),
        ("some.model", ["converse-stream", "converse", "converse", "converse-stream"]),
    ],
)
async def test_a_model_that_does_not_stream_with_tools_is_asked_for_the_whole(name, paths):
    whole = Reply(raw=(json.dumps(WHOLE).encode(),))
    async with Unstreamed([whole, whole, reply("Hi")]) as server:
        asked = model(server, name)
        message = await ask(asked, USED)
        assert await ask(asked, USED) == message
        assert (await ask(asked)).text == "Hi"
    assert [request.path.rpartition("/")[2] for request in server.requests] == paths
    thought, said, call = message.parts
    assert (thought, said) == (ThinkingPart("hm", "S"), TextPart("Let me see."))
    assert call == ToolCallPart("t1", "look", '{"a":1}')
    assert (message.stop, message.usage.total_tokens) == ("tools", 5)


async def test_another_refusal_is_told():
    async with BedrockWire([refuse(400, "No such field.")]) as server:
        with pytest.raises(ModelError, match="No such field"):
            await ask(model(server, "some.model"), USED)
    assert len(server.requests) == 1


async def test_fields_that_are_left_out_are_no_error():
    events: list[tuple[str, dict[str, Any]]] = [
        ("contentBlockStart", {}),
        ("contentBlockDelta", {"delta": {"text": "Hi"}}),
        ("contentBlockDelta", {}),
        ("contentBlockStop", {}),
        ("messageStop", {"stopReason": "end_turn"}),
        ("metadata", {}),
    ]
    async with BedrockWire([Reply(raw=tuple(event(*one) for one in events))]) as server:
        message = await ask(model(server, "some.model"))
    assert (message.text, message.stop, message.usage) == ("Hi", "end", None)
