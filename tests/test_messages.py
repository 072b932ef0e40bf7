"""Messages and usage: plain values that survive JSON."""

from __future__ import annotations

from decimal import Decimal

import pytest

from nbagents import (
    FilePart,
    Message,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from nbagents.messages import ZERO_USAGE, message_codec, user_message

IMAGE = FilePart("image/png", bytes(range(256)), name="a.png")

MESSAGES = [
    user_message("hi"),
    user_message("look", IMAGE, FilePart("application/pdf", url="https://example.org/a.pdf")),
    Message(
        "assistant",
        (
            ThinkingPart("hm", signature="c2VhbGVk"),
            ThinkingPart("", signature="b64==", redacted=True),
            TextPart("I will look."),
            ToolCallPart("call_1", "look", '{"where": "no'),
        ),
        agent="a",
        usage=Usage(10, 5, 2, Decimal("0.00012345678901234567")),
        stop="tools",
    ),
    Message(
        "user",
        (
            ToolResultPart("call_1", "look", (TextPart("seen"), IMAGE)),
            ToolResultPart("call_2", "look", (), is_error=True),
        ),
    ),
    Message("assistant", (), usage=Usage(), stop="interrupted"),
]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_survives_json_unchanged(message):
    codec = message_codec()
    assert codec.validate_json(codec.dump_json(message)) == message


def test_bytes_travel_as_base64():
    assert b'"data":"AAECAwQF' in message_codec().dump_json(user_message(IMAGE))


def test_adding_usage_adds_tokens_and_money():
    first = Usage(10, 5, 2, Decimal("0.1"))
    second = Usage(1, 2, 1, Decimal("0.2"))
    assert first + second == Usage(11, 7, 3, Decimal("0.3"))
    assert (first + second).total_tokens == 18
    assert ZERO_USAGE + first == first


def test_an_unknown_price_makes_the_sum_unknown_and_never_a_guess():
    known = Usage(1, 1, 0, Decimal("0.1"))
    assert (known + Usage(1, 1)).cost is None
    assert (Usage(1, 1) + known).cost is None
    assert Usage().cost is None


def test_the_text_of_a_message_is_its_text_parts():
    message = Message("assistant", (ThinkingPart("hm"), TextPart("Hel"), IMAGE, TextPart("lo")))
    assert message.text == "Hello"


def test_the_tool_calls_of_a_message_keep_the_order_of_the_model():
    calls = (ToolCallPart("b", "two", "{}"), ToolCallPart("a", "one", "{}"))
    assert Message("assistant", (TextPart("so"), *calls)).tool_calls == calls


def test_the_text_of_a_result_leaves_its_files_out():
    assert ToolResultPart("c", "t", (TextPart("one"), IMAGE, TextPart("two"))).text == "one\ntwo"


def test_messages_are_values_that_nobody_can_change():
    message = user_message("hi")
    assert message == user_message("hi")
    assert message.with_stop("length") == Message("user", (TextPart("hi"),), stop="length")
    with pytest.raises(AttributeError):
        message.role = "assistant"
