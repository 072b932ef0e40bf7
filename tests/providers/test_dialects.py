"""What servers of chat completions take: known by their address, said by an option, or learned from a refusal."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from nbagents import Agent, ModelError, RetryPolicy, Settings, tool
from nbagents.messages import (
    Message,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    user_message,
)
from nbagents.models.base import ModelRequest, OutputSpec
from nbagents.providers.openai import Dialect, OpenAIModel
from tests.wire.chat import Bare, call, calls, delta, openai, raw
from tests.wire.server import Reply, Request

ONCE = RetryPolicy(attempts=1)
LOOK = ToolSpec("look", "Look.", {"type": "object", "properties": {}})
EVERYTHING = ModelRequest(
    [
        user_message("q"),
        Message("assistant", (ToolCallPart("call_0123456789" * 4, "look", "{}"),)),
        user_message(ToolResultPart("call_0123456789" * 4, "look", (TextPart("seen"),))),
    ],
    tools=(LOOK,),
    tool_choice="required",
    output=OutputSpec("Answer", {"type": "object"}),
    settings=Settings(max_tokens=5),
)


class Picky(Bare):
    """Refuses a request by a rule: the words of its complaint, or nothing."""

    rule: Callable[[dict[str, Any]], str | None]
    status = 400

    def complaint(self, request: Request) -> Reply | None:
        refused = self.rule(request.json)
        return Reply(status=self.status, message=refused) if refused else None


def picky(rule: Callable[[dict[str, Any]], str | None], status: int = 400) -> type[Picky]:
    return type("Picky", (Picky,), {"rule": staticmethod(rule), "status": status})


def body(url: str, **options: Any) -> dict[str, Any]:
    model = OpenAIModel("m", base_url=url, api_key="k", **options)
    return json.loads(model._body(EVERYTHING))


@tool
def look() -> str:
    """Look."""
    return "seen"


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "https://x.openai.azure.com/openai/v1/",
        "https://x.services.ai.azure.com/openai/v1",
        "https://API.OpenAI.com/v1",
    ],
)
def test_openai_has_fields_of_its_own_however_its_address_is_given(url):
    sent = body(url)
    assert (sent["max_completion_tokens"], "max_tokens" in sent) == (5, False)
    assert len(sent["messages"][2]["tool_call_id"]) <= 40


def test_openai_needs_no_address(monkeypatch):
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert "max_completion_tokens" in json.loads(OpenAIModel("m", api_key="k")._body(EVERYTHING))


@pytest.mark.parametrize(
    ("url", "native", "beside", "lacks"),
    [
        ("http://localhost:8000/v1", True, True, ""),
        ("https://openrouter.ai/api/v1", True, True, ""),
        ("https://api.deepseek.com", False, True, ""),
        ("https://api.groq.com/openai/v1", False, True, ""),
        ("https://api.mistral.ai/v1", True, True, "stream_options"),
        ("https://adb-1.azuredatabricks.net/serving-endpoints", True, True, "stream_options"),
        ("https://generativelanguage.googleapis.com/v1beta/openai/", True, False, ""),
        ("https://api.cohere.ai/compatibility/v1", True, False, ""),
        ("https://api.z.ai/api/paas/v4", False, True, ""),
        ("https://not-mistral.ai.example.com/v1", True, True, ""),
    ],
)
def test_vendors_rules_are_known_by_their_address(url, native, beside, lacks):
    able = OpenAIModel("m", base_url=url, api_key="k").capabilities
    assert (able.native_output, able.native_output_with_tools) == (native, beside)
    sent = body(url)
    assert ("stream_options" in sent) == (lacks != "stream_options")
    assert "max_tokens" in sent


def test_mistral_gets_ids_of_nine_letters_and_digits():
    _, said, result = body("https://api.mistral.ai/v1")["messages"]
    call_id = said["tool_calls"][0]["id"]
    assert (len(call_id), call_id.isalnum()) == (9, True)
    assert result["tool_call_id"] == call_id


def test_an_option_says_what_a_server_takes():
    dialect = Dialect("max_completion_tokens", stream_options=False, forced_tools=False)
    sent = body("http://localhost:8000/v1", dialect=dialect)
    assert sent.keys() & {"max_tokens", "max_completion_tokens", "stream_options"} == {
        "max_completion_tokens"
    }
    assert sent["tool_choice"] == "auto"
    without = Dialect(json_schema=False)
    assert not OpenAIModel("m", base_url="http://x/v1", dialect=without).capabilities.native_output


def test_a_field_that_is_none_is_left_out():
    settings = Settings(extra={"stream_options": None, "top_k": 3})
    model = OpenAIModel("m", base_url="http://localhost:8000/v1", api_key="k")
    sent = json.loads(model._body(ModelRequest([user_message("q")], settings=settings)))
    assert ("stream_options" in sent, sent["top_k"]) == (False, 3)


@pytest.mark.parametrize(
    ("field", "complaint", "status"),
    [
        ("stream_options", "Unknown field: stream_options", 400),
        (
            "stream_options",
            '{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"no"}]}',
            422,
        ),
        ("max_tokens", "Unsupported parameter: use 'max_completion_tokens' instead.", 400),
    ],
)
async def test_what_a_server_refuses_is_left_out_from_then_on(field, complaint, status):
    server_of = picky(lambda sent: complaint if field in sent else None, status)
    async with server_of([raw(delta({"content": "ok"}, "stop"))] * 2) as server:
        settings = Settings(max_tokens=5)
        agent = Agent("a", model=openai(server), retries=ONCE, settings=settings)
        assert [(await agent.run("go")).output for _ in range(2)] == ["ok", "ok"]
    assert [field in request.json for request in server.requests] == [True, False, False]


async def test_the_newer_field_is_given_up_for_the_older():
    def rule(sent):
        return "Unrecognized: max_completion_tokens" if "max_completion_tokens" in sent else None

    async with picky(rule)([raw(delta({"content": "ok"}, "stop"))]) as server:
        dialect = Dialect(max_tokens="max_completion_tokens")
        model = OpenAIModel("m", base_url=server.url, api_key="k", dialect=dialect)
        await Agent("a", model=model, settings=Settings(max_tokens=5)).run("go")
    assert server.requests[-1].json["max_tokens"] == 5


@pytest.mark.parametrize(
    ("complaint", "with_tools"),
    [
        ("response_format json_schema is unavailable", True),
        ("This model does not support response format `json_schema`", False),
        ("tools and a JSON answer exclude each other", True),
        ("Function calling with a response mime type: 'application/json' is unsupported", True),
    ],
)
async def test_a_typed_answer_comes_by_a_tool_where_there_is_no_schema(complaint, with_tools):
    server_of = picky(lambda sent: complaint if "response_format" in sent else None)
    answers = [calls([call('{"value": 3}', name="final_answer")])] * 2
    async with server_of(answers) as server:
        tools = [look] if with_tools else []
        agent = Agent("a", model=openai(server), tools=tools, output_type=int, retries=ONCE)
        assert [(await agent.run("go")).output for _ in range(2)] == [3, 3]
    assert ["response_format" in request.json for request in server.requests] == [
        True,
        False,
        False,
    ]
    assert server.requests[-1].json["tool_choice"] == "required"


async def test_without_tools_the_schema_stays_where_only_tools_exclude_it():
    def rule(sent):
        both = "response_format" in sent and "tools" in sent
        return "json_schema cannot be used with tools" if both else None

    script = [calls([call('{"value": 3}', name="final_answer")])]
    async with picky(rule)([*script, raw(delta({"content": '{"value": 4}'}, "stop"))]) as server:
        model = openai(server)
        first = await Agent("a", model=model, tools=[look], output_type=int).run("go")
        second = await Agent("b", model=model, output_type=int).run("go")
    assert (first.output, second.output) == (3, 4)
    assert "response_format" in server.requests[-1].json


@pytest.mark.parametrize(
    "complaint",
    [
        "tool_choice 'required' is incompatible with thinking enabled",
        "In thinking mode no tool can be forced",
    ],
)
async def test_a_tool_is_asked_for_in_words_where_none_can_be_forced(complaint):
    server_of = picky(lambda sent: complaint if sent.get("tool_choice") == "required" else None)
    answers = [raw(delta({"content": "Three."}, "stop"))]
    answers.append(calls([call('{"value": 3}', name="final_answer")]))
    async with server_of(answers) as server:
        model = openai(server, Dialect(json_schema=False))
        run = await Agent("a", model=model, output_type=int, retries=ONCE).run("go")
    assert run.output == 3
    assert "Call final_answer" in server.requests[-1].body.decode()


async def test_ids_of_nine_letters_and_digits_are_learned():
    def rule(sent):
        ids = [one["tool_call_id"] for one in sent["messages"] if one["role"] == "tool"]
        complaint = "Tool call id was c1 but must be a-z, A-Z, 0-9, with a length of 9."
        return complaint if any(len(one) != 9 for one in ids) else None

    answers = [calls([call("{}", name="look")]), raw(delta({"content": "ok"}, "stop"))]
    async with picky(rule)(answers) as server:
        agent = Agent("a", model=openai(server), tools=[look], retries=ONCE)
        assert (await agent.run("go")).output == "ok"
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "complaint",
    ["stream_options is wrong", "max_completion_tokens is wrong", "json is wrong", "It is Monday."],
)
async def test_a_server_that_always_refuses_is_not_asked_for_ever(complaint):
    async with picky(lambda _: complaint)([]) as server:
        settings = Settings(max_tokens=5)
        agent = Agent("a", model=openai(server), output_type=int, settings=settings)
        with pytest.raises(ModelError, match=complaint):
            await agent.run("go")
    assert len(server.requests) <= 2
