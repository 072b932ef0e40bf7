"""Where a function was defined: to pickle it by its name, and to notice that it was redefined."""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Callable
from typing import Any

__all__ = ["code_of", "holder_of", "is_outdated", "traits_of"]


def holder_of(function: Callable[..., Any]) -> Any:
    """Return what the name of a function refers to now in its module; None if that is nothing."""
    plain = _plain(function)
    found: Any = sys.modules.get(getattr(plain, "__module__", None) or "")
    for name in getattr(plain, "__qualname__", "<unknown>").split("."):
        found = getattr(found, "__dict__", {}).get(name)
    return found


def is_outdated(function: Callable[..., Any], found: Any) -> bool:
    """Tell whether what its name refers to now, `found`, is another function.

    A cell or a module that was run again without a change makes a function that does the same.
    """
    if found is None or found is _plain(function):
        return False
    traits = traits_of(getattr(found, "function", found))
    return traits is not None and traits != traits_of(function)


def traits_of(function: Callable[..., Any]) -> tuple[Any, ...] | None:
    """Return what makes a function what it is; None for what is not written in Python."""
    plain, code = _plain(function), code_of(function)
    if code is None:
        return None
    defaults = (plain.__defaults__, plain.__kwdefaults__, plain.__annotations__)
    return (plain.__doc__, repr(defaults), *_written(code))


def code_of(function: Callable[..., Any]) -> types.CodeType | None:
    """Return the code of a function; None when it is not written in Python."""
    return getattr(_plain(function), "__code__", None)


def _plain(function: Any) -> Any:
    """Return the function itself that a partial, a method, or a decorator stands for."""
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.unwrap(getattr(function, "__func__", function))


def _written(code: types.CodeType) -> tuple[Any, ...]:
    """Return what code does, wherever in its file it is."""
    constants: tuple[Any, ...] = tuple(
        _written(each) if isinstance(each, types.CodeType) else repr(each)
        for each in code.co_consts
    )
    return code.co_code, code.co_names, code.co_varnames, code.co_flags, constants
