"""`LocalModel`: a small language model on this machine's processor, with no key."""

from __future__ import annotations

import sys
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from nbagents.errors import ContextOverflow, ModelError, UserError
from nbagents.events import TextDelta, ToolCallDelta
from nbagents.messages import ZERO_USAGE, StopReason, Usage
from nbagents.models.base import Capabilities, Chunk, ModelDone, ModelRequest
from nbagents.providers._errors import stream_error
from nbagents.providers._http import END, dump, json_events
from nbagents.providers._portable import Portable
from nbagents.providers.local.answer import Call
from nbagents.providers.local.process import Server, check_runtime, serve
from nbagents.providers.local.protocol import Prompt, encode, is_futile
from nbagents.providers.local.weights import DEFAULT, Weights, cache_root, find, is_there

__all__ = ["LocalModel"]

_MAX_TOKENS = 600
_SECOND_TEMPERATURE = 0.7
_OTHER_CONTEXT = 8192
# Free words otherwise end in one sentence, over and over; a grammar has bounds of its own.
_FREE = {"repeat_penalty": 1.1, "repeat_last_n": 256}
# The server hangs up on a connection that was idle, at the very moment in which it is used again.
_HEADERS = {"Connection": "close"}


class LocalModel(Portable):
    """A model in a child process of this one.

    `name` is an id that `fetch` knows (`smollm2-135m`, `qwen2.5-coder-0.5b`,
    `qwen2.5-coder-1.5b`) or the path of a GGUF file. The process starts at the first request,
    serves all models of the same file, and ends with this process. Raises `UserError` for a name
    that is not known; a request raises it for weights that were not fetched, and for a runtime
    that is missing.
    """

    def __init__(self, name: str = DEFAULT) -> None:
        self._weights = find(name)
        known = self._weights.name if isinstance(self._weights, Weights) else self._weights
        self.name = f"local:{known}"
        self.capabilities = Capabilities(files=frozenset(), note="small local model, may be wrong")

    def __repr__(self) -> str:
        return f"LocalModel({self.name.removeprefix('local:')!r})"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        """Ask, and yield the answer as it comes.

        An answer that is not in the form it must have is asked for once more, if nothing of it
        was yielded yet; so is a reply in the place of a call that would lead nowhere. Raises
        `ModelError`, and `UserError` when the weights or the runtime are missing.
        """
        path, context = self._file()
        longest = request.settings.max_tokens or _MAX_TOKENS
        prompt = encode(request, longest)
        temperature, spent = request.settings.temperature or 0.0, ZERO_USAGE
        server = serve(path, context)
        await server.ready()
        for last in (False, True):
            attempt = _Attempt()
            body = _body(request, prompt, longest, temperature)
            async with aclosing(_ask(server, prompt, body, attempt)) as deltas:
                async for delta in deltas:
                    yield delta
            spent += attempt.usage
            if not last and attempt.problem and not attempt.said:
                temperature = max(temperature, _SECOND_TEMPERATURE)
            elif not last and attempt.call and is_futile(request, attempt.call):
                prompt = encode(request, longest, must_reply=True)
            else:
                break
        if attempt.call:
            yield ToolCallDelta(0, f"call_{uuid.uuid4().hex}", attempt.call.name, attempt.call.args)
        yield ModelDone(_stop(attempt, prompt, longest), spent)

    def _file(self) -> tuple[Path, int]:
        """Return the GGUF file and the tokens that a conversation may have.

        Raises `UserError` if the file is not there.
        """
        weights = self._weights
        if isinstance(weights, Path):
            return weights, _OTHER_CONTEXT
        if not is_there(weights, cache_root()):
            check_runtime()
            raise UserError(
                f"The weights of {weights.name} are not on this machine yet. "
                f"Fetch them ({weights.megabytes}, once) with: {_command(weights.name)}"
            )
        return cache_root() / weights.file, weights.context


@dataclass(slots=True)
class _Attempt:
    """What one request came to."""

    stop: StopReason | None = None
    usage: Usage = ZERO_USAGE
    said: int = 0
    """Characters of text."""
    call: Call | None = None
    problem: str | None = None
    """Why the answer cannot be read."""


async def _ask(
    server: Server, prompt: Prompt, body: bytes, attempt: _Attempt
) -> AsyncGenerator[TextDelta, None]:
    """Yield the text of one answer; what else there is to know of it goes into `attempt`."""
    answer = prompt.answer()
    try:
        async with aclosing(_pieces(server, body, attempt)) as pieces:
            async for piece in pieces:
                text = answer.feed(piece)
                if text:
                    attempt.said += len(text)
                    yield TextDelta(text)
        attempt.call = answer.close()
    except ValueError as error:
        attempt.problem = str(error)


async def _pieces(server: Server, body: bytes, attempt: _Attempt) -> AsyncGenerator[str, None]:
    """Yield what the model writes."""
    try:
        async with (
            server.clients.lease() as client,
            aclosing(
                json_events(client, "/chat/completions", body, provider="local", headers=_HEADERS)
            ) as batches,
        ):
            async for batch in batches:
                for data in batch:
                    if data is END:
                        break
                    if "error" in data:
                        raise stream_error("local", data)
                    for choice in data["choices"]:
                        if piece := choice["delta"].get("content"):
                            yield piece
                        if reason := choice.get("finish_reason"):
                            attempt.stop = "length" if reason == "length" else "end"
                    if spent := data.get("usage"):
                        attempt.usage = _usage(spent)
    except ModelError as error:
        raise await _explained(server, error) from None
    if attempt.stop is None:
        message = "The answer broke off before its end."
        raise await _explained(server, ModelError(message, provider="local", retryable=True))


async def _explained(server: Server, error: ModelError) -> ModelError:
    """Say what only the server's side knows of an error."""
    if error.status == 400 and "context size" in error.message:
        return ContextOverflow(error.message, provider="local", status=400)
    epitaph = await server.epitaph() if error.status is None else None
    return ModelError(epitaph, provider="local", retryable=True) if epitaph else error


def _body(request: ModelRequest, prompt: Prompt, longest: int, temperature: float) -> bytes:
    body: dict[str, Any] = {
        "messages": prompt.messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": temperature,
        "max_tokens": longest,
    }
    body |= _FREE if prompt.grammar is None else {"grammar": prompt.grammar}
    return dump(body | request.settings.extra)


def _usage(spent: dict[str, Any]) -> Usage:
    cached = spent.get("prompt_tokens_details", {}).get("cached_tokens", 0)
    return Usage(spent["prompt_tokens"], spent["completion_tokens"], cached, Decimal(0))


def _stop(attempt: _Attempt, prompt: Prompt, longest: int) -> StopReason:
    """Return why the answer ended.

    Raises `ModelError` if it is no answer; half a text is one.
    """
    if attempt.call:
        return "tools"
    if prompt.form == "call" and attempt.said:
        return "length" if attempt.problem or attempt.said >= longest else "end"
    if attempt.problem is None:
        return attempt.stop or "end"
    why = f"It ended at max_tokens={longest}." if attempt.stop == "length" else attempt.problem
    raise ModelError(
        f"The local model did not give its answer the form that it must have. {why} "
        "A larger model may.",
        provider="local",
    )


def _command(name: str) -> str:
    """Name the command that fetches a model, as it is written where the user is."""
    ipython = sys.modules.get("IPython")
    cell = ipython is not None and ipython.get_ipython() is not None
    command = "%nbagents local" if cell else "python -m nbagents local"
    return command if name == DEFAULT else f"{command} {name}"
