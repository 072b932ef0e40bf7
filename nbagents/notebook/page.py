"""The page of a shared notebook: one HTML file that loads nothing."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbagents._optional import require
from nbagents.errors import UserError
from nbagents.notebook.sanitizer import Sanitizer
from nbagents.notebook.wire import PICTURE_MIME, RUN_MIME

__all__ = ["Page", "make_page"]

_HERE = Path(__file__).parent
_VIEWER = _HERE / "static" / "viewer.js"
_VIEWER_PLACE = "<!-- viewer -->"
_RULES_PLACE = "content-security-policy-of-this-page"
_LANGUAGES = {
    "%%agent": "markdown",
    "%%ask": "markdown",
    "%%swarm": "markdown",
    "%%graph": "dot",
}


@dataclass(frozen=True, slots=True)
class Page:
    """A page without its viewer."""

    text: str
    dropped: int
    """How many parts were removed that could have run, sent, or loaded something."""
    is_trusted: bool

    def with_viewer(self) -> str:
        """Return the whole page.

        Raises `UserError` when the viewer was not built into this installation.
        """
        try:
            viewer = _VIEWER.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise UserError(
                "The run viewer is missing from this installation of jupyter-nbagents. Install it "
                "again from a wheel, or build it in a clone, as CONTRIBUTING.md says."
            ) from None
        return self.with_script(viewer)

    def with_script(self, viewer: str) -> str:
        """Return the page with this viewer at its end, and the rules that let it run."""
        inside = re.sub(r"<(?=/script|!--)", r"<\\", viewer, flags=re.IGNORECASE)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        if self.is_trusted:
            own = (
                "script-src 'unsafe-inline' 'unsafe-eval' blob:; worker-src blob:; "
                "img-src data: blob:; media-src data: blob:; font-src data:"
            )
        else:
            own = f"script-src 'sha256-{digest}'; img-src data:; media-src data:"
        rules = (
            f"default-src 'none'; {own}; style-src 'unsafe-inline'; base-uri 'none'; "
            "form-action 'none'"
        )
        page = self.text.replace(_RULES_PLACE, rules, 1)
        head, _, tail = page.rpartition(_VIEWER_PLACE)
        return f"{head}<script>{inside}</script>{tail}"


def make_page(notebook: Any, path: Path, *, is_trusted: bool) -> Page:
    """Make the page of a notebook that has been cleaned; `path` is where it was.

    Images in its folder that its text shows become part of the page, if it is trusted.

    The page's own rules (Content-Security-Policy) forbid it to load anything, so an output that
    wants its library from a server shows nothing. Whose scripts run is what Jupyter's trust says:
    in outputs that were made on this machine, such as plots, scripts are kept and run. Of cells
    that came from elsewhere, only what neither acts nor loads is kept, and the rules let nothing
    run but the viewer. (nbconvert's `sanitize_html` is not used: it takes away tables, pictures and all
    style, and so the outputs.)

    Formulas in Markdown cells stay as they are written; the viewer typesets those of answers.
    """
    nbconvert = require("nbconvert", "share")
    from traitlets.config import Config

    sanitizer, documents = Sanitizer(), _Documents()

    def confined(markup: str) -> str:
        return f"<div data-nbagents-cell><div>{sanitizer.clean(markup)}</div></div>"

    exporter = nbconvert.HTMLExporter(
        config=Config(HighlightMagicsPreprocessor={"enabled": True, "languages": _LANGUAGES}),
        extra_template_basedirs=[str(_HERE / "templates")],
        template_name="nbagents",
        filters={
            "run_document": documents.keep,
            "safe_cell": _as_it_is if is_trusted else confined,
        },
        embed_images=is_trusted,
    )
    about = {"metadata": {"name": path.stem, "path": str(path.parent)}}
    text, _ = exporter.from_notebook_node(_with_marks(notebook), about)
    return Page(documents.put(text), sanitizer.dropped, is_trusted)


def _with_marks(notebook: Any) -> Any:
    """Mark each picture that the viewer draws too, beside the run that is in the same cell.

    Names Python's lexer for magics too, and gives every output a text.
    """
    notebook = copy.deepcopy(notebook)
    if notebook.metadata.language_info.name == "python":
        notebook.metadata.language_info.pygments_lexer = "ipython3"
    for cell in notebook.cells:
        held = [output.data for output in cell.get("outputs", ()) if "data" in output]
        runs = [data[RUN_MIME] for data in held if isinstance(data.get(RUN_MIME), dict)]
        drawn = {run.get("run_id") for run in runs if run.get("picture")}
        for output in cell.get("outputs", ()):
            stub = output.get("data", {}).get(PICTURE_MIME)
            output["is_in_viewer"] = isinstance(stub, dict) and stub.get("run_id") in drawn
        for data in held:  # What nbconvert knows no way to show, it warns of.
            tree = data.get("application/json")
            data.setdefault("text/plain", json.dumps(tree, indent=2) if tree is not None else "")
    return notebook


def _as_it_is(markup: str) -> str:
    return markup


class _Documents:
    """Run documents, inserted into the page after its cells are sanitized.

    The placeholders hold a random mark, so an output cannot forge one.
    """

    def __init__(self) -> None:
        self._mark = secrets.token_hex(16)
        self._documents: list[str] = []

    def keep(self, document: Any) -> str:
        """Store a document and return its placeholder."""
        text = json.dumps(document, ensure_ascii=False)
        self._documents.append(text.replace("<", "\\u003c"))  # Nothing in it can close the script.
        return f'<div id="{self._mark}{len(self._documents) - 1}"></div>'

    def put(self, page: str) -> str:
        """Replace the placeholders by the documents."""

        def script(match: re.Match[str]) -> str:
            return f'<script type="{RUN_MIME}">{self._documents[int(match[1])]}</script>'

        return re.sub(rf'<div id="{self._mark}(\d+)"></div>', script, page)
