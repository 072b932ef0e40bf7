"""The fields of a form, from the JSON Schema of the answer, and the answer from their values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nbagents.errors import UserError

__all__ = ["LARGEST_FILE", "Field", "Kind", "assemble", "decision", "explain", "fields_of"]

Kind = Literal[
    "text",
    "long",
    "lines",
    "password",
    "number",
    "integer",
    "date",
    "datetime",
    "time",
    "yesno",
    "choice",
    "choices",
    "file",
    "files",
    "json",
]

LARGEST_FILE = 50_000_000
"""Bytes."""

_MOST_BUTTONS = 6
_MISSING: Any = object()
_STRINGS: dict[str, Kind] = {
    "date": "date",
    "date-time": "datetime",
    "password": "password",
    "textarea": "long",
    "time": "time",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to fill in."""

    name: str
    """The property of the answer; empty when the field is the whole answer."""
    label: str
    kind: Kind
    required: bool = True
    """False when the answer may leave it out, and `default` counts."""
    nullable: bool = False
    """True when nothing, as JSON `null`, is an answer."""
    default: Any = None
    """As JSON."""
    options: tuple[Any, ...] = ()
    """What may be chosen, as JSON."""
    minimum: float | None = None
    maximum: float | None = None
    help: str = ""
    labels: tuple[str, str] = ("Yes", "No")
    """The words for true and false; a schema can name its own under `labels`."""


def fields_of(schema: Mapping[str, Any]) -> list[Field]:
    """List what has to be filled in: one field a property of a model, else a single one."""
    defs: Mapping[str, Any] = schema.get("$defs", {})
    root = _resolved(schema, defs)
    properties = root.get("properties")
    if properties is None or _is_file(root):
        return [_field("", "", schema, defs)]
    required = set(root.get("required", ()))
    return [
        _field(name, str(inner.get("title") or _words(name)), inner, defs, name in required)
        for name, inner in properties.items()
    ]


def decision(fields: Sequence[Field]) -> Field | None:
    """Find the field whose options are buttons that answer at once, if the form has such a one.

    It is the only one that has to be filled in, so that nothing else can be forgotten.
    """
    needed = [field for field in fields if field.required]
    if len(needed) != 1 or needed[0].nullable:
        return None
    few = needed[0].kind == "choice" and len(needed[0].options) <= _MOST_BUTTONS
    return needed[0] if few or needed[0].kind == "yesno" else None


def assemble(fields: Sequence[Field], values: Mapping[str, Any]) -> str:
    """Make the JSON text of the answer from what stands in the fields, by their names.

    Numbers, dates and JSON are the texts that were typed; an empty one, or a value that is not
    there, is left to the default. Raises `UserError` for JSON that is not valid.
    """
    given = {field.name: _value(field, values.get(field.name, _MISSING)) for field in fields}
    if [field.name for field in fields] == [""]:
        alone = given[""]
        return json.dumps("" if alone is _MISSING else alone)
    return json.dumps({name: value for name, value in given.items() if value is not _MISSING})


def explain(fields: Sequence[Field], error: UserError) -> dict[str, str]:
    """Say what is wrong, by the name of the field; what belongs to none is under `""`."""
    _, _, told = str(error).rpartition(" does not fit. ")
    problems: dict[str, str] = {}
    last = ""
    for piece in told.split("; "):
        place, colon, message = piece.partition(": ")
        name = place.partition(".")[0]
        if colon and any(field.name == name for field in fields):
            problems[name], last = message, name
        elif last in problems:
            problems[last] += f"; {piece}"
        else:
            problems[""] = piece
    return problems


def _field(
    name: str, label: str, schema: Mapping[str, Any], defs: Mapping[str, Any], required: bool = True
) -> Field:
    inner, nullable = _without_null(_resolved(schema, defs), defs)
    kind, options = _kind(inner, defs)
    if nullable and kind == "choice":
        options = (*options, None)
    default = schema.get("default")
    if kind == "lines" and any("\n" in str(line) for line in default or ()):
        kind = "json"  # Some lines of it would become several.
    minimum, maximum = inner.get("minimum"), inner.get("maximum")
    if kind == "integer":
        above, below = inner.get("exclusiveMinimum"), inner.get("exclusiveMaximum")
        minimum = above + 1 if minimum is None and above is not None else minimum
        maximum = below - 1 if maximum is None and below is not None else maximum
    return Field(
        name,
        label,
        kind,
        required,
        nullable,
        default,
        options,
        minimum,
        maximum,
        str(schema.get("description", "")) if name else "",
        _labels(inner),
    )


def _labels(schema: Mapping[str, Any]) -> tuple[str, str]:
    match schema.get("labels"):
        case [str(yes), str(no)]:
            return yes, no
    return "Yes", "No"


def _kind(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> tuple[Kind, tuple[Any, ...]]:
    """Choose how it is filled in, and among which options."""
    if "enum" in schema or "const" in schema:
        return "choice", tuple(schema.get("enum", [schema.get("const")]))
    items = _resolved(schema.get("items", {}), defs)
    kind: Kind = "json"
    match schema.get("type"):
        case "boolean":
            kind = "yesno"
        case "integer" | "number" as kind:
            pass
        case "string":
            kind = _STRINGS.get(schema.get("format", ""), "text")
        case "null":
            return "choice", (None,)
        case "object" if _is_file(schema):
            kind = "file"
        case "array" if "enum" in items or "const" in items:
            return "choices", tuple(items.get("enum", [items.get("const")]))
        case "array" if _is_file(items):
            kind = "files"
        case "array" if items.get("type") == "string" and "prefixItems" not in schema:
            kind = "lines"
        case None:
            kind = _kind_of_union(schema, defs)
    return kind, ()


def _kind_of_union(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Kind:
    """Take a text where a text is an answer; for other mixtures JSON says which one is meant."""
    types = [_resolved(member, defs).get("type") for member in schema.get("anyOf", ())]
    anything = not schema.keys() - {"default", "description", "title"}
    return "text" if anything or "string" in types else "json"


def _resolved(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        rest = {name: value for name, value in schema.items() if name != "$ref"}
        schema = {**defs.get(str(schema["$ref"]).removeprefix("#/$defs/"), {}), **rest}
    return schema


def _without_null(
    schema: Mapping[str, Any], defs: Mapping[str, Any]
) -> tuple[Mapping[str, Any], bool]:
    members: list[Mapping[str, Any]] = schema.get("anyOf", [])
    others = [member for member in members if member.get("type") != "null"]
    if len(others) == len(members):
        return schema, False
    if len(others) == 1:
        return _resolved(others[0], defs), True
    return {**schema, "anyOf": others}, True


def _is_file(schema: Mapping[str, Any]) -> bool:
    """Tell whether it is the schema of a `FilePart`."""
    properties = schema.get("properties", {})
    return "media_type" in properties and properties.get("type", {}).get("const") == "file"


def _words(name: str) -> str:
    return name.replace("_", " ").strip().capitalize()


def _value(field: Field, value: Any) -> Any:
    if value is _MISSING:
        return None if field.nullable and field.required else _MISSING
    if field.kind == "lines" and isinstance(value, str):
        lines = [line.strip() for line in value.split("\n") if line.strip()]
        return lines or _nothing(field)
    if value in (None, ""):
        return _nothing(field)
    if field.kind in {"number", "integer"}:
        return _number(value)
    if field.kind == "json":
        try:
            return json.loads(value)
        except ValueError as error:
            where = f"{field.name}: " if field.name else ""
            raise UserError(f"The answer does not fit. {where}Not valid JSON: {error}") from None
    return value


def _nothing(field: Field) -> Any:
    """Say what an empty field means; a secret that is there already is not shown in its field."""
    if field.kind == "password" and not field.required:
        return _MISSING
    if field.nullable or None in field.options:
        return None
    if field.kind == "lines":
        return [] if field.required or field.default is not None else _MISSING
    typed = field.kind in {"text", "long", "password"}
    return "" if typed and (field.required or field.default is not None) else _MISSING


def _number(typed: Any) -> Any:
    """Read a number; what is none stays as it is, and is refused where the answer is checked."""
    try:
        number = json.loads(typed)
    except (TypeError, ValueError):
        return typed
    return number if isinstance(number, (int, float)) else typed
