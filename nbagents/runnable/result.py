"""The answer of a run, with the files that belong to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from pydantic_core import to_json

from nbagents.jsonable import jsonable
from nbagents.messages import FilePart, TextPart

__all__ = ["Result"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Result(Generic[T]):
    """What `execute` returns."""

    output: T
    files: tuple[FilePart, ...] = ()
    """Images and other files that belong to the answer."""

    @property
    def text(self) -> str:
        """The output as text: itself, or its JSON; of files the names."""
        output: Any = self.output
        if isinstance(output, str):
            return output
        if isinstance(output, FilePart):
            return output.name or output.media_type
        if self.files and isinstance(output, (list, tuple)):
            items = cast("Sequence[Any]", output)
            return "\n".join(Result(item).text for item in items if not isinstance(item, FilePart))
        return to_json(jsonable(output)).decode()

    @property
    def parts(self) -> tuple[TextPart | FilePart, ...]:
        """The answer as a message would hold it."""
        return (TextPart(self.text), *self.files)
