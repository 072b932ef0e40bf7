"""Steps: what a node of a graph may run beside agents and teams: a function, a question."""

from __future__ import annotations

import asyncio
import functools
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import TypeAdapter
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError

from nbagents._portal import in_thread
from nbagents.context import RunContext
from nbagents.errors import UserError, did_you_mean
from nbagents.events import ToolProgress
from nbagents.messages import FilePart, Message, TextPart
from nbagents.questions import Question
from nbagents.runnable import Result, Runnable
from nbagents.tools.definition import holder_of, is_outdated
from nbagents.tools.function import FunctionTool
from nbagents.tools.rendering import progress_of

__all__ = ["Ask", "Function", "Given"]

_INPUT = "input"


@dataclass(slots=True)
class Given:
    """What a visit of a node begins with."""

    original: Sequence[Message]
    """What the graph was given."""
    results: Mapping[str, Result[Any]]
    """The results of the nodes that lead here, in the order of the edges."""
    earlier: Callable[[str], Result[Any] | None]
    """Looks up the last result of any node, by its name."""

    @property
    def text(self) -> str:
        """The text of what the graph was given."""
        return "\n".join(message.text for message in self.original if message.role == "user")

    @property
    def whole(self) -> Result[Any]:
        """The one result that leads here; all of them by name; or what the graph was given."""
        if len(self.results) == 1:
            return next(iter(self.results.values()))
        if self.results:
            files = tuple(file for result in self.results.values() for file in result.files)
            return Result({name: each.output for name, each in self.results.items()}, files)
        files = tuple(
            part
            for message in self.original
            for part in message.parts
            if isinstance(part, FilePart)
        )
        return Result(self.text, files)

    def first_messages(self) -> Sequence[Message]:
        """What the graph was given, where nothing else leads; results go by other ways."""
        return () if self.results else self.original

    def messages(self) -> tuple[Message, ...]:
        """Tell it to an agent: the original input, and each result under its node's name."""
        if not self.results:
            return tuple(self.original)
        parts: list[Any] = []
        for name, result in self.results.items():
            parts.extend((TextPart(f"{name}:\n{result.text}"), *result.files))
        *before, last = self.original
        if last.role == "user":
            return (*before, Message("user", (*last.parts, *parts)))
        return (*self.original, Message("user", tuple(parts)))


class Function:
    """A function as a node: its parameters tell what it is given.

    One annotated `RunContext` is the context, one named `input` the text that the graph was given,
    one named like a node before this one the last output of that node, or its default or None
    when it has not run. One more may be left: it is given all that leads here (`Given.whole`). A
    parameter annotated `Result` is given output and files together. A plain function runs in a
    thread; of a generator the last item counts. `**outputs` is given every result by name.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        is_before: Callable[[str], bool | None],
        sources: Sequence[str],
    ) -> None:
        """Read the parameters.

        `is_before` tells whether a name is that of a node before this one; None when of no node.
        `sources` are the nodes that lead right here.
        """
        self._function = function.function if isinstance(function, FunctionTool) else function
        plain = _plain(self._function)
        self.is_async = inspect.iscoroutinefunction(plain)
        self.is_stream = inspect.isasyncgenfunction(plain)
        self.is_generator = inspect.isgeneratorfunction(plain)
        self.returns: Any = None
        """The type that it says it returns."""
        self._takes: list[tuple[str, str, bool]] = []
        self._takes_rest = False
        """It is given all the other results that lead here by name: `**outputs`."""
        self._defaults: set[str] = set()
        self._sources = sources
        self._read(name, is_before)

    def _read(self, name: str, is_before: Callable[[str], bool | None]) -> None:
        function = self._function
        try:
            hints = typing.get_type_hints(_plain(function))
            parameters = inspect.signature(function).parameters
        except (NameError, TypeError, ValueError) as error:
            raise UserError(f"The function of the node {name!r} cannot be read: {error}") from None
        self.returns = hints.get("return")
        kinds = {parameter.kind: parameter for parameter in parameters.values()}
        if parameter := kinds.get(inspect.Parameter.POSITIONAL_ONLY):
            message = f"The function of the node {name!r} may not have {parameter} before a `/`."
            raise UserError(message)
        free = self._read_named(name, parameters, hints, is_before)
        if free and len(self._sources) > 1 and (hint := self._close_node(free)):
            message = f"The function of the node {name!r} has the parameter {free!r}, but no node of that name leads there.{hint}"
            raise UserError(message)
        self._takes_rest = inspect.Parameter.VAR_KEYWORD in kinds and not free
        several = kinds.get(inspect.Parameter.VAR_POSITIONAL)
        if several is not None and not free:
            message = f"The function of the node {name!r} has {several}, but outputs come by name. Write **outputs."
            raise UserError(message)

    def _read_named(
        self,
        name: str,
        parameters: Mapping[str, inspect.Parameter],
        hints: Mapping[str, Any],
        is_before: Callable[[str], bool | None],
    ) -> str:
        """Find out what each parameter is given; return the one that has a name of its own."""
        free = ""
        for parameter in parameters.values():
            if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
                continue
            hint = hints.get(parameter.name)
            has_default = parameter.default is not parameter.empty
            if has_default:
                self._defaults.add(parameter.name)
            wants_result = (typing.get_origin(hint) or hint) is Result
            if hint is RunContext:
                self._takes.append((parameter.name, "context", False))
            elif parameter.name == _INPUT or is_before(parameter.name):
                self._takes.append((parameter.name, "named", wants_result))
            elif has_default:
                continue
            elif is_before(parameter.name) is False:
                message = f"The function of the node {name!r} has the parameter {parameter.name!r}, but nothing leads from that node here. Add the edge {parameter.name} -> {name}, or give the parameter another name."
                raise UserError(message)
            elif free:
                hint = self._close_node(free) or self._close_node(parameter.name)
                message = f"The function of the node {name!r} has the parameters {free!r} and {parameter.name!r}. Name each after a node before it, or {_INPUT!r}; only one may have another name, and is given all outputs.{hint}"
                raise UserError(message)
            else:
                free = parameter.name
                self._takes.append((parameter.name, "whole", wants_result))
        return free

    def _close_node(self, parameter: str) -> str:
        """Name the node that a parameter nearly names, of those that lead here and have none yet."""
        taken = {name for name, _, _ in self._takes}
        return did_you_mean(parameter, (name for name in self._sources if name not in taken))

    @property
    def is_outdated(self) -> bool:
        """Tell whether the function was redefined since."""
        return is_outdated(self._function, holder_of(self._function))

    @property
    def takes(self) -> list[str]:
        """The nodes whose outputs it takes by name."""
        return [name for name, kind, _ in self._takes if kind == "named" and name != _INPUT]

    @property
    def takes_all(self) -> bool:
        """Tell whether it also takes the outputs of all nodes that lead to it."""
        return self._takes_rest or any(kind == "whole" for _, kind, _ in self._takes)

    @functools.cached_property
    def adapter(self) -> TypeAdapter[Any] | None:
        """The codec of what it says it returns, when that is a type that JSON can hold."""
        returns = self.returns
        if returns in {None, Any} or self.is_stream or self.is_generator:
            return None
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(returns)
            adapter.json_schema()
        except (PydanticUserError, PydanticUndefinedAnnotation, TypeError):
            return None
        return adapter

    def bind(self, name: str, given: Given) -> Runnable[Any]:
        """Make the step of one visit."""
        return _Step(name, self._function, given, self)

    def arguments(self, ctx: RunContext, given: Given) -> dict[str, Any]:
        """Fill in the parameters."""
        arguments: dict[str, Any] = {}
        for name, kind, wants_result in self._takes:
            if kind == "context":
                arguments[name] = ctx
                continue
            if kind == "whole":
                result: Result[Any] | None = given.whole
            elif (found := given.results.get(name) or given.earlier(name)) is not None:
                result = found
            elif name == _INPUT:
                result = Result(given.text)
            elif name in self._defaults:
                continue
            else:
                result = None
            arguments[name] = result if wants_result or result is None else result.output
        if self._takes_rest:
            rest = {name: result.output for name, result in given.results.items()}
            return {**rest, **arguments}
        return arguments


def _plain(function: Any) -> Any:
    """Return what holds the annotations of a callable: of `partial(f)` it is f."""
    if isinstance(function, functools.partial):
        return _plain(function.func)
    return function if inspect.isroutine(function) else type(function).__call__


class _Step(Runnable[Any]):
    """One visit of a node that is a function."""

    kind: ClassVar[str] = "function"
    description = ""

    def __init__(
        self, name: str, function: Callable[..., Any], given: Given, declared: Function
    ) -> None:
        self.name = name
        self._function = function
        self._given = given
        self._declared = declared

    @property
    def output_adapter(self) -> TypeAdapter[Any] | None:
        """The codec of what the function says it returns."""
        return self._declared.adapter

    async def execute(self, ctx: RunContext, messages: Sequence[Message]) -> Result[Any]:  # noqa: ARG002 - it has typed values
        """Call the function."""
        function, arguments = self._function, self._declared.arguments(ctx, self._given)
        try:
            if self._declared.is_async or self._declared.is_stream:
                value = function(**arguments)
            else:
                value = await in_thread(lambda: _exhausted(function(**arguments)))
            # A wrapper may hide that a function is async.
            if inspect.isawaitable(value):
                value = await value
            return _result(await _last(ctx, value) if inspect.isasyncgen(value) else value)
        except KeyboardInterrupt:  # It would end the loop, and with it the kernel.
            raise asyncio.CancelledError("A node was interrupted") from None
        except SystemExit as error:  # So would this.
            raise RuntimeError(f"SystemExit: {error}") from error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            message = f"What the node {self.name!r} waited for was cancelled."
            raise RuntimeError(message) from None


def _exhausted(value: Any) -> Any:
    """Return the last item of a generator, and anything else as it is."""
    if not inspect.isgenerator(value):
        return value
    last: Any = None
    for last in value:  # noqa: B007 - the last one is the result
        pass
    return last


async def _last(ctx: RunContext, items: Any) -> Any:
    """Report each item as progress and return the last one."""
    last: Any = None
    async with aclosing(items):
        async for last in items:
            await ctx.emit(ToolProgress("", progress_of(last)))
    return last


def _result(value: Any) -> Result[Any]:
    """Take what a function has returned; files in it are files of the result."""
    whole: Any = value
    if not isinstance(value, (Result, FilePart, list, tuple)):
        return Result(whole)
    if isinstance(value, Result):
        return typing.cast("Result[Any]", value)
    if isinstance(value, FilePart):
        return Result(whole, (value,))
    items = typing.cast("Sequence[Any]", value)
    return Result(whole, tuple(item for item in items if isinstance(item, FilePart)))


class Ask(Runnable[Any]):
    """One visit of a node that is a question: it shows what is decided, and gives the answer."""

    kind: ClassVar[str] = "human"
    description = ""

    def __init__(
        self, name: str, question: Question, given: Given, named: Sequence[str], used: Sequence[str]
    ) -> None:
        """Ask `question`, and show the last outputs of the nodes that are `named`, or else `used`."""
        self.name = name
        self._question = question
        self._given = given
        self._named = named
        self._used = used

    @property
    def output_adapter(self) -> TypeAdapter[Any] | None:
        """The codec of the answer."""
        return self._question.adapter

    async def execute(self, ctx: RunContext, messages: Sequence[Message]) -> Result[Any]:  # noqa: ARG002 - it has typed values
        """Ask."""
        asked = self._question
        details = asked.details
        if details is None:
            details = self._shown()
        question = Question(
            asked.prompt, asked.schema, asked.choices, reason=asked.reason, details=details
        )
        return _result(await ctx.ask(question))

    def _shown(self) -> Any:
        """Return the output to show, or several by name; None when there is none."""
        names = self._named or self._used
        found = {name: self._given.earlier(name) for name in names}
        outputs = {name: result.output for name, result in found.items() if result is not None}
        if self._named:
            missing = {name: f"{name} has no output yet." for name in names if name not in outputs}
            outputs = {name: missing.get(name, outputs.get(name)) for name in names}
        if outputs:
            return outputs if len(names) > 1 else next(iter(outputs.values()))
        return self._given.whole.output if self._given.results else None
