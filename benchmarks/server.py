"""A fast local server that speaks chat completions, in a process of its own.

The path says what it does: `/text/20/v1` streams 20 tokens, `/tools/10/1/v1` asks for one tool in
each of ten turns and then answers, `/slow/200/20/v1` waits 200 ms before 20 tokens,
`/handoff/v1` hands over to `b`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from functools import cache

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"transfer-encoding: chunked\r\nx-request-id: req_bench\r\n\r\n"
)


def event(delta: dict, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return data({"choices": [choice], "usage": None})


def data(fields: dict) -> bytes:
    head = {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1795000000,
        "model": "bench",
        "service_tier": "default",
        "system_fingerprint": "fp_bench",
    }
    text = b"data: " + json.dumps({**head, **fields}).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(text), text)


USAGE = data(
    {
        "choices": [],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 20,
            "total_tokens": 30,
            "prompt_tokens_details": {"cached_tokens": 0},
        },
    }
)
DONE = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


@cache
def text(tokens: int) -> bytes:
    first = event({"role": "assistant", "content": "", "refusal": None})
    middle = b"".join(event({"content": f" word{i}"}) for i in range(tokens))
    return HEAD + first + middle + event({}, "stop") + USAGE + DONE


@cache
def handoff() -> bytes:
    call = {"index": 0, "id": "call_0", "type": "function"}
    begin = event({"tool_calls": [{**call, "function": {"name": "handoff", "arguments": ""}}]})
    args = [
        event({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
        for piece in ('{"to": ', '"b", ', '"reason": ', '"It is for you."}')
    ]
    first = event({"role": "assistant", "content": None})
    return HEAD + first + begin + b"".join(args) + event({}, "tool_calls") + USAGE + DONE


@cache
def calls(turn: int, count: int) -> bytes:
    parts = [event({"role": "assistant", "content": None})]
    for i in range(count):
        call = {"index": i, "id": f"call_{turn}_{i}", "type": "function"}
        parts.append(
            event({"tool_calls": [{**call, "function": {"name": "add", "arguments": ""}}]})
        )
        parts.extend(
            event({"tool_calls": [{"index": i, "function": {"arguments": piece}}]})
            for piece in ('{"a"', ": 1, ", '"b": ', "2}")
        )
    return HEAD + b"".join(parts) + event({}, "tool_calls") + USAGE + DONE


class Connection(asyncio.Protocol):
    def connection_made(self, transport) -> None:
        self.transport = transport
        self.buffer = bytearray()

    def data_received(self, piece: bytes) -> None:
        self.buffer += piece
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.buffer[:end]).lower()
            at = head.index(b"content-length:") + 15
            length = int(head[at:].split(b"\r\n", 1)[0])
            if len(self.buffer) < end + 4 + length:
                return
            body = bytes(self.buffer[end + 4 : end + 4 + length])
            path = bytes(self.buffer[: self.buffer.index(b" HTTP")]).decode()
            del self.buffer[: end + 4 + length]
            self.answer(path.split("/")[1:], body)

    def answer(self, path: list[str], body: bytes) -> None:
        match path:
            case ["text", tokens, *_]:
                self.transport.write(text(int(tokens)))
            case ["tools", turns, count, *_]:
                done = body.count(b'"tool_call_id"') // int(count)
                self.transport.write(text(20) if done >= int(turns) else calls(done, int(count)))
            case ["handoff", *_]:
                self.transport.write(handoff())
            case ["slow", milliseconds, tokens, *_]:
                loop = asyncio.get_running_loop()
                loop.call_later(int(milliseconds) / 1000, self.transport.write, text(int(tokens)))


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(
        Connection, "127.0.0.1", 0, backlog=2048
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
