"""Bedrock's ConverseStream, in AWS's binary event-stream encoding.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
https://smithy.io/2.0/aws/amazon-eventstream.html
"""

from __future__ import annotations

import base64
import re
from binascii import crc32
from collections.abc import Iterator
from itertools import pairwise
from struct import pack
from typing import Any

from tests.wire.server import (
    Call,
    Reply,
    Request,
    Text,
    Thinking,
    Tokens,
    Wire,
    json_text,
    pieces,
    refuse,
)

STOPS = {
    "end": "end_turn",
    "tools": "tool_use",
    "length": "max_tokens",
    "filtered": "guardrail_intervened",
}
ERRORS = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}
PATH = re.compile(r"/model/[^/]+/converse-stream")


class BedrockWire(Wire):
    content_type = "application/vnd.amazon.eventstream"

    def complaint(self, request: Request) -> Reply | None:
        if request.method != "POST" or not PATH.fullmatch(request.path):
            return refuse(404, "Not found")
        if not re.match(r"Bearer |AWS4-HMAC-SHA256 ", request.headers.get("authorization", "")):
            return refuse(403, "Missing Authentication Token")
        message = _invalid(request.json)
        return refuse(400, message) if message else None

    def stream_headers(self) -> dict[str, str]:
        return {"x-amzn-requestid": f"req_{len(self.requests)}"}

    def events(self, answer: Reply, request: Request) -> Iterator[bytes]:
        yield event("messageStart", {"role": "assistant"})
        for index, part in enumerate(answer.parts):
            if isinstance(part, Call):
                use = {"toolUse": {"toolUseId": part.id, "name": part.name}}
                yield event("contentBlockStart", {"contentBlockIndex": index, "start": use})
            for delta in _deltas(part):
                yield event("contentBlockDelta", {"contentBlockIndex": index, "delta": delta})
            yield event("contentBlockStop", {"contentBlockIndex": index})
        yield event("messageStop", {"stopReason": STOPS.get(answer.stop, answer.stop)})
        yield event("metadata", {"usage": _usage(answer.tokens), "metrics": {"latencyMs": 551}})

    def error_event(self, answer: Reply) -> bytes:
        headers = {
            ":exception-type": "serviceUnavailableException",
            ":content-type": "application/json",
            ":message-type": "exception",
        }
        message = answer.message or "Bedrock is unable to process your request."
        return frame(headers, json_text({"message": message}).encode())

    def refusal(self, answer: Reply) -> tuple[dict[str, str], bytes]:
        headers = {
            "content-type": "application/json",
            "x-amzn-requestid": f"req_{len(self.requests)}",
            "x-amzn-errortype": f"{ERRORS.get(answer.status, 'InternalServerException')}:"
            "http://internal.amazon.com/coral/com.amazon.bedrock/",
        }
        return headers, json_text({"message": answer.message}).encode()


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """Encode one message: lengths and their CRC, headers, payload, the CRC of all."""
    head = b"".join(
        bytes((len(name),)) + name.encode() + b"\x07" + pack("!H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = pack("!II", 16 + len(head) + len(payload), len(head))
    message = prelude + pack("!I", crc32(prelude)) + head + payload
    return message + pack("!I", crc32(message))


def event(kind: str, body: dict[str, Any]) -> bytes:
    """Encode one event; `p` is the padding that Bedrock adds against listeners to the wire."""
    headers = {
        ":event-type": kind,
        ":content-type": "application/json",
        ":message-type": "event",
    }
    return frame(headers, json_text({**body, "p": "abcdefghijklm"}).encode())


def _deltas(part: Text | Thinking | Call) -> Iterator[dict[str, Any]]:
    if isinstance(part, Text):
        yield from ({"text": piece} for piece in pieces(part.text))
    elif isinstance(part, Call):
        inputs = pieces(part.args) if part.args != "{}" else [""]
        yield from ({"toolUse": {"input": piece}} for piece in inputs)
    elif part.redacted:
        sealed = base64.b64encode((part.signature or "").encode()).decode()
        yield {"reasoningContent": {"redactedContent": sealed}}
    else:
        yield from ({"reasoningContent": {"text": piece}} for piece in pieces(part.text))
        if part.signature is not None:
            yield {"reasoningContent": {"signature": part.signature}}


def _usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "inputTokens": tokens.input - tokens.cached - tokens.written,
        "outputTokens": tokens.output,
        "totalTokens": tokens.input + tokens.output,
        "cacheReadInputTokens": tokens.cached,
        "cacheWriteInputTokens": tokens.written,
    }


def _invalid(body: dict[str, Any]) -> str | None:
    """Find what Bedrock's own validation would."""
    roles = [message["role"] for message in body["messages"]]
    if any(one == other for one, other in pairwise(roles)):
        return "A conversation must alternate between user and assistant roles."
    blocks = [block for message in body["messages"] for block in message["content"]]
    results = [block["toolResult"] for block in blocks if "toolResult" in block]
    inner = [block for result in results for block in result["content"]]
    if any("text" in block and not block["text"].strip() for block in blocks):
        return "The text field in the ContentBlock object is blank."
    if not all(result["content"] for result in results):
        return "The content field in toolResult cannot be empty."
    if "toolConfig" not in body and any(
        block.keys() & {"toolUse", "toolResult"} for block in blocks
    ):
        return (
            "The toolConfig field must be defined when using toolUse and toolResult content blocks."
        )
    names = [block["document"]["name"].lower() for block in blocks + inner if "document" in block]
    if len(names) != len(set(names)):
        return "Messages can't contain duplicate document names."
    if any(not re.fullmatch(r"(?:[a-z0-9()\[\]-]| (?! ))+", name) for name in names):
        return "The document file name can only contain plain characters."
    return None
