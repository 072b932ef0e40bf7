"""What every provider owes the rest of the house, held against servers that speak as the vendors do."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import Any

import pytest

from nbagents.events import TextDelta, ThinkingDelta, ToolCallDelta
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
from nbagents.models.base import ModelDone, ModelRequest, OutputSpec, Settings
from tests.contract.vendors import LONG, Vendor, ask, collected, content, encoded
from tests.wire.server import Call, Thinking, Tokens, reply

WEATHER = ToolSpec(
    "get_weather",
    "Tell the weather.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
PNG = b"\x89PNG\r\n\x1a\n not really"


# Text, thoughts, calls


async def test_text_arrives_in_pieces_that_add_up(vendor: Vendor):
    async with vendor.wire([reply(LONG)]) as server:
        model = vendor.make(server.url)
        async with aclosing(model.stream(ModelRequest([user_message("Hello?")]))) as stream:
            chunks = [chunk async for chunk in stream]
    deltas = [chunk.text for chunk in chunks if isinstance(chunk, TextDelta)]
    assert len(deltas) > 5
    assert "".join(deltas) == LONG
    assert isinstance(chunks[-1], ModelDone)


async def test_a_thought_comes_before_the_text_and_keeps_its_seal(vendor: Vendor):
    thought = Thinking("Let me think about this.", "c2lnbmVk" if vendor.seals else None)
    async with vendor.wire([reply(thought, "Hi")]) as server:
        message = await ask(vendor.make(server.url))
    sealed, said = message.parts
    assert said == TextPart("Hi")
    if vendor.seals:
        assert sealed == ThinkingPart(thought.text, thought.signature)
    else:  # The seal is ours: it says which server may have the thought back.
        assert (sealed.text, sealed.signature[:5]) == (thought.text, "chat:")


async def test_a_thought_streams(vendor: Vendor):
    async with vendor.wire([reply(Thinking("Let me think about this."), "Hi")]) as server:
        model = vendor.make(server.url)
        async with aclosing(model.stream(ModelRequest([user_message("Hello?")]))) as stream:
            thoughts = [chunk.text async for chunk in stream if isinstance(chunk, ThinkingDelta)]
    assert len(thoughts) > 3
    assert "".join(thoughts) == "Let me think about this."


async def test_a_call_split_over_deltas_is_one_call(vendor: Vendor):
    args = '{"city": "Zürich", "days": [1, 2], "note": "a \\"b\\""}'
    async with vendor.wire([reply("Let me see.", Call("get_weather", args, "c1"))]) as server:
        model = vendor.make(server.url)
        request = ModelRequest([user_message("Weather?")], tools=(WEATHER,))
        async with aclosing(model.stream(request)) as stream:
            chunks = [chunk async for chunk in stream]
    message = collected(chunks)
    deltas = [chunk for chunk in chunks if isinstance(chunk, ToolCallDelta)]
    assert [delta.name for delta in deltas if delta.name] == ["get_weather"]
    assert {delta.index for delta in deltas} == {0}
    assert message.parts == (TextPart("Let me see."), ToolCallPart("c1", "get_weather", args))
    assert message.stop == "tools"


async def test_parallel_calls_keep_their_order_and_ids(vendor: Vendor):
    calls = [Call("get_weather", f'{{"city": "{city}"}}', f"c{city}") for city in "ABC"]
    async with vendor.wire([reply(*calls)]) as server:
        message = await ask(vendor.make(server.url))
    assert message.tool_calls == tuple(ToolCallPart(one.id, one.name, one.args) for one in calls)


async def test_a_call_without_arguments_has_an_empty_object(vendor: Vendor):
    async with vendor.wire([reply(Call("now"))]) as server:
        message = await ask(vendor.make(server.url))
    assert message.tool_calls == (ToolCallPart("call_1", "now", "{}"),)


async def test_arguments_that_are_not_json_stay_as_they_are(vendor: Vendor):
    async with vendor.wire([reply(Call("get_weather", '{"city": "Par'))]) as server:
        message = await ask(vendor.make(server.url))
    assert message.tool_calls == (ToolCallPart("call_1", "get_weather", '{"city": "Par'),)


async def test_two_calls_with_one_id_get_ids_of_their_own(vendor: Vendor):
    async with vendor.wire([reply(Call("a", id="same"), Call("b", id="same"))]) as server:
        message = await ask(vendor.make(server.url))
    assert [call.name for call in message.tool_calls] == ["a", "b"]
    assert len({call.call_id for call in message.tool_calls}) == 2


async def test_an_empty_answer_is_an_empty_message(vendor: Vendor):
    async with vendor.wire([reply()]) as server:
        message = await ask(vendor.make(server.url))
    assert message.parts == ()
    assert message.stop == "end"


# What is sent


async def test_a_conversation_full_of_trouble_is_sent_so_that_the_vendor_takes_it(vendor: Vendor):
    conversation = [
        user_message("Weather?", ""),
        Message(
            "assistant",
            (
                ThinkingPart("cut short, so it has no seal"),
                TextPart("Let me see."),
                ToolCallPart("c1", "get_weather", '{"city": "Zürich"}'),
                ToolCallPart("c2", "get_weather", '{"city": "Par'),
                ToolCallPart("c3", "get_weather", "[1]"),
            ),
        ),
        user_message(
            ToolResultPart("c1", "get_weather", (TextPart("18 °C"),)),
            ToolResultPart("c2", "get_weather", (TextPart("No JSON."),), is_error=True),
            ToolResultPart("c3", "get_weather", (TextPart(""),)),
        ),
        Message("assistant", ()),
        user_message("And now?"),
        Message("assistant", (TextPart("It is"),), stop="interrupted"),
        user_message("Go on."),
    ]
    async with vendor.wire([reply("Fine.")] * 2) as server:
        model = vendor.make(server.url)
        assert (await ask(model, ModelRequest(conversation, tools=(WEATHER,)))).text == "Fine."
        assert (await ask(model, ModelRequest(conversation))).text == "Fine."
    sent = json.dumps(server.requests[0].json, ensure_ascii=False)
    for text in ("Weather?", "Let me see.", "Zürich", '\\"Par', "18 °C", "No JSON.", "Go on."):
        assert text in sent
    assert "no seal" not in sent


async def test_a_message_is_sent_in_the_same_bytes_every_time(vendor: Vendor):
    first = user_message("One", FilePart("application/pdf", b"%PDF", name="report.pdf"))
    async with vendor.wire([reply("Two")] * 2) as server:
        model = vendor.make(server.url)
        second = await ask(model, ModelRequest([first]))
        await ask(model, ModelRequest([first, second, user_message("Three")]))
    was, now = (request.json["messages"] for request in server.requests)
    assert was[0]["content"][:2] == now[0]["content"][:2]


async def test_tools_are_offered_and_can_be_forced(vendor: Vendor):
    async with vendor.wire([reply("Hi")]) as server:
        request = ModelRequest(
            [user_message("Weather?")], "Be brief.", (WEATHER,), tool_choice="required"
        )
        await ask(vendor.make(server.url), request)
    body = server.requests[0].json
    assert vendor.tools(body) == [("get_weather", "Tell the weather.", WEATHER.parameters)]
    assert vendor.forced(body)
    assert "Be brief." in server.requests[0].body.decode()


async def test_the_answer_is_held_to_a_schema(vendor: Vendor):
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    }
    async with vendor.wire([reply('{"city": "Bern"}')]) as server:
        model = vendor.make(server.url)
        assert model.capabilities.native_output
        request = ModelRequest([user_message("Where?")], output=OutputSpec("Place", schema))
        message = await ask(model, request)
    assert vendor.schema(server.requests[0].json) == schema
    assert message.text == '{"city": "Bern"}'


async def test_an_image_and_a_pdf_go_in_by_their_bytes(vendor: Vendor):
    files = FilePart("image/png", PNG), FilePart("application/pdf", b"%PDF-1.7", name="report.pdf")
    async with vendor.wire([reply("A cat.")]) as server:
        await ask(vendor.make(server.url), ModelRequest([user_message("What is this?", *files)]))
    sent = content(server.requests[0].json)
    assert vendor.image(encoded(PNG)) in sent
    assert vendor.pdf(encoded(b"%PDF-1.7")) in sent


async def test_a_tool_can_answer_with_an_image(vendor: Vendor):
    result = ToolResultPart("c1", "plot", (TextPart("Done."), FilePart("image/png", PNG)))
    conversation = [
        user_message("Plot it."),
        Message("assistant", (ToolCallPart("c1", "plot", "{}"),)),
        user_message(result),
    ]
    async with vendor.wire([reply("A curve.")]) as server:
        await ask(vendor.make(server.url), ModelRequest(conversation))
    sent = server.requests[0].body.decode()
    assert encoded(PNG) in sent
    assert "Done." in sent


async def test_settings_reach_the_vendor(vendor: Vendor):
    settings = Settings(temperature=0.5, max_tokens=100, extra={"metadata": {"user_id": "me"}})
    async with vendor.wire([reply("Hi")]) as server:
        if vendor.name == "bedrock":
            settings = Settings(0.5, 100, {"requestMetadata": {"user_id": "me"}})
        await ask(vendor.make(server.url), ModelRequest([user_message("Hi")], settings=settings))
    body = server.requests[0].json
    assert vendor.sampling(body) == (0.5, 100)
    assert {"user_id": "me"} in body.values()


# What it cost, why it stopped


async def test_usage_counts_all_tokens_and_the_cached_ones_among_them(vendor: Vendor):
    spent = Tokens(input=1000, output=50, cached=600, written=0 if vendor.name == "openai" else 300)
    async with vendor.wire([reply("Hi", tokens=spent)]) as server:
        message = await ask(vendor.make(server.url))
    assert message.usage == Usage(1000, 50, 600, cost=None)


@pytest.mark.parametrize("stop", ["end", "length", "filtered", "tools"])
async def test_the_reason_to_stop_is_told(vendor: Vendor, stop: str):
    parts: list[Any] = [Call("now")] if stop == "tools" else ["Hi"]
    async with vendor.wire([reply(*parts, stop=stop)]) as server:
        message = await ask(vendor.make(server.url))
    assert message.stop == stop
