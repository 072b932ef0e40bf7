"""Measures one part after the other; a part that fails costs no other its rows."""

from __future__ import annotations

import sys
import traceback
from collections.abc import AsyncIterator, Mapping, Sequence

__all__ = ["Rows", "measured"]

Rows = list[list[str]]


async def measured(parts: Mapping[str, AsyncIterator[Sequence[str]]]) -> tuple[Rows, list[str]]:
    """Return the rows of all parts, and the names of the parts that failed.

    Each row is printed as soon as it is there, and so is the traceback of a part that fails.
    """
    rows: Rows = []
    failed: list[str] = []
    for name, part in parts.items():
        try:
            async for row in part:
                rows.append([*row])
                print(*row, sep=" | ", file=sys.stderr)
        except Exception:  # noqa: BLE001 - whatever it is, the other parts can be measured
            traceback.print_exc()
            failed.append(name)
    return rows, failed
