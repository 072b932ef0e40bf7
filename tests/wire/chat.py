"""Events of chat completions as servers that only say that they are compatible write them."""

from __future__ import annotations

import json
from typing import Any

from nbagents.messages import Message
from nbagents.providers.openai import Dialect, OpenAIModel
from tests.contract.vendors import ask
from tests.wire.openai import OpenAIWire
from tests.wire.server import Reply

A, B = '{"a": 1, "b": 2}', '{"a": 3, "b": 4}'
DONE = b"data: [DONE]\n\n"


class Bare(OpenAIWire):
    """Refuses with the reply's own words for a body."""

    def refusal(self, answer: Reply) -> tuple[dict[str, str], bytes]:
        return {"content-type": "text/plain"}, answer.message.encode()


def event(data: Any) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


def delta(fields: dict[str, Any], reason: str | None = None, **more: Any) -> bytes:
    return event({"choices": [{"index": 0, "delta": fields, "finish_reason": reason}], **more})


def raw(*events: bytes, end: bytes = DONE) -> Reply:
    return Reply(raw=(*events, end))


def calls(*chunks: list[dict[str, Any]]) -> Reply:
    return raw(*(delta({"tool_calls": chunk}) for chunk in chunks), delta({}, "tool_calls"))


def call(args: Any, index: Any = 0, name: str | None = "add", id: str | None = "c1") -> Any:
    made = {"index": index, "id": id, "function": {"name": name, "arguments": args}}
    return {key: value for key, value in made.items() if value != "left out"}


async def answer(*events: bytes, end: bytes = DONE) -> Message:
    async with OpenAIWire([raw(*events, end=end)]) as server:
        return await ask(openai(server))


def openai(server: OpenAIWire, dialect: Dialect | None = None) -> OpenAIModel:
    return OpenAIModel("m", base_url=server.url, api_key="k", dialect=dialect)
