"""The page of a shared notebook: one HTML file that loads nothing."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbagents._optional import require
from nbagents.errors import UserError
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
_ACTIVE = ("script", "iframe", "object", "embed", "base", "meta", "link")
_ADDRESSES = ("href", "src", "xlink:href", "action", "formaction")


@dataclass(frozen=True, slots=True)
class Page:
    """A page without its viewer."""

    text: str
    dropped: int
    """How much was left out that could have run a script or left the page."""
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
        scripts = "'unsafe-inline' 'unsafe-eval' blob:" if self.is_trusted else f"'sha256-{digest}'"
        rules = (
            f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; "
            "img-src data: blob:; font-src data:; media-src data: blob:; worker-src blob:; "
            "base-uri 'none'; form-action 'none'"
        )
        page = self.text.replace(_RULES_PLACE, rules, 1)
        head, _, tail = page.rpartition(_VIEWER_PLACE)
        return f"{head}<script>{inside}</script>{tail}"


def make_page(notebook: Any, path: Path, *, is_trusted: bool) -> Page:
    """Make the page of a notebook that has been cleaned; `path` is where it was.

    Images in its folder that its text shows become part of the page, if it is trusted.

    The page's own rules (Content-Security-Policy) forbid it to load anything, so an output that
    wants its library from a server shows nothing. Whose scripts run is what Jupyter's trust says:
    in outputs that were made on this machine, such as plots, scripts are kept and run. Of outputs
    that came from elsewhere scripts are taken out, and the rules let nothing run but the viewer,
    so that no trick with the markup matters. (nbconvert's `sanitize_html` is not used: it takes
    away tables, pictures and all style, and so the outputs.)

    Formulas stay as they are written: MathJax is too large to be in each page.
    """
    nbconvert = require("nbconvert", "share")
    from traitlets.config import Config

    sweeper = _Sweeper()
    exporter = nbconvert.HTMLExporter(
        config=Config(HighlightMagicsPreprocessor={"enabled": True, "languages": _LANGUAGES}),
        extra_template_basedirs=[str(_HERE / "templates")],
        template_name="nbagents",
        filters={"run_json": _run_json, "swept": _as_it_is if is_trusted else sweeper.sweep},
        embed_images=is_trusted,
    )
    about = {"metadata": {"name": path.stem, "path": str(path.parent)}}
    text, _ = exporter.from_notebook_node(_with_marks(notebook), about)
    return Page(text, sweeper.dropped, is_trusted)


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


def _run_json(document: Any) -> str:
    """Write JSON that no HTML parser reads as anything else."""
    return json.dumps(document, ensure_ascii=False).replace("<", "\\u003c")


def _as_it_is(markup: str) -> str:
    return markup


class _Sweeper:
    """Takes out of the HTML of a cell what could run or leave the page, and closes what is open."""

    def __init__(self) -> None:
        self.dropped = 0

    def sweep(self, markup: str) -> str:
        from bs4 import BeautifulSoup

        soup = BeautifulSoup(markup, "html.parser")
        for tag in soup.find_all(True):
            if tag.name in _ACTIVE and tag.get("type") != RUN_MIME:
                tag.extract()
                self.dropped += 1
                continue
            for name, value in list(tag.attrs.items()):
                if name.lower().startswith("on") or (
                    name.lower() in _ADDRESSES
                    and re.sub(r"[\s\x00-\x1f]", "", str(value)).lower().startswith("javascript:")
                ):
                    del tag[name]
                    self.dropped += 1
        return str(soup)
