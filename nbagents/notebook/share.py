"""Giving a notebook away: a page that needs nothing, a clean notebook, and no key in either."""

from __future__ import annotations

import json
import os
import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nbagents._optional import require
from nbagents.errors import UserError
from nbagents.notebook.page import Page, make_page
from nbagents.redaction import MARK, Cleaner

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
    made, text, secrets = _made(_cleaned(notebook), path, is_trusted=is_trusted, redact=redact)
    page = made.with_viewer()
    try:
        page_path.write_text(page, encoding="utf-8")
        notebook_path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{error.filename} cannot be written: {error.strerror}. Name another place with --to."
        ) from None
    notes = [_told(secrets)] if secrets else []
    if made.dropped:
        notes.append(
            f"Left out {made.dropped} scripts, forms or addresses, because this notebook is not "
            f"trusted here. If they are yours, run `jupyter trust {path.name}` and share it again."
        )
    return SharedFiles(page_path, notebook_path, tuple(notes))


def _made(
    whole: Any, path: Path, *, is_trusted: bool, redact: bool
) -> tuple[Page, str, dict[_Place, list[str]]]:
    """Make the page and the clean notebook, and look at both once more as a reader gets them.

    What is a key only as it is shown (Markdown may put a name beside its value) is then looked for
    in the cells, which say in what place it is.
    """
    known: set[str] = set()
    while True:
        clean, secrets = _without_secrets(whole, known)
        if secrets and not redact:
            raise UserError(_refusal(path.name, secrets))
        made, text, seen = _shown(clean, path, is_trusted=is_trusted)
        if not seen.found:
            return made, text, secrets
        if seen.values <= known:
            raise UserError(_left(clean, path, seen.found, is_trusted=is_trusted))
        known |= seen.values


def _shown(clean: Any, path: Path, *, is_trusted: bool) -> tuple[Page, str, Cleaner]:
    made = make_page(clean, path, is_trusted=is_trusted)
    text = require("nbformat", "share").writes(clean) + "\n"
    seen = Cleaner()
    for shown in (made.text, text):  # To the letter.
        seen.text(shown, short=False)
    return made, text, seen


def open_notebook() -> Path:
    """Return the file of the notebook that is open, as the server has told this kernel.

    Raises `UserError` when it did not, or when the notebook has not been saved.
    """
    name = os.environ.get("JPY_SESSION_NAME", "")
    if not name.endswith(".ipynb"):
        raise UserError("I can't tell which notebook is open. Give its path: %nbagents share FILE")
    path = Path(name)
    if not path.is_file():
        raise UserError(
            f"There is no file {path}: the notebook was renamed, or has never been saved. "
            "Save it, or give its path."
        )
    return path


def saved_at(path: Path) -> str:
    """Say which state of a notebook was read: what was changed since is not in the file."""
    time = datetime.fromtimestamp(path.stat().st_mtime).astimezone()
    return f"Uses the version saved at {time:%H:%M:%S}; later changes are not included."


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
    # Half a character cannot be written as UTF-8.
    text = re.sub("[\ud800-\udfff]", "\ufffd", json.dumps(notebook, ensure_ascii=False))
    plain = json.loads(text)
    coalesce = require(
        "nbconvert.preprocessors.coalescestreams", "share"
    ).CoalesceStreamsPreprocessor
    # Two pieces of a stream are one text to a reader, and could be the halves of a key.
    clean, _ = coalesce().preprocess(require("nbformat", "share").from_dict(plain), {})
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


def _without_secrets(notebook: Any, known: Iterable[str]) -> tuple[Any, dict[_Place, list[str]]]:
    """Return the notebook with marks for secrets, and which kinds there were, by place.

    What is a key in one place is one in all: a name says so of a value, and then it is printed.
    """
    clean, secrets, values = _once_without_secrets(notebook, known)
    if values.difference(known):
        clean, secrets, _ = _once_without_secrets(notebook, values.union(known))
    return clean, secrets


def _once_without_secrets(
    notebook: Any, known: Iterable[str]
) -> tuple[Any, dict[_Place, list[str]], set[str]]:
    nbformat = require("nbformat", "share")
    secrets: dict[_Place, list[str]] = {}
    values: set[str] = set()

    def clean(value: Any, place: _Place, how: Callable[[Cleaner, Any], Any] = Cleaner.json) -> Any:
        cleaner = Cleaner(known)
        cleaned = how(cleaner, value)
        if cleaner.found:
            secrets[place] = cleaner.found
            values.update(cleaner.values)
        return cleaned

    plain = json.loads(json.dumps(notebook))
    plain["metadata"] = clean(plain["metadata"], _Place(0, "", "the notebook's metadata"))
    for number, cell in enumerate(plain["cells"], 1):
        words = words_of(Cleaner(known).text(cell["source"]))
        if "id" in cell:
            cell["id"] = clean(cell["id"], _Place(number, words, "id"), _id)
        for part in ("source", "metadata"):
            cell[part] = clean(cell[part], _Place(number, words, part))
        if "attachments" in cell:
            place = _Place(number, words, "attachments")
            cell["attachments"] = clean(cell["attachments"], place, _attachments)
        for index, output in enumerate(cell.get("outputs", ()), 1):
            place = _Place(number, words, f"output {index}")
            cell["outputs"][index - 1] = clean(output, place, _output)
    return nbformat.from_dict(plain), secrets, values


def _id(cleaner: Cleaner, cell: str) -> str:
    """Return another id where a key is in it, as a mark may not be."""
    return cell if cleaner.text(cell, short=False) == cell else uuid.uuid4().hex[:8]


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
    for name in {"output_type", "name"} & output.keys():
        held[name] = cleaner.text(output[name], short=False)
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


def _left(clean: Any, path: Path, kinds: Sequence[str], *, is_trusted: bool) -> str:
    """Say where it is what no cell has in its text, and so cannot be replaced."""
    name, place = Cleaner(), ""
    name.text(path.stem)
    if name.found:
        place, fix = "the name of its file", "Rename the file"
    else:
        fix = "Change the cell, or the image beside the notebook that it shows"
        nbformat = require("nbformat", "share")
        for number, cell in enumerate(clean.cells, 1):
            alone = nbformat.from_dict({**clean, "cells": [cell]})
            if _shown(alone, path, is_trusted=is_trusted)[2].found:
                place = f"cell {number}, as it is shown"
                break
    return (
        f"The page is not written: {_kinds(kinds)} would be in it, from "
        f"{place or 'two cells together'}. {MARK} cannot be put there. {fix}, and share it again."
    )
