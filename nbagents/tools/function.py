"""`@tool`: a typed function becomes a tool, its signature and docstring the schema."""

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
import traceback
import types
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic, Literal, ParamSpec, TypeGuard, TypeVar, cast, overload

from pydantic import ValidationError

from nbagents import _portal
from nbagents._portal import in_thread, on_main_thread
from nbagents.context import RunContext
from nbagents.errors import ToolError, ToolRetry, UserError, unknown_name
from nbagents.events import ToolProgress
from nbagents.messages import TextPart, ToolSpec
from nbagents.redaction import redact
from nbagents.tools import signature as signatures
from nbagents.tools.base import Tool, ToolResult
from nbagents.tools.definition import code_of, holder_of, is_outdated, traits_of
from nbagents.tools.rendering import UnreadableError, progress_of, render, shorten
from nbagents.tools.signature import Signature, description_of, read_signature

__all__ = ["Examples", "FunctionTool", "tool"]

P = ParamSpec("P")
R = TypeVar("R")

Examples = Sequence[tuple[str, dict[str, Any]]]
Approve = bool | Callable[..., bool | Awaitable[bool]]
"""Whether a person has to allow a call: always, or as a function of the call's arguments says."""

_LONGEST_TRACEBACK = 20_000
_OWN_FILES = {__file__, _portal.__file__, signatures.__file__}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    thread: Literal["worker", "main"] = "worker"
    timeout: float | None = None
    approve: Approve = False
    idempotent: bool = False


class FunctionTool(Tool, Generic[P, R]):
    """A function that a model may call. It can still be called as the function that it is."""

    def __init__(
        self, function: Callable[P, R], spec: ToolSpec, signature: Signature, options: _Options
    ) -> None:
        self.function = function
        self.spec = spec
        self._signature = signature
        self._options = options
        self._code = code_of(function)
        self.is_idempotent = options.idempotent
        self.__doc__ = function.__doc__
        self.__name__ = spec.name

    def __reduce__(self) -> Any:
        """Be pickled by name where that is possible, else with the function, as cloudpickle does."""
        function: Any = self.function
        if isinstance(function, types.MethodType):
            if isinstance(getattr(function.__self__, function.__name__, None), FunctionTool):
                return getattr, (function.__self__, function.__name__)
        elif holder_of(function) is self:
            if function.__module__ != "__main__":
                return _named, (function.__module__, function.__qualname__)
            # There its name is this tool's, and pickle finds functions by their names.
            function.__qualname__ += ".function"
        about = self.is_internal, self.is_idempotent
        return _made_again, (function, self.spec, self._options, about)

    @property
    def is_outdated(self) -> bool:
        """Tell whether the function, or what was said of it to `@tool`, was changed since."""
        found = holder_of(self.function)
        if found is not self and is_outdated(self.function, found):
            return True
        if self._code is not code_of(self.function):  # Reloaded in place, as %autoreload does.
            return inspect.signature(self.function) != self._signature.parameters
        return isinstance(found, FunctionTool) and found is not self and self.said != found.said

    @property
    def said(self) -> tuple[Any, ...]:
        """What `@tool` was given beside the function."""
        options = self._options
        approve = (
            options.approve if isinstance(options.approve, bool) else traits_of(options.approve)
        )
        timing = options.thread, options.timeout, options.idempotent
        return self.spec.name, self.spec.description, approve, *timing

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function as if it were no tool."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<tool {self.spec.name}{inspect.signature(self.function)}>"

    def __get__(self, instance: object, owner: type | None = None) -> FunctionTool[..., R]:
        """Be the method of an object, where the function was defined in a class."""
        if instance is None or self._signature.instance is None:
            return self
        bound = types.MethodType(self.function, instance)
        return FunctionTool(bound, self.spec, self._signature.of_object(), self._options)

    @property
    def is_unbound(self) -> bool:
        """Tell whether it is a method that belongs to no object yet, so that nobody can call it."""
        return self._signature.instance is not None

    def parse(self, args: str) -> dict[str, Any]:
        """Check the arguments and turn them into the annotated types."""
        try:
            return self._signature.parse(args or "{}")
        except ValidationError as error:
            raise ToolRetry(_problems(error)) from None
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
            raise ToolRetry(f"Invalid arguments: {problem}") from error

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
        if self._signature.context is not None:
            args = {**args, self._signature.context: ctx}
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

        def call() -> Any:
            return self._signature.call(function, args)

        def call_and_render() -> Any:
            value = call()
            # A wrapper may hide that a function is async: what it returns is awaited on the loop.
            return value if inspect.isawaitable(value) or _is_stream(value) else _result(value)

        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            value = call()
        elif self._options.thread == "main":
            value = await on_main_thread(call_and_render)
        else:
            value = await in_thread(call_and_render)
        if inspect.isawaitable(value):
            value = await value
        if _is_stream(value):
            value = await self._last(ctx, value)
        return _result(value)

    async def _last(self, ctx: RunContext, items: AsyncGenerator[object]) -> object:
        """Report each item as progress, and return the last one."""
        last: object = None
        async with aclosing(items):
            async for last in items:
                await ctx.emit(ToolProgress(ctx.call_id or "", progress_of(last)))
        return last


def _named(module: str, name: str) -> Any:
    return functools.reduce(getattr, name.split("."), importlib.import_module(module))


def _made_again(
    function: Callable[..., Any], spec: ToolSpec, options: _Options, about: tuple[bool, bool]
) -> FunctionTool[..., Any]:
    made = FunctionTool(function, spec, read_signature(function, spec.name), options)
    made.is_internal, made.is_idempotent = about
    return made


def _is_stream(value: object) -> TypeGuard[AsyncGenerator[object]]:
    return inspect.isasyncgen(value)


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
        if isinstance(function, staticmethod):
            function = cast("Callable[..., Any]", function.__func__)
        whole: Any = function
        named: Any = whole.func if isinstance(whole, functools.partial) else whole
        if not inspect.isroutine(named):
            raise UserError(f"A tool is a function, not {function!r}: write one that calls it.")
        own = name or named.__name__
        if thread not in ("worker", "main"):
            raise unknown_name("thread", thread, ["worker", "main"])
        if not isinstance(cast("object", approve), bool) and not callable(approve):
            message = f"approve={approve!r:.60} must be True, False or a function of the tool's arguments."
            raise UserError(message)
        signature = read_signature(function, own)
        if lacking := _lacking(named, description, signature):
            warnings.warn(f"The tool {own!r} {lacking}; the model has to guess.", stacklevel=2)
        about = description or description_of(function, own)
        spec = ToolSpec(own, about, signature.schema, tuple(examples))
        options = _Options(thread=thread, timeout=timeout, approve=approve, idempotent=idempotent)
        return FunctionTool(function, spec, signature, options)

    return make if function is None else make(function)


def _lacking(function: Callable[..., Any], description: str | None, signature: Signature) -> str:
    """Say what a model is not told about a tool."""
    lacking: list[str] = []
    if not description and not function.__doc__:
        lacking.append("has no docstring")
    if signature.untyped:
        lacking.append(f"has no type for {', '.join(signature.untyped)}")
    return " and ".join(lacking)


def _problems(error: ValidationError) -> str:
    """Say what is wrong with each argument, without repeating what was given."""
    lines = (
        f"{'.'.join(str(step) for step in problem['loc'])}: {problem['msg']}".removeprefix(": ")
        for problem in error.errors(include_url=False, include_input=False, include_context=False)
    )
    return "Invalid arguments: " + "; ".join(lines)


def _result(value: object) -> ToolResult:
    """Turn whatever a function returns into something that a model can read."""
    return value if isinstance(value, ToolResult) else ToolResult(render(value))


def _error(message: str) -> ToolResult:
    return ToolResult((TextPart(redact(shorten(message))),), is_error=True)


def _raised(error: BaseException) -> ToolResult:
    """Tell the model the error, and keep the traceback, from the tool's own code on, for people."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename in _OWN_FILES:
        frames = frames.tb_next
    lines = traceback.format_exception(type(error), error, frames)
    told = _error(f"{type(error).__name__}: {error}")
    text = redact("".join(lines))[-_LONGEST_TRACEBACK:]
    return ToolResult(told.content, is_error=True, traceback=text)
