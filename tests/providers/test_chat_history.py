"""What goes back to a server of chat completions, and what only to the one that it came from."""

from __future__ import annotations

import json

import pytest

from nbagents import Agent, tool
from tests.wire.chat import A, B, call, calls, delta, openai, raw
from tests.wire.openai import OpenAIWire
from tests.wire.server import reply


@pytest.mark.parametrize(
    ("fields", "back"),
    [
        ({"reasoning_content": "I must add"}, {"reasoning_content": "I must add"}),
        ({"reasoning": "I must add"}, {"reasoning": "I must add"}),
        (
            {"reasoning_details": [{"type": "reasoning.encrypted", "data": "QQ=="}]},
            {"reasoning_details": [{"type": "reasoning.encrypted", "data": "QQ=="}]},
        ),
        (
            {"content": [{"type": "thinking", "thinking": "hm", "signature": "SIG"}]},
            {
                "content": [
                    {
                        "type": "thinking",
                        "thinking": [{"type": "text", "text": "hm"}],
                        "signature": "SIG",
                    }
                ]
            },
        ),
        ({"content": "<think>hm</think>"}, {"content": None}),
    ],
)
async def test_a_thought_goes_back_with_its_call_to_its_own_server_alone(fields, back):
    answers = [raw(delta(fields), delta({"tool_calls": [call(A)]}, "tool_calls"))]
    answers.append(raw(delta({"content": "three"}, "stop")))

    @tool
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    async with OpenAIWire(answers) as server, OpenAIWire([reply("Hi")]) as other:
        model = openai(server)
        run = await Agent("a", model=model, tools=[add]).run("go")
        elsewhere = openai(other)
        await Agent("a", model=elsewhere).run([*run.messages, "And you?"])
    sent = server.requests[1].json["messages"][1]
    assert {name: sent[name] for name in back} == back
    assert sent.keys() - {"role", "content", "tool_calls"} == back.keys() - {"content"}
    assert other.requests[0].json["messages"][1].keys() == {"role", "content", "tool_calls"}


async def test_details_that_come_in_pieces_go_back_whole():
    pieces = [{"type": "reasoning.text", "index": 0, "text": "I ", "signature": None}]
    pieces.append({"type": "reasoning.text", "index": 0, "text": "add", "signature": "S"})
    events = [delta({"reasoning": one["text"], "reasoning_details": [one]}) for one in pieces]
    async with OpenAIWire([raw(*events, delta({"tool_calls": [call(A)]})), reply("Hi")]) as server:
        await Agent("a", model=openai(server)).run("go")
    (detail,) = server.requests[1].json["messages"][1]["reasoning_details"]
    assert (detail["text"], detail["signature"]) == ("I add", "S")


async def test_what_a_vendor_adds_to_a_call_goes_back_with_it():
    signed = [{**call(A), "extra_content": {"google": {"thought_signature": "SIG"}}}]
    signed.append(call(B, 1, id="c2"))
    async with OpenAIWire([calls(signed), reply("Hi")]) as server:
        await Agent("a", model=openai(server)).run("go")
    first, second = server.requests[1].json["messages"][1]["tool_calls"]
    assert first["extra_content"] == {"google": {"thought_signature": "SIG"}}
    assert "extra_content" not in second


@pytest.mark.parametrize(
    "args", ['{"b": "he said "hi""}', "[1]", "null x", '{"a": NaN}', "7", '{"a']
)
async def test_what_the_model_wrote_wrongly_goes_back_as_json(args):
    wrong = calls([{**call(args), "function": {"name": "no such tool!", "arguments": args}}])
    async with OpenAIWire([wrong, reply("Hi")]) as server:
        await Agent("a", model=openai(server)).run("go")
    sent = server.requests[1].json["messages"][1]["tool_calls"][0]["function"]
    assert json.loads(sent["arguments"]) == {"_malformed": args}
    assert sent["name"] == "no_such_tool_"
