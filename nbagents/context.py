"""What a run carries with it: its place in the tree, its limits, its way to report."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from nbagents.errors import LimitReached, UserError
from nbagents.events import (
    DurableEvent,
    Event,
    InputReceived,
    InputRequested,
    RunStarted,
    is_durable,
    stamp,
)
from nbagents.jsonable import jsonable
from nbagents.limits import Limits
from nbagents.messages import ZERO_USAGE, Usage
from nbagents.past import Past
from nbagents.questions import OpenQuestion, Question, asks_the_same, recorded_question
from nbagents.record import Record
from nbagents.replay import playing
from nbagents.shared import Shared
from nbagents.untrusted import received

__all__ = ["RunContext", "inside_run"]

_inside = contextvars.ContextVar("nbagents_inside", default=False)


class _Clock:
    """A timeout that stands still while a person is waited for."""

    def __init__(self, timeout: asyncio.Timeout) -> None:
        self._timeout = timeout
        self._left: float | None = None

    def hold(self) -> None:
        when = self._timeout.when()
        if when is not None and not self._timeout.expired():
            self._left = when - asyncio.get_running_loop().time()
            self._timeout.reschedule(None)

    def go_on(self) -> None:
        if self._left is not None:
            self._timeout.reschedule(asyncio.get_running_loop().time() + self._left)
            self._left = None


def inside_run() -> bool:
    """Tell whether this code runs on behalf of a run: it is a tool, or a node of a graph."""
    return _inside.get()


def _replayed(question: OpenQuestion) -> bool:
    """Answer a question as it was answered when it was recorded; then nobody is asked."""
    cassette = playing()
    if cassette is not None and (recorded := cassette.answer(question.asked)):
        question.answer(question.recorded(recorded.answer), via=recorded.via)
    return cassette is not None


@dataclass(slots=True)
class RunContext:
    """The one argument that everything below a run is given."""

    name: str
    """The name of what runs."""
    deps: Any
    """What the caller handed in for tools to use; never stored, never sent to a model."""
    limits: Limits
    record: Record
    shared: Shared = field(default_factory=Shared)
    owner: RunContext | None = None
    """The run to which what is shared belongs; None when it is this one."""
    past: Past | None = None
    """What this run had done before it was cut off."""
    parent: RunContext | None = None
    call_id: str | None = None
    """The tool call that this context serves, or that opened this run."""
    run_id: str = field(default_factory=lambda: os.urandom(6).hex())
    usage: Usage = ZERO_USAGE
    """What this run and all below it have spent so far."""
    depth: int = 1
    cancelled: bool = False
    """True once this tool call is being stopped; for a tool in a thread, which nothing interrupts."""
    node: str | None = None
    """The node or the member of a team that this run stands for."""
    extra_tools: tuple[Any, ...] = ()
    """Tools that the team lends to the agent that runs."""
    busy: int = 0
    """Runs, calls and questions under way directly below."""
    held: int = 0
    """How many of them wait for a person."""
    clocks: list[_Clock] = field(default_factory=list[_Clock])
    asking: str | None = None
    """What is being asked of the model just now, as hashes."""

    @property
    def state(self) -> dict[str, Any]:
        """JSON values that the runs of one tree share; a swarm's members share their own."""
        return self.shared.values

    @property
    def path(self) -> str:
        """Its place in the tree of runs: `/desk/writer`, or `/desk/writer:call_7` for a tool."""
        steps: list[str] = []
        context: RunContext | None = self
        while context is not None:
            above = context.parent
            if above is None or above.run_id != context.run_id:
                opener = f":{context.call_id}" if context.call_id else ""
                steps.append(f"{context.node or context.name}{opener}")
            context = above
        return "".join(f"/{step}" for step in reversed(steps))

    def share_anew(self) -> None:
        """Share nothing with the runs above, only with those below."""
        self.shared, self.owner = Shared(self.past.state if self.past else None), None

    def tell_state(self) -> None:
        """Report what was written to the state. Raises `UserError` for what is not JSON."""
        for change in self.shared.changes():
            (self.owner or self).record_event(change)

    async def keep(self) -> None:
        """Return when all that has happened so far is safe in the session, if there is one.

        Raises `SessionError` when it cannot be.
        """
        if self.record.journal is not None:
            self.tell_state()
            await self.record.journal.keep()

    def keep_soon(self, *, if_exact: bool = False) -> None:
        """Begin to make safe what has happened; nothing waits for it."""
        journal = self.record.journal
        if journal is not None and (journal.is_exact or not if_exact):
            journal.keep_soon()

    @property
    def is_held(self) -> bool:
        """True when all that goes on below waits for a person."""
        return 0 < self.held == self.busy

    def enter(self) -> None:
        """Be under way, as seen from above."""
        _inside.set(True)
        if self.parent is not None:
            self.parent.count(1, 0)

    def leave(self) -> None:
        """Be over."""
        if self.parent is not None:
            self.parent.count(-1, -1 if self.is_held else 0)

    def count(self, busy: int, held: int) -> None:
        """Count what begins, ends, or begins to wait directly below."""
        context: RunContext = self
        while True:
            before = context.is_held
            context.busy += busy
            context.held += held
            if context.is_held is before:
                return
            for clock in context.clocks:
                (clock.go_on if before else clock.hold)()
            if context.parent is None:
                context.record.wake()
                return
            context, busy, held = context.parent, 0, -1 if before else 1

    @asynccontextmanager
    async def timeout(self, seconds: float | None) -> AsyncGenerator[asyncio.Timeout]:
        """Be `asyncio.timeout(seconds)`, except that the time a person takes does not count."""
        async with asyncio.timeout(seconds) as timeout:
            clock = _Clock(timeout)
            self.clocks.append(clock)
            try:
                yield timeout
            finally:
                self.clocks.remove(clock)

    async def ask(self, question: Question | str) -> Any:
        """Ask a person and return the answer, in the type that the question asks for.

        A prepared answer counts first, then a person is asked. When there is neither, the answer
        is waited for, and the run shows as `waiting` once nothing else in it can go on.
        """
        if isinstance(question, str):
            question = Question(question)
        before = self.past.question(self.call_id) if self.past else None
        if before is not None and before[1] is not None and asks_the_same(question, before[0]):
            answered = OpenQuestion(question, before[0])
            with contextlib.suppress(UserError):  # It was a secret.
                return answered.recorded(before[1].answer)
        asked = await self._request(question, before[0] if before else None)
        return await self._answer(OpenQuestion(question, asked))

    async def ask_again(self, asked: InputRequested, note: str) -> None:
        """Ask again what was open when the run was interrupted; the next call that asks it gets the answer."""
        again = replace(asked, reason=f"{asked.reason} {note}".strip())
        pending = OpenQuestion(recorded_question(asked), again)
        await self.emit(again)
        await self._answer(pending)
        assert self.past is not None
        self.past.hear(InputReceived(pending.id, pending.answer_json, pending.via))

    async def _answer(self, pending: OpenQuestion, *, attend: bool = True) -> Any:
        record = self.record
        record.questions[pending.id] = pending
        await self.keep()
        if not record.prepared.serve(pending) and attend and not _replayed(pending):
            record.attend(pending)
        self.count(1, 1)
        try:
            answer = await pending.answered()
        finally:
            self.count(-1, -1)
            del record.questions[pending.id]
            pending.close("is over: the run was stopped.")
            if pending.is_answered:  # Also when the run is stopped in the same moment.
                record.unpark()
                self.record_event(InputReceived(pending.id, pending.answer_json, pending.via))
            if attendant := pending.attendant:
                attendant.cancel()
                await asyncio.wait({attendant})
        await self.keep()
        return answer

    async def _request(self, question: Question, before: InputRequested | None) -> InputRequested:
        """Report a question, unless it is in the record as it is."""
        record = self.record
        if before is not None and asks_the_same(question, before):
            return before
        record.asked += before is None
        asked = InputRequested(
            before.question_id if before else f"q{record.asked}",
            received(question.prompt),
            jsonable(question.adapter.json_schema()),
            self.name,
            received(question.reason),
            jsonable(question.details),
            self.call_id,
        )
        await self.emit(asked)
        return asked

    async def emit(self, event: Event) -> None:
        """Report an event, which must be a new one: run, number and time are written into it."""
        if is_durable(event):
            self.record_event(event)
            return
        record = self.record
        record.seq += 1
        stamp(event, self.run_id, record.seq, record.now())
        if record.watcher is not None and record.watcher.see(event):
            await record.watcher.room()

    async def tell_again(
        self,
        events: Iterable[DurableEvent],
        run_id: str,
        call_id: str,
        is_open: Callable[[InputRequested], bool],
    ) -> None:
        """Report what had happened in a call when it was recorded, as if it happened in this one.

        Waits where it asks what `is_open`: what code had answered is answered by it again.
        """
        questions: dict[str, str] = {}
        heard: set[str] = set()
        for event in events:
            own = event.run_id == run_id
            told: DurableEvent = replace(event)
            if isinstance(told, RunStarted) and told.parent_id == run_id:
                told = replace(told, parent_id=self.run_id, call_id=call_id)
            elif isinstance(told, InputRequested):
                before, waits = told.question_id, own and is_open(told)
                self.record.asked += 1
                questions[before] = name = f"q{self.record.asked}"
                told = replace(told, question_id=name, call_id=call_id if own else told.call_id)
                if waits:
                    heard.add(before)
                    self.record_event(told)
                    await self._answer(OpenQuestion(Question(told.prompt, Any), told), attend=False)
                    continue
            elif isinstance(told, InputReceived):
                if told.question_id in heard:
                    continue
                told = replace(told, question_id=questions[told.question_id])
            if isinstance(told, RunStarted):
                told = replace(told, replayed=True)
            self.record_event(told, self.run_id if own else event.run_id)

    def record_event(self, event: DurableEvent, run_id: str | None = None) -> None:
        """Report a durable event; these never wait for a slow reader.

        It is one of this run, unless the `run_id` of a run below it is given.
        """
        record = self.record
        record.seq += 1
        stamp(event, run_id or self.run_id, record.seq, record.now())
        record.events.append(event)
        if record.journal is not None:
            record.journal.add(event)
        if record.watcher is not None:
            record.watcher.see(event)

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
            shared=self.shared,
            owner=self.owner or self,
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
            shared=self.shared,
            owner=self.owner or self,
            past=self.past,
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
        self.check_spent()

    def check_spent(self) -> None:
        """Raise `LimitReached` if this run, or a run above it, has spent all it may."""
        context: RunContext | None = self
        while context is not None:
            limits, usage = context.limits, context.usage
            if limits.tokens is not None and usage.total_tokens >= limits.tokens:
                known = " (estimated: the server reports no usage)" if usage.estimated else ""
                raise LimitReached("tokens", f"{limits.tokens}{known}")
            if limits.cost is not None and usage.cost is None:
                raise LimitReached("cost", f"{limits.cost} (a price is unknown)")
            if limits.cost is not None and usage.cost is not None and usage.cost >= limits.cost:
                raise LimitReached("cost", limits.cost)
            context = context.parent
