"""Any Python value as JSON values: what is saved and displayed of outputs, details, and progress."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, cast

from pydantic_core import to_jsonable_python

from nbagents.untrusted import whole

__all__ = ["DEEPEST", "LARGEST_INT", "jsonable"]

DEEPEST = 100
"""Lists in lists that JSON may have here; parsers give up between 200 and 1,000."""
LARGEST_INT = 10**4000
"""Python neither reads nor writes numbers of more than 4,300 digits."""


class _UnfitError(Exception):
    """The value needs a closer look."""


def jsonable(value: object) -> Any:
    """Turn any value into JSON values; this never fails.

    Bytes become base64, and what JSON does not know, or Python cannot write as a number, becomes
    text. Values that contain themselves, or are nested deeper than 100 levels, end in "...".
    """
    try:
        plain = to_jsonable_python(value, bytes_mode="base64", fallback=_described)
        return _checked(plain, 0)
    except Exception:  # noqa: BLE001 - objects may raise anything when they are looked at
        return _bounded(value, ())


def _checked(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return value if value.isprintable() else whole(value)
    if depth > DEEPEST or (isinstance(value, int) and abs(value) > LARGEST_INT):
        raise _UnfitError
    if isinstance(value, dict):
        known = cast("dict[str, Any]", value)
        return {whole(key): _checked(item, depth + 1) for key, item in known.items()}
    if isinstance(value, list):
        return [_checked(item, depth + 1) for item in cast("list[Any]", value)]
    return value


def _bounded(value: object, above: tuple[int, ...]) -> Any:
    """Turn a value into JSON one level after the other; `above` are the ids of what holds it."""
    if isinstance(value, str):
        return whole(str(value))
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) <= LARGEST_INT else str(Decimal(value))
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        own = id(cast("object", value))
        if own in above or len(above) >= DEEPEST:
            return "..."
        inside = (*above, own)
        if isinstance(value, Mapping):
            known = cast("Mapping[object, object]", value).items()
            return {_key(key): _bounded(item, inside) for key, item in known}
        return [_bounded(item, inside) for item in cast("Iterable[object]", value)]
    try:
        plain = to_jsonable_python(value, bytes_mode="base64", fallback=_described)
        return _checked(plain, len(above))
    except Exception:  # noqa: BLE001 - as above
        return whole(_described(value))


def _key(key: object) -> str:
    return whole(key if isinstance(key, str) else _described(key))


def _described(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - as above
        return f"<{type(value).__qualname__}>"
