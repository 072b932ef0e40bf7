"""Chat completions as servers really stream them: pieces, calls, thoughts and ends of every form."""

from __future__ import annotations

import json

import pytest

from nbagents import Agent, tool
from nbagents.messages import FilePart, TextPart, ThinkingPart
from tests.contract.vendors import ask
from tests.wire.chat import DONE, A, B, answer, call, calls, delta, event, openai, raw
from tests.wire.openai import OpenAIWire
from tests.wire.server import Reply


async def called(reply: Reply) -> list[tuple[int, int]]:
    ran: list[tuple[int, int]] = []

    @tool
    def add(a: int, b: int = 0) -> int:
        """Add."""
        ran.append((a, b))
        return a + b

    async with OpenAIWire([reply, raw(delta({"content": "ok"}, "stop"))]) as server:
        model = openai(server)
        await Agent("a", model=model, tools=[add]).run("go")
        sent = server.requests[1].json["messages"]
    asked = [one["id"] for one in sent[1]["tool_calls"]]
    assert asked == [message["tool_call_id"] for message in sent[2:]]
    assert len(set(asked)) == len(asked)
    return sorted(ran)


# Calls


@pytest.mark.parametrize(
    "chunks",
    [
        [[call(A)], [call(B, id="c2")]],
        [[call(A), call(B, id="c2")]],
        [[call(A, None), call(B, None, id="c2")]],
        [[call(A, "left out")], [call(B, "left out", id="c2")]],
        [[call(A, "0")], [call(B, "1", id="c2")]],
        [[call(A, id=None)], [call(B, id=None)]],
        [[call(A, id="null"), call(B, id="null")]],
        [[call(A, "left out", id=None), call(B, "left out", id=None)]],
        [[call(A[:4]), call(B[:4], id="c2")], [call(A[4:]), call(B[4:], id="c2")]],
        [
            [call(A[:4], 0), call(B[:4], 1, id="c2")],
            [call(B[4:], 1, None, None)],
            [call(A[4:], 0, None, None)],
        ],
        [[call(A, 0, id="same"), call(B, 1, id="same")]],
        [[call("{}")], [call(A, 0, "", None)], [call(B, 1, id="c2")]],
        [[call("")], [call("", id="c2")], [call(A, 0, None)], [call(B, 0, None, id="c2")]],
        [
            [call("", None)],
            [call("", None, id="c2")],
            [call(A, None, "")],
            [call(B, None, "", "c2")],
        ],
    ],
)
async def test_two_calls_are_two_whatever_the_index_says(chunks):
    assert await called(calls(*chunks)) == [(1, 2), (3, 4)]


@pytest.mark.parametrize(
    "chunks",
    [
        [[call(A[:5])], [call(A[5:])]],
        [[call(A[:5], id=None)], [call(A[5:], id=None)]],
        [[call("{}")], [call(A, 0, None, None)]],
        [[call("null")], [call(A, 0, None, None)]],
        [[call(None)], [call(A, 0, None, "")]],
        [[call("", 0, "a")], [call(A, 0, "dd", None)]],
        [[call(json.loads(A))]],
        [[call(A, "left out")], [call("", "left out", None, None)]],
        [[call(A)], [call("")]],
    ],
)
async def test_one_call_is_one_however_it_is_cut(chunks):
    assert await called(calls(*chunks)) == [(1, 2)]


@pytest.mark.parametrize("args", [None, "", "null", "{}", {}, " {} "])
async def test_no_arguments_are_an_empty_object(args):
    message = await answer(delta({"tool_calls": [call(args)]}), delta({}, "tool_calls"))
    assert message.tool_calls[0].args == "{}"


async def test_a_single_call_need_not_be_in_a_list():
    one = {"name": "add", "arguments": A}
    message = await answer(delta({"tool_calls": {**call(A)}}, "tool_calls"))
    assert message.tool_calls[0].args == A
    message = await answer(delta({"function_call": one}, "function_call"))
    assert (message.tool_calls[0].name, message.tool_calls[0].args) == ("add", A)


async def test_calls_without_ids_get_ids_that_no_other_answer_has():
    first, second = [await answer(delta({"tool_calls": [call(A, id=None)]}, "stop")) for _ in "ab"]
    assert first.tool_calls[0].call_id != second.tool_calls[0].call_id
    assert first.stop == "tools"


# Text and thoughts


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": "ok"}],
        [{"type": "text", "text": "o"}, {"type": "reference"}, {"type": "text", "text": "k"}],
        {"type": "text", "text": "ok"},
        ["o", "k"],
    ],
)
async def test_content_may_be_a_list_of_parts(content):
    assert (await answer(delta({"content": content}, "stop"))).text == "ok"


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
        {"reasoning": {"text": "hm"}},
        {"reasoning_content": "hm", "reasoning": "hm"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "hm", "index": 0}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
        {"content": [{"type": "thinking", "thinking": "hm", "signature": "s"}]},
        {"content": "<think>hm</think>"},
        {"content": "\n<thinking>hm</thinking>\n\n"},
    ],
)
async def test_a_thought_is_a_thought_in_every_form(fields):
    message = await answer(delta(fields), delta({"content": "ok"}, "stop"))
    thought, said = message.parts
    assert isinstance(thought, ThinkingPart)
    assert (thought.text.strip(), said) == ("hm", TextPart("ok"))


@pytest.mark.parametrize("size", [1, 2, 5, 100])
async def test_tags_of_a_thought_are_found_wherever_they_are_cut(size):
    text = "<think>a < b</th> hm</think>\n\n{}"
    pieces = (text[start : start + size] for start in range(0, len(text), size))
    message = await answer(*(delta({"content": piece}) for piece in pieces), delta({}, "stop"))
    assert [part.text for part in message.parts] == ["a < b</th> hm", "{}"]


@pytest.mark.parametrize("text", ["<", "<thin", "  <b>", "ok <think>no</think>", " "])
async def test_text_that_only_looks_like_a_tag_is_kept(text):
    pieces = (delta({"content": piece}) for piece in text)
    assert (await answer(*pieces, delta({}, "stop"))).text == text


async def test_a_picture_that_the_model_makes_is_a_file():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}}
    for fields in ({"content": [image]}, {"images": [image]}):
        message = await answer(delta(fields, "stop"))
        assert message.parts == (FilePart("image/png", b"\x89PNG"),)


async def test_a_refusal_is_not_told_as_a_whole_answer():
    message = await answer(delta({"refusal": "No, I cannot."}), delta({}, "stop"))
    assert (message.text, message.stop) == ("No, I cannot.", "filtered")


# Ends


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        (None, "end"),
        ("stop", "end"),
        ("STOP", "end"),
        ("end_turn", "end"),
        ("model_length", "length"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "filtered"),
        ("moonrise", "unknown"),
    ],
)
async def test_the_end_is_understood(reason, stop):
    message = await answer(delta({"role": "assistant", "content": "Hi"}, reason))
    assert (message.text, message.stop) == ("Hi", stop)


async def test_a_role_alone_in_the_last_chunk_and_a_second_answer_change_nothing():
    other = event({"choices": [{"index": 1, "delta": {"content": "no"}}]})
    message = await answer(delta({"content": "Hi"}), other, delta({"role": "assistant"}, "stop"))
    assert message.text == "Hi"


async def test_the_message_may_stand_in_place_of_the_delta():
    whole = {"choices": [{"message": {"role": "assistant", "content": "Hi"}}]}
    assert (await answer(event(whole))).text == "Hi"
    assert (await answer(delta({"content": "Hi"}), event(whole))).text == "Hi"


@pytest.mark.parametrize(
    "choice", [{}, {"delta": None}, {"delta": {}}, {"delta": {"content": None}}]
)
async def test_fields_may_be_missing(choice):
    message = await answer(event({"choices": [choice]}), event({"choices": None, "usage": None}))
    assert (message.parts, message.stop) == ((), "end")


@pytest.mark.parametrize(
    "end", [DONE, b"", b"data: [DONE]", b"data:[DONE]\r\n\r\ndata: [DONE]\n\n"]
)
async def test_the_last_event_needs_no_empty_line(end):
    assert (
        await answer(delta({"content": "Hi"}), delta({}, "stop").strip(), end=b"\n\n" + end)
    ).text
    assert (await answer(delta({"content": "Hi"}, "stop").strip(), end=b"")).text == "Hi"


async def test_nothing_after_the_end_is_a_part_of_the_answer():
    late = DONE + DONE + delta({"content": " no"}) + b"data: {oops\n\n"
    assert (await answer(delta({"content": "Hi"}, "stop") + late, end=b"")).text == "Hi"


async def test_comments_blank_data_marks_and_bad_bytes_are_survived():
    stream = b"\xef\xbb\xbf: hello\n\ndata:\n\ndata: \n\n" + delta({"content": "H\\xff"})
    stream = stream.replace(b"\\\\xff", b"\xff") + b": ping\n\n" + delta({}, "stop")
    assert (await answer(stream)).text == "H\ufffd"
    assert (await answer(b"\xef\xbb\xbf" + delta({"content": "Hi"}, "stop"))).text == "Hi"


async def test_a_character_whose_halves_come_apart_is_no_error():
    halves = [b'data: {"choices": [{"delta": {"content": "\\ud83d"}}]}\n\n']
    halves.append(
        b'data: {"choices": [{"delta": {"content": "\\ude00"}, "finish_reason": "stop"}]}\n\n'
    )
    async with OpenAIWire([raw(*halves)]) as server:
        message = await ask(openai(server))
    assert message.stop == "end"


FILTERED = {"content_filter_results": {"hate": {"filtered": True, "severity": "high"}}}


@pytest.mark.parametrize(
    "ends",
    [
        [delta({}, "length"), delta({}, "tool_calls")],
        [delta({}, "tool_calls"), delta({}, "length")],
        [delta({}, "something new"), delta({}, "stop")],
        [delta({"refusal": "I would rather not."}, "tool_calls")],
        [
            event(
                {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls", **FILTERED}]}
            )
        ],
    ],
)
async def test_no_call_runs_of_an_answer_that_any_sign_says_was_cut(ends):
    assert await called(raw(delta({"tool_calls": [call(A)]}), *ends, DONE)) == []


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": "5", "completion_tokens": "7"}, 12),
        ({"prompt_tokens": 5, "completion_tokens": 7, "prompt_tokens_details": [1]}, 12),
        ({"prompt_tokens": 5, "completion_tokens": -7}, 5),
        ({"prompt_tokens": [5], "completion_tokens": 7}, 7),
        ([1], None),
        (True, None),
    ],
)
async def test_usage_in_an_odd_form_does_not_cost_the_answer(usage, tokens):
    async with OpenAIWire(
        [raw(delta({"content": "ok"}, "stop"), event({"choices": [], "usage": usage}))]
    ) as server:
        run = await Agent("a", model=openai(server)).run("go")
    assert run.output == "ok"
    assert run.usage.estimated if tokens is None else run.usage.total_tokens == tokens
