"""What a run carries with it: its place in the tree, its limits, its way to report."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from nbagents.errors import LimitReached
from nbagents.events import DurableEvent, Event, is_durable
from nbagents.messages import ZERO_USAGE, Usage

__all__ = ["Limits", "Record", "RunContext", "Watcher"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Where a run stops by itself. `None` means without end."""

    turns: int | None = 25
    """Model calls of one run; its child runs count their own."""
    depth: int | None = 8
    """Runs inside runs."""
    tokens: int | None = None
    """Input and output tokens of the run and all below it."""
    cost: Decimal | float | None = None
    """US dollars of the run and all below it; an unknown price ends the run too."""
    seconds: float | None = None
    """Wall time of the whole run."""
    parallel_tools: int = 32
    """Tools of one turn that run at once; not an end, only a queue."""


class Watcher(Protocol):
    """Whoever wants to see events as they happen."""

    def see(self, event: Event) -> bool:
        """Take one event, quickly; True means that there is no room for more just now."""
        ...

    async def room(self) -> None:
        """Return when there is room again; this is how a slow reader slows a run."""
        ...


@dataclass(slots=True)
class Record:
    """The events of one tree of runs, in the order in which they happened."""

    watcher: Watcher | None = None
    events: list[DurableEvent] = field(default_factory=list[DurableEvent])
    seq: int = 0


@dataclass(slots=True)
class RunContext:
    """The one argument that everything below a run is given."""

    name: str
    """The name of what runs."""
    deps: Any
    """What the caller handed in for tools to use; never stored, never sent to a model."""
    limits: Limits
    record: Record
    state: dict[str, Any] = field(default_factory=dict[str, Any])
    """JSON values that the runs of one tree share."""
    parent: RunContext | None = None
    call_id: str | None = None
    """The tool call that this context serves, or that opened this run."""
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    usage: Usage = ZERO_USAGE
    """What this run and all below it have spent so far."""
    depth: int = 1
    cancelled: bool = False
    """True once this tool call is being stopped; for a tool in a thread, which nothing interrupts."""

    async def emit(self, event: Event) -> None:
        """Report an event, which must be a new one: run, number and time are written into it."""
        record = self.record
        record.seq += 1
        write = object.__setattr__
        write(event, "run_id", self.run_id)
        write(event, "seq", record.seq)
        write(event, "at", time.time())
        if is_durable(event):
            record.events.append(event)
            if record.watcher is not None:
                record.watcher.see(event)
        elif record.watcher is not None and record.watcher.see(event):
            await record.watcher.room()

    def child(self, name: str, limits: Limits | None = None) -> RunContext:
        """Make the context of a run inside this one, which may have limits of its own.

        Raises `LimitReached` when the runs would be nested deeper than the `limits.depth` of this
        run, or of one above it, allows.
        """
        above: RunContext | None = self
        while above is not None:
            deepest = above.limits.depth
            if deepest is not None and self.depth - above.depth + 1 >= deepest:
                raise LimitReached("depth", deepest)
            above = above.parent
        return RunContext(
            name=name,
            deps=self.deps,
            limits=limits or self.limits,
            record=self.record,
            state=self.state,
            parent=self,
            call_id=self.call_id,
            depth=self.depth + 1,
        )

    def for_call(self, call_id: str) -> RunContext:
        """Make the context that a tool is given: the same run, and the call it serves."""
        return RunContext(
            name=self.name,
            deps=self.deps,
            limits=self.limits,
            record=self.record,
            state=self.state,
            parent=self,
            call_id=call_id,
            run_id=self.run_id,
            depth=self.depth,
        )

    def spend(self, usage: Usage) -> None:
        """Count what a model call cost, here and in every run above."""
        context: RunContext | None = self
        while context is not None:
            context.usage = context.usage + usage
            context = context.parent

    def check_limits(self, turn: int) -> None:
        """Raise `LimitReached` if turn number `turn` of this run must not begin."""
        turns = self.limits.turns
        if turns is not None and turn > turns:
            raise LimitReached("turns", turns)
        context: RunContext | None = self
        while context is not None:
            limits, usage = context.limits, context.usage
            if limits.tokens is not None and usage.total_tokens >= limits.tokens:
                raise LimitReached("tokens", limits.tokens)
            if limits.cost is not None and usage.cost is None:
                raise LimitReached("cost", f"{limits.cost} (a price is unknown)")
            if limits.cost is not None and usage.cost is not None and usage.cost >= limits.cost:
                raise LimitReached("cost", limits.cost)
            context = context.parent
