"""Typed answers: the schema that a model is held to, and the check of what it says."""

from __future__ import annotations

import re
from dataclasses import is_dataclass
from typing import Any, Generic, TypeVar, get_origin

from pydantic import (
    BaseModel,
    PydanticUndefinedAnnotation,
    PydanticUserError,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import from_json, to_json

from nbagents.errors import UserError
from nbagents.messages import ToolSpec
from nbagents.models.base import OutputSpec

__all__ = ["OUTPUT_TOOL", "Output", "RejectedError"]

T = TypeVar("T")

OUTPUT_TOOL = "final_answer"

_FENCE = re.compile(r"```[ \t]*\w*[ \t]*\r?\n(.*?)\n[ \t]*```", re.DOTALL)


class RejectedError(Exception):
    """The answer does not fit; the message says where, for the model to read."""


class Output(Generic[T]):
    """The type of an agent's answer.

    Vendors want an object on the outside, so any other type travels as `{"value": ...}`.
    """

    def __init__(self, output_type: type[T]) -> None:
        self.is_text = output_type is str
        try:
            self.adapter: TypeAdapter[T] = TypeAdapter(output_type)
            schema = self.adapter.json_schema()
        except (PydanticUserError, PydanticUndefinedAnnotation, ValueError) as error:
            raise UserError(_no_schema(output_type, error)) from None
        self._wrapped = schema.get("type") != "object"
        if self._wrapped:
            schema = _wrap(schema)
        schema.setdefault("additionalProperties", False)
        words = getattr(output_type, "__name__", "answer")
        name = re.sub(r"\W+", "_", words, flags=re.ASCII).strip("_")
        self.spec = OutputSpec(name or "answer", schema)

    @property
    def tool(self) -> ToolSpec:
        """The tool by which a model answers whose vendor does not hold it to a schema."""
        return ToolSpec(OUTPUT_TOOL, "Give the final answer. Call it once.", self.spec.schema)

    def parse(self, text: str) -> T:
        """Read the answer. Raises `RejectedError` with what is wrong, field by field."""
        if not text.strip():
            raise RejectedError("The answer was empty")
        text = _json_in(text)
        try:
            if not self._wrapped:
                return self.adapter.validate_json(text)
            holder = TypeAdapter(dict[str, Any]).validate_json(text)
            if "value" not in holder:
                raise RejectedError('The answer must be a JSON object {"value": ...}.')
            # As JSON again: a strict type takes a list for a tuple only from there.
            return self.adapter.validate_json(to_json(holder["value"]))
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, problem['loc'])) or 'answer'}: {problem['msg']}"
                for problem in error.errors(include_url=False, include_context=False)
            )
            raise RejectedError(f"The answer does not fit: {problems}") from None


def _no_schema(output_type: object, error: Exception) -> str:
    """Say why a model cannot be held to this, and what it can be held to."""
    fix = "Use str, a pydantic model, a dataclass, list[...] or Literal[...]."
    kind = type(output_type)
    if isinstance(output_type, type) or get_origin(output_type) is not None:
        name = output_type.__name__ if isinstance(output_type, type) else repr(output_type)
        why = str(error).partition(". ")[0].partition("\n")[0].rstrip(".")
        why = why.replace("Unable to generate pydantic-core schema for", "there is none for")
        return f"The output type {name} has no JSON Schema: {why}. {fix}"
    is_answer = isinstance(output_type, BaseModel) or is_dataclass(kind)
    meant = f" Did you mean its class, {kind.__name__}?" if is_answer else ""
    return f"An output type must be a type, not a value ({kind.__name__}).{meant} {fix}"


def _json_in(text: str) -> str:
    """Find the JSON in an answer with words, a fence or a thought around it; else return it all."""
    said = text.rpartition("</think>")[2]
    object_in_it = said[said.find("{") : said.rfind("}") + 1]
    for candidate in (text, said, *_FENCE.findall(said), object_in_it):
        try:
            from_json(candidate)
        except ValueError:
            continue
        return candidate
    return said


def _wrap(schema: dict[str, Any]) -> dict[str, Any]:
    """Put the schema into an object; definitions stay outside, where references look for them."""
    definitions = schema.pop("$defs", None)
    wrapped: dict[str, Any] = {
        "type": "object",
        "properties": {"value": schema},
        "required": ["value"],
    }
    if definitions:
        wrapped["$defs"] = definitions
    return wrapped
