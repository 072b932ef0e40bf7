"""Server-sent events, wherever the network cuts them."""

from __future__ import annotations

import itertools
import re

import pytest

from nbagents.providers._sse import SSEDecoder


def whole(stream: bytes) -> list[bytes]:
    return SSEDecoder().feed(stream)


def in_pieces(stream: bytes, size: int) -> list[bytes]:
    decoder = SSEDecoder()
    pieces = (stream[start : start + size] for start in range(0, len(stream), size))
    return [event for piece in pieces for event in decoder.feed(piece)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_an_event_ends_at_an_empty_line_whatever_ends_a_line(end):
    stream = end.join([b"event: delta", b'data: {"a": 1}', b"", b"data: [DONE]", b"", b""])
    assert whole(stream) == [b'{"a": 1}', b"[DONE]"]


def test_only_one_space_after_the_colon_is_taken_away():
    assert whole(b"data:one\n\ndata:  two \n\n") == [b"one", b" two "]


def test_the_data_lines_of_one_event_are_joined():
    assert whole(b"data: one\ndata: two\ndata:\n\n") == [b"one\ntwo\n"]


def test_comments_and_other_fields_are_passed_over():
    stream = b": keep-alive\n\nid: 7\nretry: 10\nevent: x\ndata: one\n: more\n\nevent: empty\n\n"
    assert whole(stream) == [b"one"]


def test_an_event_without_its_empty_line_is_not_an_event_yet():
    decoder = SSEDecoder()
    assert decoder.feed(b"data: half") == []
    assert decoder.feed(b"") == []
    assert decoder.feed(b" and half\n") == []
    assert decoder.feed(b"\n") == [b"half and half"]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r", b"\r\n"])
def test_the_end_of_the_stream_ends_its_last_event(end):
    decoder = SSEDecoder()
    assert decoder.feed(b"data: one" + end) == []
    assert decoder.finish() == [b"one"]
    assert decoder.finish() == []


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_byte_order_mark_and_empty_data_are_skipped(size):
    assert in_pieces(b"\xef\xbb\xbfdata: one\n\ndata:\n\ndata: \n\ndata: 2\n\n", size) == [
        b"one",
        b"2",
    ]


def test_characters_that_other_texts_break_lines_at_do_not_break_lines():
    data = "a\x0bb\x0cc\x1cd\x85e\u2028f".encode()
    assert whole(b"data: " + data + b"\n\n") == [data]


def by_the_letter(stream: bytes) -> list[bytes]:
    """What the specification says of a whole stream that has only data and empty lines."""
    events, data = [], []
    for line in re.split(rb"\r\n|\r|\n", stream):
        if line:
            data.append(line.removeprefix(b"data: "))
        elif data:
            events.append(b"\n".join(data))
            data = []
    return events


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_where_the_network_cuts_makes_no_difference(size):
    for ends in itertools.product([b"\n", b"\r\n", b"\r"], repeat=5):
        lines = (b"data: one", b"", b"data: two", b"", b"")
        stream = b"".join(line + end for line, end in zip(lines, ends, strict=True))
        stream += b"data: three\n\n"
        assert in_pieces(stream, size) == by_the_letter(stream), stream
