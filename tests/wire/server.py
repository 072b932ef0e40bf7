"""Vendors' servers on this machine: they follow a script and remember what they were asked.

A script is a list of replies in nobody's format; each vendor's server writes them in its own:

    async with OpenAIWire([refuse(429, retry_after=1), reply("Hi")]) as server:
        model = OpenAIModel("gpt-5", base_url=server.url, api_key="sk-test")
        ...
    assert server.requests[1].json["model"] == "gpt-5"

`with` instead of `async with` serves from a thread, for clients that block or close their loop.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Thinking:
    text: str
    signature: str | None = None
    redacted: bool = False


@dataclass(frozen=True)
class Call:
    """A tool call; `args` is sent as it is, JSON or not."""

    name: str
    args: str = "{}"
    id: str = "call_1"


@dataclass(frozen=True)
class Tokens:
    """What an answer is said to have cost; `cached` and `written` are parts of `input`."""

    input: int = 12
    output: int = 7
    cached: int = 0
    written: int = 0


@dataclass(frozen=True)
class Reply:
    """One answer to one request."""

    parts: tuple[Text | Thinking | Call, ...] = ()
    stop: str = "end"
    """A `StopReason` of ours, or the vendor's own word."""
    tokens: Tokens = Tokens()
    status: int = 200
    message: str = ""
    """The vendor's complaint, for any status but 200, and for an `error` inside the stream."""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    end: str = "whole"
    """How it ends: whole, cut (the connection), short (the body), hang (it falls silent), mute (it
    never says a word), error (as an event)."""
    after: int = 0
    """Events sent before an end that is not whole."""
    step: int | None = None
    """Bytes sent at once; by default an event at once."""
    newline: str = "\n"
    """How lines end in a vendor's server-sent events."""
    raw: tuple[bytes, ...] = ()
    """Bytes to send in place of the vendor's events."""


def reply(*parts: str | Text | Thinking | Call, **fields: Any) -> Reply:
    """Make an answer of texts, thoughts and calls; it stops for the tools if it calls any."""
    made = tuple(Text(part) if isinstance(part, str) else part for part in parts)
    stop = "tools" if any(isinstance(part, Call) for part in made) else "end"
    return Reply(made, **{"stop": stop, **fields})


def refuse(status: int, message: str = "No.", *, retry_after: float | None = None) -> Reply:
    """Make an answer that is an HTTP error."""
    headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
    return Reply(status=status, message=message, headers=headers)


def pieces(text: str, size: int = 4) -> Iterator[str]:
    """Cut a text as a model's tokens would, roughly."""
    return (text[start : start + size] for start in range(0, len(text), size))


@dataclass
class Request:
    """What a client sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    left: Future[None] = field(default_factory=Future)
    """Done when the client hung up before it had the whole answer."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """The HTTP part of every vendor's server: keep-alive, chunked answers, hang-ups seen."""

    content_type = ""

    def __init__(self, script: Iterable[Reply]) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.url = ""
        self._script = iter(script)
        self._arrivals: dict[int, Future[Request]] = {}
        self._lock = threading.Lock()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    # What a vendor's server says in its own way.

    def events(self, answer: Reply, request: Request) -> Iterator[bytes]:
        """Write an answer as the vendor's events."""
        raise NotImplementedError

    def error_event(self, answer: Reply) -> bytes:
        """Write an error that comes after a friendly 200."""
        raise NotImplementedError

    def refusal(self, answer: Reply) -> tuple[dict[str, str], bytes]:
        """Write an HTTP error: headers and body."""
        raise NotImplementedError

    def complaint(self, request: Request) -> Reply | None:
        """Find what the real vendor would refuse in a request."""
        raise NotImplementedError

    # What a test asks of it.

    async def arrived(self, number: int = 1) -> Request:
        """Wait until request `number` is here; it may never get its answer."""
        future = asyncio.wrap_future(self._arrival(number))
        return await asyncio.wait_for(asyncio.shield(future), 5)

    async def hung_up(self, number: int = 1, within: float = 1.0) -> None:
        """Wait until the client of request `number` hangs up; fail if it does not in time."""
        request = await self.arrived(number)
        await asyncio.wait_for(asyncio.wrap_future(request.left), within)

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def __enter__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.__aenter__(), self._loop).result(5)
        return self

    def __exit__(self, *exc: object) -> None:
        asyncio.run_coroutine_threadsafe(self.__aexit__(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    # How it serves.

    def _arrival(self, number: int) -> Future[Request]:
        with self._lock:
            return self._arrivals.setdefault(number, Future())

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            while (request := await _read_request(reader)) is not None:
                self.requests.append(request)
                self._arrival(len(self.requests)).set_result(request)
                await self._answer(request, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            if self.requests and not self.requests[-1].left.done():
                self.requests[-1].left.set_result(None)
        except asyncio.CancelledError:
            pass  # The server is closing.
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.close()

    async def _answer(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        answer = self.complaint(request) or next(self._script, None)
        if answer is None:
            answer = refuse(500, "The script of this test has no more replies.")
        if answer.status != 200:
            headers, body = self.refusal(answer)
            headers = {"content-length": str(len(body)), **headers, **answer.headers}
            await _send(writer, _head(answer.status, headers) + body)
            return
        if answer.end != "mute":
            headers = {"content-type": self.content_type, "transfer-encoding": "chunked"}
            await _send(writer, _head(200, {**headers, **self.stream_headers(), **answer.headers}))
        # Hanging up is seen at once, also while there is nothing to write.
        watching = asyncio.ensure_future(_watch(reader, request))
        try:
            for data in self._stream(answer, request):
                await _send(writer, b"%x\r\n%b\r\n" % (len(data), data))
                if request.left.done():
                    raise ConnectionResetError
            if answer.end in {"hang", "mute"}:
                await watching
                raise ConnectionResetError
            if answer.end == "cut":
                writer.transport.abort()
                raise ConnectionResetError
            await _send(writer, b"0\r\n\r\n")
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    def stream_headers(self) -> dict[str, str]:
        """Name the request, as the vendor does."""
        return {}

    def _stream(self, answer: Reply, request: Request) -> Iterator[bytes]:
        sent = list(answer.raw or self.events(answer, request))
        if answer.end == "mute":
            return iter(())
        if answer.end != "whole":
            sent = sent[: answer.after]
        if answer.end == "error":
            sent.append(self.error_event(answer))
        if answer.step is None:
            return iter(sent)
        data, step = b"".join(sent), answer.step
        return (data[start : start + step] for start in range(0, len(data), step))


async def _watch(reader: asyncio.StreamReader, request: Request) -> None:
    """Wait for the end of what a client says: it has nothing to say during an answer."""
    with suppress(ConnectionError):
        while await reader.read(1):
            pass
    if not request.left.done():
        request.left.set_result(None)


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, body)


def _head(status: int, headers: dict[str, str]) -> bytes:
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Overloaded"
    lines = [
        f"HTTP/1.1 {status} {phrase}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


class SSEWire(Wire):
    """A server that streams server-sent events."""

    content_type = "text/event-stream; charset=utf-8"

    def chunks(self, answer: Reply, request: Request) -> Iterator[Any]:
        """Say an answer as the vendor's JSON objects."""
        raise NotImplementedError

    def sse(self, chunk: Any, newline: str) -> bytes:
        """Write one JSON object as the vendor's kind of event."""
        raise NotImplementedError

    def events(self, answer: Reply, request: Request) -> Iterator[bytes]:
        return (self.sse(chunk, answer.newline) for chunk in self.chunks(answer, request))


def json_text(value: Any) -> str:
    """Write JSON as vendors do, characters as they are."""
    return json.dumps(value, ensure_ascii=False)
