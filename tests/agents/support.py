"""What the tests of the core share: models that misbehave, and events without ids and times."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from nbagents import (
    Capabilities,
    Event,
    ModelRequest,
    RunStarted,
    TextDelta,
    ToolFinished,
    Usage,
)
from nbagents.models.base import Chunk, ModelDone

END = ModelDone("end", Usage(1, 1))
"""The end of an answer that cost a token in and a token out."""


class Chunks:
    """A model that streams exactly the chunks it is given, one list of them a request.

    In a list a text is a delta, an error is raised, and an `asyncio.Event` is waited for.
    `begun` is set as soon as a request comes to its wait or its error, `closed` counts the streams that ended.
    """

    def __init__(
        self,
        *answers: Sequence[Chunk | str | Exception | asyncio.Event],
        capabilities: Capabilities | None = None,
    ) -> None:
        self.name = "chunks:chunks"
        self.capabilities = capabilities or Capabilities(native_output=False)
        self.requests: list[ModelRequest] = []
        self.begun = asyncio.Event()
        self.closed = 0
        self._answers = answers

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        """Stream the next list, and the last one again once all are said."""
        answer = self._answers[min(len(self.requests), len(self._answers) - 1)]
        self.requests.append(replace(request, messages=tuple(request.messages)))
        try:
            for item in answer:
                if isinstance(item, asyncio.Event):
                    self.begun.set()
                    await item.wait()
                elif isinstance(item, Exception):
                    self.begun.set()
                    raise item
                else:
                    yield TextDelta(item) if isinstance(item, str) else item
        finally:
            self.closed += 1


def never() -> asyncio.Event:
    """Make something that is waited for in vain."""
    return asyncio.Event()


def story(events: Sequence[Event]) -> list[Event]:
    """Tell what happened without ids and times; the first run is called "", its children 1, 2, ..."""
    names: dict[str | None, str | None] = {None: None}
    told: list[Event] = []
    for event in events:
        if event.run_id not in names:
            names[event.run_id] = str(len(names) - 1) if len(names) > 1 else ""
        plain = replace(event, run_id=names[event.run_id], seq=0, at=0.0)
        if isinstance(plain, ToolFinished):
            plain = replace(plain, seconds=0.0)
        if isinstance(plain, RunStarted):
            plain = replace(plain, parent_id=names[plain.parent_id])
        told.append(plain)
    return told


def others() -> set[asyncio.Task[object]]:
    """All tasks of the loop but the one that asks."""
    return asyncio.all_tasks() - {asyncio.current_task()}
