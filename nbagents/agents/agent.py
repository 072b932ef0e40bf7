"""The declaration of an agent."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Generic, cast

from pydantic import TypeAdapter
from typing_extensions import TypeVar

from nbagents.agents.history import History, KeepAll
from nbagents.agents.human import check_patterns, handoff_to_user
from nbagents.agents.job import Job
from nbagents.agents.loop import run_loop
from nbagents.agents.output import OUTPUT_TOOL, Output
from nbagents.context import RunContext
from nbagents.errors import UserError, check_type
from nbagents.limits import Limits, check_limits
from nbagents.messages import Message
from nbagents.models.base import Model, Settings
from nbagents.models.registry import resolve_model
from nbagents.models.retry import RetryPolicy
from nbagents.runnable import Result, Runnable, RunnableTool
from nbagents.runnable.sketch import HUMAN, Sketch
from nbagents.tools.base import Tool
from nbagents.tools.function import FunctionTool, tool
from nbagents.untrusted import received

__all__ = ["Agent"]

T = TypeVar("T", default=str)

_NAME = re.compile(r"[A-Za-z_]\w{0,63}\Z", re.ASCII)

Usable = Tool | Runnable[Any] | Callable[..., Any]
"""What an agent may be given as a tool: a tool, another agent or team, a typed function."""


@dataclass(frozen=True, eq=False)
class Agent(Runnable[T], Generic[T]):
    """A name, a model, instructions, tools and the type of the answer.

    Running an agent never changes it, so one agent may serve many runs at once, be in several
    teams, and be a tool of others.
    """

    name: str
    """An identifier: letters, digits and underscores."""
    instructions: str = ""
    """What the model is told before anything else; Markdown."""
    model: str | Model | None = field(default=None, kw_only=True)
    """`provider:model`, or a model of your own; None is decided when the agent runs."""
    tools: Sequence[Usable] = field(default=(), kw_only=True)
    output_type: type[T] = field(default=str, kw_only=True)  # pyright: ignore[reportAssignmentType]
    """Whatever pydantic can check: a model, a dataclass, `list[...]`, `Literal[...]`."""
    description: str = field(default="", kw_only=True)
    """For other agents, which may call this one."""
    approve: Sequence[str] = field(default=(), kw_only=True)
    """Patterns, such as `delete_*`, of the tools that you have to allow at each call. A pattern that
    matches no tool of this agent is an error, as it would protect nothing. `*` means all tools but
    those that act on nothing outside of the run; `handoff` protects the one that a swarm lends."""
    settings: Settings = field(default_factory=Settings, kw_only=True)
    history: History = field(default_factory=KeepAll, kw_only=True)
    retries: RetryPolicy = field(default_factory=RetryPolicy, kw_only=True)
    limits: Limits | None = field(default=None, kw_only=True)
    """The limits of its runs, unless a run is given its own."""

    kind: ClassVar[str] = "agent"
    remembers: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_name(self.name)
        if isinstance(self.tools, (str, Tool, Runnable)) or not hasattr(self.tools, "__iter__"):
            raise UserError(f"tools must be a list: tools=[...], not {self.tools!r:.60}")
        object.__setattr__(self, "tools", tuple(self.tools))
        object.__setattr__(self, "approve", _patterns(self.approve))
        check_type("settings", self.settings, Settings, "temperature=0")
        check_limits(self.limits)
        for text in ("instructions", "description"):
            value: object = getattr(self, text)
            if not isinstance(value, str):
                raise UserError(f"{text}={value!r:.60} must be text.")
            object.__setattr__(self, text, received(value))
        _ = self.tool_table, self.output
        check_patterns(self.name, self.approve, self.tool_table)

    def __repr__(self) -> str:
        tools = f", tools={list(self.tool_table)}" if self.tool_table else ""
        return f"Agent({self.name!r}, model={self.model!r}{tools})"

    @cached_property
    def tool_table(self) -> dict[str, Tool]:
        """The tools by the names that the model knows them by."""
        table: dict[str, Tool] = {}
        for usable in self.tools:
            made = _as_tool(usable)
            name = made.spec.name
            if name in table:
                raise UserError(f"The agent {self.name!r} has two tools named {name!r}.")
            if name == OUTPUT_TOOL and not self.output.is_text:
                raise UserError(f"The name {name!r} is taken by the answer of {self.name!r}.")
            table[name] = made
        return table

    @cached_property
    def output(self) -> Output[T]:
        """The checked form of `output_type`."""
        return Output(self.output_type)

    @property
    def output_adapter(self) -> TypeAdapter[Any] | None:
        """The codec of its answers; None when they are text."""
        return None if self.output.is_text else self.output.adapter

    @property
    def declared(self) -> dict[str, Any]:
        """Its model, the names of its tools, and the schema of its answers; None for text."""
        adapter = self.output_adapter
        return {
            "model": self.model_name,
            "tools": list(self.tool_table),
            "output": adapter.json_schema() if adapter else None,
        }

    @property
    def purpose(self) -> str:
        """What it is for: its description, or the first line of its instructions."""
        return self.description or self.instructions.strip().partition("\n")[0].lstrip("# ")

    @property
    def model_name(self) -> str | None:
        """The model that a run would ask."""
        return resolve_model(self.model).name

    @property
    def note(self) -> str | None:
        """What a reader must know of this model's answers, and of tools that were redefined."""
        old = [name for name, each in self.tool_table.items() if _is_outdated(each)]
        said = [f"old version of {', '.join(old)}: define {self.name} again"] if old else []
        return "; ".join(filter(None, [resolve_model(self.model).capabilities.note, *said])) or None

    def replaced(self, **changes: Any) -> Agent[Any]:
        """Make a copy in which some fields differ."""
        return replace(self, **changes)

    def as_tool(self, name: str | None = None, description: str | None = None) -> Tool:
        """Make a tool of it, which other agents may call."""
        return super().as_tool(name, description or self.purpose)

    @property
    def is_team(self) -> bool:
        """Tell whether there is more than one thing in it that can be run."""
        return any(isinstance(tool, RunnableTool) for tool in self.tool_table.values())

    def sketch(self, sketch: Sketch, id: str, parent: str | None) -> None:
        """Draw the agent, its tools, and the agents that it uses."""
        model = self.model if isinstance(self.model, str | None) else self.model.name
        sketch.add(id, id.rpartition("/")[2], self.kind, parent, model or "")
        for name, usable in self.tool_table.items():
            inner = f"{id}/{name}"
            if usable is handoff_to_user:
                sketch.ask_human(id)
                continue
            if isinstance(usable, RunnableTool):
                usable.runnable.sketch(sketch, inner, parent)
            else:
                sketch.add(inner, name, "tool", parent)
            sketch.link(id, inner, kind="tool")

    async def execute(self, ctx: RunContext, messages: Sequence[Message]) -> Result[T]:
        """Ask the model, run the tools that it asks for, and so on until it answers."""
        lent: dict[str, Tool] = {tool.spec.name: tool for tool in ctx.extra_tools}
        model = resolve_model(self.model)
        job = Job(
            agent=self.name,
            model=model,
            chosen=None if self.model is None else model.name,
            system=self.instructions,
            tools={**self.tool_table, **lent} if lent else self.tool_table,
            approve=tuple(self.approve),
            output=self.output,
            settings=self.settings,
            history=self.history,
            retries=self.retries,
        )
        return await run_loop(ctx, job, list(messages))


def _patterns(given: object) -> tuple[str, ...]:
    """Copy the patterns of `approve`, so that nothing can change what is protected."""
    if isinstance(given, (str, Mapping)) or not isinstance(given, Iterable):
        raise UserError(
            f"approve={given!r:.60} must be a list of tools' names or patterns: approve=[...]"
        )
    return tuple(cast("Iterable[str]", given))


def _is_outdated(tool: Tool) -> bool:
    return isinstance(tool, FunctionTool) and tool.is_outdated


def _check_name(name: str) -> None:
    """Raise `UserError`, with a name that is close, for one that a vendor or a team cannot take."""
    if name == HUMAN:
        raise UserError(f"{name!r} stands for you, the person. Choose another name for the agent.")
    if isinstance(cast("object", name), str) and _NAME.match(name):
        return
    plain = unicodedata.normalize("NFKD", str(name).replace("ß", "ss"))
    close = re.sub(r"\W+", "_", plain.encode("ascii", "ignore").decode()).strip("_")[:64]
    close = close if _NAME.match(close) else f"agent_{close}".rstrip("_")
    raise UserError(
        f"{name!r} cannot be an agent's name: vendors take only A-Z, a-z, 0-9 and _, "
        f"at most 64 of them. For example: {close[:64]!r}."
    )


def _as_tool(usable: Usable) -> Tool:
    method_of: Any = usable
    if isinstance(method_of, FunctionTool) and method_of.is_unbound:
        name = cast("Any", method_of).function.__qualname__
        owner, _, method = name.rpartition(".")
        raise UserError(f"{name} is a method: give the tool of an object, {owner}(...).{method}.")
    if isinstance(usable, Tool):
        return usable
    if isinstance(usable, Runnable):
        return usable.as_tool()
    if callable(usable):
        made: FunctionTool[..., Any] = tool(usable)
        return made
    kind = type(usable).__name__
    raise UserError(f"A tool is a typed function, a tool or an agent, not {kind} ({usable!r}).")
