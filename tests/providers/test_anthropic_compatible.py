"""Servers that speak Anthropic's messages and leave out, or write otherwise, what its documentation says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nbagents import Agent, ModelError, RetryPolicy, Settings
from nbagents.messages import Message, TextPart, ThinkingPart, user_message
from nbagents.models.base import ModelRequest
from nbagents.providers.anthropic import AnthropicModel
from tests.contract.vendors import ask
from tests.wire.anthropic import AnthropicWire
from tests.wire.server import Call, Reply, Request, refuse, reply


def model(server: AnthropicWire, name: str = "glm-5") -> AnthropicModel:
    return AnthropicModel(name, base_url=server.url, api_key="k")


def raw(*events: Any) -> Reply:
    written = (one if isinstance(one, bytes) else event(one) for one in events)
    return Reply(raw=tuple(written))


def event(data: Any) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


async def answer(*events: Any) -> Message:
    async with AnthropicWire([raw(*events)]) as server:
        return await ask(model(server))


def text(said: str) -> dict[str, Any]:
    return {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": said},
    }


STOP = {
    "type": "message_delta",
    "delta": {"stop_reason": "end_turn"},
    "usage": {"output_tokens": 2},
}
END = {"type": "message_stop"}


@pytest.mark.parametrize(
    "events",
    [
        [text("Hi"), STOP, END],
        [text("Hi"), STOP],
        [text("Hi"), END],
        [text("Hi"), STOP, b"data: [DONE]\n\n"],
        [{"type": "message_start"}, {"type": "content_block_start"}, text("Hi"), STOP, END],
        [
            {"type": "message_start", "message": None},
            text("Hi"),
            {"type": "content_block_stop"},
            END,
        ],
        [{"type": "content_block_start", "content_block": {"type": "text", "text": "Hi"}}, END],
        [{"type": "content_block_delta", "delta": {"text": "Hi"}}, END],
        [{"delta": {"text": "Hi"}, "index": 0}, {"delta": {"stop_reason": "end_turn"}}],
        [{"type": "ping"}, {"type": "moon"}, {}, text("Hi"), {"type": "message_delta"}, END],
        [{"type": "content_block_delta"}, text("Hi"), STOP, END],
    ],
)
async def test_fields_that_are_left_out_are_no_error(events):
    message = await answer(*events)
    assert (message.text, message.stop) == ("Hi", "end")


async def test_a_stream_without_an_end_broke_off():
    with pytest.raises(ModelError, match="broke off"):
        await answer(text("Hi"))


@pytest.mark.parametrize("start", [{"id": "t1"}, {}, {"id": None, "input": {}}, {"input": "{}"}])
@pytest.mark.parametrize("args", ['{"a": 1}', {"a": 1}])
async def test_a_call_needs_no_id_and_its_arguments_may_be_an_object(start, args):
    block = {"type": "tool_use", "name": "look", **start}
    message = await answer(
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "delta": {"partial_json": args}},
        END,
    )
    (call,) = message.tool_calls
    assert (call.name, json.loads(call.args), message.stop) == ("look", {"a": 1}, "tools")
    assert call.call_id


async def test_a_thought_needs_no_kind():
    message = await answer(
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking"}},
        {"type": "content_block_delta", "index": 0, "delta": {"thinking": "hm"}},
        {"type": "content_block_delta", "index": 0, "delta": {"signature": "S"}},
        {"type": "content_block_stop", "index": 0},
        text("Hi"),
        END,
    )
    assert message.parts == (ThinkingPart("hm", "S"), TextPart("Hi"))


async def test_an_answer_that_comes_whole_is_taken():
    body = {
        "type": "message",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "S"},
            {"type": "text", "text": "Hi"},
            {"type": "tool_use", "id": "t1", "name": "look", "input": {"a": 1}},
        ],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }
    async with AnthropicWire([Reply(raw=(json.dumps(body).encode(),))]) as server:
        message = await ask(model(server))
    assert message.parts[:2] == (ThinkingPart("hm", "S"), TextPart("Hi"))
    assert (message.tool_calls[0].args, message.stop) == ('{"a":1}', "tools")
    assert message.usage is not None
    assert message.usage.total_tokens == 5


@pytest.mark.parametrize("content", [[], None])
async def test_an_empty_answer_that_comes_whole_is_empty(content):
    body = json.dumps({"type": "message", "content": content, "stop_reason": "end_turn"})
    async with AnthropicWire([Reply(raw=(body.encode(),))]) as server:
        message = await ask(model(server))
    assert (message.parts, message.stop) == ((), "end")


@pytest.mark.parametrize(
    ("error", "words", "again"),
    [
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}}, "Busy", True),
        ({"error": {"type": "invalid_request_error", "message": "Bad"}}, "Bad", False),
        ({"error": "engine died"}, "engine died", True),
        ({"detail": "engine died"}, "engine died", True),
        ({"type": "error", "error": {"type": "billing_error", "message": "Pay"}}, "Pay", False),
    ],
)
async def test_an_error_in_a_stream_is_what_it_is_and_what_it_cost_is_counted(error, words, again):
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 1000}}}
    async with AnthropicWire([raw(start, text("Ha"), error)] * 2) as server:
        agent = Agent("a", model=model(server), retries=RetryPolicy(attempts=2, first=0.001))
        with pytest.raises(ModelError, match=words) as raised:
            await agent.run("go")
        asked = len(server.requests)
    assert (raised.value.retryable, asked) == (again, 1 + again)
    assert raised.value.run.usage.input_tokens == 1000 * asked


async def test_what_broken_tries_cost_is_counted():
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 1000}}}
    script = [raw(start, text("He")), raw(start, text("He")), raw(start, text("Hello"), STOP, END)]
    async with AnthropicWire(script) as server:
        agent = Agent("a", model=model(server), retries=RetryPolicy(first=0.001))
        run = await agent.run("go")
    assert (run.output, run.usage.input_tokens) == ("Hello", 3000)


@pytest.mark.parametrize(
    "data", [b"data: 5\n\n", b'data: {"type": "message_start", "message": 7}\n\n']
)
async def test_an_event_of_an_unknown_form_is_the_servers_fault(data):
    with pytest.raises(ModelError, match="unknown form"):
        await answer(data)


@pytest.mark.parametrize("name", ["claude-sonnet-4-20250514", "claude-3-7-sonnet-20250219"])
@pytest.mark.parametrize("kind", ["enabled", "adaptive", "disabled"])
async def test_no_tool_is_forced_while_the_model_thinks(name, kind):
    settings = Settings(extra={"thinking": {"type": kind}, "top_k": None})
    async with AnthropicWire([reply('{"value": 3}')]) as server:
        agent = Agent("a", model=model(server, name), output_type=int, settings=settings)
        assert (await agent.run("go")).output == 3
    body = server.requests[0].json
    assert body.get("tool_choice") == ({"type": "any"} if kind == "disabled" else None)
    assert "top_k" not in body


async def test_a_paused_answer_goes_back_without_the_space_at_its_end():
    said = Message("assistant", (TextPart("Let me see. \n"),), stop="paused")
    async with AnthropicWire([reply("Hi")]) as server:
        await ask(model(server), ModelRequest([user_message("go"), said]))
    assert server.requests[0].json["messages"][1]["content"][0]["text"] == "Let me see."


class Picky(AnthropicWire):
    """Refuses what its class names, in the words of Claude's API or of those who copy it."""

    refuses = ""
    words = ""

    def complaint(self, request: Request) -> Reply | None:
        return refuse(400, self.words) if self.refuses in request.json else None


@pytest.mark.parametrize(
    ("refuses", "words"),
    [
        ("output_config", "output_config: Extra inputs are not permitted"),
        ("output_config", "structured outputs are not supported"),
        ("tool_choice", "Thinking may not be enabled when tool_choice forces tool use."),
    ],
)
async def test_what_a_server_refuses_is_left_out_from_then_on(refuses, words):
    class Server(Picky):
        pass

    Server.refuses, Server.words = refuses, words
    answers = [reply(Call("final_answer", '{"value": 3}'))] * 2
    async with Server(answers) as server:
        made = model(server, "claude-sonnet-4-5" if refuses == "output_config" else "glm-5")
        agent = Agent("a", model=made, output_type=int, retries=RetryPolicy(attempts=1))
        assert [(await agent.run("go")).output for _ in range(2)] == [3, 3]
    assert [refuses in request.json for request in server.requests] == [True, False, False]
