"""How a model calls a function: the schema of its parameters, and the check of the arguments."""

from __future__ import annotations

import enum
import functools
import inspect
import json
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, NotRequired, cast

from docstring_parser import parse as parse_docstring
from pydantic import AfterValidator, ConfigDict, Field, PydanticUserError, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python
from typing_extensions import TypedDict

from nbagents.context import RunContext
from nbagents.errors import UserError

__all__ = ["Signature", "description_of", "read_signature"]


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a function, for a model."""

    parameters: inspect.Signature
    adapter: TypeAdapter[Any]
    """Checks a call's arguments."""
    schema: dict[str, Any]
    context: str | None
    """The parameter that is filled with the `RunContext`."""
    instance: str | None
    """The first parameter of a method that belongs to no object yet."""
    untyped: tuple[str, ...]
    """Parameters of which the model is told no type."""
    defaults: dict[str, Any]
    """The values of the parameters that a model may leave out."""

    def of_object(self) -> Signature:
        """Return the signature of the method once it belongs to an object."""
        rest = list(self.parameters.parameters.values())[1:]
        return replace(self, parameters=self.parameters.replace(parameters=rest), instance=None)

    def parse(self, args: str) -> dict[str, Any]:
        """Turn a call's arguments, JSON, into the annotated types, with the defaults of the rest."""
        known = {**self.defaults, **self.adapter.validate_json(args)}
        return {name: known[name] for name in self.parameters.parameters if name in known}

    def call(self, function: Callable[..., Any], args: dict[str, Any]) -> Any:
        """Call a function, with what it can take by position in its place."""
        bound = inspect.BoundArguments(self.parameters, cast("Any", args))
        if any(each.kind is each.POSITIONAL_ONLY for each in self.parameters.parameters.values()):
            bound.apply_defaults()
        return function(*bound.args, **bound.kwargs)


def read_signature(function: Callable[..., Any], name: str) -> Signature:
    """Read the parameters of a function, whose tool is called `name`.

    Raises `UserError` that names the parameter when no model could fill it in.
    """
    hints = _hints(function, name)
    told = {p.arg_name: p.description for p in parse_docstring(_doc(function)).params}
    given = inspect.signature(function)
    instance = _instance(function, given)
    bound = set(function.keywords) if isinstance(function, functools.partial) else set[str]()
    fields: dict[str, Any] = {}
    context: str | None = None
    untyped: list[str] = []
    for parameter in given.parameters.values():
        hint = hints.get(parameter.name, Any)
        if parameter.name == instance or parameter.name in bound:
            continue
        if _is_context(hint):
            context = parameter.name
            continue
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            message = f"The tool {name!r} cannot have the parameter {parameter}: a model names every argument."
            raise UserError(message)
        if parameter.name not in hints:
            untyped.append(parameter.name)
        fields[parameter.name] = _field(parameter, hint, told.get(parameter.name))
    adapter = _adapter(name, fields)
    defaults = {
        name: given.parameters[name].default
        for name, hint in fields.items()
        if typing.get_origin(hint) is NotRequired
    }
    return Signature(given, adapter, _schema(adapter), context, instance, tuple(untyped), defaults)


def description_of(function: Callable[..., Any], name: str) -> str:
    """Say what a function does: its docstring without the parameters, else its name in words."""
    doc = parse_docstring(_doc(function))
    parts = (doc.short_description, doc.long_description)
    return "\n".join(part for part in parts if part) or name.replace("_", " ")


def _doc(function: Callable[..., Any]) -> str:
    return (function.func if isinstance(function, functools.partial) else function).__doc__ or ""


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    """Evaluate the annotations of the parameters; that of the result may be for type checkers only."""
    target: Any = function.func if isinstance(function, functools.partial) else function
    target = inspect.unwrap(target)
    try:
        annotations = inspect.get_annotations(getattr(target, "__func__", target))
        annotations.pop("return", None)
        holder = types.SimpleNamespace(__annotations__=annotations)
        return typing.get_type_hints(
            holder, globalns=getattr(target, "__globals__", {}), include_extras=True
        )
    except NameError as error:
        message = f"The tool {name!r} has an annotation that is not defined: {error}."
        raise UserError(message) from None


def _instance(function: Callable[..., Any], given: inspect.Signature) -> str | None:
    """Name the first parameter of a function that was defined in a class: it is no argument."""
    place = getattr(function, "__qualname__", "").rpartition(".")[0]
    first = next(iter(given.parameters.values()), None)
    is_method = place and not place.endswith("<locals>") and not inspect.ismethod(function)
    is_bare = first is not None and first.annotation is first.empty
    return first.name if is_method and first and is_bare and first.name in {"self", "cls"} else None


def _is_context(hint: Any) -> bool:
    """Tell whether an annotation is `RunContext`, or that or None."""
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        return set(typing.get_args(hint)) == {RunContext, types.NoneType}
    return hint is RunContext


def _field(parameter: inspect.Parameter, hint: Any, described: str | None) -> Any:
    hint = _by_value(hint)
    default = parameter.default
    if isinstance(default, FieldInfo):
        hint = Annotated[hint, default]
    if described and not _is_described(hint):
        hint = Annotated[hint, Field(description=described)]
    if default is parameter.empty or isinstance(default, FieldInfo):
        return hint
    extra: dict[str, Any] = {}
    shown = to_jsonable_python(default, fallback=repr)
    try:
        json.dumps(shown, allow_nan=False)
        extra["default"] = shown
    except ValueError:  # Infinity is not JSON: the model is not told this default.
        pass
    return NotRequired[Annotated[hint, Field(json_schema_extra=extra)]]


def _by_value(hint: Any) -> Any:
    """Let a model name the members of an enumeration in a `Literal`, at any depth, by their values."""
    origin, given = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        if not any(isinstance(each, enum.Enum) for each in given):
            return hint
        named: dict[Any, Any] = {getattr(each, "value", each): each for each in given}
        choice: Any = Literal[tuple(named)]
        return Annotated[choice, AfterValidator(named.__getitem__)]
    inner = tuple(_by_value(each) if typing.get_origin(each) else each for each in given)
    if all(one is other for one, other in zip(inner, given, strict=True)):
        return hint
    if origin is Annotated:
        return Annotated[inner]
    if origin in {typing.Union, types.UnionType}:
        return typing.Union[inner]  # noqa: UP007 - of types that are known here only
    return origin[inner]


def _adapter(name: str, fields: dict[str, Any]) -> TypeAdapter[Any]:
    """Make the codec of a call: a typed dictionary, so that any name will do for a parameter."""
    arguments = TypedDict(name, fields)  # pyright: ignore[reportArgumentType,reportUnknownVariableType,reportGeneralTypeIssues]
    arguments.__pydantic_config__ = ConfigDict(extra="forbid", arbitrary_types_allowed=False)  # pyright: ignore[reportAttributeAccessIssue,reportUnknownMemberType]
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(arguments)  # pyright: ignore[reportUnknownArgumentType]
        schema = adapter.json_schema()
    except PydanticUserError:
        raise _unfillable(name, fields) from None
    for parameter, inner in schema.get("properties", {}).items():
        reference = inner.get("$ref", "").rpartition("/")[2]
        choices = schema.get("$defs", {}).get(reference, inner).get("enum", ())
        if any(isinstance(choice, list | dict) for choice in choices):
            message = f"The parameter {parameter!r} of the tool {name!r} is an enumeration of {choices[0]!r} and the like. A model can only name texts and numbers: give its members such values."
            raise UserError(message)
    return adapter


def _unfillable(name: str, fields: dict[str, Any]) -> UserError:
    """Find the parameter that has no JSON form, and say what to do."""
    for parameter, hint in fields.items():
        bare = typing.get_args(hint)[0] if typing.get_origin(hint) is NotRequired else hint
        try:
            TypeAdapter(bare).json_schema()
        except PydanticUserError:
            kind = typing.get_args(bare)[0] if typing.get_origin(bare) is Annotated else bare
            shown = getattr(kind, "__name__", str(kind))
            return UserError(
                f"The parameter {parameter!r} of the tool {name!r} is a {shown}, which a model cannot "
                "write. Take text, a number, a list, a dictionary or a pydantic model, and make the "
                f"{shown} in the function."
            )
    return UserError(f"The parameters of the tool {name!r} cannot be described to a model.")


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
        for item in cast("list[Any]", schema):
            _drop_titles(item)
    elif isinstance(schema, dict):
        known = cast("dict[str, Any]", schema)
        if isinstance(known.get("title"), str):
            del known["title"]
        for key, value in known.items():
            if key == "properties":
                for inner in value.values():
                    _drop_titles(inner)
            elif key not in {"default", "enum", "const", "examples"}:
                _drop_titles(value)
