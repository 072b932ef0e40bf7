"""The road to every vendor whose SDK speaks HTTP: clients, prepared bodies, events, errors."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import weakref
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, cast

from pydantic_core import from_json

from nbagents._optional import require
from nbagents.errors import ModelError
from nbagents.providers._address import tls_problem, version_hint
from nbagents.providers._errors import status_error, stream_error, title_of, words_in
from nbagents.providers._sse import SSEDecoder

__all__ = ["END", "Clients", "dump", "json_events"]

_STREAMS_PER_CLIENT = 100
_DRAIN_SECONDS = 0.1

_ANSWERS = ("choices", "content")
_FIELD = re.compile(rb"[a-z]{0,5}(?::|\Z)")
"""How a line of server-sent events begins; the first may have been cut."""

END = object()
"""Yielded in place of `[DONE]`: the server says that its answer is complete."""


def dump(value: Any) -> bytes:
    """Write JSON as vendors like it: no spaces, characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


# Not held by the clients' owner: dropped before its loop ends, it could not close them in order.
_KEEPERS: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, list[AsyncGenerator[None, None]]] = (
    weakref.WeakKeyDictionary()
)


@dataclass(slots=True)
class _Slot:
    client: Any
    streams: int = 0


class Clients:
    """A vendor's SDK clients: one for each event loop, more where one would be crowded.

    A connection pool slows down with the streams it holds at once, so a client takes a hundred.
    Clients are closed when their loop is shut down (as `asyncio.run` does).
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._slots: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, list[_Slot]] = (
            weakref.WeakKeyDictionary()
        )

    @asynccontextmanager
    async def lease(self) -> AsyncGenerator[Any, None]:
        """Lend the client of this loop for one stream."""
        loop = asyncio.get_running_loop()
        slots = self._slots.get(loop)
        if slots is None:
            slots = self._slots[loop] = []
            keeper = _close_with_loop(slots)
            _KEEPERS.setdefault(loop, []).append(keeper)
            await anext(keeper)
        slot = next((slot for slot in slots if slot.streams < _STREAMS_PER_CLIENT), None)
        if slot is None:
            slot = _Slot(self._make())
            slots.append(slot)
        slot.streams += 1
        try:
            yield slot.client
        finally:
            slot.streams -= 1


async def _close_with_loop(slots: list[_Slot]) -> AsyncGenerator[None, None]:
    """Wait, as a generator that the loop itself closes when it shuts down."""
    try:
        yield
    finally:
        for slot in slots:
            await slot.client.close()
        slots.clear()


async def json_events(
    client: Any, path: str, body: bytes, *, provider: str, headers: Mapping[str, str] | None = None
) -> AsyncGenerator[list[Any], None]:
    """Post a prepared body through a vendor's client and yield its events, a list for each read.

    `client` is an `AsyncOpenAI` or an `AsyncAnthropic`, whose base is the same. The SDK would
    build an object for each chunk and walk the whole body for each request; so it is given bytes
    and asked for its response. `END` follows when the server says that the answer is whole. Raises
    `ModelError` for whatever the SDK or the network raises, and for a body that is not an answer.
    """
    from httpx2 import Response

    hint = version_hint(f"{client.base_url}{path}")
    with _vendor_errors(provider, hint):
        response = await client.post(
            path,
            content=body,
            cast_to=Response,
            options={"headers": {"Content-Type": "application/json", **(headers or {})}},
            stream=True,
            stream_cls=object,
        )
    try:
        with _vendor_errors(provider, hint):
            async with (
                aclosing(response.aiter_bytes()) as pieces,
                aclosing(_batches(provider, pieces, hint)) as batches,
            ):
                async for batch in batches:
                    yield batch
                    if batch[-1] is END:
                        await _drain(pieces)
                        return
    finally:
        await response.aclose()


async def _batches(
    provider: str, pieces: AsyncGenerator[bytes, None], hint: str
) -> AsyncGenerator[list[Any], None]:
    """Cut a body into events; one that is not a stream is a single event, or an error."""
    decoder = SSEDecoder()
    head = b""
    async for piece in pieces:
        head += piece
        if first := head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]:
            if first in b"{[<":
                yield [
                    _whole(provider, hint, head + b"".join([more async for more in pieces])),
                    END,
                ]
                return
            break
    came = False
    if events := decoder.feed(head):
        came = True
        yield _parsed(events)
    async for piece in pieces:
        if events := decoder.feed(piece):
            came = True
            yield _parsed(events)
    if not came and head.strip() and not _FIELD.match(head.lstrip(b"\xef\xbb\xbf \t\r\n")):
        said = head.decode("utf-8", "replace").strip()[:200]
        problem = f"It sent text instead of an answer: {said!r}."
        raise ModelError(f"{problem} Check the base URL{hint}.", provider=provider)
    try:
        last = _parsed(events) if (events := decoder.finish()) else []
    except ValueError:  # It was cut in the middle.
        return
    if last:
        yield last


def _parsed(events: list[bytes]) -> list[Any]:
    """Read the events of one read, up to the end of the answer: nothing after it is a part of it."""
    if events[-1].strip() == b"[DONE]" or b"[DONE]" in events:
        before = itertools.takewhile(lambda event: event.strip() != b"[DONE]", events)
        return [*map(_json, before), END]
    return [_json(event) for event in events]


def _json(event: bytes) -> Any:
    try:
        return from_json(event)
    except ValueError:
        # A byte that is not UTF-8, or half of an escaped pair whose other half comes later.
        text = event.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError(text[:200]) from None


def _whole(provider: str, hint: str, body: bytes) -> Any:
    """Read an answer that came whole, in place of a stream.

    Raises `ModelError` if it is a page, or the server's complaint.
    """
    text = body.decode("utf-8", "replace").strip().removeprefix("\ufeff")
    if text.startswith("<"):
        problem = (
            f"It answered with an HTML page ({title_of(text)!r}), not as a model's server does."
        )
        raise ModelError(f"{problem} Check the base URL{hint}.", provider=provider)
    data = _json(text.encode())
    if isinstance(data, dict) and any(name in data for name in _ANSWERS):
        return cast("dict[str, Any]", data)
    error = stream_error(provider, data, retryable=False)
    if error.status is None:
        message = f"{error.message.rstrip('.')}. Check the base URL{hint}."
        raise ModelError(message, provider=provider)
    raise error


async def _drain(pieces: AsyncGenerator[bytes, None]) -> None:
    """Read the end of the body, so that the connection can serve again."""
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for _ in pieces:
                pass
    except TimeoutError:
        return


@contextmanager
def _vendor_errors(provider: str, hint: str) -> Generator[None]:
    """Turn what an SDK or its HTTP client raises into `ModelError`."""
    import httpx2

    sdk = require(provider if provider in {"openai", "anthropic"} else "openai", provider)
    try:
        yield
    except sdk.APIStatusError as error:
        raise status_error(
            provider,
            error.status_code,
            words_in(error.response.content) or error.response.reason_phrase,
            request_id=error.request_id or error.response.headers.get("request-id"),
            headers=error.response.headers,
            key=f"{provider.upper()}_API_KEY",
            hint=hint,
        ) from None
    except sdk.APITimeoutError:
        raise ModelError("It did not answer in time.", provider=provider, retryable=True) from None
    except sdk.APIConnectionError as error:
        cause = error.__cause__ or error
        url = error.request.url
        place = f"{url.scheme}://{url.netloc.decode()}"
        if problem := tls_problem(error, place, "SSL_CERT_FILE"):
            raise ModelError(problem, provider=provider) from None
        message = f"There is no connection to {place}: {cause}"
        raise ModelError(message, provider=provider, retryable=True) from None
    except (httpx2.TransportError, httpx2.StreamError) as error:
        message = f"The connection broke in the middle of the answer ({type(error).__name__})."
        raise ModelError(message, provider=provider, retryable=True) from None
    except ValueError as error:
        message = f"It sent something that is not JSON: {error}"
        raise ModelError(message, provider=provider, retryable=True) from None
