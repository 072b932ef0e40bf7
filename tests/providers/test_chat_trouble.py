"""Servers that answer with no stream, or with an error: their words are told, at once."""

from __future__ import annotations

import json

import pytest

from nbagents import Agent, ModelError, RetryPolicy
from tests.contract.vendors import ask
from tests.wire.chat import A, B, Bare, call, delta, event, openai, raw
from tests.wire.openai import OpenAIWire
from tests.wire.server import Reply, reply

QUICK = RetryPolicy(first=0.001)


def plain(body: str) -> Reply:
    return Reply(raw=(body.encode(),))


WHOLE = {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}


@pytest.mark.parametrize("lead", ["", "\ufeff", "\n \n"])
async def test_an_answer_that_comes_whole_is_taken(lead):
    message = {"content": None, "tool_calls": [call(A, "left out"), call(B, "left out", id="c2")]}
    called = {"choices": [{"message": message, "finish_reason": "tool_calls"}]}
    spent = {"prompt_tokens": 3, "completion_tokens": 2}
    replies = [
        plain(lead + json.dumps(one, indent=1)) for one in ({**WHOLE, "usage": spent}, called)
    ]
    async with OpenAIWire(replies) as server:
        model = openai(server)
        said, calling = await ask(model), await ask(model)
    assert (said.text, said.usage.total_tokens) == ("Hi", 5)
    assert [one.args for one in calling.tool_calls] == [A, B]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error":"Unexpected endpoint or method. (POST /x)"}', "Unexpected endpoint"),
        ('{"detail": "Not here"}', "Not here"),
        ("<!DOCTYPE html><title>Sign &amp; in</title>", "HTML page .'Sign & in'.*base URL"),
        ("\n<html><body>Welcome <b>home</b>", "Welcome home"),
        ("No healthy upstream.\n", "No healthy upstream.*base URL"),
    ],
)
async def test_a_200_that_is_no_answer_says_so_at_once(body, words):
    async with OpenAIWire([plain(body)] * 5) as server:
        model = openai(server)
        with pytest.raises(ModelError, match=words):
            await Agent("a", model=model, retries=QUICK).run("go")
        assert len(server.requests) == 1


async def test_a_whole_answer_that_is_cut_is_asked_for_again():
    async with OpenAIWire([plain(json.dumps(WHOLE)[:30]), plain(json.dumps(WHOLE))]) as server:
        model = openai(server)
        assert (await Agent("a", model=model, retries=QUICK).run("go")).output == "Hi"


# Errors


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error":"try pulling it"}', "try pulling it"),
        ('{"error":{"message":"no tools"}}', "no tools"),
        ('{"error":{"error":{"message":"deep"}}}', "deep"),
        ('{"errors":["one","two"]}', "one; two"),
        ('{"detail":[{"loc":["body","tools"],"msg":"required"}]}', "body.tools: required"),
        ('{"object":"error","message":"engine died"}', "engine died"),
        ('[{"error":{"code":400,"message":"Use a valid role"}}]', "Use a valid role"),
        ('{"error":{"message":"Provider error","metadata":{"raw":"the cause"}}}', "the cause"),
        ('{"odd": 1}', '{"odd": 1}'),
        ('{"cut', '{"cut'),
        ("tools are not supported", "tools are not supported"),
        ("<html><title>Proxy: upstream is down</title></html>", "upstream is down"),
    ],
)
async def test_the_servers_words_are_told_in_every_form(body, words):
    async with Bare([Reply(status=400, message=body)]) as server:
        with pytest.raises(ModelError) as raised:
            await ask(openai(server))
    assert words in raised.value.message
    assert not raised.value.retryable


@pytest.mark.parametrize(
    ("error", "status", "again"),
    [
        ({"error": {"message": "slow down", "code": "429"}}, 429, True),
        ({"error": {"message": "slow down", "code": 429}}, 429, True),
        ({"error": {"message": "slow down", "type": "rate_limit_error"}}, 429, True),
        ({"error": {"message": "slow down", "status": "RESOURCE_EXHAUSTED"}}, 429, True),
        ({"error": {"message": "busy", "type": "ServiceUnavailableError"}}, 503, True),
        ({"error": {"message": "bad", "code": "400"}}, 400, False),
        ({"error": {"message": "bad", "type": "invalid_request_error", "code": None}}, 400, False),
        ({"error": {"message": "bad", "type": "BadRequestError"}}, 400, False),
        ({"error": {"message": "who?", "code": "invalid_api_key"}}, 401, False),
        ({"error": {"message": "quota", "code": "insufficient_quota"}}, 429, False),
        ({"error": {"message": "Insufficient Balance"}}, None, False),
        ({"error": {"message": "pay", "code": 402}}, 402, False),
        ({"error": "engine died"}, None, True),
        ({"detail": "engine died"}, None, True),
        ({"object": "error", "message": "engine died", "code": 500}, 500, True),
        (
            {"choices": [{"error": {"message": "x", "code": 502}, "finish_reason": "error"}]},
            502,
            True,
        ),
        ({"choices": [{"delta": {}, "finish_reason": "error"}]}, None, True),
        ({"choices": [{"delta": {}, "finish_reason": "network_error"}]}, None, True),
    ],
)
async def test_an_error_inside_a_stream_is_what_it_is(error, status, again):
    begun = delta({"content": "Hal"})
    spent = {"usage": {"prompt_tokens": 9, "completion_tokens": 1}}
    async with OpenAIWire([raw(begun, event({**error, **spent}))] * 2) as server:
        model = openai(server)
        with pytest.raises(ModelError) as raised:
            await Agent("a", model=model, retries=RetryPolicy(attempts=2, first=0.001)).run("go")
        assert len(server.requests) == 1 + again
    assert (raised.value.status, raised.value.retryable) == (status, again)
    assert raised.value.run.usage.total_tokens == 10 * len(server.requests)


@pytest.mark.parametrize(
    ("status", "message", "again"),
    [
        (429, '{"error":{"message":"You exceeded it","code":"insufficient_quota"}}', False),
        (429, '{"error":{"message":"You exceeded your quota per minute","code":429}}', True),
        (402, "Pay first.", False),
        (403, '{"error":{"message":"Your credit balance is too low"}}', False),
        (501, "Never.", False),
    ],
)
async def test_only_what_can_pass_is_tried_again(status, message, again):
    async with Bare([Reply(status=status, message=message)]) as server:
        with pytest.raises(ModelError) as raised:
            await ask(openai(server))
    assert raised.value.retryable == again
    assert ("Add credit" in str(raised.value)) == (not again and status != 501)


async def test_an_event_that_is_no_json_is_told_in_its_words():
    async with OpenAIWire([raw(b"event: error\ndata: Out of memory\n\n")]) as server:
        with pytest.raises(ModelError, match="not JSON: Out of memory"):
            await ask(openai(server))


@pytest.mark.parametrize("begun", ["d", "data", "data: {", ": hello\n", "event: x\n"])
async def test_a_stream_that_is_cut_at_its_start_may_be_tried_again(begun):
    async with OpenAIWire([plain(begun)]) as server:
        with pytest.raises(ModelError, match="broke off") as raised:
            await ask(openai(server))
    assert raised.value.retryable


async def test_an_end_without_an_answer_may_be_tried_again():
    async with OpenAIWire([raw(), reply("Hi")]) as server:
        model = openai(server)
        assert (await Agent("a", model=model, retries=QUICK).run("go")).output == "Hi"
