"""The loop: ask the model, run its tools, ask again, until there is an answer."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeVar, cast

from pydantic_core import from_json

from nbagents.agents.history import Ask
from nbagents.agents.human import approve
from nbagents.agents.incomplete import INCOMPLETE, check_incomplete, not_made
from nbagents.agents.job import (
    ENDED,
    Job,
    files_of,
    fingerprints,
    first_request,
    is_final,
    no_fitting_answer,
    read_output,
    rejected,
)
from nbagents.agents.output import RejectedError
from nbagents.agents.playback import recorded_message, recorded_result
from nbagents.context import RunContext
from nbagents.errors import (
    ContextOverflow,
    ModelError,
    OutputError,
    ToolError,
    UserError,
    unknown_name,
)
from nbagents.events import (
    MessageFinished,
    Retrying,
    ToolFinished,
    ToolStarted,
    TurnStarted,
    interrupted_result,
)
from nbagents.jsonable import jsonable
from nbagents.messages import Message, TextPart, ToolCallPart, ToolResultPart
from nbagents.models.base import Capabilities, Chunk, ModelDone, ModelRequest, PartDone, UsageSoFar
from nbagents.models.collect import Collector, Incoming
from nbagents.models.estimate import estimated_usage
from nbagents.past import Past
from nbagents.runnable import Result
from nbagents.tools.base import Tool, ToolResult

__all__ = ["run_loop"]

T = TypeVar("T")

_REJECTIONS = 2


async def run_loop(ctx: RunContext, job: Job[T], messages: list[Message]) -> Result[T]:
    """Continue a conversation until the model has answered; `messages` grows on the way.

    Ends without an answer of the type that was asked for when a tool passes control on. Raises `LimitReached`, `ModelError`, and `OutputError` when the answer never fits.
    """
    requests, aside = fingerprints(job), _aside(ctx, job)
    first = functools.cache(functools.partial(first_request, job))
    forcing: list[Message] = []
    rejections = turn = cut = 0
    if ctx.past is not None:
        turn, ended = await _catch_up(ctx, job, ctx.past, messages)
        if ended is not None:
            return ended
    while True:
        turn += 1
        ctx.check_limits(turn)
        await ctx.emit(TurnStarted(turn))
        asked = ctx.asking = await requests.after(messages)
        if (message := await recorded_message(ctx, job.agent, asked)) is None:
            message = await _ask_within_context(ctx, job, first, messages, forcing, aside)
        ctx.asking = None
        cut = cut + 1 if message.stop in INCOMPLETE else 0
        calls = message.tool_calls
        final = next((call for call in calls if is_final(job, call)), None)
        if message.stop == "paused" or (calls and final is None):
            messages.append(message)
            await ctx.emit(MessageFinished(message, asked))
            check_incomplete(message, cut, job.model.name)
            if not calls:
                continue
            results, ends_run = await _run_tools(ctx, job, message)
            messages.append(results)
            if ends_run:
                return Result(cast("Any", message.text))
            forcing.clear()
            continue
        try:
            output: Any = read_output(job, message, final)
        except RejectedError as error:
            rejections += 1
            if rejections > _REJECTIONS or (final is None and message.stop in ENDED):
                ctx.asking = asked
                raise OutputError(no_fitting_answer(job, message, str(error))) from None
            await ctx.emit(Retrying(rejections, 0.0, str(error), restart=True))
            forcing = rejected(job, message, final, str(error))
            continue
        if final is not None:
            message = replace(message, parts=(TextPart(final.args),), stop="end")
        await ctx.emit(MessageFinished(message, asked))
        return Result(output, files_of(message))


async def _catch_up(
    ctx: RunContext, job: Job[T], past: Past, messages: list[Message]
) -> tuple[int, Result[T] | None]:
    """Take up what was said before the run was cut off, and run the tools that had not ended.

    Returns the number of turns that are done, and the result if the run is done by that.
    """
    said, calls = past.messages, past.pending
    messages.extend(said)
    turns = sum(message.role == "assistant" for message in said)
    if not said or (not calls and said[-1].stop == "paused"):
        return turns, None
    if not calls:  # It was interrupted between its last word and its end.
        output: Any = said[-1].text if job.output.is_text else job.output.parse(said[-1].text)
        return turns, Result(output, files_of(said[-1]))
    results, ends_run = await _run_tools(ctx, job, said[-1])
    messages.append(results)
    ctx.past = None  # A model may use the names of its calls again.
    passed_on: Any = said[-1].text
    return turns, Result(passed_on) if ends_run else None


def _aside(ctx: RunContext, job: Job[Any]) -> Ask:
    """Make the way to ask on the side: the same question is asked, and paid, once in a run."""
    told: dict[tuple[str | Message, ...], str] = {}

    async def ask(system: str, messages: Sequence[Message]) -> str:
        question = (system, *messages)
        if question not in told:
            message = await _ask(ctx, job, ModelRequest(messages, system), watched=False)
            told[question] = message.text
        return told[question]

    return ask


async def _ask_within_context(
    ctx: RunContext,
    job: Job[Any],
    first: Callable[[Capabilities], ModelRequest],
    messages: list[Message],
    forcing: Sequence[Message],
    aside: Ask,
) -> Message:
    """Ask with as much of the conversation as the history policy sends, and the model takes.

    A model that has learned from a refusal what it cannot do is asked again, in a way that it can.
    """
    overflows = 0
    refusal: ContextOverflow | None = None
    while True:
        selected = await job.history.select(messages, overflows, aside)
        if selected is None:
            raise refusal or UserError(f"{job.history!r} leaves nothing to send.")
        sent = [*selected, *forcing] if forcing else selected
        able = job.model.capabilities
        try:
            return await _ask(ctx, job, replace(first(able), messages=sent))
        except ContextOverflow as error:
            refusal = error
            overflows += 1
        except ModelError:
            if job.model.capabilities == able:
                raise


async def _ask(
    ctx: RunContext, job: Job[Any], request: ModelRequest, *, watched: bool = True
) -> Message:
    """Ask once, and again when that may help; report what arrives as it arrives."""
    attempt = 0
    while True:
        attempt += 1
        collector = Collector()
        failure: ModelError | None = None
        try:
            await _receive(ctx, job.model.stream(request), collector, watched=watched)
        except ModelError as error:
            failure = error
            if error.__suppress_context__:  # It has what the server sent, keys too.
                error.__context__ = None
        except BaseException:
            if collector.usage is not None:
                ctx.spend(collector.usage)
            await _keep_partial(ctx, job, collector, watched=watched)
            raise
        if collector.done is not None and collector.usage is None:
            collector.usage = estimated_usage(request, collector.message(job.agent))
        if collector.usage is not None:  # Of a broken answer, too: it is paid for.
            ctx.spend(collector.usage)
        if collector.done is not None:
            return collector.message(job.agent)
        if failure is None:
            vendor = job.model.name.partition(":")[0]
            failure = ModelError(
                "The answer broke off before its end.", provider=vendor, retryable=True
            )
        seconds = job.retries.wait(failure, attempt)
        if seconds is None:
            await _keep_partial(ctx, job, collector, watched=watched)
            raise failure
        ctx.check_spent()
        await ctx.emit(Retrying(attempt, seconds, str(failure), restart=collector.started))
        await asyncio.sleep(seconds)


async def _receive(
    ctx: RunContext, stream: AsyncGenerator[Chunk], collector: Collector, *, watched: bool
) -> None:
    """Collect what arrives, and report it as it arrives."""
    incoming = Incoming()
    async with aclosing(stream) as chunks:
        async for arrived in chunks:
            for chunk in incoming.take(arrived):
                collector.add(chunk)
                if watched and not isinstance(chunk, (PartDone, UsageSoFar, ModelDone)):
                    await ctx.emit(chunk)


async def _keep_partial(
    ctx: RunContext, job: Job[Any], collector: Collector, *, watched: bool
) -> None:
    """Keep what was said of a message that will not be finished."""
    partial = collector.message(job.agent, interrupted=True)
    if watched and partial.parts:
        await ctx.emit(MessageFinished(partial))


async def _run_tools(ctx: RunContext, job: Job[Any], message: Message) -> tuple[Message, bool]:
    """Run the tools of one turn in parallel; the results keep the order of the calls.

    An incomplete message may have incomplete arguments that still look valid, so each of its calls
    gets an error as its result. The second value tells whether a tool has passed control on.
    """
    incomplete = not_made(message) if message.stop in INCOMPLETE else None
    slots = asyncio.Semaphore(max(1, ctx.limits.parallel_tools))

    async def one(call: ToolCallPart) -> tuple[ToolResultPart, bool]:
        async with slots:
            inner = ctx.for_call(call.call_id)
            inner.enter()
            try:
                return await _run_tool(inner, job, call, incomplete)
            finally:
                inner.leave()

    failure: BaseException | None = None
    tasks: list[asyncio.Task[tuple[ToolResultPart, bool]]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(call)) for call in message.tool_calls]
    except BaseExceptionGroup as failures:
        failure = failures.exceptions[0]
    if failure is not None:  # Raised here, it keeps its own causes and not the group as one.
        raise failure
    results, ends = zip(*(task.result() for task in tasks), strict=True)
    return Message("user", results), any(ends)


async def _run_tool(
    ctx: RunContext, job: Job[Any], call: ToolCallPart, incomplete: str | None
) -> tuple[ToolResultPart, bool]:
    """Run one tool, or say why it cannot be run: it never runs on guessed arguments."""
    if ctx.past is not None and (done := ctx.past.results.get(call.call_id)):
        return done.result, done.ends_run
    clock = time.monotonic()
    tool = job.tools.get(call.name)
    if incomplete is not None:
        result = _refusal(incomplete)
    elif tool is None:
        result = _refusal(str(unknown_name("tool", call.name, job.tools)))
    else:
        try:
            args = tool.parse(call.args)
            shown = jsonable(from_json(call.args or "{}"))
            comment = await _allow(ctx, job, tool, args, shown)
        except ToolError as error:
            result = _refusal(str(error))
        else:
            try:
                recorded = await recorded_result(ctx, job.agent, tool, call)
                result = recorded or _with(comment, await tool.call(ctx, args))
                ctx.tell_state()
            except BaseException:
                ctx.cancelled = True
                seconds = time.monotonic() - clock
                await ctx.emit(ToolFinished(call.call_id, interrupted_result(call), seconds))
                raise
    part = ToolResultPart(call.call_id, call.name, result.content, result.is_error)
    seconds = time.monotonic() - clock
    await ctx.emit(ToolFinished(call.call_id, part, seconds, result.traceback, result.ends_run))
    ctx.keep_soon(if_exact=True)  # Others beside it may take long.
    return part, result.ends_run


async def _allow(
    ctx: RunContext, job: Job[Any], tool: Tool, args: dict[str, Any], shown: Any
) -> str:
    """Check that a call may be made, and report that it starts.

    Returns the user's comment on it. A tool that is not idempotent and was interrupted runs again
    only if it waited for an answer: then the question says so and is asked again. Raises
    `ToolError` when the tool must not run.
    """
    call_id, name = ctx.call_id or "", tool.spec.name
    past = ctx.past if ctx.past is not None and call_id in ctx.past.calls else None
    unanswered = past.waits(call_id) if past else None
    if past and not tool.is_idempotent and unanswered is None:
        raise ToolError(_UNKNOWN)
    # Of a call that had started, this takes the answer from the record.
    comment = await approve(ctx, tool, args, job.approve)
    if past is None:
        await ctx.emit(ToolStarted(call_id, name, shown))
        if ctx.record.journal is not None:
            # The one write of this turn: from now on, a resumed run knows that this tool may have
            # done its work. Let the other tools start first, so that they share the write.
            await asyncio.sleep(0)
            await ctx.keep()
    elif not tool.is_idempotent and unanswered is not None:
        await ctx.ask_again(unanswered, f"Your answer runs {name} again from its start.")
    return comment


_UNKNOWN = "The run was interrupted while this tool ran: it may have done its work, or a part of it, or nothing. Find out before you call it again."


def _with(comment: str, result: ToolResult) -> ToolResult:
    """Let the model read what the user said when the call was allowed."""
    return replace(result, content=(*result.content, TextPart(comment))) if comment else result


def _refusal(problem: str) -> ToolResult:
    return ToolResult((TextPart(problem),), is_error=True)
