"""What is Bedrock's alone; what every provider owes is in tests/contract."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
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
    ToolResultPart,
    ToolSpec,
    Usage,
    user_message,
)
from nbagents.models.base import ModelRequest, OutputSpec, Settings
from nbagents.providers._boto import blocking_events
from nbagents.providers.bedrock import Answer, BedrockModel
from tests.contract.vendors import ask
from tests.wire.bedrock import BedrockWire, event, frame
from tests.wire.server import Call, Reply, Thinking, refuse, reply

CLAUDE = "us.anthropic.claude-sonnet-5-5"
NOVA = "amazon.nova-pro-v1:0"


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    """Give boto3 something to sign with, and no profile of the person who runs the tests."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")


@pytest.fixture
async def server() -> AsyncIterator[BedrockWire]:
    """Serve three plain answers."""
    async with BedrockWire([reply("Hi")] * 3) as server:
        yield server


def model(server: BedrockWire, name: str = CLAUDE) -> BedrockModel:
    return BedrockModel(name, region="us-east-1", endpoint_url=server.url)


async def sent(server: BedrockWire, request: ModelRequest, name: str = CLAUDE) -> Any:
    """Ask, and return the body that arrived."""
    await ask(model(server, name), request)
    return server.requests[-1].json


# Requests


async def test_the_model_is_in_the_address(server):
    await ask(model(server, "us.meta.llama4-scout-17b-instruct-v1:0"))
    path = "/model/us.meta.llama4-scout-17b-instruct-v1%3A0/converse-stream"
    assert server.requests[0].path == path


async def test_thoughts_go_back_as_they_came():
    thoughts = Thinking("First,", "c2VhbDE="), Thinking("", "sealed bytes", redacted=True)
    async with BedrockWire([reply(*thoughts, Call("now")), reply("Noon.")]) as server:
        first = await ask(model(server))
        await ask(model(server), ModelRequest([user_message("Hello?"), first]))
    sealed = "c2VhbGVkIGJ5dGVz"
    assert first.parts[0] == ThinkingPart("First,", "c2VhbDE=")
    assert first.parts[1] == ThinkingPart("", sealed, redacted=True)
    assert server.requests[1].json["messages"][1]["content"][:2] == [
        {"reasoningContent": {"reasoningText": {"text": "First,", "signature": "c2VhbDE="}}},
        {"reasoningContent": {"redactedContent": sealed}},
    ]


async def test_claude_is_asked_to_cache_and_others_are_not(server):
    request = ModelRequest([user_message("Hi")], "Be brief.")
    point = {"cachePoint": {"type": "default"}}
    for name, points in ((CLAUDE, [point]), (NOVA, [])):
        body = await sent(server, request, name)
        assert body["system"] == [{"text": "Be brief."}, *points]
        assert body["messages"][0]["content"] == [{"text": "Hi"}, *points]


@pytest.mark.parametrize(
    ("name", "native"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", True),
        ("global.anthropic.claude-opus-5", True),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/eu.anthropic.claude-haiku-5-5", True),
        ("anthropic.claude-3-haiku-20240307-v1:0", False),
        ("us.anthropic.claude-opus-4-1-20250805-v1:0", False),
        ("anthropic.claude-v2:1", False),
        (NOVA, False),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", False),
    ],
)
def test_only_recent_claudes_hold_an_answer_to_a_schema(name: str, native: bool):
    assert BedrockModel(name).capabilities.native_output is native


async def test_a_schema_that_cannot_be_held_is_asked_for_in_words(server):
    schema = {"type": "object", "additionalProperties": {"type": "integer"}}
    body = await sent(server, ModelRequest([user_message("Hi")], output=OutputSpec("It", schema)))
    assert "outputConfig" not in body
    assert body["system"][0]["text"].startswith("Answer with nothing but JSON")


async def test_extra_fields_join_those_of_the_settings(server):
    extra = {
        "inferenceConfig": {"topP": 0.9},
        "additionalModelRequestFields": {"thinking": {"type": "adaptive"}},
    }
    settings = Settings(max_tokens=5, extra=extra)
    body = await sent(server, ModelRequest([user_message("Hi")], settings=settings))
    assert body["inferenceConfig"] == {"topP": 0.9, "maxTokens": 5}
    assert body["additionalModelRequestFields"] == {"thinking": {"type": "adaptive"}}
    assert extra["inferenceConfig"] == {"topP": 0.9}


async def test_documents_get_names_that_bedrock_takes(server):
    def pdf(name: str | None) -> FilePart:
        return FilePart("application/pdf", b"%PDF", name=name)

    conversation = [
        user_message("Read.", pdf("Größe_v1.2 (final).pdf"), pdf(None), pdf("report.pdf")),
        Message("assistant", (ToolCallPart("c1", "fetch", "{}"),)),
        user_message(ToolResultPart("c1", "fetch", (pdf("Report.pdf"), pdf("...")))),
        Message("assistant", (TextPart("Done."),)),
        user_message("Again.", pdf("report.pdf")),
    ]
    body = await sent(server, ModelRequest(conversation))
    blocks = [block for message in body["messages"] for block in message["content"]]
    blocks += [
        inner for block in blocks for inner in block.get("toolResult", {}).get("content", [])
    ]
    names = {block["document"]["name"] for block in blocks if "document" in block}
    assert names == {
        "Gr e v1 2 (final)",
        "document",
        "report",
        "Report 2",
        "document 2",
        "report 3",
    }


async def test_nothing_to_say_is_for_the_vendor_to_refuse():
    refusal = refuse(400, "A conversation must start with a user message.")
    async with BedrockWire([refusal]) as server:
        with pytest.raises(ModelError, match="must start with a user message"):
            await ask(model(server), ModelRequest([user_message(" ")], "Be brief."))


async def test_files_may_lie_in_s3(server):
    picture = FilePart("image/jpeg", url="s3://bucket/cat.jpg")
    body = await sent(server, ModelRequest([user_message("Look.", picture)]))
    source = {"s3Location": {"uri": "s3://bucket/cat.jpg"}}
    assert {"image": {"format": "jpeg", "source": source}} in body["messages"][0]["content"]


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (FilePart("image/png", url="https://example.org/cat.png"), "example.org/cat.png first"),
        (FilePart("audio/mpeg", b"...", name="song.mp3"), r"song\.mp3 is audio/mpeg"),
    ],
)
async def test_a_file_that_bedrock_cannot_take_is_named(server, file: FilePart, reason: str):
    with pytest.raises(UserError, match=reason):
        await ask(model(server), ModelRequest([user_message(file)]))
    assert server.requests == []


async def test_a_tool_without_a_description_is_described_by_its_name(server):
    tool = ToolSpec("now", "", {"type": "object", "properties": {}})
    body = await sent(server, ModelRequest([user_message("Hi")], tools=(tool,)))
    assert body["toolConfig"]["tools"][0]["toolSpec"]["description"] == "now"
    assert "toolChoice" not in body["toolConfig"]


# Answers


@pytest.mark.parametrize("reason", ["malformed_tool_use", "malformed_model_output"])
async def test_words_that_bedrock_could_not_read_may_be_asked_for_again(reason: str):
    async with BedrockWire([reply("Hm", stop=reason)]) as server:
        with pytest.raises(ModelError, match=reason) as raised:
            await ask(model(server))
    assert raised.value.retryable


async def test_events_and_blocks_that_nobody_here_knows_are_passed_over():
    use = {"toolUseId": "s", "name": "web", "type": "server_tool_use"}
    answer = Reply(
        raw=(
            event("messageStart", {"role": "assistant"}),
            event("moonPhase", {"phase": "full"}),
            event("contentBlockStart", {"contentBlockIndex": 0, "start": {"toolUse": use}}),
            event(
                "contentBlockDelta",
                {"contentBlockIndex": 0, "delta": {"toolUse": {"input": "{}"}}},
            ),
            event("contentBlockStop", {"contentBlockIndex": 0}),
            event("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"citation": {}}}),
            event("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "Hi"}}),
            event("messageStop", {"stopReason": "moonrise"}),
        )
    )
    async with BedrockWire([answer]) as server:
        message = await ask(model(server))
    assert message == Message("assistant", (TextPart("Hi"),), "agent", None, "unknown")


@pytest.mark.parametrize(
    ("kind", "status", "retryable"),
    [
        ("throttlingException", 429, True),
        ("internalServerException", 500, True),
        ("modelStreamErrorException", 500, True),
        ("serviceUnavailableException", 503, True),
        ("validationException", 400, False),
    ],
)
async def test_an_exception_inside_the_stream_has_the_status_it_would_have_had(
    kind: str, status: int, retryable: bool
):
    headers = {":exception-type": kind, ":message-type": "exception"}
    answer = Reply(raw=(frame(headers, b'{"message": "So."}'),))
    async with BedrockWire([answer]) as server:
        with pytest.raises(ModelError, match=rf"So\. \({kind}\)") as raised:
            await ask(model(server))
    assert (raised.value.status, raised.value.retryable) == (status, retryable)


async def test_a_frame_with_a_wrong_sum_may_be_tried_again():
    whole = event("messageStart", {"role": "assistant"})
    async with BedrockWire([Reply(raw=(whole[:-1] + b"\0",))]) as server:
        with pytest.raises(ModelError, match="Checksum") as raised:
            await ask(model(server))
    assert raised.value.retryable


# Money


@pytest.mark.parametrize(
    ("about", "price"),
    [
        ({}, Decimal("0.0039655")),
        ({"serviceTier": {"type": "default"}}, Decimal("0.0039655")),
        ({"serviceTier": {"type": "priority"}}, None),
        ({"performanceConfig": {"latency": "optimized"}}, None),
    ],
)
def test_an_answer_is_priced_only_at_the_ordinary_rate(about: dict[str, Any], price: Any):
    answer = Answer()
    usage = {"inputTokens": 10, "outputTokens": 100, "totalTokens": 1960}
    cached = {"cacheReadInputTokens": 850, "cacheWriteInputTokens": 1000}
    answer.decode({"metadata": {"usage": usage | cached, **about}})
    model = BedrockModel(CLAUDE, region="us-east-1")
    model._client = model._make_client()
    assert model._usage(answer) == Usage(1860, 100, 850, price)


# The thread


class Stream:
    """A stream of boto3's kind: it blocks while it is iterated over, and can be closed."""

    def __init__(self, events: Iterator[Any]) -> None:
        self.events = events
        self.thread = threading.Thread()
        self.closed = False

    def __iter__(self) -> Iterator[Any]:
        self.thread = threading.current_thread()
        return self.events

    def close(self) -> None:
        self.closed = True


async def test_the_loop_goes_on_while_boto3_blocks():
    gate = threading.Event()

    def one_event() -> Iterator[int]:
        gate.wait(5)
        yield 1

    async def consume() -> list[Any]:
        return [batch async for batch in blocking_events(lambda: Stream(one_event()))]

    task = asyncio.create_task(consume())
    await asyncio.sleep(0)
    assert not task.done()
    gate.set()
    assert await task == [[1]]


async def test_a_slow_reader_slows_the_thread_and_the_end_ends_it():
    taken: list[int] = []

    def endless() -> Iterator[int]:
        for number in range(1_000_000):
            taken.append(number)
            yield number

    stream = Stream(endless())
    async with aclosing(blocking_events(lambda: stream)) as events:
        seen = list(await anext(events))
        async with asyncio.timeout(5):
            while len(taken) < len(seen) + 256:  # noqa: ASYNC110 - nothing else tells
                await asyncio.sleep(0.001)
    stream.thread.join(5)
    assert not stream.thread.is_alive()
    assert stream.closed
    assert seen == list(range(len(seen)))
    assert len(taken) <= len(seen) + 257


async def test_all_events_come_in_order_whoever_is_faster():
    stream = Stream(iter(range(20_000)))
    seen: list[int] = []
    async for batch in blocking_events(lambda: stream):
        seen += batch
        await asyncio.sleep(0)
    assert seen == list(range(20_000))
    assert stream.closed


async def test_an_error_comes_after_what_came_before_it():
    def broken() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    seen: list[int] = []

    async def consume() -> None:
        async for batch in blocking_events(lambda: Stream(broken())):
            seen.extend(batch)

    with pytest.raises(ZeroDivisionError):
        await consume()
    assert seen == [1]


# Set-up


async def test_a_field_that_converse_does_not_know_is_named(server):
    settings = Settings(extra={"moonPhase": "full"})
    with pytest.raises(UserError, match='Unknown parameter in input: "moonPhase"'):
        await ask(model(server), ModelRequest([user_message("Hi")], settings=settings))


async def test_a_wrong_signature_shows_no_token():
    complaint = "It does not match.\n\nThe Canonical String is 'x-amz-security-token:IQoJb3'"
    async with BedrockWire([refuse(403, complaint)]) as server:
        with pytest.raises(ModelError, match="It does not match") as raised:
            await ask(model(server))
    assert "IQoJb3" not in str(raised.value)


async def test_missing_credentials_are_named(server, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(UserError, match=r"Unable to locate credentials.*AWS_BEARER_TOKEN_BEDROCK"):
        await ask(model(server))


async def test_a_missing_region_is_named():
    with pytest.raises(UserError, match=r"region.*AWS_REGION"):
        await ask(BedrockModel(CLAUDE))


async def test_the_region_may_come_from_the_environment(server, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    await ask(BedrockModel(CLAUDE, endpoint_url=server.url))
    assert "/eu-central-1/bedrock/" in server.requests[0].headers["authorization"]


async def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(UserError, match=r'install "boto3>=1\.40"'):
        await ask(BedrockModel(CLAUDE, region="us-east-1"))
