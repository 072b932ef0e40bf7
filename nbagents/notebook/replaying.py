"""A notebook as its own cassette: run again from what its outputs hold, and compared."""

from __future__ import annotations

import asyncio
import copy
import functools
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Discriminator, TypeAdapter, ValidationError

from nbagents._optional import require
from nbagents.errors import UserError
from nbagents.events import (
    DurableEvent,
    HandedOff,
    MessageFinished,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunStarted,
    event_codec,
)
from nbagents.notebook.share import read_notebook, words_of
from nbagents.notebook.wire import PICTURE_MIME, RUN_MIME
from nbagents.replay import Cassette, play_everywhere

__all__ = ["Replayed", "begin", "cassette_of", "replay", "write"]

_NOTHING = "{path} holds no run. Run it once with a model, and save it. A cell that ends with `;` saves none."
# Where an object lies in memory, the id of a run, and what `%time` tells.
_BY_CHANCE = re.compile(
    r" at 0x[0-9a-f]+|(?<=<Run )[0-9a-f]{12}(?= of )|^(?:CPU times|Wall time): .*$", re.MULTILINE
)
# What differs from run to run, or is told by what stays.
_LEFT_OUT = {
    "at",
    "declared",
    "parent_id",
    "question_id",
    "replayed",
    "request",
    "run_id",
    "seconds",
    "seq",
    "usage",
}
# How a stop is told by the kernel, by `%ask`, and by the panel.
_STOPS = {"Cancelled", "CancelledError", "KeyboardInterrupt", "Stopped"}
_IN_ORDER = (RunStarted, MessageFinished, HandedOff, RunFinished, RunFailed, RunCancelled)
_LONGEST = 160
_BEGIN = (
    "from nbagents.notebook import replaying as _replaying; "
    "_replaying.begin({path!r}, run_tools={run_tools}); _replaying.held = True; del _replaying"
)
held = False
"""True where a whole notebook is replayed: its own cells neither end nor change that."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of a replay: the notebook, and where it is not as it was."""

    notebook: Any
    differences: tuple[str, ...]


def cassette_of(notebook: Any, *, run_tools: bool = False) -> Cassette:
    """Take the recorded answers out of the outputs of a notebook.

    Raises `UserError` that names the cell when a saved run cannot be read.
    """
    cassette = Cassette(run_tools=run_tools)
    for number, cell in enumerate(notebook.cells, 1):
        for document in _documents(cell):
            cassette.add(_events(document, _name(number, cell)), _name(number, cell))
    return cassette


def begin(path: str | Path, *, run_tools: bool = False) -> int:
    """Answer in this process from the outputs of a saved notebook; return how many runs it holds.

    Raises `UserError` when it cannot be read, or holds no run.
    """
    notebook = read_notebook(Path(path))
    count = sum(len(list(_documents(cell))) for cell in notebook.cells)
    if not count:
        raise UserError(_NOTHING.format(path=path))
    play_everywhere(cassette_of(notebook, run_tools=run_tools))
    return count


def replay(path: str | Path, *, run_tools: bool = False) -> Replayed:
    """Run a notebook in a kernel of its own, answered from its own outputs, and compare these.

    Neither a model nor, without `run_tools`, a tool is asked, and sessions are kept in memory.
    Raises `UserError` when the notebook cannot be read, or holds no run.
    """
    before = read_notebook(Path(path))
    if not any(True for cell in before.cells for _ in _documents(cell)):
        raise UserError(_NOTHING.format(path=path))
    cassette_of(before)
    after = asyncio.run(_execute(before, Path(path).absolute(), run_tools=run_tools))
    told = [
        f"{_name(number, one)}: {difference}"
        for number, (one, other) in enumerate(zip(before.cells, after.cells, strict=True), 1)
        if one.cell_type == "code" and (difference := _difference(one, other))
    ]
    return Replayed(after, tuple(told))


def write(replayed: Replayed, path: str | Path, to: str | Path | None = None) -> Path:
    """Write the replayed notebook as NAME.replayed.ipynb, or where `to` says; return the path.

    Raises `UserError` when that is the notebook itself, or cannot be written.
    """
    path = Path(path)
    target = path.with_suffix(".replayed.ipynb") if to is None else Path(to)
    if target.exists() and target.samefile(path):
        raise UserError("The notebook itself is its cassette: write to another file.")
    try:
        require("nbformat", "share").write(replayed.notebook, target)
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror}.") from None
    return target


async def _execute(notebook: Any, path: Path, *, run_tools: bool) -> Any:
    """Run all cells in a kernel of its own; `path` is absolute."""
    nbclient = require("nbclient", "share")
    require("ipykernel", "share")
    client = nbclient.NotebookClient(
        copy.deepcopy(notebook),
        kernel_name="python3",
        timeout=None,
        allow_errors=True,
        resources={"metadata": {"path": str(path.parent)}},
        extra_arguments=["--log-level=ERROR"],  # ipykernel warns of its own sockets
    )
    code = _BEGIN.format(path=str(path), run_tools=run_tools)
    environment = os.environ | {"JPY_SESSION_NAME": str(path)}
    async with client.async_setup_kernel(env=environment):
        reply = await client.kc.execute_interactive(code, silent=True, store_history=False)
        if reply["content"]["status"] != "ok":
            raise UserError(f"The kernel could not begin the replay: {reply['content']['evalue']}")
        for index, cell in enumerate(client.nb.cells):
            try:
                await client.async_execute_cell(cell, index)
            except nbclient.exceptions.DeadKernelError:
                name = _name(index + 1, cell)
                raise UserError(f"The kernel died in {name}, so the rest was not run.") from None
    return client.nb


def _name(number: int, cell: Any) -> str:
    return f"cell {number} ({words_of(cell.source)})"


def _documents(cell: Any) -> Iterator[dict[str, Any]]:
    for output in cell.get("outputs", ()):
        yield from _documents_in(output)


def _documents_in(output: Any) -> list[dict[str, Any]]:
    """Take the runs out of an output; of those that plain code began it may hold several."""
    first = output.get("data", {}).get(RUN_MIME)
    told = [first, *(first.get("more") or ())] if isinstance(first, dict) else []
    return [document for document in told if document.get("events")]


@functools.cache
def _codec() -> TypeAdapter[list[DurableEvent]]:
    return TypeAdapter(list[Annotated[DurableEvent, Discriminator("type")]])


def _events(document: dict[str, Any], where: str) -> list[DurableEvent]:
    try:
        return _codec().validate_json(json.dumps(document["events"]))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in problem["loc"])
        raise UserError(f"The run in {where} cannot be read ({place}: {problem['msg']}).") from None


def _difference(before: Any, after: Any) -> str:
    """Tell the first thing in which a cell's outputs are not as they were; empty if there is none."""
    one, other = list(_told(before)), list(_told(after))
    for told in other:
        if told[0] == "error" and told not in one:
            return told[1]
    for was, now in zip(one, other, strict=False):
        if was == now:
            continue
        if was[0] == now[0] == "run":
            return _first_change(was[1], now[1])
        return f"{_short(was)} became {_short(now)}"
    if len(one) > len(other):
        return f"{_short(one[len(other)])} is missing"
    return f"{_short(other[len(one)])} is new" if len(other) > len(one) else ""


def _told(cell: Any) -> Iterator[tuple[str, Any]]:
    """Tell what a reader learns from the outputs: what runs did, and what other code has shown."""
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        if documents := _documents_in(output):
            for document in documents:
                yield "run", _course(_events(document, "an output"))
        elif output.output_type == "stream":
            if output.name == "stdout":  # Warnings name paths.
                yield "text", _BY_CHANCE.sub("", output.text)
        elif output.output_type == "error":
            stopped = output.ename in _STOPS
            yield "error", "Stopped by you" if stopped else output.evalue or output.ename
        elif PICTURE_MIME in data or "nbagents" in output.get("metadata", {}):
            continue  # It tells of the machine, the time, or the run beside it.
        elif "text/vnd.graphviz" in data:
            yield "topology", data["text/vnd.graphviz"]
        else:
            yield "text", _BY_CHANCE.sub("", str(data.get("text/plain", sorted(data))))


def _course(events: Sequence[DurableEvent]) -> list[tuple[str, list[Any], list[Any]]]:
    """Tell what happened in each run; of what goes on at once, the order is left to chance."""
    course: dict[str, tuple[str, list[Any], list[Any]]] = {}
    for event in events:
        if isinstance(event, RunStarted):
            above = f"{course[event.parent_id][0]}/" if event.parent_id in course else ""
            course[event.run_id] = f"{above}{event.node or event.name}", [], []
        _, in_order, at_once = course[event.run_id]
        (in_order if isinstance(event, _IN_ORDER) else at_once).append(_plain(event))
    for _, _, at_once in course.values():
        at_once.sort(key=repr)
    return sorted(course.values(), key=repr)


def _plain(event: DurableEvent) -> dict[str, Any]:
    told = event_codec().dump_python(event, mode="json", exclude_none=True, fallback=repr)
    if isinstance(event, MessageFinished):
        told["message"].pop("usage", None)
    if isinstance(event, RunCancelled):  # Runs inside of one that is stopped are not told why.
        told.pop("reason")
    return {name: value for name, value in told.items() if name not in _LEFT_OUT}


def _first_change(before: list[Any], after: list[Any]) -> str:
    one, other = dict.fromkeys(run[0] for run in before), dict.fromkeys(run[0] for run in after)
    if gone := [name for name in one if name not in other]:
        return f"{gone[0]} did not run"
    if new := [name for name in other if name not in one]:
        return f"{new[0]} ran, and had not before"
    for (name, *was), (_, *now) in zip(before, after, strict=False):
        for step, other_step in zip([*was[0], *was[1]], [*now[0], *now[1]], strict=False):
            if step != other_step:
                return f"in {name}, {_short(step)} became {_short(other_step)}"
        if was != now:
            return f"{name} did more, or less, than before"
    return f"{len(before)} runs became {len(after)}"


def _short(told: Any) -> str:
    match told:
        case (str(), value):
            text = str(value)
        case {"type": "message_finished", "message": message}:
            text = json.dumps(message["parts"], ensure_ascii=False)
        case _:
            text = json.dumps(told, ensure_ascii=False)
    text = " ".join(text.split())
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
