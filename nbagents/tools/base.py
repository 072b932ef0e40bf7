"""The port: what a tool is to the rest of the house."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from nbagents.context import RunContext
from nbagents.messages import FilePart, TextPart, ToolSpec
from nbagents.untrusted import received

__all__ = ["Tool", "ToolResult"]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool call came to."""

    content: tuple[TextPart | FilePart, ...]
    is_error: bool = False
    traceback: str | None = None
    """For the person at the screen; never sent to a model."""
    ends_run: bool = False
    """The agent says nothing more: control has passed to somebody else."""

    def __post_init__(self) -> None:
        if self.traceback is not None:
            object.__setattr__(self, "traceback", received(self.traceback))


class Tool(ABC):
    """Something that a model may call. Make one with `@tool`, or with `Runnable.as_tool()`."""

    spec: ToolSpec
    is_internal: bool = False
    """It acts on nothing outside of the run, so `Agent(approve=["*"])` does not mean it."""
    is_idempotent: bool = False
    """It may run twice: a run that was cut off while it ran just runs it again."""

    @abstractmethod
    def parse(self, args: str) -> dict[str, Any]:
        """Check the arguments, JSON text from the model, and turn them into typed values.

        Raises `ToolRetry`, saying what is wrong, on anything that the schema does not allow.
        """

    @abstractmethod
    async def call(self, ctx: RunContext, args: dict[str, Any]) -> ToolResult:
        """Run the tool on arguments that `parse` has returned."""

    async def needs_approval(self, args: dict[str, Any]) -> bool:  # noqa: ARG002 - others look at them
        """Tell whether a person has to allow this call before it runs."""
        return False
