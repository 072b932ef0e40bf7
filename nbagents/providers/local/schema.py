"""Schemas: made fit for a grammar, moved into a bigger one, and told in few words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, cast

__all__ = ["grammar", "object_schema", "rooted", "sketch", "tamed"]

_GUIDANCE = {
    "x-guidance": {
        "whitespace_flexible": False,
        "item_separator": ", ",
        "key_separator": ": ",
        # What llguidance does not know is left to whoever validates the answer.
        "lenient": True,
    }
}
_BOUNDED_STRING = {"enum", "const", "format", "pattern", "maxLength"}
_BOUNDED_INTEGER = {"enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
# Look-around and back-references; llguidance has neither, and with one it drops the whole grammar.
_IRREGULAR = re.compile(r"\(\?[^:]|\\[1-9k]")
# Names and values of the user's own, which may look like words of a schema.
_SCHEMAS_BY_NAME = {"properties", "$defs", "definitions", "patternProperties"}
_DATA = {"const", "enum", "default", "examples"}
_LARGEST_INTEGER = 10**15
_CHARACTERS_PER_ITEM = 30


def grammar(schema: dict[str, Any]) -> str:
    """Write the grammar of JSON that fits a schema, without a free space anywhere.

    The format is llguidance's
    (https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md#inline-json-schemas).
    """
    return f"%llguidance {{}}\nstart: %json {json.dumps({**schema, **_GUIDANCE})}"


def object_schema(**properties: dict[str, Any]) -> dict[str, Any]:
    """Make the schema of an object that has all these properties and no other."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def tamed(schema: dict[str, Any], longest: int) -> dict[str, Any]:
    """Copy a schema, with an end to everything that a small model might write for ever.

    `longest` is in characters and bounds each string that has no bound of its own.
    """

    def tame(node: dict[str, Any]) -> None:
        if "pattern" in node and _IRREGULAR.search(node["pattern"]):
            del node["pattern"]
        if "properties" in node:
            node.setdefault("additionalProperties", False)
        for branch in node.get("allOf", ()):
            # Two closed objects have no instance in common.
            branch.pop("additionalProperties", None)
        kind = node.get("type")
        if kind == "string" and not _BOUNDED_STRING & node.keys():
            node["maxLength"] = longest
        elif kind == "integer" and not _BOUNDED_INTEGER & node.keys():
            node.update(minimum=-_LARGEST_INTEGER, maximum=_LARGEST_INTEGER)
        elif kind == "array" and "maxItems" not in node:
            node["maxItems"] = max(node.get("minItems", 0), longest // _CHARACTERS_PER_ITEM)

    return _changed(schema, tame)


def rooted(schema: dict[str, Any], root: str) -> dict[str, Any]:
    """Copy a schema that will stand at the JSON pointer `root`, where its own references still hold."""

    def turn(node: dict[str, Any]) -> None:
        reference = node.get("$ref")
        if isinstance(reference, str) and reference.startswith("#"):
            node["$ref"] = root + reference[1:]

    return _changed(schema, turn)


def _changed(schema: Any, change: Callable[[dict[str, Any]], None]) -> Any:
    """Copy a schema and let `change` loose on it and on each schema in it."""
    if isinstance(schema, list):
        return [_changed(item, change) for item in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    copy: dict[str, Any] = {}
    for key, value in cast("dict[str, Any]", schema).items():
        if key in _SCHEMAS_BY_NAME:
            copy[key] = {name: _changed(inner, change) for name, inner in value.items()}
        else:
            copy[key] = value if key in _DATA else _changed(value, change)
    change(copy)
    return copy


def sketch(schema: dict[str, Any]) -> str:
    """Tell a schema as an example of its form: `{"city": string, "tags": [string, ...]}`."""
    return _sketch(schema, schema, ())


def _sketch(schema: Any, root: dict[str, Any], seen: tuple[str, ...]) -> str:
    # `true` is a schema too, and says as little as one that is missing.
    node = cast("dict[str, Any]", schema) if isinstance(schema, dict) else {}
    if "$ref" in node:
        reference = str(node["$ref"])
        known = reference in seen
        return "..." if known else _sketch(_at(root, reference), root, (*seen, reference))
    if "const" in node:
        return _json(node["const"])
    if "enum" in node:
        return " | ".join(map(_json, node["enum"]))
    branches: list[Any] = node.get("anyOf") or node.get("oneOf") or []
    if branches:
        return " | ".join(_sketch(branch, root, seen) for branch in branches)
    if node.get("type") == "array":
        return f"[{_sketch(node.get('items'), root, seen)}, ...]"
    members = [
        f"{_json(name)}: {_sketch(member, root, seen)}{_told(member)}"
        for name, member in node.get("properties", {}).items()
    ]
    return f"{{{', '.join(members)}}}" if members else str(node.get("type", "any"))


def _told(member: dict[str, Any]) -> str:
    description = " ".join(str(member.get("description", "")).split())
    return f" ({description})" if description else ""


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _at(root: Any, reference: str) -> Any:
    """Follow a local reference (RFC 6901, in a URI fragment)."""
    node = root
    for step in reference.lstrip("#").split("/")[1:]:
        node = node.get(step.replace("~1", "/").replace("~0", "~"), {})
    return node
