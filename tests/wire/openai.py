"""OpenAI's chat completions, as `POST /chat/completions` streams them."""

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

STOPS = {"end": "stop", "tools": "tool_calls", "length": "length", "filtered": "content_filter"}
TYPES = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}


class OpenAIWire(SSEWire):
    def complaint(self, request: Request) -> Reply | None:
        if (request.method, request.path) != ("POST", "/chat/completions"):
            return refuse(404, f"Invalid URL ({request.method} {request.path})")
        if not request.headers.get("authorization", "").startswith("Bearer "):
            return refuse(401, "You didn't provide an API key.")
        if not request.json.get("stream"):
            return refuse(400, "This server only streams.")
        return None

    def stream_headers(self) -> dict[str, str]:
        return {"x-request-id": f"req_{len(self.requests)}"}

    def chunks(self, answer: Reply, request: Request) -> Iterator[Any]:
        yield _chunk({"role": "assistant", "content": "", "refusal": None})
        calls = 0
        for part in answer.parts:
            if isinstance(part, Text):
                field = "refusal" if answer.stop == "refusal" else "content"
                yield from (_chunk({field: piece}) for piece in pieces(part.text))
            elif isinstance(part, Thinking):
                yield from (_chunk({"reasoning_content": piece}) for piece in pieces(part.text))
            else:
                yield from _call(part, calls)
                calls += 1
        stop = "stop" if answer.stop == "refusal" else STOPS.get(answer.stop, answer.stop)
        yield _chunk({}, stop)
        if (request.json.get("stream_options") or {}).get("include_usage"):
            yield {**_chunk({}), "choices": [], "usage": _usage(answer.tokens)}
        yield "[DONE]"

    def sse(self, chunk: Any, newline: str) -> bytes:
        data = chunk if isinstance(chunk, str) else json_text(chunk)
        return f"data: {data}{newline}{newline}".encode()

    def error_event(self, answer: Reply) -> bytes:
        error = {
            "message": answer.message or "The server had an error processing your request.",
            "type": "server_error",
            "param": None,
            "code": None,
        }
        return self.sse({"error": error}, answer.newline)

    def refusal(self, answer: Reply) -> tuple[dict[str, str], bytes]:
        kind, code = TYPES.get(answer.status, ("server_error", None))
        if "context length" in answer.message:
            code = "context_length_exceeded"
        error = {"message": answer.message, "type": kind, "param": None, "code": code}
        headers = {"content-type": "application/json", "x-request-id": f"req_{len(self.requests)}"}
        return headers, json_text({"error": error}).encode()


def _chunk(delta: dict[str, Any], stop: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": stop}
    return {
        "id": "chatcmpl-CXyz0123456789",
        "object": "chat.completion.chunk",
        "created": 1763000000,
        "model": "gpt-5-2025-08-07",
        "service_tier": "default",
        "system_fingerprint": None,
        "choices": [choice],
        "usage": None,
        "obfuscation": "3mKz9QbTfVx",
    }


def _call(call: Call, index: int) -> Iterator[dict[str, Any]]:
    start = {"index": index, "id": call.id, "type": "function"}
    yield _chunk({"tool_calls": [{**start, "function": {"name": call.name, "arguments": ""}}]})
    for piece in pieces(call.args):
        yield _chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})


def _usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
