"""What the loop does in a replay: take from the cassette what a model or a tool had answered."""

from __future__ import annotations

import asyncio
from typing import NoReturn

from nbagents.context import RunContext
from nbagents.events import InputRequested, MessageFinished, TextDelta, ThinkingDelta
from nbagents.messages import ZERO_USAGE, Message, TextPart, ThinkingPart, ToolCallPart
from nbagents.replay import RecordedStop, no_result, playing
from nbagents.runnable import RunnableTool
from nbagents.tools.base import Tool, ToolResult

__all__ = ["recorded_message", "recorded_result"]


async def recorded_message(ctx: RunContext, agent: str, request: str) -> Message | None:
    """Answer in one piece, with what it had cost; None when this is no replay.

    Raises what had come in the place of an answer; where a person had stopped it, stops it again.
    """
    cassette = playing()
    if cassette is None:
        return None
    try:
        message = cassette.message(agent, ctx.path, request)
    except RecordedStop as stop:
        if stop.partial is not None:
            await _say(ctx, stop.partial)
            await ctx.emit(MessageFinished(stop.partial))
        await _stop(ctx, str(stop))
    await _say(ctx, message)
    return message


async def _stop(ctx: RunContext, reason: str) -> NoReturn:
    """Stop the whole tree, as a person had done, and wait for that."""
    assert ctx.record.task is not None
    ctx.record.task.cancel(reason)
    await asyncio.Event().wait()
    raise AssertionError


async def _say(ctx: RunContext, message: Message) -> None:
    for part in message.parts:
        if isinstance(part, TextPart):
            await ctx.emit(TextDelta(part.text))
        elif isinstance(part, ThinkingPart):
            await ctx.emit(ThinkingDelta(part.text))
    ctx.spend(message.usage or ZERO_USAGE)


async def recorded_result(
    ctx: RunContext, agent: str, tool: Tool, call: ToolCallPart
) -> ToolResult | None:
    """Tell again what a tool had done; None when it is to be run.

    Where a person had stopped it, stops it again.
    """
    cassette = None if tool.is_internal or isinstance(tool, RunnableTool) else playing()
    played = cassette.call(agent, call) if cassette else None
    if cassette is None or played is None:
        return None

    def is_open(asked: InputRequested) -> bool:
        return cassette.answer(asked) is None

    await ctx.tell_again(played.inner, played.run_id, call.call_id, is_open)
    for change in played.changes:
        ctx.state.pop(change.key, None)
        if not change.removed:
            ctx.state[change.key] = change.value
    if played.stopped is not None:
        await _stop(ctx, played.stopped)
    ended = played.finished
    if ended is None:
        raise no_result(agent, call)
    return ToolResult(ended.result.content, ended.result.is_error, ended.traceback, ended.ends_run)
