"""A run that has ended, or is under way: its events, and all that they tell."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from itertools import pairwise
from typing import Any, Generic, Literal, Protocol, TypeVar

from nbagents._portal import in_loop
from nbagents.context import RunContext, inside_run
from nbagents.errors import Cancelled, LimitReached, UserError, unknown_name
from nbagents.events import (
    DurableEvent,
    InputReceived,
    InputRequested,
    MessageFinished,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunResumed,
    RunStarted,
    messages_of,
)
from nbagents.messages import ZERO_USAGE, Message, Usage
from nbagents.questions import Answers, OpenQuestion, in_their_order
from nbagents.record import check_answers, unasked
from nbagents.runnable.following import remember_conversation
from nbagents.runnable.misuse import Unawaited, awaits_itself, explains
from nbagents.runnable.result import Result
from nbagents.topology import Topology
from nbagents.untrusted import one_line

__all__ = ["Held", "Onlooker", "Run", "Status", "look_on"]

T = TypeVar("T")

Status = Literal["running", "waiting", "finished", "limited", "failed", "cancelled"]


class _News(asyncio.Future[None]):
    """What is awaited instead of a task, to be woken earlier too; cancelling it cancels the task."""

    def __init__(self, task: asyncio.Task[Any]) -> None:
        super().__init__(loop=task.get_loop())
        self._task = task

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel the task, and be woken when its clean-up has finished."""
        return self._task.cancel(msg)


class Held(Generic[T]):
    """A tree of runs under way, which stands still while all of it waits for a person."""

    def __init__(
        self,
        ctx: RunContext,
        task: asyncio.Task[Result[T]],
        again: Callable[[Sequence[DurableEvent], Answers | None], Awaitable[Run[T]]],
        earlier: Sequence[Message],
    ) -> None:
        self.ctx = ctx
        self.task = task
        self.again = again
        """Goes on from the events of a run that nothing is under way of any more."""
        self.earlier = earlier

    @property
    def questions(self) -> list[OpenQuestion]:
        """What is waited for."""
        return [question for question in self.ctx.record.questions.values() if question.is_open]

    @property
    def stands_still(self) -> bool:
        """True when all that goes on waits for answers, and no person is before a question."""
        record = self.ctx.record
        nobody_answers = not record.attended and all(
            question.is_open for question in record.questions.values()
        )
        return self.ctx.is_held and nobody_answers and not self.task.cancelling()

    async def outcome(self) -> Run[T]:
        """Wait until the tree has ended, or stands still.

        Cancelling this cancels the tree, and waits for its clean-up.
        """
        onlookers = [] if inside_run() else list(_onlookers)
        for onlooker in onlookers:
            onlooker.begin(self)
        run: Run[T] | None = None
        try:
            run = await self._outcome()
            return run
        finally:
            for onlooker in onlookers:
                onlooker.end(run or self._run())

    async def _outcome(self) -> Run[T]:
        record, task = self.ctx.record, self.task
        still = False
        while not task.done():
            news = _News(task)
            record.news.append(news)
            if self.stands_still:
                if still:
                    return self._waiting()
                task.get_loop().call_soon(record.wake)  # What has just ended may begin something.
            still = self.stands_still
            await news
        try:
            return self._run(task.result())
        except LimitReached as error:
            return self._run(error=error)
        except Exception as error:
            with contextlib.suppress(AttributeError):  # Some cannot carry anything.
                error.run = self._run(error=error)  # pyright: ignore[reportAttributeAccessIssue]
            raise

    def _run(self, result: Result[T] | None = None, error: BaseException | None = None) -> Run[T]:
        events = self.ctx.record.events
        return Run(self.ctx.run_id, events, result, error, earlier=self.earlier)

    async def go_on(self) -> Run[T]:
        """Bring what is still open before a person again, and wait for the outcome."""
        self.ctx.record.unpark()
        for question in self.questions:
            if question.attendant is None:
                self.ctx.record.attend(question)
        return await self.outcome()

    def _waiting(self) -> Run[T]:
        record = self.ctx.record
        record.watcher = None
        record.park()
        # When nobody can resume it any more, what it holds is let go.
        weakref.finalize(self, _let_go, self.task).atexit = False
        return Run(self.ctx.run_id, list(record.events), held=self, earlier=self.earlier)


class Onlooker(Protocol):
    """Whoever wants to know of each run of this process that is no part of another one."""

    def begin(self, held: Held[Any]) -> None:
        """Learn that a run begins, or goes on; in its own loop."""
        ...

    def end(self, run: Run[Any]) -> None:
        """Learn that it has ended, or waits."""
        ...


_onlookers: list[Onlooker] = []


def look_on(onlooker: Onlooker | None) -> None:
    """Tell this one of all runs from now on; None tells nobody."""
    _onlookers[:] = [onlooker] if onlooker is not None else []


def _let_go(task: asyncio.Task[Any]) -> None:
    with contextlib.suppress(RuntimeError):  # The loop is closed.
        task.get_loop().call_soon_threadsafe(task.cancel, "Nobody can answer any more")


class Run(Generic[T]):
    """One execution: its events, and all that they tell."""

    def __init__(
        self,
        run_id: str,
        events: list[DurableEvent],
        result: Result[T] | None = None,
        error: BaseException | None = None,
        held: Held[T] | None = None,
        earlier: Sequence[Message] = (),
    ) -> None:
        self.run_id = run_id
        self.events = events
        """Every durable event of this run and of all the runs below it, in order."""
        self.error = error
        """What ended the run early."""
        self._result = result
        self._held = held
        self._earlier = earlier
        self._messages: list[Message] | None = None
        self.problems = [q.problem for q in self.questions if q.problem]
        """Why prepared answers did not fit the questions that it waits for."""
        if held is not None and (unused := unasked(events, held.ctx.record.answers)):
            self.problems.append(
                f"Nothing was asked yet by the name {', '.join(map(repr, unused))}."
            )

    @property
    def name(self) -> str:
        """The name of what was run."""
        return self._start.name if self._start else ""

    @property
    def status(self) -> Status:
        """How the run ended."""
        match self._end:
            case RunFinished(limit=limit):
                return "limited" if limit else "finished"
            case RunFailed():
                return "failed"
            case RunCancelled():
                return "cancelled"
            case None:
                if self.error is None:
                    return "waiting" if self._unanswered else "running"
                return "cancelled" if isinstance(self.error, Cancelled) else "failed"

    @property
    def reason(self) -> str:
        """Why it ended early; empty for a run that finished."""
        match self._end:
            case RunFinished(limit=limit):
                return limit or ""
            case RunFailed(message=message):
                return message
            case RunCancelled(reason=reason):
                return reason
            case None:
                if self.error is None and self._unanswered:
                    waiting = f"Waiting for an answer to {', '.join(self._unanswered)}."
                    return " ".join([waiting, *self.problems])
                return str(self.error) if self.error else ""

    @property
    def output(self) -> T:
        """The answer, in the type that was asked for.

        Raises what ended the run early, when there is no answer.
        """
        if self._result is not None:
            return self._result.output
        if self.error is not None:
            raise self.error
        if self.status == "waiting":
            raise UserError(f"{self.reason} {self.how_to_go_on}")
        raise Cancelled(self.reason or "The run was stopped before it had an output.")

    @property
    def text(self) -> str:
        """What the model said last in this run, also when it was cut short; of a team, the output."""
        for event in reversed(self.events):
            if isinstance(event, MessageFinished) and event.run_id == self.run_id:
                return event.message.text
        return self._result.text if self._result else ""

    @property
    def messages(self) -> list[Message]:
        """The whole conversation: what went in, what was said, what tools answered.

        To go on with it: `agent.run([*run.messages, "and then?"])`. Of a team it is what went in
        and the answer that came out; what its members said is in their own runs.
        """
        if self._messages is None or self._end is None:
            said = [*self._earlier, *messages_of(self.events, self.run_id)]
            own = any(
                isinstance(e, MessageFinished) and e.run_id == self.run_id for e in self.events
            )
            if self._result is not None and not own:
                said.append(Message("assistant", self._result.parts, self.name))
            self._messages = said
            remember_conversation(self.run_id, said)
        return list(self._messages)

    @property
    def usage(self) -> Usage:
        """Tokens and money of this run and all below it."""
        if self._end is not None:
            return self._end.usage
        spent = (e.message.usage for e in self.events if isinstance(e, MessageFinished))
        return sum((usage for usage in spent if usage), ZERO_USAGE)

    @property
    def seconds(self) -> float:
        """Wall time from the first event to the last, without the time that it was cut off."""
        off = sum(
            event.at - before.at
            for before, event in pairwise(self.events)
            if isinstance(event, RunResumed) and event.run_id == self.run_id
        )
        return self.events[-1].at - self.events[0].at - off if self.events else 0.0

    @property
    def questions(self) -> list[OpenQuestion]:
        """The questions that it waits for; `run.questions[0].answer(...)` answers one."""
        return self._held.questions if self._held else []

    @property
    def how_to_go_on(self) -> str:
        """The line that says how a run that waits is resumed; empty for another one."""
        if self.status != "waiting":
            return ""
        answers = ", ".join(f'"{name}": ...' for name in self._unanswered)
        return f"Continue with: await run.resume(answers={{{answers}}})"

    def resume(self, answers: Answers | None = None) -> Coroutine[Any, Any, Run[T]]:
        """Answer what the run waits for, and go on from there; nothing that was done is repeated.

        `answers` are by the question's id, as `run.questions` lists them, or in order. What they
        leave open is asked again. Raises `UserError`, and changes nothing, when an answer does not
        fit, or there is nothing to go on with.
        """
        return Unawaited(self._resumed(answers), "run", "resume")

    async def _resumed(self, answers: Answers | None) -> Run[T]:
        held = self._held
        if held is None:
            raise UserError(f"{self!r} is not waiting for an answer.")
        if held.task.get_loop().is_closed():  # Nothing is left but what the record tells.
            check_answers(self.events, answers)
            return await held.again(self.events, answers)
        if held.task.done():
            how = "stopped" if held.task.cancelled() else "resumed to its end already"
            raise UserError(f"{self!r} cannot continue: it was {how}.")
        given = self._given(held, answers)
        for question, value in given:
            question.check(value)
        for question, value in given:
            question.answer(value)
        if held.task.get_loop() is asyncio.get_running_loop():
            return await held.go_on()
        return await in_loop(held.task.get_loop(), held.go_on)

    def _given(self, held: Held[T], answers: Answers | None) -> list[tuple[OpenQuestion, Any]]:
        """Find the question of each answer."""
        if not isinstance(answers, Mapping):
            in_order = in_their_order(answers)
            if len(in_order) > (count := len(held.questions)):
                questions = "1 open question" if count == 1 else f"{count} open questions"
                raise UserError(f"Too many answers: {len(in_order)} for {questions}.")
            return list(zip(held.questions, in_order, strict=False))
        known = {question.id: question for question in held.questions}
        for name in answers:
            if name in self._unanswered and name not in known:
                raise UserError(f"{name} was answered already; the first answer counts.")
            if name not in known:
                raise unknown_name("open question", name, known)
        return [(known[name], value) for name, value in answers.items()]

    def topology(self) -> Topology | None:
        """What ran, to be drawn, when it was a team."""
        return self._start.topology if self._start else None

    __await__ = awaits_itself

    def __repr__(self) -> str:
        return one_line(f"<Run {self.run_id} of {self.name}: {self.status}>")

    @property
    def _unanswered(self) -> list[str]:
        open_ones: dict[str, None] = {}
        for event in self.events:
            if isinstance(event, InputRequested):
                open_ones[event.question_id] = None
            elif isinstance(event, InputReceived):
                open_ones.pop(event.question_id, None)
        return list(open_ones)

    @property
    def _start(self) -> RunStarted | None:
        first = self.events[0] if self.events else None
        return first if isinstance(first, RunStarted) else None

    @property
    def _end(self) -> RunFinished | RunFailed | RunCancelled | None:
        last = self.events[-1] if self.events else None
        if isinstance(last, (RunFinished, RunFailed, RunCancelled)) and last.run_id == self.run_id:
            return last
        return None


explains(Run, "run")
