"""Limits: where a run stops by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from nbagents.errors import UserError, check_type

__all__ = ["Limits", "check_limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Where a run stops by itself. `None` means without end."""

    turns: int | None = 25
    """Model calls of one run; its child runs count their own."""
    depth: int | None = 8
    """Runs inside runs."""
    tokens: int | None = None
    """Input and output tokens of the run and all below it."""
    cost: Decimal | float | None = None
    """US dollars of the run and all below it; an unknown price ends the run too."""
    seconds: float | None = None
    """Wall time of the whole run."""
    parallel_tools: int = 32
    """Tools of one turn that run at once; not an end, only a queue."""

    def __post_init__(self) -> None:
        for limit in fields(self):
            value: Any = getattr(self, limit.name)
            if value is None and limit.name != "parallel_tools":
                continue
            is_whole = limit.name in {"turns", "depth", "tokens", "parallel_tools"}
            kinds = int if is_whole else (int, float, Decimal)
            is_number = isinstance(value, kinds) and not isinstance(value, bool)
            number: Any = value
            if not is_number or math.isnan(number) or number <= 0:  # NaN would never be reached.
                kind = "a whole number" if is_whole else "a number"
                raise UserError(f"Limits({limit.name}={value!r}): it must be {kind} above 0.")


def check_limits(limits: object) -> None:
    """Raise `UserError` for limits that are not `Limits`."""
    if limits is not None:
        check_type("limits", limits, Limits, "turns=10")
