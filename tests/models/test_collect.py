"""Chunks add up to a message."""

from __future__ import annotations

import pytest

from nbagents import (
    FilePart,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    ToolCallDelta,
    ToolCallPart,
    Usage,
)
from nbagents.models.base import ModelDone, PartDone
from nbagents.models.collect import Collector

SPENT = Usage(3, 2)
PICTURE = FilePart("image/png", b"\x89PNG")


def collected(*chunks) -> Collector:
    collector = Collector()
    for chunk in chunks:
        collector.add(chunk)
    return collector


def parts(*chunks):
    return collected(*chunks, ModelDone("end", SPENT)).message("a").parts


def test_the_end_says_why_and_what_it_cost():
    message = collected(TextDelta("hi"), ModelDone("length", SPENT)).message("a")
    assert (message.role, message.agent, message.stop) == ("assistant", "a", "length")
    assert message.usage == SPENT
    assert message.text == "hi"


def test_deltas_are_joined_and_what_is_between_them_keeps_its_place():
    assert parts(
        ThinkingDelta("h"),
        ThinkingDelta("m"),
        TextDelta("a"),
        TextDelta("b"),
        PartDone(PICTURE),
        TextDelta("c"),
        ToolCallDelta(0, "x", "look", '{"a"'),
        ToolCallDelta(0, "", "", ": 1}"),
        TextDelta("d"),
        ThinkingDelta("n"),
    ) == (
        ThinkingPart("hm"),
        TextPart("ab"),
        PICTURE,
        TextPart("c"),
        ToolCallPart("x", "look", '{"a": 1}'),
        TextPart("d"),
        ThinkingPart("n"),
    )


def test_a_thought_that_arrives_whole_takes_the_place_of_its_deltas():
    sealed = ThinkingPart("hmm", signature="c2VhbA==")
    assert parts(ThinkingDelta("hm"), ThinkingDelta("m"), PartDone(sealed), TextDelta("a")) == (
        sealed,
        TextPart("a"),
    )


def test_two_thoughts_after_each_other_stay_two():
    first, second = ThinkingPart("1", "a"), ThinkingPart("", "b", redacted=True)
    assert parts(ThinkingDelta("1"), PartDone(first), PartDone(second)) == (first, second)


def test_a_call_without_arguments_has_empty_ones():
    assert parts(ToolCallDelta(0, "x", "now", "")) == (ToolCallPart("x", "now", "{}"),)


def test_an_id_that_comes_later_is_taken():
    assert parts(ToolCallDelta(0, "", "now", ""), ToolCallDelta(0, "x", "", "{}")) == (
        ToolCallPart("x", "now", "{}"),
    )


def test_no_two_calls_have_one_id():
    ids = ["x", "x", "", "x_2", "", "call_2"]
    calls = [ToolCallDelta(index, call_id, "now", "") for index, call_id in enumerate(ids)]
    made = [call.call_id for call in parts(*calls)]
    assert len(set(made)) == len(ids)
    assert made[0] == "x"
    assert all(made)


def test_a_message_that_was_cut_keeps_its_words_and_drops_its_calls():
    collector = collected(
        ThinkingDelta("hm"), TextDelta("I'll look."), ToolCallDelta(0, "x", "look", '{"wh')
    )
    message = collector.message("a", interrupted=True)
    assert message.parts == (ThinkingPart("hm"), TextPart("I'll look."))
    assert (message.stop, message.usage) == ("interrupted", None)


@pytest.mark.parametrize(
    "chunk",
    [TextDelta("a"), ThinkingDelta("a"), ToolCallDelta(0, "x", "look", ""), PartDone(PICTURE)],
    ids=lambda chunk: type(chunk).__name__,
)
def test_an_answer_has_started_once_anything_of_it_has_come(chunk):
    assert not Collector().started
    assert collected(chunk).started


def test_making_the_message_twice_makes_the_same_one():
    collector = collected(TextDelta("a"), ToolCallDelta(0, "", "look", ""), ModelDone("end", SPENT))
    assert collector.message("a") == collector.message("a")
