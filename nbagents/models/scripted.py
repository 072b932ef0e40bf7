"""A model that says what it is told to: for tests, examples and notebooks without a key."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nbagents.errors import UserError
from nbagents.events import TextDelta, ThinkingDelta, ToolCallDelta
from nbagents.messages import StopReason, ThinkingPart, Usage
from nbagents.models.base import Capabilities, Chunk, ModelDone, ModelRequest, PartDone

__all__ = ["Say", "ScriptedModel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """One scripted answer."""

    text: str = ""
    thinking: str = ""
    calls: Sequence[tuple[str, dict[str, Any] | str]] = ()
    """Tools to call, as pairs of a name and its arguments; a string is sent as it is."""
    usage: Usage = field(default_factory=Usage)
    stop: StopReason | None = None
    wait: asyncio.Event | None = None
    """Say nothing before this is set."""


Step = str | Say | Exception | Callable[[ModelRequest], "str | Say"]


class ScriptedModel:
    """Answers with its steps, one a request: a text, a `Say`, an error to raise, or a function.

    Text arrives word by word. `requests` keeps what it was asked. When the script runs out it
    raises `UserError`; with `repeat=True` it starts again.
    """

    def __init__(
        self,
        *steps: Step,
        name: str = "scripted",
        capabilities: Capabilities | None = None,
        repeat: bool = False,
    ) -> None:
        self.name = f"scripted:{name}"
        self.capabilities = capabilities or Capabilities(native_output=False)
        self.requests: list[ModelRequest] = []
        self._steps = steps
        self._repeat = repeat

    def __repr__(self) -> str:
        return f"ScriptedModel({len(self._steps)} steps)"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        """Say the next step."""
        step = self._next()
        # The run goes on with the very list that it has sent.
        self.requests.append(replace(request, messages=tuple(request.messages)))
        if isinstance(step, Exception):
            raise step
        if callable(step):
            step = step(request)
        say = Say(text=step) if isinstance(step, str) else step
        if say.wait is not None:
            await say.wait.wait()
        for chunk in _chunks(say):
            yield chunk

    def _next(self) -> Step:
        asked, steps = len(self.requests), len(self._steps)
        if not steps or (asked >= steps and not self._repeat):
            answers = "1 answer" if asked == 1 else f"{asked} answers"
            raise UserError(f"The script ran out after {answers}; add more steps, or repeat=True.")
        return self._steps[asked % steps]


def _chunks(say: Say) -> Iterable[Chunk]:
    if say.thinking:
        yield from (ThinkingDelta(word) for word in _words(say.thinking))
        yield PartDone(ThinkingPart(say.thinking))
    yield from (TextDelta(word) for word in _words(say.text))
    for index, (name, args) in enumerate(say.calls):
        text = args if isinstance(args, str) else json.dumps(args)
        yield ToolCallDelta(index, f"call_{index}", name, "")
        yield ToolCallDelta(index, "", "", text)
    stop: StopReason = "tools" if say.calls else "end"
    yield ModelDone(say.stop or stop, say.usage)


def _words(text: str) -> list[str]:
    return re.findall(r" ?[^ ]+| ", text)
