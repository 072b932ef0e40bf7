"""Conversations that another vendor, or a model in error, has left its marks in: each vendor takes them."""

from __future__ import annotations

import json
import re

import pytest

from nbagents.errors import UserError
from nbagents.messages import (
    FilePart,
    Message,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    user_message,
)
from nbagents.models.base import ModelRequest
from tests.contract.vendors import Vendor, ask, encoded
from tests.wire.server import reply

LOOK = ToolSpec("look", "Look.", {"type": "object", "properties": {}})
PNG = b"\x89PNG\r\n\x1a\n not really"
JPEG = b"\xff\xd8\xff not really"


async def sent(vendor: Vendor, *messages: Message) -> str:
    """Send a conversation and return the messages as the vendor got them."""
    async with vendor.wire([reply("Fine.")]) as server:
        await ask(vendor.make(server.url), ModelRequest([*messages], tools=(LOOK,)))
    return json.dumps(server.requests[0].json["messages"])


def turn(call_id: str, name: str = "look", args: str = "{}") -> list[Message]:
    return [
        Message("assistant", (ToolCallPart(call_id, name, args),)),
        user_message(ToolResultPart(call_id, name, (TextPart("Seen."),))),
    ]


@pytest.mark.parametrize("call_id", ["functions.look:0", "call|1", "ü", "x" * 65, "a b", "same"])
async def test_ids_of_other_vendors_are_taken_and_are_used_once(vendor: Vendor, call_id: str):
    body = await sent(
        vendor, user_message("Go."), *turn(call_id), *turn(call_id), user_message("?")
    )
    found = re.findall(r'"(?:id|toolUseId|tool_use_id|tool_call_id)": "((?:[^"\\]|\\.)*)"', body)
    assert len(found) == 4
    assert (found[0], found[2]) == (found[1], found[3])
    if vendor.name != "openai":
        assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", one) for one in found)
        assert found[0] != found[2]


@pytest.mark.parametrize("name", ["no such tool!", "", "x" * 65, "функция", "a.b"])
@pytest.mark.parametrize("args", ['{"a', "[1]", '{"a": NaN}'])
async def test_a_call_that_the_model_wrote_wrongly_is_taken(vendor: Vendor, name: str, args: str):
    body = await sent(vendor, user_message("Go."), *turn("c1", name, args))
    assert "_malformed" in body
    used = re.findall(r'"name": "([^"]*)"', body)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", one) for one in used)


async def test_a_message_that_is_only_a_file_of_the_assistant_does_not_vanish(vendor: Vendor):
    picture = Message("assistant", (FilePart("image/png", PNG, name="fox.png"),))
    body = await sent(vendor, user_message("Draw."), picture, user_message("Make it blue."))
    roles = re.findall(r'"role": "(\w+)"', body)
    assert roles[-2:] == ["assistant", "user"]
    assert "[fox.png (image/png)]" in body
    assert encoded(PNG) in body
    assert encoded(PNG) not in body[body.index('"assistant"') :]


async def test_a_file_of_the_assistant_that_cannot_be_sent_is_mentioned(vendor: Vendor):
    song = FilePart("audio/mpeg", b"...", name="song.mp3")
    calling = ToolCallPart("c1", "look", "{}")
    result = ToolResultPart("c1", "look", (TextPart("Seen."),))
    message = Message("assistant", (TextPart("Here:"), song, calling))
    body = await sent(vendor, user_message("Sing."), message, user_message(result))
    assert "[song.mp3 (audio/mpeg)]" in body
    assert encoded(b"...") not in body


async def test_thoughts_that_another_vendor_has_sealed_are_left_out(vendor: Vendor):
    foreign = [ThinkingPart("hm", 'chat:00000000:{"field": "reasoning"}'), ThinkingPart("no seal")]
    message = Message("assistant", (*foreign, TextPart("Hi"), ToolCallPart("c1", "look", "{}")))
    result = user_message(ToolResultPart("c1", "look", (TextPart("Seen."),)))
    body = await sent(vendor, user_message("Go."), message, result)
    assert "hm" not in body
    assert "seal" not in body


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        (FilePart("image/jpg", b"abc"), "jpeg"),
        (FilePart("IMAGE/JPEG; q=1", b"abc"), "jpeg"),
        (FilePart("image/x-png", b"abc"), "png"),
        (FilePart("image/png", JPEG), "jpeg"),
        (FilePart("application/octet-stream", PNG), "png"),
        (FilePart("image/jpeg", b"RIFF\0\0\0\0WEBPVP8 "), "webp"),
    ],
)
async def test_a_picture_is_sent_as_what_it_is(vendor: Vendor, file: FilePart, kind: str):
    body = await sent(vendor, user_message("What?", file))
    assert re.search(rf'"(?:image/|data:image/)?{kind}[";]', body)
    assert "jpg" not in body.replace(encoded(file.data or b""), "")


@pytest.mark.parametrize("kind", ["image/svg+xml", "image/tiff", "image/heic", "text/csv"])
async def test_a_file_that_no_vendor_reads_is_named_before_it_is_sent(vendor: Vendor, kind: str):
    with pytest.raises(
        UserError, match=rf"reads PNG.*odd\.x is {re.escape(kind)}\. (Convert|Send)"
    ):
        await sent(vendor, user_message(FilePart(kind, b"abc", name="odd.x")))
