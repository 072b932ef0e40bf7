"""A notebook as its own cassette: run again from what its outputs hold, and compared."""

from __future__ import annotations

import asyncio
import copy
import os
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from nbagents._optional import require
from nbagents.errors import UserError
from nbagents.events import RunStarted, ToolStarted
from nbagents.notebook.comparing import differences, documents, events_of
from nbagents.notebook.share import read_notebook, words_of
from nbagents.notebook.wire import RUN_MIME
from nbagents.replay import Cassette, play_everywhere
from nbagents.sessions.address import SCRATCH

__all__ = ["Replayed", "begin", "cassette_of", "end", "replay", "write"]

_TOOLS_DID_NOT_RUN = (
    "The replay did not run these tools: {tools}. If a difference comes from what they change, use "
    "--run-tools, or give the cell that calls them the tag run-tools."
)
_INTERNAL = {"handoff", "handoff_to_user", "note", "read_notes"}
"""Tools that always run: they act on the run alone."""
_NOTHING = "{path} holds no run. Run it once with a model, and save it. A cell that ends with `;` saves none."
_BEGIN = (
    "from nbagents.notebook import replaying as _replaying; "
    "_replaying.begin({path!r}, run_tools={run_tools}); _replaying.held = True; del _replaying"
)
held = False
"""True where a whole notebook is replayed: its own cells neither end nor change that."""
_folders: list[TemporaryDirectory[str]] = []
"""Where the sessions of a replay are kept that was begun here."""
_TAG = "run-tools"
"""The tag of a cell whose runs call their tools in a replay, too."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of a replay: the notebook, and where it is not as it was."""

    notebook: Any
    differences: tuple[str, ...]
    hint: str = ""
    """What the differences may come from, and what to do then."""


def cassette_of(notebook: Any, *, run_tools: bool = False) -> Cassette:
    """Take the recorded answers out of the outputs of a notebook.

    Raises `UserError` that names the cell when a saved run cannot be read.
    """
    cassette = Cassette(run_tools=run_tools)
    for number, cell in enumerate(notebook.cells, 1):
        for document in documents(cell):
            name = _name(number, cell)
            cassette.add(events_of(document, name), name, run_tools=_runs_tools(cell))
    return cassette


def begin(path: str | Path, *, run_tools: bool = False) -> int:
    """Answer in this process from the outputs of a saved notebook; return how many runs it holds.

    Raises `UserError` when it cannot be read, or holds no run.
    """
    notebook = read_notebook(Path(path))
    count = sum(len(list(documents(cell))) for cell in notebook.cells)
    if not count:
        raise UserError(_NOTHING.format(path=path))
    cassette = cassette_of(notebook, run_tools=run_tools)
    end()
    play_everywhere(cassette)
    if SCRATCH not in os.environ:
        _folders.append(TemporaryDirectory(prefix="nbagents-", ignore_cleanup_errors=True))
        os.environ[SCRATCH] = _folders[-1].name
    return count


def end() -> None:
    """Ask models again in this process, and remove the sessions of the replay."""
    play_everywhere(None)
    while _folders:
        os.environ.pop(SCRATCH, None)
        _folders.pop().cleanup()


def replay(path: str | Path, *, run_tools: bool = False) -> Replayed:
    """Run a notebook in a kernel of its own, answered from its own outputs, and compare these.

    Neither a model nor, without `run_tools`, a tool is asked, and sessions are kept in a folder of
    the replay's own, which kernels and programs that the notebook starts use too. Raises `UserError` when the notebook cannot be read, or holds no run.
    """
    before = read_notebook(Path(path))
    if not any(True for cell in before.cells for _ in documents(cell)):
        raise UserError(_NOTHING.format(path=path))
    cassette_of(before)
    after = asyncio.run(_execute(before, Path(path).absolute(), run_tools=run_tools))
    for cell, replayed in zip(before.cells, after.cells, strict=True):
        _drop_new_runs(cell, replayed)
    found = differences(before.cells, after.cells)
    told = [f"{_name(number, before.cells[number - 1])}: {what}" for number, what in found.items()]
    tools = _not_run(before.cells[: max(found)]) if found and not run_tools else []
    hint = _TOOLS_DID_NOT_RUN.format(tools=", ".join(tools)) if tools else ""
    return Replayed(after, tuple(told), hint)


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
    with TemporaryDirectory(prefix="nbagents-", ignore_cleanup_errors=True) as scratch:
        environment = os.environ | {"JPY_SESSION_NAME": str(path), SCRATCH: scratch}
        with _kernel_log(Path(scratch)) as log:
            async with client.async_setup_kernel(env=environment, stderr=log):
                await _run_cells(client, path, run_tools=run_tools)
    return client.nb


@contextmanager
def _kernel_log(folder: Path) -> Generator[BinaryIO]:
    """Collect what the kernel's process writes to stderr, and show it only if the replay fails.

    A kernel that shuts down may print a traceback of its own sockets there, which says nothing
    about the notebook.
    """
    with (folder / "kernel.log").open("w+b") as log:
        try:
            yield log
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read().decode(errors="replace"))
            raise


async def _run_cells(client: Any, path: Path, *, run_tools: bool) -> None:
    import nbclient

    code = _BEGIN.format(path=str(path), run_tools=run_tools)
    reply = await client.kc.execute_interactive(code, silent=True, store_history=False)
    if reply["content"]["status"] != "ok":
        raise UserError(f"The kernel could not begin the replay: {reply['content']['evalue']}")
    for index, cell in enumerate(client.nb.cells):
        try:
            await client.async_execute_cell(cell, index)
        except nbclient.exceptions.DeadKernelError:
            name = _name(index + 1, cell)
            raise UserError(f"The kernel died in {name}, so the rest was not run.") from None


def _drop_new_runs(cell: Any, replayed: Any) -> None:
    """Remove the runs of plain code from a replayed cell whose saved outputs have none.

    They were removed by hand, or the cell ran before such runs were saved.
    """
    if replayed.cell_type == "code" and not any(map(_is_unseen, cell.outputs)):
        replayed.outputs = [output for output in replayed.outputs if not _is_unseen(output)]


def _is_unseen(output: Any) -> bool:
    document = output.get("data", {}).get(RUN_MIME)
    return isinstance(document, dict) and bool(document.get("folded"))


def _name(number: int, cell: Any) -> str:
    return f"cell {number} ({words_of(cell.source)})"


def _runs_tools(cell: Any) -> bool:
    return _TAG in cell.metadata.get("tags", ())


def _not_run(cells: Iterable[Any]) -> list[str]:
    """List the tools that a replay of these cells has told again instead of running them."""
    names: dict[str, None] = {}
    for cell in cells:
        for document in documents(cell) if not _runs_tools(cell) else ():
            events = events_of(document, "an output")
            below = {event.call_id for event in events if isinstance(event, RunStarted)}
            for event in events:
                if isinstance(event, ToolStarted) and event.call_id not in below:
                    names[event.name] = None
    return [name for name in names if name not in _INTERNAL]
