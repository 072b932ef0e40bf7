"""Conditions of edges: Python expressions, compiled once and checked before anything runs."""

from __future__ import annotations

import ast
import builtins
import dataclasses
import inspect
import typing
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import BaseModel

from nbagents.errors import UserError, unknown_name
from nbagents.runnable import Result

__all__ = ["Condition", "Outcome", "fields_of"]

_NAMES = ("output", "text", "state", "visits")
_BUILTINS = {
    name: getattr(builtins, name)
    for name in (
        *("abs", "all", "any", "bool", "dict", "float", "getattr", "hasattr", "int", "isinstance"),
        *("len", "list", "max", "min", "range", "round", "set", "sorted", "str", "sum", "tuple"),
    )
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a condition looks at: how the node that the edge leaves has ended."""

    result: Result[Any]
    state: dict[str, Any]
    """The values that the runs of the tree share."""
    visits: int
    """How often the node has run by now."""

    @property
    def output(self) -> Any:
        """What the node gave back, in its own type."""
        return self.result.output

    @property
    def text(self) -> str:
        """The output as text."""
        return self.result.text


class Condition:
    """Decides whether an edge is taken: an expression, or a function of an `Outcome`."""

    def __init__(
        self, when: str | Callable[[Outcome], object], fields: Iterable[str] | None
    ) -> None:
        """Compile it. `fields` are those of the output, when its type tells them.

        Raises `UserError` on what is no expression, and on names that it cannot know.
        """
        self.label = when if isinstance(when, str) else getattr(when, "__name__", "condition")
        self.is_expression = isinstance(when, str)
        self._function = None if isinstance(when, str) else when
        self._names: tuple[str, ...] = ()
        if isinstance(when, str):
            tree = _parsed(when)
            self._names = _free_names(tree, when, tuple(fields or ()))
            self._code = compile(tree, f"<when {when}>", "eval")

    async def holds(self, outcome: Outcome) -> bool:
        """Decide. Raises `UserError` when the expression fails on this output."""
        try:
            if self._function is not None:
                answer = self._function(outcome)
                if inspect.isawaitable(answer):
                    answer = await cast("Awaitable[object]", answer)
                return bool(answer)
            names = {name: _value(name, outcome) for name in self._names}
            names["__builtins__"] = _BUILTINS
            return bool(eval(self._code, names))  # noqa: S307 - the author's own
        except (Exception, SystemExit) as error:
            message = f"The condition {self.label!r} failed: {type(error).__name__}: {error}"
            raise UserError(message) from error


def _parsed(when: str) -> ast.Expression:
    try:
        tree = ast.parse(when.strip(), mode="eval")
        compile(tree, "<when>", "eval")  # Some things only the compiler finds, such as `await`.
    except SyntaxError as error:
        where = " " * max(0, (error.offset or 1) - 1) + "^"
        message = f"The condition isn't a valid Python expression: {error.msg}\n  {when.strip()}\n  {where}"
        raise UserError(message) from None
    return tree


def _free_names(tree: ast.Expression, when: str, fields: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names that an expression takes from outside; raise on those that are nothing."""
    nodes = list(ast.walk(tree))
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and not _is_read(node)}
    bound.update(node.arg for node in nodes if isinstance(node, ast.arg))
    read = {node.id: None for node in nodes if isinstance(node, ast.Name) and _is_read(node)}
    free = tuple(name for name in read if name not in bound and name not in _BUILTINS)
    for name in free:
        if name not in _NAMES and name not in fields:
            hint = "" if fields else f" For a part of the output: output[{name!r}]."
            error = unknown_name("name", name, (*_NAMES, *fields))
            raise UserError(f"In the condition {when!r}: {error}{hint}")
    return free


def _is_read(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Load)


def _value(name: str, outcome: Outcome) -> Any:
    if name in _NAMES:
        return getattr(outcome, name)
    output = outcome.output
    return cast("Any", output)[name] if isinstance(output, Mapping) else getattr(output, name)


def fields_of(type_: Any) -> tuple[str, ...] | None:
    """Return the names of the fields that values of a type have, if the type tells."""
    if not isinstance(type_, type):
        return None
    kind: Any = type_
    if issubclass(type_, BaseModel):
        return tuple(type_.model_fields)
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    return tuple(kind.__annotations__) if typing.is_typeddict(kind) else None
