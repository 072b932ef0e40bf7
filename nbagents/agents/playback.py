"""What the loop does in a replay: take from the cassette what a model or a tool had answered."""

from __future__ import annotations

import asyncio

from nbagents.context import RunContext
from nbagents.events import MessageFinished, TextDelta, ThinkingDelta
from nbagents.messages import ZERO_USAGE, Message, TextPart, ThinkingPart, ToolCallPart
from nbagents.replay import RecordedStop, playing
from nbagents.runnable import RunnableTool
from nbagents.tools.base import Tool, ToolResult

__all__ = ["recorded_message", "recorded_result"]


async def recorded_message(ctx: RunContext, agent: str, request: str) -> Message | None:
    """Answer in one piece, with what it had cost; None when this is no replay.

    Raises what had come in the place of an answer, `CancelledError` where a person had stopped it.
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
        raise asyncio.CancelledError(str(stop)) from None
    await _say(ctx, message)
    return message


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

    Raises `CancelledError` where a person had stopped it.
    """
    cassette = None if tool.is_internal or isinstance(tool, RunnableTool) else playing()
    played = cassette.call(agent, call) if cassette else None
    if played is None:
        return None
    ctx.tell_again(played.inner, played.finished.run_id, call.call_id)
    for change in played.changes:
        ctx.state.pop(change.key, None)
        if not change.removed:
            ctx.state[change.key] = change.value
    if played.stopped is not None:
        raise asyncio.CancelledError(played.stopped)
    ended = played.finished
    return ToolResult(ended.result.content, ended.result.is_error, ended.traceback, ended.ends_run)
