"""Answers read as they come: the same text however the pieces are cut."""

from __future__ import annotations

import json
import time

import pytest

from nbagents.providers.local.answer import Call, CallAnswer, JsonAnswer, TextAnswer

TEXTS = [
    "Hello!",
    "",
    'She said "no" \\ twice,\n\tthen / left.',
    "18 °C, 東京, \N{GRINNING FACE}\N{FAMILY}",
    "\\ud83d is written with a backslash",
    '"}}',
]


def reply(text: str, *, ascii_only: bool) -> str:
    args = json.dumps({"text": text}, ensure_ascii=ascii_only)
    return f'{{"tool": "reply", "arguments": {args}}}'


def read(raw: str, size: int) -> tuple[list[str], Call | None]:
    answer = CallAnswer("reply", reply_is_json=False)
    texts = [answer.feed(raw[start : start + size]) for start in range(0, len(raw), size)]
    return texts, answer.close()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("text", TEXTS)
def test_a_reply_is_the_same_text_wherever_it_is_cut(text, ascii_only, size):
    texts, call = read(reply(text, ascii_only=ascii_only), size)
    assert "".join(texts) == text
    assert call is None


def test_a_reply_is_shown_while_it_is_written():
    texts, _ = read(reply("one two", ascii_only=False), 1)
    assert [text for text in texts if text] == list("one two")


def test_an_escape_waits_for_its_end_and_the_text_before_it_does_not():
    answer = CallAnswer("reply", reply_is_json=False)
    assert answer.feed('{"tool": "reply", "arguments": {"text": "a\\') == "a"
    assert answer.feed("u00") == ""
    assert answer.feed("e9b") == "éb"


def test_a_surrogate_pair_is_one_character_and_half_a_pair_is_marked_as_lost():
    answer = CallAnswer("reply", reply_is_json=False)
    assert answer.feed('{"tool": "reply", "arguments": {"text": "\\ud83d') == ""
    assert answer.feed("\\ude00") == "\N{GRINNING FACE}"
    assert answer.feed("\\ud83d!\\ude00") == "\N{REPLACEMENT CHARACTER}!\N{REPLACEMENT CHARACTER}"
    assert answer.feed("\\ud83d\\u0041") == "\N{REPLACEMENT CHARACTER}A"
    assert answer.feed('\\ud83d"}}') == "\N{REPLACEMENT CHARACTER}"
    assert answer.close() is None


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_a_call_is_returned_whole_and_says_nothing(size):
    raw = '{"tool": "get_weather", "arguments": {"city": "São {Paulo}", "days": [1, {"n": 2}]}}'
    texts, call = read(raw, size)
    assert "".join(texts) == ""
    assert call == Call("get_weather", '{"city": "São {Paulo}", "days": [1, {"n": 2}]}')
    assert str(call) == raw


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_the_arguments_of_reply_may_be_the_answer(size):
    raw = '{"tool": "reply", "arguments": {"city": "Oslo", "at": {"n": 60}}}'
    answer = CallAnswer("reply", reply_is_json=True)
    texts = [answer.feed(raw[start : start + size]) for start in range(0, len(raw), size)]
    assert "".join(texts) == '{"city": "Oslo", "at": {"n": 60}}'
    assert answer.close() is None


@pytest.mark.parametrize(
    "raw",
    [
        "Sure! The weather is",
        "```json\n{",
        '{ "tool": "reply"',
        '{"tool": "reply", "arguments": {"text": 12345678}}',
        '{"tool": "reply", "arguments": {"txet": "Hi"}}',
    ],
)
def test_another_form_is_refused_at_once(raw):
    with pytest.raises(ValueError, match=r"no call|no text"):
        read(raw, 1)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        '{"tool": "rep',
        '{"tool": "reply", "arguments": {"text": "Hel',
        '{"tool": "reply", "arguments": {"text": "Hello"}',
        '{"tool": "get_weather", "arguments": {"city": "Osl',
        '{"tool": "get_weather", "arguments": {"city": "Osl"}',
        '{"tool": "get_weather", "arguments": {"city": }}',
    ],
)
def test_an_answer_that_was_cut_is_not_complete(raw):
    with pytest.raises(ValueError, match=r"no end|Expecting"):
        read(raw, 4)


def test_free_words_are_passed_on_and_json_is_checked_at_its_end():
    words, good, bad = TextAnswer(), JsonAnswer(), JsonAnswer()
    assert [words.feed("Hi"), words.close()] == ["Hi", None]
    assert [good.feed('{"a":'), good.feed(" 1}"), good.close()] == ['{"a":', " 1}", None]
    assert bad.feed('{"a":') == '{"a":'
    with pytest.raises(ValueError, match="Expecting"):
        bad.close()


def test_a_piece_costs_the_same_after_a_hundred_thousand_others():
    answer = CallAnswer("reply", reply_is_json=False)
    answer.feed('{"tool": "reply", "arguments": {"text": "')

    def seconds() -> float:
        start = time.process_time()
        for _ in range(20_000):
            answer.feed("word \\n")
        return time.process_time() - start

    seconds()
    early = seconds()
    for _ in range(4):
        seconds()
    assert seconds() < 3 * early
