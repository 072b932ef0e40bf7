"""Models that can be copied and pickled: with their keys in this process, without them elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, cast
from urllib.parse import urlsplit

from nbagents.redaction import redact

__all__ = ["Portable"]


class Portable:
    """A model that is made again from its arguments, except for keys.

    It holds no state of a request, so a copy is the model itself. A pickled one reads its key from
    the environment of the process that loads it.
    """

    _made_with: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        model = super().__new__(cls)
        model._made_with = args, kwargs
        return model

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> Any:
        args, kwargs = self._made_with
        public = {name: _public(value) for name, value in kwargs.items() if "key" not in name}
        return _made_again, (type(self), tuple(map(_public, args)), public)


def _made_again(kind: type[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return kind(*args, **kwargs)


def _public(value: Any) -> Any:
    """Take keys out of an argument: credentials out of an address, headers out of a dictionary."""
    if isinstance(value, Mapping):
        known = cast("Mapping[Any, Any]", value).items()
        return {name: _public(each) for name, each in known if _is_public(f"{name}: {each}")}
    if isinstance(value, str) and not _is_public(value):
        parts = urlsplit(value)
        address = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=address, query="", fragment="").geturl()
    return value


def _is_public(text: str) -> bool:
    return redact(text) == text
