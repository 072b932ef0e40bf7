"""The road to every vendor whose SDK speaks HTTP: clients, prepared bodies, events, errors."""

from __future__ import annotations

import asyncio
import email.utils
import json
import time
import weakref
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from nbagents._optional import require
from nbagents.errors import ContextOverflow, ModelError
from nbagents.providers._sse import SSEDecoder

__all__ = ["Clients", "dump", "json_events", "status_error"]

_STREAMS_PER_CLIENT = 100
_DRAIN_SECONDS = 0.1
_OVERFLOW = (
    "context_length",
    "context length",
    "context window",
    "context limit",
    "maximum context",
    "prompt is too long",
    "too many tokens",
    "input is too long",
    "exceed_context",
)


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
    and asked for its response. Raises `ModelError` for whatever it or the network raises.
    """
    from httpx2 import Response

    with _vendor_errors(provider):
        response = await client.post(
            path,
            content=body,
            cast_to=Response,
            options={"headers": {"Content-Type": "application/json", **(headers or {})}},
            stream=True,
            stream_cls=object,
        )
    decoder = SSEDecoder()
    try:
        with _vendor_errors(provider):
            async with aclosing(response.aiter_bytes()) as pieces:
                async for piece in pieces:
                    events = decoder.feed(piece)
                    if not events:
                        continue
                    last = events[-1] == b"[DONE]"
                    if last:
                        events.pop()
                    yield [from_json(event) for event in events]
                    if last:
                        await _drain(pieces)
                        return
    finally:
        await response.aclose()


async def _drain(pieces: AsyncGenerator[bytes, None]) -> None:
    """Read the end of the body, so that the connection can serve again."""
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for _ in pieces:
                pass
    except TimeoutError:
        return


@contextmanager
def _vendor_errors(provider: str) -> Generator[None]:
    """Turn what an SDK or its HTTP client raises into `ModelError`."""
    import httpx2

    sdk = require(provider if provider in {"openai", "anthropic"} else "openai", provider)
    try:
        yield
    except sdk.APIStatusError as error:
        raise status_error(
            provider,
            error.status_code,
            _message_in(error.body) or error.message,
            request_id=error.request_id or error.response.headers.get("request-id"),
            headers=error.response.headers,
            key=f"{provider.upper()}_API_KEY",
        ) from None
    except sdk.APITimeoutError:
        raise ModelError("It did not answer in time.", provider=provider, retryable=True) from None
    except sdk.APIConnectionError as error:
        cause = error.__cause__ or error
        url = error.request.url
        message = f"There is no connection to {url.scheme}://{url.netloc.decode()}: {cause}"
        raise ModelError(message, provider=provider, retryable=True) from None
    except (httpx2.TransportError, httpx2.StreamError) as error:
        message = f"The connection broke in the middle of the answer ({type(error).__name__})."
        raise ModelError(message, provider=provider, retryable=True) from None
    except ValueError as error:
        message = f"It sent something that is not JSON: {error}"
        raise ModelError(message, provider=provider, retryable=True) from None


def _message_in(body: Any) -> str | None:
    """Find the sentence in an error's body: `{"error": {"message": ...}}`, or without the outer."""
    inner: Any = body.get("error", body) if hasattr(body, "get") else None
    message: Any = inner.get("message") if hasattr(inner, "get") else inner
    return message if isinstance(message, str) else None


_FIXES = {
    401: "Check the API key{key}.",
    403: "This key{key} may not use this model.",
    404: "Check the model's name and the base URL.",
}


def status_error(
    provider: str,
    status: int,
    message: str,
    *,
    request_id: str | None = None,
    headers: Mapping[str, str] | None = None,
    key: str = "",
) -> ModelError:
    """Make the error for an HTTP status; a stream's own error events have one too.

    408, 409, 429 and everything from 500 may succeed later
    (https://www.rfc-editor.org/rfc/rfc9110#name-status-codes; 529 is Anthropic's "overloaded").
    """
    folded = message.lower()
    kind = ModelError
    if status in {400, 413} and any(phrase in folded for phrase in _OVERFLOW):
        kind = ContextOverflow
    fix = _FIXES.get(status)
    if fix:
        message = f"{message.rstrip('.')}. {fix.format(key=f' in {key}' if key else '')}"
    return kind(
        message,
        provider=provider,
        status=status,
        request_id=request_id,
        retryable=status in {408, 409, 429} or status >= 500,
        retry_after=_retry_after(headers or {}),
    )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read how long to wait, in seconds: a number, or a date (RFC 9110, section 10.2.3)."""
    milliseconds, value = headers.get("retry-after-ms"), headers.get("retry-after")
    try:
        if milliseconds is not None:
            return max(0.0, float(milliseconds) / 1000)
        return None if value is None else max(0.0, float(value))
    except ValueError:
        pass
    try:
        when = email.utils.parsedate_to_datetime(str(value))
    except ValueError:
        return None
    return max(0.0, when.timestamp() - time.time())
