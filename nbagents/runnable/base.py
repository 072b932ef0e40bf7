"""The port that everything which can be run implements, and the one way to run it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Collection, Coroutine, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from pydantic_core import from_json, to_jsonable_python

from nbagents._portal import portal
from nbagents.context import Limits, Record, RunContext
from nbagents.errors import LimitReached, NbAgentsError, ToolRetry, UserError, redact
from nbagents.events import RunCancelled, RunFailed, RunFinished, RunStarted
from nbagents.messages import FilePart, Message, TextPart, ToolSpec, user_message
from nbagents.questions import Answers, Prepared
from nbagents.runnable.run import Held, Result, Run
from nbagents.runnable.sketch import Sketch
from nbagents.runnable.stream import RunStream
from nbagents.tools.base import Tool, ToolResult
from nbagents.topology import Topology

__all__ = ["Input", "Runnable", "RunnableTool", "call", "conversation"]

T = TypeVar("T")

Input = str | TextPart | FilePart | Message | Sequence[str | TextPart | FilePart | Message]
"""What a run may be given: a text, files beside texts, or a conversation to go on with."""


class Runnable(ABC, Generic[T]):
    """Anything that can be run: an agent, a team, a remote agent."""

    kind: ClassVar[str] = "runnable"
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

    async def run(
        self,
        input: Input,
        *,
        deps: object = None,
        limits: Limits | None = None,
        answers: Answers | None = None,
    ) -> Run[T]:
        """Run to the end and return the `Run`.

        `deps` is handed to tools as `ctx.deps`; `answers` stand ready for questions to a person.
        Raises what made the run fail, with the run as `error.run`. A run that reaches a limit is
        returned with status `limited`, one that needs an answer nobody can give with `waiting`.
        """
        record = Record(prepared=Prepared(answers))
        return await _run(self, conversation(input), deps, limits, record)

    def stream(
        self,
        input: Input,
        *,
        deps: object = None,
        limits: Limits | None = None,
        answers: Answers | None = None,
    ) -> RunStream[T]:
        """Run and watch: `async with agent.stream(...) as stream: async for event in stream`."""
        messages = conversation(input)
        record = Record(prepared=Prepared(answers))
        return RunStream(record, lambda: _run(self, messages, deps, limits, record))

    def __call__(
        self,
        input: Input,
        *,
        deps: object = None,
        limits: Limits | None = None,
        answers: Answers | None = None,
    ) -> Run[T]:
        """Run to the end from code that cannot await, in scripts and in cells alike."""
        return portal().call(lambda: self.run(input, deps=deps, limits=limits, answers=answers))

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
    return _open(child, runnable, tuple(messages))


async def _run(
    runnable: Runnable[T],
    messages: tuple[Message, ...],
    deps: object,
    limits: Limits | None,
    record: Record,
) -> Run[T]:
    ctx = RunContext(runnable.name, deps, limits or runnable.limits or Limits(), record)
    # A task of its own, so that it can be held, with all that it waits for, until it is resumed.
    task = asyncio.create_task(_open(ctx, runnable, messages))
    task.add_done_callback(lambda _: record.wake())
    return await Held(ctx, task).outcome()


async def _open(ctx: RunContext, runnable: Runnable[T], messages: tuple[Message, ...]) -> Result[T]:
    """Open the run, execute it, and close it with the event that says how it ended."""
    parent_id = ctx.parent.run_id if ctx.parent else None
    start = RunStarted(
        runnable.name,
        runnable.kind,
        messages,
        parent_id,
        ctx.call_id,
        runnable.model_name,
        runnable.note,
        ctx.node,
        runnable.topology() if ctx.parent is None and runnable.is_team else None,
    )
    ctx.record_event(start)
    ctx.enter()
    try:
        own = ctx.parent is None or ctx.limits is not ctx.parent.limits
        if own and ctx.limits.seconds is not None:
            result = await _within_time(ctx, runnable, messages, ctx.limits.seconds)
        else:
            result = await runnable.execute(ctx, messages)
        output: Any = result.output
        if not isinstance(output, str):
            output = to_jsonable_python(output, bytes_mode="base64", fallback=repr)
    except LimitReached as error:
        ctx.record_event(RunFinished(None, ctx.usage, f"{error.limit}={error.value}"))
        raise
    except Exception as error:
        message = redact(str(error) or type(error).__name__)
        ctx.record_event(RunFailed(type(error).__name__, message, ctx.usage))
        raise
    except BaseException as error:
        ctx.record_event(RunCancelled(str(error) or "Cancelled", ctx.usage))
        raise
    finally:
        ctx.leave()
    ctx.record_event(RunFinished(output, ctx.usage))
    return result


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


def conversation(input: Input) -> tuple[Message, ...]:
    """Turn what a run is given into messages; texts and files side by side are one message.

    Raises `UserError` on anything else, and on nothing.
    """
    items: Sequence[object] = [input]
    if isinstance(input, Sequence) and not isinstance(input, (str, bytes)):
        items = input
    messages: list[Message] = []
    loose: list[str | TextPart | FilePart] = []
    for item in items:
        if isinstance(item, Message):
            if loose:
                messages.append(user_message(*loose))
                loose.clear()
            messages.append(item)
        elif isinstance(item, (str, TextPart, FilePart)):
            loose.append(item)
        else:
            kind = type(item).__name__
            raise UserError(f"A run is given text, files or messages, not {kind} ({item!r:.60}).")
    if loose:
        messages.append(user_message(*loose))
    if not messages:
        raise UserError("A run is given text, files or messages, not nothing.")
    return tuple(messages)


class RunnableTool(Tool):
    """A runnable where a tool can stand."""

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
        text = redact(f"{self.spec.name} failed: {problem}")
        return ToolResult((TextPart(text),), is_error=True)
