"""Anthropic's messages, as `POST /v1/messages` streams them.

https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.wire.server import (
    Call,
    Reply,
    Request,
    SSEWire,
    Text,
    Thinking,
    Tokens,
    json_text,
    pieces,
    refuse,
)

STOPS = {
    "end": "end_turn",
    "tools": "tool_use",
    "length": "max_tokens",
    "filtered": "refusal",
}
TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
NEWEST = "2026-10-21"


class AnthropicWire(SSEWire):
    def complaint(self, request: Request) -> Reply | None:
        headers = request.headers
        if (request.method, request.path) != ("POST", "/v1/messages"):
            return refuse(404, "Not found")
        if "x-api-key" not in headers and not headers.get("authorization"):
            return refuse(401, "x-api-key header is required")
        body = request.json
        if headers.get("anthropic-version") == NEWEST and "temperature" in body:
            return refuse(400, "temperature: Extra inputs are not permitted")
        if not isinstance(body.get("max_tokens"), int):
            return refuse(400, "max_tokens: Field required")
        for number, message in enumerate(body["messages"]):
            if not message["content"]:
                return refuse(400, f"messages.{number}: all messages must have non-empty content")
            for block in message["content"]:
                if block["type"] == "text" and not block["text"].strip():
                    return refuse(400, "messages: text content blocks must be non-empty")
        return None

    def stream_headers(self) -> dict[str, str]:
        return {"request-id": f"req_{len(self.requests)}"}

    def chunks(self, answer: Reply, request: Request) -> Iterator[Any]:
        usage = _usage(answer.tokens)
        message = {
            "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
            "type": "message",
            "role": "assistant",
            "model": request.json["model"],
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {**usage, "output_tokens": 1},
        }
        yield {"type": "message_start", "message": message}
        yield {"type": "ping"}
        for index, part in enumerate(answer.parts):
            start, deltas = _block(part)
            yield {"type": "content_block_start", "index": index, "content_block": start}
            for delta in deltas:
                yield {"type": "content_block_delta", "index": index, "delta": delta}
            yield {"type": "content_block_stop", "index": index}
        stop = {"stop_reason": STOPS.get(answer.stop, answer.stop), "stop_sequence": None}
        counts = {"output_tokens": answer.tokens.output}
        yield {"type": "message_delta", "delta": {**stop, "stop_details": None}, "usage": counts}
        yield {"type": "message_stop"}

    def sse(self, chunk: Any, newline: str) -> bytes:
        return f"event: {chunk['type']}{newline}data: {json_text(chunk)}{newline}{newline}".encode()

    def error_event(self, answer: Reply) -> bytes:
        error = {"type": "overloaded_error", "message": answer.message or "Overloaded"}
        event = {"type": "error", "error": error, "request_id": f"req_{len(self.requests)}"}
        return self.sse(event, answer.newline)

    def refusal(self, answer: Reply) -> tuple[dict[str, str], bytes]:
        number = f"req_{len(self.requests)}"
        error = {"type": TYPES.get(answer.status, "api_error"), "message": answer.message}
        body = {"type": "error", "error": error, "request_id": number}
        headers = {"content-type": "application/json", "request-id": number}
        return headers, json_text(body).encode()


def _block(part: Text | Thinking | Call) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    if isinstance(part, Text):
        deltas = [{"type": "text_delta", "text": piece} for piece in pieces(part.text)]
        return {"type": "text", "text": ""}, deltas
    if isinstance(part, Call):
        start = {"type": "tool_use", "id": part.id, "name": part.name, "input": {}}
        inputs = ["", *pieces(part.args)] if part.args != "{}" else [""]
        return start, [{"type": "input_json_delta", "partial_json": piece} for piece in inputs]
    if part.redacted:
        return {"type": "redacted_thinking", "data": part.signature}, []
    deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(part.text)]
    if part.signature is not None:
        deltas.append({"type": "signature_delta", "signature": part.signature})
    return {"type": "thinking", "thinking": "", "signature": ""}, deltas


def _usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": tokens.input - tokens.cached - tokens.written,
        "cache_creation_input_tokens": tokens.written,
        "cache_read_input_tokens": tokens.cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.written,
            "ephemeral_1h_input_tokens": 0,
        },
        "output_tokens": tokens.output,
        "service_tier": "standard",
        "inference_geo": "not_available",
    }
