"""The human in an agent's loop: asking as a tool, and calls that a person has to allow."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass as pydantic_dataclass

from nbagents.context import RunContext
from nbagents.errors import ToolError, UserError, did_you_mean
from nbagents.questions import Question
from nbagents.runnable import RunnableTool
from nbagents.tools.base import Tool
from nbagents.tools.function import tool

__all__ = ["Approval", "approve", "check_patterns", "handoff_to_user"]


@pydantic_dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Approval:
    """The user's decision on a call that a model wants to make."""

    approve: Annotated[
        bool, Field(title="Decision", json_schema_extra={"labels": ["Allow", "Deny"]})
    ]
    comment: Annotated[str, Field(title="Comment for the agent")] = ""


def _from_yes_or_no(value: Any) -> Any:
    whole = isinstance(value, (dict, Approval))
    return cast("Any", value) if whole else {"approve": value}


_LENT = ("handoff",)
"""Tools that a team lends to its members, which an agent may name before it is in a team."""

_MARKS = re.compile(r"(?<![^\W_])_|_(?![^\W_])|[*~<>\\\[\]&$#]")
_APPROVAL = Annotated[Approval, BeforeValidator(_from_yes_or_no)]


def check_patterns(agent: str, patterns: Sequence[str], tools: Mapping[str, Tool]) -> None:
    """Raise `UserError` for a pattern of `approve` that would protect nothing."""
    asking = [name for name, tool in tools.items() if not tool.is_internal]
    for pattern in patterns:
        if not isinstance(cast("object", pattern), str):
            message = f"approve takes the names of tools, or patterns such as 'delete_*', not {pattern!r:.60}."
            raise UserError(message)
        if pattern not in {"*", *_LENT} and not any(fnmatchcase(name, pattern) for name in asking):
            raise UserError(
                f"approve={pattern!r} would protect nothing: {agent!r} has no such tool."
                f"{did_you_mean(pattern, asking)}{_where_else(pattern, tools)}"
            )


def _where_else(pattern: str, tools: Mapping[str, Tool]) -> str:
    """Say what else a pattern names that does not match a tool of the agent itself."""
    for name, each in tools.items():
        if each.is_internal and fnmatchcase(name, pattern):
            return f" {name!r} only asks you, so it needs no approval."
        inner = each.runnable if isinstance(each, RunnableTool) else None
        if any(fnmatchcase(one, pattern) for one in getattr(inner, "tool_table", ())):
            return f" It is a tool of {name!r}: give approve= to that agent."
    return ""


async def approve(
    ctx: RunContext, tool: Tool, args: dict[str, Any], patterns: tuple[str, ...]
) -> str:
    """Ask the user to allow a call, when the tool, or a pattern that matches its name, wants that.

    Returns what to add to the result of the call: the comment that came with the permission.
    Raises `ToolError`, for the model to read, when the user denies it.
    """
    name = tool.spec.name
    named = any(fnmatchcase(name, pattern) for pattern in patterns)
    asked_for = named and (not tool.is_internal or name in patterns)
    if not asked_for and not await tool.needs_approval(args):
        return ""
    question = Question(
        f"Allow {_to_the_letter(ctx.name)} to call {_to_the_letter(name)}?",
        _APPROVAL,
        details=args,  # As the tool receives them: validation may have turned "yes" into true.
    )
    decision = cast("Approval", await ctx.ask(question))
    comment = f" Comment from the user: {decision.comment}" if decision.comment else ""
    if not decision.approve:
        raise ToolError(f"The user denied this call; it was not made.{comment}")
    return f"The user allowed this call.{comment}" if comment else ""


def _to_the_letter(name: str) -> str:
    """Write a name that Markdown would read, such as `__init__`, as code: prompts are Markdown."""
    return f"`{name}`" if _MARKS.search(name) and "`" not in name else name


@tool
async def handoff_to_user(
    ctx: RunContext, question: str, reason: str = "", choices: list[str] | None = None
) -> str:
    """Ask the person at the screen, and wait for the answer.

    Use it when you need a decision or something that only the person knows.

    Args:
        ctx: The run.
        question: What you want to know, in one sentence.
        reason: Why you ask.
        choices: The possible answers, when there are only some.
    """
    answer = await ctx.ask(Question(question, choices=tuple(choices or ()), reason=reason))
    return str(answer)


handoff_to_user.is_internal = handoff_to_user.is_idempotent = True
