"""What the two roads to Claude, Anthropic's own and Bedrock's, have in common."""

from __future__ import annotations

import json
import re
from graphlib import TopologicalSorter
from typing import Any, cast

from nbagents.models.base import OutputSpec
from nbagents.providers._http import dump

__all__ = ["IDS", "closed_schema", "is_recent", "schema_prompt", "thinks"]

_OLD = re.compile(r"claude-(?:v?[123](?!\d)|instant|4-|(?:opus|sonnet)-4-(?:[01](?!\d)|2025))")
_AS_IT_IS = {"type", "enum", "const", "$ref", "title", "description", "required"}
_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6"}
_SILENT = {"default", "examples", "discriminator", "additionalProperties"}
_KIND = {"type", "enum", "const", "anyOf", "allOf"}
IDS = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""The ids of calls that both take."""
_REFERENCE = re.compile(r'"#/\$defs/([^"]+)"')


def is_recent(model: str) -> bool:
    """Tell whether a Claude is 4.5 or newer: these hold answers to a schema, and write 32k tokens."""
    return _OLD.search(model) is None


def thinks(settings: dict[str, Any]) -> bool:
    """Tell whether thinking is on, with which no tool can be forced."""
    thinking: Any = settings.get("thinking")
    kind = cast("dict[str, Any]", thinking).get("type") if isinstance(thinking, dict) else None
    return kind in {"enabled", "adaptive"}


def schema_prompt(output: OutputSpec) -> str:
    """Ask in words for an answer whose schema the vendor cannot hold it to."""
    schema = dump(output.schema).decode()
    return f"Answer with nothing but JSON, not fenced, that fits this JSON Schema:\n{schema}"


def closed_schema(schema: dict[str, Any]) -> dict[str, Any] | None:
    """Rewrite a JSON Schema into what Claude can be held to, or return None if nothing can.

    Objects are closed, and limits such as `minimum` become words in the description; open objects,
    tuples, untyped values and types that contain themselves cannot be expressed
    (https://platform.claude.com/docs/en/build-with-claude/structured-outputs).
    """
    definitions: dict[str, Any] = schema.get("$defs", {})
    uses = {name: _REFERENCE.findall(json.dumps(body)) for name, body in definitions.items()}
    try:
        TopologicalSorter(uses).prepare()
        return _closed(schema)
    except ValueError:  # The sorter's CycleError is one, too.
        return None


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.get("additionalProperties", False) is not False or "prefixItems" in schema:
        raise ValueError(schema)
    closed: dict[str, Any] = {}
    words: list[str] = []
    for key, value in schema.items():
        if key in _AS_IT_IS or (key == "format" and value in _FORMATS):
            closed[key] = value
        elif key in {"properties", "$defs"}:
            closed[key] = {name: _closed(inner) for name, inner in value.items()}
        elif key == "items":
            closed[key] = _closed(value)
        elif key in {"anyOf", "oneOf", "allOf"}:
            closed["allOf" if key == "allOf" else "anyOf"] = [_closed(inner) for inner in value]
        elif key not in _SILENT:
            words.append(f"{key}: {value}")
    if "$ref" in closed:
        return {key: closed[key] for key in ("$ref", "$defs") if key in closed}
    if not closed.keys() & _KIND:
        raise ValueError(schema)
    if closed.get("type") == "object":
        closed["additionalProperties"] = False
    if words:
        closed["description"] = f"{closed.get('description', '')} ({', '.join(words)})".strip()
    return closed
