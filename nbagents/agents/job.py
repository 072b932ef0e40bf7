"""What the loop needs to know of an agent: how to ask its model, and how to read the answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from nbagents.agents.history import History
from nbagents.agents.incomplete import INCOMPLETE, MORE_TOKENS, not_made
from nbagents.agents.output import OUTPUT_TOOL, Output, RejectedError
from nbagents.messages import (
    FilePart,
    Message,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    user_message,
)
from nbagents.models.base import Capabilities, Model, ModelRequest, Settings
from nbagents.models.retry import RetryPolicy
from nbagents.replay import Requests
from nbagents.tools.base import Tool

__all__ = [
    "ENDED",
    "Job",
    "files_of",
    "fingerprints",
    "first_request",
    "is_final",
    "no_fitting_answer",
    "read_output",
    "rejected",
]

T = TypeVar("T")

ENDED = {"length", "filtered"}
"""Why an answer in plain words ended that would end so again."""


@dataclass(frozen=True, slots=True)
class Job(Generic[T]):
    """What the loop needs to know of an agent."""

    agent: str
    model: Model
    chosen: str | None
    """The name of the model; None when none was named, and another one may be the default elsewhere."""
    system: str
    tools: dict[str, Tool]
    approve: tuple[str, ...]
    """Patterns of the names of tools that a person has to allow."""
    output: Output[T]
    settings: Settings
    history: History
    retries: RetryPolicy


def read_output(job: Job[Any], message: Message, final: ToolCallPart | None) -> Any:
    """Read the output from an answer. Raises `RejectedError` when it does not fit."""
    if final is None:
        return message.text if job.output.is_text else job.output.parse(message.text)
    if message.stop in INCOMPLETE:
        raise RejectedError(not_made(message))
    return job.output.parse(final.args)


def no_fitting_answer(job: Job[Any], message: Message, problem: str) -> str:
    """Say why there is no answer of the type that was asked for, and what to change."""
    if message.stop not in ENDED:
        return f"{job.agent}'s answer didn't match its output type. {problem}"
    fix = f" {MORE_TOKENS}" if message.stop == "length" else ""
    said = (
        f" It said: {message.text.strip()}" if message.stop == "filtered" and message.text else ""
    )
    return (
        f"{job.agent}'s answer didn't match its output type: {INCOMPLETE[message.stop]}.{fix}{said}"
    )


def files_of(message: Message) -> tuple[FilePart, ...]:
    """Return the files of an answer."""
    return tuple(part for part in message.parts if isinstance(part, FilePart))


def first_request(job: Job[Any], able: Capabilities) -> ModelRequest:
    """Make the part of the request that is the same in every turn, for what the model can do."""
    specs = tuple(tool.spec for tool in job.tools.values())
    request = ModelRequest((), job.system, specs, settings=job.settings)
    if job.output.is_text:
        return request
    if _is_native(job, able):
        return replace(request, output=job.output.spec)
    return replace(request, tools=(*specs, job.output.tool), tool_choice="required")


def _is_native(job: Job[Any], able: Capabilities) -> bool:
    """Tell whether the vendor itself holds the answer to the schema."""
    return able.native_output and (able.native_output_with_tools or not job.tools)


def fingerprints(job: Job[Any]) -> Requests:
    """Tell the requests of a run apart, for a replay."""
    settings = job.settings
    model = (job.chosen, settings.temperature, settings.max_tokens, settings.extra)
    output = None if job.output.is_text else job.output.spec.schema
    return Requests(model, job.system, (tool.spec for tool in job.tools.values()), output)


def is_final(job: Job[Any], call: ToolCallPart) -> bool:
    """Tell whether a call is the answer."""
    return call.name == OUTPUT_TOOL and not job.output.is_text


def rejected(
    job: Job[Any], message: Message, final: ToolCallPart | None, problem: str
) -> list[Message]:
    """Show the model its own answer and what is wrong; none of it stays in the history."""
    if final is not None:
        results = (
            ToolResultPart(call.call_id, call.name, (TextPart(problem),), is_error=True)
            for call in message.tool_calls
        )
        return [message, Message("user", tuple(results))]
    how = "" if _is_native(job, job.model.capabilities) else f" Call {OUTPUT_TOOL}."
    said = [message] if message.text else []
    return [*said, user_message(f"{problem}. Answer again, as JSON that fits the schema.{how}")]
