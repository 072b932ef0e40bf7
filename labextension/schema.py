"""Write `src/wire.schema.json`, from which the types of the page are made: `jlpm types`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nbagents.notebook.wire import Wire, codec

SCHEMA = Path(__file__).parent / "src" / "wire.schema.json"


def schema() -> str:
    """Return the JSON Schema of all that crosses to the page, as the text of the file."""
    found = codec(Wire).json_schema(mode="serialization")
    for kind in found["$defs"].values():
        _require(kind)
    return json.dumps(found, indent=1, sort_keys=True) + "\n"


def _require(kind: dict[str, Any]) -> None:
    """Say that only what may be null may be missing: nulls are left out, defaults are not."""
    properties: dict[str, Any] = kind.get("properties", {})
    may_be_null = {
        name
        for name, value in properties.items()
        if {"type": "null"} in value.get("anyOf", ())
        or not value.keys() & {"type", "anyOf", "$ref"}
    }
    kind["required"] = [name for name in properties if name not in may_be_null]
    for value in properties.values():  # With these, each would become a type of its own.
        value.pop("title", None)
        if "$ref" in value:
            value.pop("default", None)


if __name__ == "__main__":
    SCHEMA.parent.mkdir(exist_ok=True)
    SCHEMA.write_text(schema(), encoding="utf-8")
