"""Tables and arrays as text that a model can read: labeled, whole when short, and honest when cut."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from nbagents.jsonable import jsonable
from nbagents.untrusted import received_json

__all__ = ["array_text", "table_text"]

_MOST_COLUMNS = 60
_HEAD = 2 / 3
"""The part of what is shown that comes from the beginning; the rest comes from the end."""

Row = Sequence[object]


@dataclass(frozen=True, slots=True)
class _Table:
    """Any table, as rows of cells."""

    labels: int
    """How many of the columns are row labels."""
    columns: list[tuple[str, str]]
    """Names and types."""
    rows: int
    part: Callable[[int, int], list[Row]]
    """Returns the rows from one position to another."""


def table_text(value: object, longest: int) -> str | None:
    """Write a table or a column of pandas, polars or Arrow as CSV; None for anything else.

    A table whose text would have more than `longest` characters is cut in the middle, and says how
    many rows and columns are left out and how to get them.
    """
    table = _table(value)
    if table is None:
        return None
    chosen = _chosen(len(table.columns), table.labels)
    shown = [table.columns[place] for place in chosen]
    hidden = len(table.columns) - len(chosen)
    kinds = ", ".join(f"{name or 'value'} ({kind})" for name, kind in shown[table.labels :])
    count = len(table.columns) - table.labels
    head = f"A table of {_count(table.rows, 'row')} and {_count(count, 'column')}: {kinds}"
    if hidden:
        head += f". {_count(hidden, 'column')} in the middle left out: select columns to see them"
    lines = [f"{head}.", _csv([[name for name, _ in shown]]).rstrip("\n")]
    lines += _rows(table, chosen, longest - sum(map(len, lines)))
    return "\n".join(lines)


def array_text(value: object, longest: int) -> str | None:
    """Write an array of numpy as JSON; None for anything else.

    A long one is written by its shape, its range, and the beginning and end of its first axis.
    """
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.ndarray):
        return None
    array: Any = value
    if array.size <= longest:
        whole = _json(array)
        if len(whole) <= longest:
            return whole
    shape = " x ".join(map(str, array.shape))
    spread = f", from {array.min()} to {array.max()}" if array.dtype.kind in "iuf" else ""
    keep = 500
    while keep > 1 and keep * array[:1].size > longest // 20:
        keep //= 2
    left = len(array) - 2 * keep
    return (
        f"An array of {shape} {array.dtype}{spread}. Along the first axis, its first {keep}:\n"
        f"{_json(array[:keep])[: longest // 2]}\n[{left:,} left out here: ask for a slice or a summary]\n"
        f"{_json(array[-keep:])[-longest // 2 :]}"
    )


def _json(array: Any) -> str:
    items = array.tolist()
    if array.dtype.kind in "USO":  # Texts, which may be anything.
        items = received_json(jsonable(items))
    return to_json(items, fallback=str).decode()


def _rows(table: _Table, chosen: list[int], room: int) -> list[str]:
    """Return lines of rows: all of them, or as many as there is room for."""

    def lines(start: int, stop: int) -> list[str]:
        rows = table.part(start, stop)
        return [_csv([[row[place] for place in chosen]]).rstrip("\n") for row in rows]

    few = lines(0, min(table.rows, 50))
    average = max(1, sum(map(len, few)) // max(1, len(few)) + 1)
    if table.rows * average <= 2 * room:
        whole = lines(0, table.rows)
        if sum(map(len, whole)) + len(whole) <= room:
            return whole
    fitting = max(2, min(table.rows - 1, room // average))
    first = max(1, int(fitting * _HEAD))
    head = _within(lines(0, first), int(room * _HEAD))
    tail = _within(lines(table.rows - (fitting - first), table.rows)[::-1], room // 3)[::-1]
    left = table.rows - len(head) - len(tail)
    if left <= 0:
        return [*head, *tail[len(tail) - (table.rows - len(head)) :]]
    note = f"[{_count(left, 'row')} left out here: filter, sample or aggregate to see more]"
    return [*head, note, *tail]


def _within(lines: list[str], room: int) -> list[str]:
    """Keep as many lines as there is room for, and at least one, cut if need be."""
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0 and kept:
            break
        kept.append(line if room >= 0 else f"{line[: max(100, room + len(line))]}[cut]")
    return kept


def _chosen(columns: int, labels: int) -> list[int]:
    """Choose the columns to show: row labels, the first ones and the last ones."""
    if columns - labels <= _MOST_COLUMNS:
        return list(range(columns))
    first = labels + int(_MOST_COLUMNS * _HEAD)
    return [*range(first), *range(columns - (_MOST_COLUMNS + labels - first), columns)]


def _csv(rows: list[list[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _table(value: object) -> _Table | None:
    library = type(value).__module__.partition(".")[0]
    if library == "pandas":
        return _of_pandas(value)
    if library == "polars":
        return _of_polars(value)
    return _of_arrow(value) if library == "pyarrow" else None


def _of_pandas(value: Any) -> _Table | None:
    pandas = sys.modules["pandas"]
    if isinstance(value, pandas.api.extensions.ExtensionArray):
        value = pandas.Series(value)
    if isinstance(value, pandas.Index):
        value = value.to_frame(index=False)
    if isinstance(value, pandas.Series):
        value = value.to_frame("" if value.name is None else value.name)
    if not isinstance(value, pandas.DataFrame):
        return None
    index = value.index
    is_plain = isinstance(index, pandas.RangeIndex) and index.start == 0 and index.step == 1
    labels = 0 if is_plain and index.name is None else index.nlevels
    names = [("" if name is None else str(name), "label") for name in index.names][:labels]
    kinds = [(_name(name), str(kind)) for name, kind in value.dtypes.items()]

    def part(start: int, stop: int) -> list[Row]:
        rows = value.iloc[start:stop]
        cells = rows.itertuples(index=False, name=None)
        if not labels:
            return [list(row) for row in cells]
        heads = (label if labels > 1 else (label,) for label in rows.index)
        return [[*head, *row] for head, row in zip(heads, cells, strict=True)]

    return _Table(labels, [*names, *kinds], len(value), part)


def _of_polars(value: Any) -> _Table | None:
    polars = sys.modules["polars"]
    if isinstance(value, polars.Series):
        value = value.to_frame()
    if not isinstance(value, polars.DataFrame):
        return None
    columns = [(name, str(kind)) for name, kind in value.schema.items()]
    return _Table(0, columns, value.height, lambda start, stop: value[start:stop].rows())


def _of_arrow(value: Any) -> _Table | None:
    arrow = sys.modules["pyarrow"]
    if isinstance(value, arrow.Array | arrow.ChunkedArray):
        value = arrow.table({"": value})
    if not isinstance(value, arrow.Table | arrow.RecordBatch):
        return None
    columns = [(field.name, str(field.type)) for field in value.schema]

    def part(start: int, stop: int) -> list[Row]:
        cut = value.slice(start, stop - start)
        return list(zip(*(column.to_pylist() for column in cut.columns), strict=True))

    return _Table(0, columns, value.num_rows, part)


def _name(name: object) -> str:
    """Write the name of a column; one of several levels by all of them."""
    return "/".join(map(str, name)) if isinstance(name, tuple) else str(name)  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]
