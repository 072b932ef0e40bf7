"""`@tool`: a typed function becomes a tool, its signature and docstring the schema."""

from __future__ import annotations

import asyncio
import inspect
import traceback
import typing
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, NotRequired, ParamSpec, TypeVar, overload

from docstring_parser import parse as parse_docstring
from pydantic import ConfigDict, Field, PydanticUserError, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python
from typing_extensions import TypedDict

from nbagents import _portal
from nbagents._portal import in_thread, on_main_thread
from nbagents.context import RunContext
from nbagents.errors import ToolError, ToolRetry, UserError, redact
from nbagents.events import ToolProgress
from nbagents.messages import TextPart, ToolSpec
from nbagents.tools.base import Tool, ToolResult
from nbagents.tools.rendering import UnreadableError, render, shorten

__all__ = ["Examples", "FunctionTool", "tool"]

P = ParamSpec("P")
R = TypeVar("R")

Examples = Sequence[tuple[str, dict[str, Any]]]
Approve = bool | Callable[..., bool | Awaitable[bool]]
"""Whether a person has to allow a call: always, or as a function of the call's arguments says."""

_LONGEST_TRACEBACK = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    thread: Literal["worker", "main"] = "worker"
    timeout: float | None = None
    approve: Approve = False
    idempotent: bool = False


class FunctionTool(Tool, Generic[P, R]):
    """A function that a model may call. It can still be called as the function that it is."""

    def __init__(
        self, function: Callable[P, R], spec: ToolSpec, adapter: TypeAdapter[Any], options: _Options
    ) -> None:
        self.function = function
        self.spec = spec
        self._adapter = adapter
        self._options = options
        self.is_idempotent = options.idempotent
        self._context_name = _context_parameter(function)
        self.__doc__ = function.__doc__
        self.__name__ = spec.name

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function as if it were no tool."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<tool {self.spec.name}{inspect.signature(self.function)}>"

    def parse(self, args: str) -> dict[str, Any]:
        """Check the arguments and turn them into the annotated types."""
        try:
            return self._adapter.validate_json(args or "{}")
        except ValidationError as error:
            raise ToolRetry(_problems(error)) from None
        except Exception as error:
            problem = redact(f"{type(error).__name__}: {error}")
            raise ToolRetry(f"The arguments do not fit: {problem}") from error

    async def needs_approval(self, args: dict[str, Any]) -> bool:
        """Tell what `approve` says; when it fails, a person has to decide."""
        approve = self._options.approve
        if isinstance(approve, bool):
            return approve
        try:
            needed = approve(**args)
            return bool(await needed if inspect.isawaitable(needed) else needed)
        except (Exception, SystemExit):  # noqa: BLE001 - whatever it raises, nothing is done unasked
            return True

    async def call(self, ctx: RunContext, args: dict[str, Any]) -> ToolResult:
        """Run the function; what it raises becomes an error result."""
        if self._context_name is not None:
            args = {**args, self._context_name: ctx}
        clock: asyncio.Timeout | None = None
        try:
            async with ctx.timeout(self._options.timeout) as clock:
                return await self._run(ctx, args)
        except ToolError as error:
            return _error(str(error))
        except UnreadableError as error:
            return _error(f"{self.spec.name} ran, but what it returned cannot be read. {error}")
        except TimeoutError as error:
            if clock is not None and clock.expired():
                ctx.cancelled = True
                return _error(f"It did not answer within {self._options.timeout} seconds.")
            return _raised(error)
        except UserError:
            raise
        except KeyboardInterrupt:  # It would end the loop, and with it the kernel.
            raise asyncio.CancelledError("A tool was interrupted") from None
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return _raised(error)  # Not the tool was cancelled, but what it waited for.
        except (Exception, SystemExit) as error:  # noqa: BLE001 - any failure of a tool is its result
            return _raised(error)

    async def _run(self, ctx: RunContext, args: dict[str, Any]) -> ToolResult:
        function: Callable[..., Any] = self.function
        if inspect.isasyncgenfunction(function):
            last: object = None
            async with aclosing(function(**args)) as items:
                async for last in items:
                    progress = to_jsonable_python(last, fallback=repr)
                    await ctx.emit(ToolProgress(ctx.call_id or "", progress))
            return _result(last)
        if inspect.iscoroutinefunction(function):
            return _result(await function(**args))
        if self._options.thread == "main":
            return _result(await on_main_thread(lambda: function(**args)))
        return await in_thread(lambda: _result(function(**args)))


@overload
def tool(function: Callable[P, R], /) -> FunctionTool[P, R]: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    examples: Examples = (),
    thread: Literal["worker", "main"] = "worker",
    timeout: float | None = None,
    approve: Approve = False,
    idempotent: bool = False,
) -> Callable[[Callable[P, R]], FunctionTool[P, R]]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    examples: Examples = (),
    thread: Literal["worker", "main"] = "worker",
    timeout: float | None = None,
    approve: Approve = False,
    idempotent: bool = False,
) -> Any:
    """Make a tool of a typed function; the docstring tells the model what it is for.

    A parameter annotated `RunContext` is filled in and never shown to the model. A plain function
    runs in a thread of its own, with `thread="main"` on the main one; an async one on the loop; an
    async generator reports each item as progress, and its last item is the result.

    `examples` are pairs of a request and its arguments, which small models need. `timeout` is in
    seconds, without the time that a person takes to answer. With `approve` a person has to allow
    each call, or those for which a function of the same arguments returns true; if that function
    fails, the person is asked. An `idempotent` tool may run twice: a run that was cut off while it
    ran runs it again, and does not ask the model what to do. Raises `UserError` when a parameter's
    type has no JSON Schema.
    """

    def make(function: Callable[..., Any]) -> FunctionTool[..., Any]:
        if not inspect.isroutine(function):
            raise UserError(f"A tool is a function, not {function!r}: write one that calls it.")
        adapter, schema = _arguments(function)
        spec = ToolSpec(
            name or function.__name__,
            description or _description(function),
            schema,
            tuple(examples),
        )
        options = _Options(thread=thread, timeout=timeout, approve=approve, idempotent=idempotent)
        return FunctionTool(function, spec, adapter, options)

    return make if function is None else make(function)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        message = f"The tool {function.__name__!r} has an annotation that is not defined: {error}."
        raise UserError(message) from None


def _context_parameter(function: Callable[..., Any]) -> str | None:
    return next((name for name, hint in _hints(function).items() if hint is RunContext), None)


def _arguments(function: Callable[..., Any]) -> tuple[TypeAdapter[Any], dict[str, Any]]:
    """Make the codec of a call, and its schema.

    It is a typed dictionary, so that any name will do for a parameter.
    """
    hints = _hints(function)
    told = {p.arg_name: p.description for p in parse_docstring(function.__doc__ or "").params}
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        hint = hints.get(name, Any)
        if hint is RunContext:
            continue
        if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
            message = f"The tool {function.__name__!r} may not have the parameter {parameter}: a model names every argument."
            raise UserError(message)
        default = parameter.default
        if isinstance(default, FieldInfo):
            hint = Annotated[hint, default]
        if told.get(name) and not _is_described(hint):
            hint = Annotated[hint, Field(description=told[name])]
        if default is not parameter.empty and not isinstance(default, FieldInfo):
            extra: dict[str, Any] = {"default": to_jsonable_python(default, fallback=repr)}
            hint = NotRequired[Annotated[hint, Field(json_schema_extra=extra)]]
        fields[name] = hint
    arguments = TypedDict(function.__name__, fields)  # pyright: ignore[reportArgumentType,reportUnknownVariableType,reportGeneralTypeIssues]
    arguments.__pydantic_config__ = ConfigDict(extra="forbid", arbitrary_types_allowed=False)  # pyright: ignore[reportAttributeAccessIssue,reportUnknownMemberType]
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(arguments)  # pyright: ignore[reportUnknownArgumentType]
        return adapter, _schema(adapter)
    except PydanticUserError as error:
        message = f"The tool {function.__name__!r} cannot be described to a model: {error.message}"
        raise UserError(message) from None


def _is_described(hint: Any) -> bool:
    return any(getattr(extra, "description", None) for extra in getattr(hint, "__metadata__", ()))


def _schema(adapter: TypeAdapter[Any]) -> dict[str, Any]:
    """Write the schema without the titles, which cost tokens and say nothing new."""
    schema = adapter.json_schema()
    _drop_titles(schema)
    schema.setdefault("properties", {})
    return schema


def _drop_titles(schema: Any) -> None:
    if isinstance(schema, list):
        for item in typing.cast("list[Any]", schema):
            _drop_titles(item)
    elif isinstance(schema, dict):
        known = typing.cast("dict[str, Any]", schema)
        if isinstance(known.get("title"), str):
            del known["title"]
        for key, value in known.items():
            if key == "properties":
                for inner in value.values():
                    _drop_titles(inner)
            elif key not in {"default", "enum", "const", "examples"}:
                _drop_titles(value)


def _description(function: Callable[..., Any]) -> str:
    doc = parse_docstring(function.__doc__ or "")
    parts = (doc.short_description, doc.long_description)
    return "\n".join(part for part in parts if part) or function.__name__.replace("_", " ")


def _problems(error: ValidationError) -> str:
    """Say what is wrong with each argument, without repeating what was given."""
    lines = (
        f"{'.'.join(str(step) for step in problem['loc'])}: {problem['msg']}".removeprefix(": ")
        for problem in error.errors(include_url=False, include_input=False, include_context=False)
    )
    return "The arguments do not fit: " + "; ".join(lines)


def _result(value: object) -> ToolResult:
    """Turn whatever a function returns into something that a model can read."""
    return value if isinstance(value, ToolResult) else ToolResult(render(value))


def _error(message: str) -> ToolResult:
    return ToolResult((TextPart(redact(shorten(message))),), is_error=True)


def _raised(error: BaseException) -> ToolResult:
    """Tell the model the error, and keep the traceback, from the tool's own code on, for people."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename in {__file__, _portal.__file__}:
        frames = frames.tb_next
    lines = traceback.format_exception(type(error), error, frames)
    told = _error(f"{type(error).__name__}: {error}")
    text = redact("".join(lines))[-_LONGEST_TRACEBACK:]
    return ToolResult(told.content, is_error=True, traceback=text)
