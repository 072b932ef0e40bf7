"""The port that everything which can be run implements, and the one way to run it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Collection, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import TypeAdapter
from pydantic_core import from_json

from nbagents._portal import portal
from nbagents.context import RunContext
from nbagents.errors import LimitReached, NbAgentsError, SessionError, ToolRetry, UserError
from nbagents.events import (
    DurableEvent,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunResumed,
    RunStarted,
)
from nbagents.limits import Limits, check_limits
from nbagents.messages import Message, TextPart, ToolSpec, user_message
from nbagents.past import Past
from nbagents.questions import Answers, Question
from nbagents.record import Record
from nbagents.redaction import redact
from nbagents.replay import RecordedError, playing
from nbagents.runnable.declaration import Declaration
from nbagents.runnable.given import Input, asked_messages
from nbagents.runnable.misuse import Unawaited
from nbagents.runnable.result import Result
from nbagents.runnable.retrace import changes, check_ways, loose_files, recordable, restored
from nbagents.runnable.run import Held, Run
from nbagents.runnable.sketch import Sketch
from nbagents.runnable.stream import RunStream
from nbagents.runnable.where import where_raised
from nbagents.sessions.session import Begun, Session
from nbagents.shared import Shared
from nbagents.tools.base import Tool, ToolResult
from nbagents.topology import Topology
from nbagents.untrusted import received

__all__ = ["Runnable", "RunnableTool", "call"]

T = TypeVar("T")


class Runnable(Declaration, ABC, Generic[T]):
    """Anything that can be run: an agent, a team, a remote agent."""

    kind: ClassVar[str] = "runnable"
    is_retraced: ClassVar[bool] = False
    """True for a team: going on, it is led by the recorded ends of the runs below it."""
    remembers: ClassVar[bool] = False
    """Its runs in one session are one conversation."""
    name: str
    description: str
    limits: Limits | None = None

    @abstractmethod
    async def execute(self, ctx: RunContext, messages: Sequence[Message]) -> Result[T]:
        """Do the work: report by `await ctx.emit(event)`, answer by `return`.

        Never called directly: `call` and `run` open the run around it.
        """

    @property
    def model_name(self) -> str | None:
        """The model that would be asked, if there is one. Raises `UserError` if it cannot be."""
        return None

    @property
    def note(self) -> str | None:
        """What a reader must know of the answers."""
        return None

    @property
    def output_adapter(self) -> TypeAdapter[Any] | None:
        """The codec of its output; None when that is text, or JSON as it is."""
        return None

    @property
    def declared(self) -> dict[str, Any]:
        """What a session remembers of it: `model`, `tools`, schema of the `output`, `parts`."""
        return {}

    def run(
        self,
        input: Input | None = None,
        *,
        session: Session | str | None = None,
        deps: object = None,
        limits: Limits | None = None,
        answers: Answers | None = None,
    ) -> Coroutine[Any, Any, Run[T]]:
        """Run to the end and return the `Run`.

        In a `session` the run is written down, and an agent or a swarm goes on with the
        conversation that it had there. A run that was cut off goes on where it was when it is
        asked the same again, or without an `input`. `deps` is handed to tools as `ctx.deps`;
        `answers` stand ready for questions to a person.

        Raises what made the run fail, with the run as `error.run`. A run that reaches a limit is
        returned with status `limited`, one that needs an answer nobody can give with `waiting`.
        """
        asked = Asked(self, asked_messages(input, session), session, deps, limits)
        return Unawaited(_begin(asked, Record(answers=answers)), self.name, "run")

    def stream(
        self,
        input: Input | None = None,
        *,
        session: Session | str | None = None,
        deps: object = None,
        limits: Limits | None = None,
        answers: Answers | None = None,
    ) -> RunStream[T]:
        """Run and watch: `async with agent.stream(...) as stream: async for event in stream`."""
        asked = Asked(self, asked_messages(input, session), session, deps, limits)
        record = Record(answers=answers)
        return RunStream(record, lambda: _begin(asked, record))

    def __call__(
        self,
        input: Input | None = None,
        *,
        session: Session | str | None = None,
        deps: object = None,
        limits: Limits | None = None,
        answers: Answers | None = None,
    ) -> Run[T]:
        """Run to the end from code that cannot await, in scripts and in cells alike."""
        asked = Asked(self, asked_messages(input, session), session, deps, limits)
        return portal().call(lambda: _begin(asked, Record(answers=answers)))

    def as_tool(self, name: str | None = None, description: str | None = None) -> Tool:
        """Make a tool of it, which other agents may call."""
        return RunnableTool(self, name or self.name, description or self.description)

    @property
    def is_team(self) -> bool:
        """Tell whether there is more than one thing in it that can be run."""
        return False

    def topology(self) -> Topology:
        """Tell what it is made of, to be drawn."""
        sketch = Sketch()
        self.sketch(sketch, self.name, None)
        return sketch.topology(self.name)

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, Any]:
        """Be a picture in a notebook, when it is a team."""
        if self.is_team:
            return self.topology()._repr_mimebundle_(include, exclude)  # pyright: ignore[reportPrivateUsage]
        return {"text/plain": repr(self)}

    def sketch(self, sketch: Sketch, id: str, parent: str | None) -> None:
        """Draw itself into a sketch: its node is `id`, inside of the team `parent`."""
        sketch.add(id, id.rpartition("/")[2], self.kind, parent)


def call(
    ctx: RunContext,
    runnable: Runnable[T],
    messages: Sequence[Message],
    *,
    node: str | None = None,
    extra_tools: Sequence[Tool] = (),
    limits: Limits | None = None,
) -> Coroutine[Any, Any, Result[T]]:
    """Run something inside a run, and await its result: a child, whose usage, limits and end are also its parent's.

    A team says by `node` which of its parts this is, lends `extra_tools` to an agent, and may set
    `limits` in the place of those that the runnable has.
    """
    child = ctx.child(runnable.name, limits or runnable.limits)
    child.node, child.extra_tools = node, tuple(extra_tools)
    if ctx.past is not None and (past := ctx.past.child(child.call_id, node, runnable.name)):
        child.past, child.run_id, messages = past, past.start.run_id, past.start.input
    return _open(child, runnable, tuple(messages))


@dataclass(frozen=True, slots=True)
class Asked(Generic[T]):
    """A run that somebody wants."""

    runnable: Runnable[T]
    messages: tuple[Message, ...] | None
    """None to go on with what was cut off."""
    session: Session | str | None
    deps: object
    limits: Limits | None

    def __post_init__(self) -> None:
        check_limits(self.limits)


async def _begin(asked: Asked[T], record: Record, before: Sequence[DurableEvent] = ()) -> Run[T]:
    """Begin a run, or go on with one: with that of `before`, or one in the session."""
    runnable = asked.runnable
    begun = Begun(asked.messages or (), events=before)
    if asked.session is not None:
        session = asked.session if isinstance(asked.session, Session) else Session(asked.session)
        cut_off = before[0].run_id if before else None
        begun = await session.begin(
            runnable.name, runnable.kind, asked.messages, cut_off, record.answers
        )
    past = Past.of(begun.events, begun.events[0].run_id) if begun.events else None
    limits = asked.limits or runnable.limits or Limits()
    shared = Shared(past.state if past else begun.state)
    ctx = RunContext(runnable.name, asked.deps, limits, record, shared, past=past)
    if past is not None:
        past.reopen()
        ctx.run_id = past.start.run_id
        record.retell(begun.events)
    record.journal, record.declared = begun.journal, begun.declared
    earlier = begun.earlier if runnable.remembers else ()

    async def again(events: Sequence[DurableEvent], answers: Answers | None) -> Run[T]:
        return await _begin(asked, Record(answers=answers), events)

    # A task of its own, so that it can be held, with all that it waits for, until it is resumed.
    task = record.task = asyncio.create_task(_to_its_end(ctx, runnable, begun.messages, earlier))
    task.add_done_callback(lambda _: record.wake())
    return await Held(ctx, task, again, earlier).outcome()


async def _to_its_end(
    ctx: RunContext,
    runnable: Runnable[T],
    messages: tuple[Message, ...],
    earlier: tuple[Message, ...],
) -> Result[T]:
    """Run the outermost run, and see that its end is safe too."""
    try:
        result = await _open(ctx, runnable, messages, earlier)
    except SessionError:
        raise
    except BaseException as error:
        try:
            await ctx.keep()
        except SessionError as problem:
            error.add_note(str(problem))
        raise
    else:
        await ctx.keep()
        return result
    finally:
        ctx.record.close()


async def _open(
    ctx: RunContext,
    runnable: Runnable[T],
    messages: tuple[Message, ...],
    earlier: tuple[Message, ...] = (),
) -> Result[T]:
    """Open the run, execute it, and close it with the event that says how it ended."""
    past = ctx.past
    if past is not None and past.end is not None and (past.has_failed or not runnable.is_retraced):
        ctx.spend(past.total)
        return restored(runnable.name, past, runnable.output_adapter)
    if past is None:
        ctx.record_event(_start(ctx, runnable, messages))
    ctx.enter()
    try:
        if past is not None or ctx.record.journal is not None:
            await _go_on(ctx, runnable)
        own = ctx.parent is None or ctx.limits is not ctx.parent.limits
        if own and ctx.limits.seconds is not None:
            result = await _within_time(ctx, runnable, (*earlier, *messages), ctx.limits.seconds)
        else:
            result = await runnable.execute(ctx, (*earlier, *messages))
        output, lossy = recordable(result.output, runnable.output_adapter)
        ctx.tell_state()
    except LimitReached as error:
        ctx.record_event(RunFinished(None, ctx.usage, f"{error.limit}={error.value}"))
        raise
    except Exception as error:
        name = error.recorded if isinstance(error, RecordedError) else type(error).__name__
        message, where = redact(received(str(error))) or name, where_raised(error)
        ctx.record_event(RunFailed(name, message, ctx.usage, ctx.asking, where))
        raise
    except BaseException as error:
        reason = received(str(error)) or "Cancelled"
        ctx.record_event(RunCancelled(reason, ctx.usage, ctx.asking))
        raise
    finally:
        ctx.leave()
    if past is None or past.end is None:
        files = loose_files(result, ctx.record.events, ctx.run_id)
        ctx.record_event(RunFinished(output, ctx.usage, None, files, lossy))
    if ctx.node is not None:  # Others beside it may take long.
        ctx.keep_soon()
    return result


def _start(ctx: RunContext, runnable: Runnable[Any], messages: tuple[Message, ...]) -> RunStarted:
    cassette = playing()
    asked = cassette.model(runnable.name) if cassette else (runnable.model_name, runnable.note)
    return RunStarted(
        runnable.name,
        runnable.kind,
        messages,
        ctx.parent.run_id if ctx.parent else None,
        ctx.call_id,
        *asked,
        ctx.node,
        runnable.topology() if ctx.parent is None and runnable.is_team else None,
        runnable.declared if ctx.record.journal else None,
        replayed=cassette is not None,
    )


async def _go_on(ctx: RunContext, runnable: Runnable[Any]) -> None:
    """Save what was asked before a run or a part of a team starts, and report that a run resumes.

    Asks the user when the run cannot resume as it was. Raises `UserError` when the user refuses.
    """
    past = ctx.past
    if ctx.node is not None or ctx.parent is None:
        await ctx.keep()
    if past is None:
        return
    before, now = past.declared or ctx.record.declared.get(runnable.name, {}), runnable.declared
    check_ways(runnable.name, before, now, past)
    if past.end is not None:
        return
    ctx.spend(past.spent)
    note, problem = changes(runnable.name, before, now)
    if problem and not await ctx.ask(Question(f"{problem} Continue anyway?", bool)):
        raise UserError(f"{problem} It was not continued.")
    ctx.record_event(RunResumed(note, runnable.model_name, now))


async def _within_time(
    ctx: RunContext, runnable: Runnable[T], messages: tuple[Message, ...], seconds: float
) -> Result[T]:
    clock: asyncio.Timeout | None = None
    try:
        async with ctx.timeout(seconds) as clock:
            return await runnable.execute(ctx, messages)
    except TimeoutError:
        if clock is not None and clock.expired():
            raise LimitReached("seconds", seconds) from None
        raise


class RunnableTool(Tool):
    """A runnable where a tool can stand."""

    is_idempotent = True  # What it had done stands in its own run, which goes on.

    def __init__(self, runnable: Runnable[Any], name: str, description: str) -> None:
        self.runnable = runnable
        message = {
            "type": "string",
            "description": "What you want done, with all it takes to do it.",
        }
        schema = {
            "type": "object",
            "properties": {"message": message},
            "required": ["message"],
            "additionalProperties": False,
        }
        text = description or f"Ask {name}."
        self.spec = ToolSpec(name, text, schema)

    def parse(self, args: str) -> dict[str, Any]:
        """Check that there is a message, and nothing else."""
        try:
            value = from_json(args)
        except ValueError as error:
            raise ToolRetry(f"The arguments are not JSON: {error}") from None
        match value:
            case {"message": str(message), **rest} if message and not rest:
                return {"message": message}
            case _:
                raise ToolRetry('The arguments must be {"message": "..."}.')

    async def call(self, ctx: RunContext, args: dict[str, Any]) -> ToolResult:
        """Run it as a child run and give its answer as the result."""
        try:
            result = await call(ctx, self.runnable, [user_message(args["message"])])
        except UserError:
            raise
        except NbAgentsError as error:
            return self._failure(str(error))
        except Exception as error:  # noqa: BLE001 - any failure of a child is its result
            return self._failure(f"{type(error).__name__}: {error}")
        return ToolResult(result.parts)

    def _failure(self, problem: str) -> ToolResult:
        return ToolResult((TextPart(redact(f"{self.spec.name} failed: {problem}")),), is_error=True)
