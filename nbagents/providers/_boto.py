"""The road to AWS: boto3 blocks, so each of its streams is read in a thread that can be stopped."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any, cast

from nbagents._optional import require
from nbagents.errors import ModelError, NbAgentsError, UserError
from nbagents.providers._address import tls_problem
from nbagents.providers._errors import status_error

__all__ = ["blocking_events", "watch_connections"]

_AHEAD = 256
_STATUS = {
    "validationException": 400,
    "throttlingException": 429,
    "internalServerException": 500,
    "modelStreamErrorException": 500,
    "serviceUnavailableException": 503,
}
_CREDENTIALS = "AWS_BEARER_TOKEN_BEDROCK or your AWS profile"


async def blocking_events(ask: Callable[[], Any]) -> AsyncGenerator[list[Any], None]:
    """Yield the events of the stream that `ask` returns, in lists, while both block in a thread.

    The thread is at most some hundreds of events ahead. Closing this generator closes the
    connection, and the thread ends. Raises `ModelError` for whatever the vendor or the network
    raises, and `UserError` for what boto3 finds wrong before it asks.
    """
    reader = _Reader(ask)
    reader.start()
    try:
        ended = False
        while not ended:
            await reader.news.wait()
            reader.news.clear()
            # Looked at first: what comes before the end is there by then.
            ended = reader.ended
            batch = reader.take()
            if batch:
                yield batch
        if reader.error is not None:
            raise _nbagents_error(reader.error) from None
    finally:
        reader.stop()


class _Reader(threading.Thread):
    """Reads one answer and hands its events to the loop in which it was made."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        super().__init__(name="nbagents-boto", daemon=True)
        self.news = asyncio.Event()
        self.ended = False
        self.error: Exception | None = None
        self._events: deque[Any] = deque()
        self._room = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._ask = ask
        self._connection: Any = None
        self._stopped = False

    def run(self) -> None:
        """Read until the end, an error or `stop`."""
        try:
            stream = self._ask()
            try:
                for event in stream:
                    self._events.append(event)
                    self._tell()
                    self._wait_for_room()
                    if self._stopped:
                        return
            finally:
                stream.close()
        except Exception as error:  # noqa: BLE001 - raised again on the other side
            self.error = error
        finally:
            self._connection = None  # It may serve another reader by now.
            self.ended = True
            self._tell()

    def take(self) -> list[Any]:
        """Take all events that are here, which makes room for more."""
        events = self._events
        batch = [events.popleft() for _ in range(len(events))]
        self._room.set()
        return batch

    def stop(self) -> None:
        """End the thread: whether it waits for the network or for room, it does not any more."""
        self._stopped = True
        self._room.set()
        connection = self._connection
        if connection is not None and connection.reader is self:
            # A socket inside TLS inside TLS (a proxy's) cannot be shut down: it ends by itself.
            with suppress(OSError, AttributeError):
                connection.open_socket.shutdown(socket.SHUT_RDWR)

    def _tell(self) -> None:
        if not self.news.is_set():
            try:
                self._loop.call_soon_threadsafe(self.news.set)
            except RuntimeError:
                self._stopped = True  # The loop was closed without a word.

    def _wait_for_room(self) -> None:
        while len(self._events) >= _AHEAD and not self._stopped:
            self._room.clear()
            if len(self._events) >= _AHEAD and not self._stopped:
                self._room.wait()

    def watch(self, connection: Any) -> None:
        """Remember the connection that this thread now waits for."""
        connection.reader, connection.open_socket = self, connection.sock
        self._connection = connection
        if self._stopped:
            connection.close()
            raise ConnectionAbortedError


def watch_connections(client: Any) -> None:
    """Have a boto3 client tell each reader which connection it is given.

    botocore has no public way to a connection that has not answered yet, and without one a silent
    server would keep its thread.
    """
    with suppress(AttributeError):
        pools: dict[str, Any] = client._endpoint.http_session._pool_classes_by_scheme  # noqa: SLF001
        pools.update({scheme: _watched(pool) for scheme, pool in pools.items()})


def _watched(pool: Any) -> type:
    base: Any = pool.ConnectionCls

    class Connection(base):
        def connect(self) -> None:
            base.connect(self)
            _tell_reader(self)

        def request(self, *args: Any, **options: Any) -> None:
            if self.sock is not None:
                _tell_reader(self)
            base.request(self, *args, **options)

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


def _tell_reader(connection: Any) -> None:
    thread = threading.current_thread()
    if isinstance(thread, _Reader):
        thread.watch(connection)


def _nbagents_error(error: BaseException) -> BaseException:
    """Turn what boto3 or the network below it raised into an error of ours."""
    if isinstance(error, NbAgentsError):  # Perhaps that boto3 is missing.
        return error
    from urllib3.exceptions import HTTPError

    exceptions = require("botocore.exceptions", "bedrock")
    parser_error = require("botocore.eventstream", "bedrock").ParserError
    if isinstance(error, exceptions.ClientError):
        return _refusal(cast("Any", error).response)
    if isinstance(error, exceptions.SSLError):
        about: dict[str, Any] = cast("Any", error).kwargs
        where = str(about.get("endpoint_url") or "the server")
        known = tls_problem(about.get("error"), where, "AWS_CA_BUNDLE")
        return ModelError(known or str(error), provider="bedrock")
    broken = (exceptions.HTTPClientError, exceptions.ConnectionError, HTTPError, parser_error)
    if isinstance(error, broken):
        message = f"The connection broke: {error}"
        return ModelError(message, provider="bedrock", retryable=True)
    if isinstance(error, exceptions.BotoCoreError):
        return UserError(
            f"AWS is not set up for Bedrock: {error} Set {_CREDENTIALS}, and AWS_REGION."
        )
    return error


def _refusal(response: dict[str, Any]) -> ModelError:
    """Make the error for a refusal, which may come in place of the stream or inside it."""
    error: dict[str, Any] = response.get("Error", {})
    about: dict[str, Any] = response.get("ResponseMetadata", {})
    code = error.get("Code") or "unknown error"
    # A wrong signature is answered with all that was signed, a session's token among it.
    message = (error.get("Message") or "no reason given").partition("\n\nThe Canonical String")[0]
    return status_error(
        "bedrock",
        about.get("HTTPStatusCode") or _STATUS.get(code, 500),
        f"{message} ({code})",
        request_id=about.get("RequestId"),
        headers=about.get("HTTPHeaders"),
        key=_CREDENTIALS,
    )
