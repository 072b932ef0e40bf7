"""Giving a notebook away: a page that needs nothing, a clean notebook, and no key in either."""

from __future__ import annotations

import copy
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nbagents._optional import require
from nbagents.errors import UserError
from nbagents.notebook.page import make_page
from nbagents.notebook.secrets import MARK, Cleaner

__all__ = ["SharedFiles", "open_notebook", "read_notebook", "saved_at", "share", "words_of"]

_KEPT_OF_NOTEBOOK = ("title", "authors")
_KEPT_OF_CELL = ("tags", "slideshow", "jupyter", "collapsed", "editable", "deletable", "name")
_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_PYTHON = {"name": "python3", "display_name": "Python 3", "language": "python"}
_WORDS = 40


@dataclass(frozen=True, slots=True)
class _Place:
    cell: int
    """Counted from 1, cells with text too; 0 is the notebook itself."""
    words: str
    part: str


@dataclass(frozen=True, slots=True)
class SharedFiles:
    """What was written, and what a person should know about it."""

    page: Path
    notebook: Path
    notes: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([f"Wrote {self.page}", f"Wrote {self.notebook}", *self.notes])


def share(path: str | Path, to: str | Path | None = None, *, redact: bool = False) -> SharedFiles:
    """Write a notebook as one HTML file and as a clean `.ipynb`, beside each other.

    They are NAME.shared.html and NAME.shared.ipynb, beside the notebook, or where `to` says: a
    folder that is there, or a folder and a name. The notebook itself is never written to.

    The page holds all it needs, and may load nothing. In the clean notebook are all outputs, but no
    state of widgets, no times of execution, and nothing of this machine's set-up.

    With `redact=True` each key or token has a mark in its place. Raises `UserError` when there is
    one and `redact` is off, naming the cell and the kind; when the file is no notebook; and when
    what the extra `share` brings is missing.
    """
    path = Path(path)
    notebook, is_trusted = _read(path)
    page_path, notebook_path = _targets(path, to)
    clean, secrets = _without_secrets(_cleaned(notebook))
    if secrets and not redact:
        raise UserError(_refusal(path.name, secrets))
    made = make_page(clean, path, is_trusted=is_trusted)
    text = require("nbformat", "share").writes(clean) + "\n"
    # What a reader gets is what counts, so that is looked at once more, to the letter.
    _check(made.text, "The page")
    _check(text, "The clean notebook")
    page = made.with_viewer()
    try:
        page_path.write_text(page, encoding="utf-8")
        notebook_path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{page_path.parent} cannot be written to: {error.strerror}.") from None
    notes = [_told(secrets)] if secrets else []
    if made.dropped:
        notes.append(
            f"{made.dropped} scripts and the like of outputs were left out, as this notebook is "
            f"not trusted here. If they are yours: jupyter trust {path.name}, and share it again."
        )
    return SharedFiles(page_path, notebook_path, tuple(notes))


def open_notebook() -> Path:
    """Return the file of the notebook that is open, as the server has told this kernel.

    Raises `UserError` when it did not, or when the notebook has not been saved.
    """
    name = os.environ.get("JPY_SESSION_NAME", "")
    if not name.endswith(".ipynb"):
        raise UserError(
            "This kernel was not told which notebook is open. Name its file behind the command."
        )
    path = Path(name)
    if not path.is_file():
        raise UserError(
            f"There is no file {path}: the notebook was renamed, or has never been saved. "
            "Save it, or name its file behind the command."
        )
    return path


def saved_at(path: Path) -> str:
    """Say which state of a notebook was read: what was changed since is not in the file."""
    time = datetime.fromtimestamp(path.stat().st_mtime).astimezone()
    return f"As it was saved at {time:%H:%M:%S}; later changes are not in it."


def read_notebook(path: Path) -> Any:
    """Read a notebook. Raises `UserError` when there is none, or the file is none."""
    nbformat = require("nbformat", "share")
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise UserError(f"There is no file {path}. Save the notebook first.") from None
    except (OSError, ValueError, AttributeError, TypeError, nbformat.ValidationError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} cannot be read as a notebook: {reason}") from None


def _read(path: Path) -> tuple[Any, bool]:
    """Read the notebook, and whether Jupyter trusts its outputs here."""
    sign = require("nbformat.sign", "share")
    notebook = read_notebook(path)
    try:
        with sign.NotebookNotary() as notary:
            return notebook, notary.check_signature(notebook)
    except UnicodeError:  # Half a character, which nothing can be signed with.
        return notebook, False


def _targets(path: Path, to: str | Path | None) -> tuple[Path, Path]:
    base = path.with_suffix("") if to is None else Path(to)
    if base.is_dir():
        base /= path.stem
    name = re.sub(r"(\.shared)?(\.html|\.ipynb)?$", "", base.name)
    if not base.parent.is_dir():
        raise UserError(f"There is no folder {base.parent}. Make it, or name another with --to.")
    page, notebook = (base.with_name(f"{name}.shared.{suffix}") for suffix in ("html", "ipynb"))
    if notebook.exists() and notebook.samefile(path):
        raise UserError(f"{path} itself would be written over. Name another file with --to.")
    return page, notebook


def _cleaned(notebook: Any) -> Any:
    """Return a copy with outputs whole, and without what only this machine needs."""
    coalesce = require(
        "nbconvert.preprocessors.coalescestreams", "share"
    ).CoalesceStreamsPreprocessor
    # Two pieces of a stream are one text to a reader, and could be the halves of a key.
    clean, _ = coalesce().preprocess(copy.deepcopy(notebook), {})
    known = clean.metadata
    language = known.get("language_info", {}).get("name", "python")
    kernel = known.get("kernelspec", {})
    if language == "python":  # Its name may be that of an environment of this machine.
        kernel = _PYTHON
    clean.metadata = _only(_KEPT_OF_NOTEBOOK, known)
    clean.metadata["language_info"] = {"name": language}
    clean.metadata["kernelspec"] = _only(_PYTHON, kernel)
    for cell in clean.cells:
        cell.metadata = _only(_KEPT_OF_CELL, cell.metadata)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if _has_something(output)]
    return clean


def _only(names: Iterable[str], metadata: Mapping[str, Any]) -> Any:
    return require("nbformat", "share").from_dict(
        {name: metadata[name] for name in names if name in metadata}
    )


def _has_something(output: Any) -> bool:
    """Take the view of a widget, which is empty without its state, out of an output."""
    if "data" not in output:
        return True
    output.data.pop(_WIDGET_VIEW, None)
    output.metadata = _only((*output.data, "nbagents"), output.metadata)
    return bool(output.data)


def _without_secrets(notebook: Any) -> tuple[Any, dict[_Place, list[str]]]:
    """Return the notebook with marks for secrets, and which kinds there were, by place."""
    nbformat = require("nbformat", "share")
    secrets: dict[_Place, list[str]] = {}

    def clean(value: Any, place: _Place, how: Callable[[Cleaner, Any], Any] = Cleaner.json) -> Any:
        cleaner = Cleaner()
        cleaned = how(cleaner, value)
        if cleaner.found:
            secrets[place] = cleaner.found
        return cleaned

    plain = json.loads(json.dumps(notebook))
    plain["metadata"] = clean(plain["metadata"], _Place(0, "", "the notebook's metadata"))
    for number, cell in enumerate(plain["cells"], 1):
        words = words_of(Cleaner().text(cell["source"]))
        for part in ("source", "metadata"):
            cell[part] = clean(cell[part], _Place(number, words, part))
        if "attachments" in cell:
            place = _Place(number, words, "attachments")
            cell["attachments"] = clean(cell["attachments"], place, _attachments)
        for index, output in enumerate(cell.get("outputs", ()), 1):
            place = _Place(number, words, f"output {index}")
            cell["outputs"][index - 1] = clean(output, place, _output)
    return nbformat.from_dict(plain), secrets


def words_of(source: str) -> str:
    """Return the first words of a cell, by which a person knows it."""
    line = next(iter(source.strip().splitlines()), "")
    return line if len(line) <= _WORDS else f"{line[:_WORDS]}..."


def _attachments(cleaner: Cleaner, attachments: dict[str, Any]) -> dict[str, Any]:
    return {
        cleaner.text(name): cleaner.bundle(data, encoded=True) for name, data in attachments.items()
    }


def _output(cleaner: Cleaner, output: dict[str, Any]) -> dict[str, Any]:
    held: dict[str, Any] = {}
    if "data" in output:
        held["data"] = cleaner.bundle(output["data"])
    if "traceback" in output:
        held["traceback"] = cleaner.text("\n".join(output["traceback"])).split("\n")
    rest = {name: value for name, value in output.items() if name not in held}
    return {**cleaner.json(rest), **held}


def _refusal(name: str, secrets: Mapping[_Place, Sequence[str]]) -> str:
    listed = "\n".join(f"  {_where(place)}: {_kinds(kinds)}" for place, kinds in secrets.items())
    return (
        f"{name} is not shared, as there are keys or tokens in it:\n{listed}\n"
        f"Take them out and run these cells again, or have each replaced by {MARK}: --redact. "
        "A key that was in a saved notebook should be revoked."
    )


def _where(place: _Place) -> str:
    if not place.cell:
        return place.part
    return f"cell {place.cell} ({place.words}), {place.part}"


def _kinds(kinds: Sequence[str]) -> str:
    counts = Counter(kinds)
    return ", ".join(
        f"{kind} ({count} times)" if count > 1 else kind for kind, count in counts.items()
    )


def _told(secrets: Mapping[_Place, Sequence[str]]) -> str:
    count = sum(len(kinds) for kinds in secrets.values())
    places = "; ".join(f"{_where(place)}: {_kinds(kinds)}" for place, kinds in secrets.items())
    return f"Replaced {count} by {MARK}: {places}. They still are in the notebook itself."


def _check(text: str, what: str) -> None:
    cleaner = Cleaner()
    cleaner.text(text)
    if cleaner.found:
        raise UserError(
            f"{what} is not written: {_kinds(cleaner.found)} would be in it, though no cell has it. "
            "Look at the notebook's name, and at the images beside it."
        )
