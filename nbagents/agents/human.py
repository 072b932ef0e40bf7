"""The human in an agent's loop: asking as a tool, and calls that a person has to allow."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field

from nbagents.context import RunContext
from nbagents.errors import ToolError
from nbagents.questions import Question
from nbagents.tools.base import Tool
from nbagents.tools.function import tool

__all__ = ["Approval", "approve", "handoff_to_user"]


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's word on a call that a model wants to make."""

    approve: Annotated[bool, Field(title="Allow it")]
    comment: Annotated[str, Field(title="Comment for the agent")] = ""


def _from_yes_or_no(value: Any) -> Any:
    whole = isinstance(value, (dict, Approval))
    return cast("Any", value) if whole else {"approve": value}


_APPROVAL = Annotated[Approval, BeforeValidator(_from_yes_or_no)]


async def approve(
    ctx: RunContext, tool: Tool, args: dict[str, Any], shown: Any, patterns: tuple[str, ...]
) -> None:
    """Ask a person to allow a call, when the tool, or a pattern of its name, wants that.

    Raises `ToolError`, for the model to read, when the person does not.
    """
    name = tool.spec.name
    asked_for = not tool.is_internal and any(fnmatchcase(name, pattern) for pattern in patterns)
    if not asked_for and not await tool.needs_approval(args):
        return
    question = Question(f"May {ctx.name} call {name}?", _APPROVAL, details=shown)
    given = cast("Approval", await ctx.ask(question))
    if not given.approve:
        comment = f" They say: {given.comment}" if given.comment else ""
        raise ToolError(f"The person did not allow this call; it was not made.{comment}")


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
