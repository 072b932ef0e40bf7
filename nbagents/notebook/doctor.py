"""What works on this machine, and how to install what is missing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import nbagents
from nbagents._optional import extras, install_command, missing
from nbagents.errors import UserError
from nbagents.models.registry import VENDORS, default_model
from nbagents.notebook.cards import Table
from nbagents.notebook.session_cards import from_here
from nbagents.sessions.address import default_store
from nbagents.topology import LayoutUnavailable
from nbagents.topology.layout import graphviz_program

__all__ = ["report", "sessions_place"]


def report(kernel: Any = None) -> Table:
    """List versions, the model, each extra and where things are kept; `kernel` is None in a terminal."""
    chosen = default_model()
    rows = [
        ("nbagents", nbagents.__version__),
        ("Python", platform.python_version()),
        ("IPython", importlib.metadata.version("ipython")),
        ("kernel", _kernel(kernel)),
        ("model", f"{chosen.name} ({chosen.reason})"),
    ]
    rows += [(f"[{extra}]", _extra(extra)) for extra in extras()]
    rows += [
        ("local weights", _local_weights()),
        ("questions", _questions(kernel)),
        ("sessions", "{} ({})".format(*sessions_place())),
        ("pictures", _pictures()),
    ]
    return Table("", ("", ""), rows)


def sessions_place() -> tuple[str, str]:
    """Say where sessions are kept, and why there."""
    named = os.environ.get("NBAGENTS_SESSIONS")
    if named:
        return named, "NBAGENTS_SESSIONS is set"
    folder = Path(default_store().where("any")).parents[1]
    return f"file:{from_here(str(folder))}", "NBAGENTS_SESSIONS is not set"


def _kernel(kernel: Any) -> str:
    if kernel is None:
        return "none"
    package = type(kernel).__module__.partition(".")[0]
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:  # A kernel that is built into its page.
        return package


def _extra(extra: str) -> str:
    """Say whether what an extra installs is there, and the vendor's key with it."""
    if extra == "local":
        from nbagents.providers.local import check_runtime

        try:
            check_runtime()
        except UserError as error:  # On some machines it cannot be installed.
            return str(error)
    if wanted := missing(extra):
        return f"missing: {install_command(wanted)}"
    vendor = VENDORS.get(extra)
    if vendor and vendor.key:
        return f"installed; {vendor.key} is {'set' if os.environ.get(vendor.key) else 'not set'}"
    return "installed"


def _local_weights() -> str:
    from nbagents.providers.local import available

    there = available()
    return ", ".join(there) if there else "none: fetch them with %nbagents local"


def _questions(kernel: Any) -> str:
    if kernel is None:
        return "asked line by line, in the terminal"
    request = kernel.get_parent("shell") or {}
    if request.get("content", {}).get("allow_stdin", True):
        return "asked in a form under the cell"
    return "nobody can answer here: prepare answers, or resume the run"


def _pictures() -> str:
    try:
        return f"laid out by {Path(graphviz_program()).name}"
    except LayoutUnavailable as error:
        return str(error)
