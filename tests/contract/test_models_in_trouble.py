"""What every provider owes when things go wrong: errors, cancelling, connections, framing."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing

import pytest

from nbagents.errors import ContextOverflow, ModelError
from nbagents.events import TextDelta
from nbagents.messages import user_message
from nbagents.models.base import ModelRequest
from tests.contract.vendors import LONG, SECRET, Vendor, ask
from tests.wire.server import Call, refuse, reply

# Errors


@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        (400, False),
        (401, False),
        (403, False),
        (404, False),
        (408, True),
        (409, True),
        (429, True),
        (500, True),
        (503, True),
        (529, True),
    ],
)
async def test_an_http_error_says_all_that_is_known(vendor: Vendor, status: int, retryable: bool):
    async with vendor.wire([refuse(status, "Because of the moon.")]) as server:
        with pytest.raises(ModelError, match="Because of the moon") as raised:
            await ask(vendor.make(server.url))
    error = raised.value
    assert (error.provider, error.status, error.retryable) == (vendor.name, status, retryable)
    assert error.request_id == "req_1"
    assert error.retry_after is None
    assert len(server.requests) == 1, "the SDK tried again by itself"


async def test_a_wrong_key_names_the_variable_to_check(vendor: Vendor):
    async with vendor.wire([refuse(401, "invalid key"), refuse(403, "not allowed")]) as server:
        model = vendor.make(server.url)
        for _ in range(2):
            with pytest.raises(ModelError, match=vendor.key):
                await ask(model)


async def test_no_error_ever_holds_the_key(vendor: Vendor):
    script = [refuse(401, f"Incorrect API key provided: {SECRET}."), refuse(500, SECRET)]
    async with vendor.wire(script) as server:
        model = vendor.make(server.url)
        for _ in script:
            with pytest.raises(ModelError) as raised:
                await ask(model)
            error: BaseException | None = raised.value
            while error is not None:
                assert SECRET not in f"{error} {error!r} {error.__dict__}"
                error = error.__cause__
    assert SECRET not in repr(model)


async def test_the_vendor_may_say_how_long_to_wait(vendor: Vendor):
    async with vendor.wire([refuse(429, "Slow down.", retry_after=2.5)]) as server:
        with pytest.raises(ModelError) as raised:
            await ask(vendor.make(server.url))
    assert raised.value.retry_after == 2.5


@pytest.mark.parametrize(
    "complaint",
    [
        "This model's maximum context length is 8192 tokens, however you requested 9000 tokens.",
        "prompt is too long: 208310 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000",
        "Input is too long for requested model.",
    ],
)
async def test_a_conversation_too_long_is_an_error_of_its_own(vendor: Vendor, complaint: str):
    async with vendor.wire([refuse(400, complaint)]) as server:
        with pytest.raises(ContextOverflow) as raised:
            await ask(vendor.make(server.url))
    assert not raised.value.retryable


async def test_nobody_at_home_may_be_tried_again(vendor: Vendor):
    async with vendor.wire([]) as server:
        pass
    with pytest.raises(ModelError) as raised:
        await ask(vendor.make(server.url))
    assert raised.value.retryable
    assert raised.value.status is None


@pytest.mark.parametrize("end", ["cut", "short", "error"])
@pytest.mark.parametrize("after", [0, 4])
async def test_an_answer_that_breaks_off_may_be_tried_again(vendor: Vendor, end: str, after: int):
    broken = reply("Hello there, you all.", end=end, after=after, message="Out of luck.")
    async with vendor.wire([broken, reply("Hello.")]) as server:
        model = vendor.make(server.url)
        with pytest.raises(ModelError, match="Out of luck" if end == "error" else None) as raised:
            await ask(model)
        assert raised.value.retryable
        assert (await ask(model)).text == "Hello."


# Cancelling


@pytest.mark.parametrize("end", ["mute", "hang"])
async def test_cancelling_hangs_up_at_once_and_leaves_nothing(vendor: Vendor, end: str):
    script = [reply("Warm."), reply("Hello there, you all.", end=end, after=6), reply("Hi again.")]
    with vendor.wire(script) as server:
        model = vendor.make(server.url)
        await ask(model)
        threads = set(threading.enumerate())
        begun = asyncio.Event()

        async def read() -> None:
            stream = model.stream(ModelRequest([user_message("Hello?")]))
            async with aclosing(stream):
                async for _ in stream:
                    begun.set()

        task = asyncio.create_task(read())
        async with asyncio.timeout(5):
            await server.arrived(2)
            if end == "hang":
                await begun.wait()
        async with asyncio.timeout(0.5):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await server.hung_up(2, within=1)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        for thread in set(threading.enumerate()) - threads:
            thread.join(1)
            assert not thread.is_alive()
        assert (await ask(model)).text == "Hi again."


async def test_walking_away_from_an_answer_hangs_up(vendor: Vendor):
    async with vendor.wire([reply("Hello there, you all.", end="hang", after=6)]) as server:
        stream = vendor.make(server.url).stream(ModelRequest([user_message("Hello?")]))
        async with aclosing(stream), asyncio.timeout(5):
            assert isinstance(await anext(stream), TextDelta)
        await server.hung_up(within=1)


# Clients and connections


async def test_one_connection_serves_one_request_after_the_other(vendor: Vendor):
    script = [reply("1"), refuse(429), reply(Call("now")), reply("4")]
    async with vendor.wire(script) as server:
        model = vendor.make(server.url)
        await ask(model)
        with pytest.raises(ModelError):
            await ask(model)
        await ask(model)
        await ask(model)
    assert server.connections == 1


def test_one_model_works_in_one_event_loop_after_the_other(vendor: Vendor):
    with vendor.wire([reply("1"), reply("2"), reply("3")]) as server:
        model = vendor.make(server.url)
        answers = [asyncio.run(ask(model)).text for _ in range(3)]
    assert answers == ["1", "2", "3"]


async def test_many_requests_at_once_each_get_their_own_answer(vendor: Vendor):
    async with vendor.wire([reply(f"{number}") for number in range(30)]) as server:
        model = vendor.make(server.url)
        messages = await asyncio.gather(*(ask(model) for _ in range(30)))
    assert sorted(int(message.text) for message in messages) == list(range(30))


def test_making_a_model_needs_no_key_and_asks_nobody(vendor: Vendor, monkeypatch):
    monkeypatch.delenv(vendor.key, raising=False)
    assert vendor.make("http://127.0.0.1:9").name.startswith(f"{vendor.name}:")


# Framing


@pytest.mark.parametrize("step", [1, 7, 100_000])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
async def test_it_does_not_matter_where_the_network_cuts(vendor: Vendor, step: int, newline: str):
    answer = reply(LONG, Call("now", '{"city": "Zürich"}'), step=step, newline=newline)
    async with vendor.wire([answer]) as server:
        message = await ask(vendor.make(server.url))
    assert message.text == LONG
    assert message.tool_calls[0].args == '{"city": "Zürich"}'


async def test_comments_other_fields_and_data_of_many_lines_are_understood(vendor: Vendor):
    class Chatty(vendor.wire):
        def events(self, answer, request):
            for event in super().events(answer, request):
                fields = b": still here\nid: 7\nretry: 10\ndata: {\ndata:"
                yield b":\n\n" + event.replace(b"data: {", fields, 1)

    if vendor.name == "bedrock":
        Chatty = vendor.wire  # noqa: N806 - its frames know no comments
    async with Chatty([reply(LONG)]) as server:
        message = await ask(vendor.make(server.url))
    assert message.text == LONG


async def test_nonsense_on_the_wire_may_be_tried_again(vendor: Vendor):
    async with vendor.wire([reply(raw=(b"data: {oops ... ", b"\n\n"))]) as server:
        with pytest.raises(ModelError) as raised:
            await ask(vendor.make(server.url))
    assert raised.value.retryable
