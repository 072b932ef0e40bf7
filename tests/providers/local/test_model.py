"""The real SmolLM2 (98 MB), asked through the whole road: process, HTTP, grammar, protocol."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal

import pytest

from nbagents.errors import ContextOverflow, ModelError, UserError
from nbagents.events import TextDelta, ToolCallDelta
from nbagents.messages import (
    Message,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    user_message,
)
from nbagents.models.base import Capabilities, ModelDone, ModelRequest, OutputSpec, Settings
from nbagents.providers.local import LocalModel, available, stop_all
from nbagents.providers.local.process import serve
from nbagents.providers.local.schema import object_schema

SMALL = "smollm2-135m"
WEATHER = ToolSpec(
    "get_weather",
    "Get the current weather for a city.",
    object_schema(city={"type": "string"}),
    examples=(
        ("Is it sunny in Athens?", {"city": "Athens"}),
        ("How cold is it in Oslo?", {"city": "Oslo"}),
    ),
)
RESEARCHER = ToolSpec(
    "researcher", "Finds facts about cities.", object_schema(message={"type": "string"})
)


STORY = ModelRequest([user_message("Tell me a very long story about a king and his three sons.")])


@pytest.fixture(scope="module")
def weights() -> None:
    if SMALL not in available():
        pytest.fail(f"The weights are missing. Run: python -m nbagents local {SMALL}")


@pytest.fixture(scope="module")
def model(weights):
    yield LocalModel(SMALL)
    stop_all()


async def answer(model: LocalModel, request: ModelRequest) -> tuple[str, list, ModelDone]:
    """Return the text, the calls and the end of an answer."""
    chunks = [chunk async for chunk in model.stream(request)]
    assert isinstance(chunks[-1], ModelDone)
    text = "".join(chunk.text for chunk in chunks if isinstance(chunk, TextDelta))
    calls = [chunk for chunk in chunks if isinstance(chunk, ToolCallDelta)]
    assert len(chunks) == sum(isinstance(chunk, TextDelta) for chunk in chunks) + len(calls) + 1
    return text, calls, chunks[-1]


def asked(text: str, *tools: ToolSpec, max_tokens: int | None = None) -> ModelRequest:
    return ModelRequest([user_message(text)], tools=tools, settings=Settings(max_tokens=max_tokens))


def test_a_small_model_says_that_it_is_one():
    model = LocalModel(SMALL)
    assert model.name == "local:smollm2-135m"
    assert repr(model) == "LocalModel('smollm2-135m')"
    assert model.capabilities == Capabilities(
        tools=True,
        native_output=True,
        files=frozenset(),
        note="small local model, may be wrong",
    )


def test_the_default_is_what_the_environment_makes_it(monkeypatch):
    assert LocalModel().name == "local:qwen2.5-coder-0.5b"
    monkeypatch.setenv("NBAGENTS_LOCAL_MODEL", SMALL)
    assert LocalModel().name == "local:smollm2-135m"


async def test_without_weights_one_line_says_the_command_and_the_size(tmp_path, monkeypatch):
    monkeypatch.setenv("NBAGENTS_CACHE", str(tmp_path))
    for name, command in [("qwen2.5-coder-0.5b", "local"), (SMALL, f"local {SMALL}")]:
        with pytest.raises(UserError) as caught:
            await answer(LocalModel(name), asked("Hi"))
        assert re.fullmatch(
            rf"The weights of {name} are not on this machine yet\. "
            rf"Fetch them \(\d+ MB, once\) with: python -m nbagents {command}",
            str(caught.value),
        )


IN_A_CELL = """
import asyncio, sys
from IPython.core.interactiveshell import InteractiveShell
from nbagents.errors import UserError
from nbagents.models.base import ModelRequest
from nbagents.providers.local import LocalModel

InteractiveShell.instance()
try:
    asyncio.run(anext(LocalModel().stream(ModelRequest(()))))
except UserError as error:
    sys.stdout.write(str(error))
"""


def test_in_a_cell_the_command_is_a_magic(tmp_path):
    places = {"NBAGENTS_CACHE": str(tmp_path), "IPYTHONDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", IN_A_CELL],
        env={**os.environ, **places},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("Fetch them (491 MB, once) with: %nbagents local")


async def test_a_path_names_a_model_of_the_users_own(tmp_path):
    path = tmp_path / "mine.gguf"
    path.write_bytes(b"no model at all")
    model = LocalModel(str(path))
    assert model.name == f"local:{path}"
    with pytest.raises(UserError, match=r"mine\.gguf could not be loaded: .*failed to load model"):
        await answer(model, asked("Hi"))


@pytest.mark.local_model
async def test_text_streams_and_is_counted(model):
    chunks = [
        chunk async for chunk in model.stream(replace(STORY, settings=Settings(max_tokens=20)))
    ]
    *deltas, done = chunks
    assert len(deltas) > 10
    assert all(isinstance(delta, TextDelta) and delta.text for delta in deltas)
    assert done.stop == "length"
    assert 10 < done.usage.input_tokens < 100
    assert done.usage.output_tokens >= len(deltas)
    assert done.usage.cost == Decimal(0)


@pytest.mark.local_model
async def test_instructions_and_history_that_came_before_are_not_read_again(model):
    request = asked("What is the weather in Paris?", WEATHER)
    await answer(model, request)
    _, _, done = await answer(model, replace(request, messages=[user_message("Weather in Rome?")]))
    assert done.usage.cached_tokens > 100


@pytest.mark.local_model
async def test_an_answer_is_as_long_as_it_may_be(model):
    text, _, done = await answer(model, asked("Tell me a long story.", max_tokens=8))
    assert text
    assert (done.stop, done.usage.output_tokens) == ("length", 8)


@pytest.mark.local_model
async def test_a_tool_is_called_and_its_result_is_told(model):
    # This model is too small to choose well between a tool and an answer.
    request = replace(asked("What is the weather in Paris?", WEATHER), tool_choice="required")
    text, (call,), done = await answer(model, request)
    assert (text, call.index, call.name, json.loads(call.args), done.stop) == (
        "",
        0,
        "get_weather",
        {"city": "Paris"},
        "tools",
    )
    part = ToolResultPart(call.call_id, call.name, (TextPart("31 °C and sunny"),))
    history = [
        *request.messages,
        Message("assistant", (ToolCallPart(call.call_id, call.name, call.args),)),
        Message("user", (part,)),
    ]
    chunks = [
        chunk
        async for chunk in model.stream(replace(request, messages=history, tool_choice="auto"))
    ]
    text = "".join(chunk.text for chunk in chunks[:-1])
    assert "31 °C" in text
    assert len(chunks) > 5
    assert chunks[-1].stop == "end"


@pytest.mark.local_model
async def test_each_call_has_an_id_of_its_own(model):
    request = replace(asked("What is the weather in Paris?", WEATHER), tool_choice="required")
    calls = [(await answer(model, request))[1][0] for _ in range(2)]
    assert calls[0].args == calls[1].args
    assert calls[0].call_id != calls[1].call_id


@pytest.mark.local_model
async def test_an_agent_that_stands_as_a_tool_is_asked(model):
    _, (call,), _ = await answer(model, asked("Ask the researcher how old Rome is.", RESEARCHER))
    assert call.name == "researcher"
    assert "Rome" in json.loads(call.args)["message"]


@pytest.mark.local_model
async def test_a_greeting_calls_no_tool(model):
    text, calls, done = await answer(model, asked("Hello!", WEATHER))
    assert text
    assert not calls
    assert done.stop == "end"


@pytest.mark.local_model
async def test_a_call_can_be_demanded(model):
    request = replace(asked("Hello!", WEATHER), tool_choice="required")
    text, (call,), done = await answer(model, request)
    assert (text, call.name, done.stop) == ("", "get_weather", "tools")


@pytest.mark.local_model
async def test_the_same_call_is_not_made_twice(model):
    question = user_message("What is the weather in Paris?")
    call = ToolCallPart("1", "get_weather", '{"city": "Paris"}')
    part = ToolResultPart("1", "get_weather", (TextPart("What is the weather in Paris?"),))
    history = [question, Message("assistant", (call,)), Message("user", (part,))]
    text, calls, done = await answer(model, replace(asked("", WEATHER), messages=history))
    assert text
    assert not calls
    assert done.stop == "end"


@pytest.mark.local_model
async def test_a_schema_is_filled_in(model):
    schema = {
        "$defs": {"Country": {"enum": ["France", "Germany"], "type": "string"}},
        **object_schema(
            city={"type": "string"},
            country={"$ref": "#/$defs/Country"},
            population={"anyOf": [{"type": "integer"}, {"type": "null"}]},
        ),
    }
    request = replace(
        asked("Berlin is in Germany and has 3700000 people."), output=OutputSpec("City", schema)
    )
    text, calls, done = await answer(model, request)
    city = json.loads(text)
    assert list(city) == ["city", "country", "population"]
    assert (city["city"], city["country"]) == ("Berlin", "Germany")
    assert not calls
    assert done.stop == "end"


@pytest.mark.local_model
async def test_a_schema_and_tools_go_together(model):
    request = replace(
        asked("What is the weather in Paris?", WEATHER),
        output=OutputSpec("Report", object_schema(sunny={"type": "boolean"})),
    )
    text, calls, done = await answer(model, request)
    if not calls:
        assert isinstance(json.loads(text)["sunny"], bool)
    call = ToolCallPart("1", "get_weather", '{"city": "Paris"}')
    failed = ToolResultPart("1", "get_weather", (TextPart("Out of order."),), is_error=True)
    history = [*request.messages, Message("assistant", (call,)), Message("user", (failed,))]
    text, calls, done = await answer(model, replace(request, messages=history))
    assert isinstance(json.loads(text)["sunny"], bool)
    assert not calls
    assert done.stop == "end"


@pytest.mark.local_model
async def test_json_that_does_not_end_is_an_error(model):
    request = replace(
        asked("Tell me a story.", max_tokens=8),
        output=OutputSpec(
            "Story", object_schema(title={"type": "string"}, text={"type": "string"})
        ),
    )
    with pytest.raises(ModelError, match="ended at max_tokens=8") as caught:
        await answer(model, request)
    assert not caught.value.retryable


@pytest.mark.local_model
async def test_a_call_that_does_not_end_is_asked_for_once_more_and_then_an_error(model):
    with pytest.raises(ModelError, match="ended at max_tokens=4"):
        await answer(model, asked("What is the weather in Paris?", WEATHER, max_tokens=4))


@pytest.mark.local_model
async def test_too_long_a_conversation_is_an_overflow(model):
    with pytest.raises(ContextOverflow, match="exceeds the available context size"):
        await answer(model, asked("word " * 6000))


@pytest.mark.local_model
async def test_closing_the_stream_frees_the_model_at_once(model):
    start = time.monotonic()
    async with aclosing(model.stream(STORY)) as chunks:
        for _ in range(10):
            assert isinstance(await anext(chunks), TextDelta)
    ten_tokens = time.monotonic() - start
    text, _, _ = await answer(model, asked("Hi", max_tokens=1))
    assert text
    # To its end the story would have taken sixty times as long.
    assert time.monotonic() - start < 15 * ten_tokens


@pytest.mark.local_model
async def test_a_cancelled_request_leaves_nothing_behind(model):
    first = asyncio.Event()

    async def tell() -> None:
        async for _ in model.stream(STORY):
            first.set()

    task = asyncio.create_task(tell())
    await first.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert (await answer(model, asked("Hi", max_tokens=1)))[0]


@pytest.mark.local_model
async def test_three_ask_at_once_and_each_gets_its_own_answer(model):
    names = ["first", "second", "third"]
    questions = [
        replace(asked("Who are you?"), output=OutputSpec("Me", object_schema(me={"const": name})))
        for name in names
    ]
    answers = await asyncio.gather(*(answer(model, question) for question in questions))
    assert [json.loads(text) for text, _, _ in answers] == [{"me": name} for name in names]


@pytest.mark.local_model
async def test_a_model_that_was_killed_says_so_and_comes_back(model):
    stream = model.stream(STORY)
    await anext(stream)
    os.kill(serve(*model._file())._process.pid, signal.SIGKILL)
    with pytest.raises(ModelError, match="process ended with code -9") as caught:
        async for _ in stream:
            pass
    assert caught.value.retryable
    assert (await answer(model, asked("Hi", max_tokens=1)))[0]


@pytest.mark.local_model
async def test_without_the_key_the_server_answers_nobody(model):
    import httpx2

    await answer(model, asked("Hi", max_tokens=1))
    server = serve(*model._file())
    async with server.clients.lease() as client, httpx2.AsyncClient() as stranger:
        for path in ("chat/completions", "../props", "../slots"):
            url = client.base_url.join(path)
            refused = await stranger.request("POST" if "chat" in path else "GET", url)
            assert refused.status_code == 401
