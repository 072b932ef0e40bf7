"""Run the tour without a browser: `make tour`.

What the cells print goes to the terminal as it comes. The executed notebooks and their HTML are
left in `build/`. No key is used, so the language model is always the one on this machine. Nobody
answers questions, so a cell may name what runs in its place: `{"nbagents": {"headless": "..."}}` in
its metadata.
"""

from __future__ import annotations

import difflib
import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from nbagents.models.registry import VENDORS

TOUR = Path(__file__).parent
BUILD = TOUR.parent / "build"


class Scroll:
    """A text that changes, printed so that nothing which was printed has to be taken back."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._text = ""
        self._printed = ""
        self._at_end = True

    def show(self, text: str) -> None:
        """Print what is new. A last line like `[writer · 3 s]` changes all the time: it waits."""
        self._text = text
        body, _, last = text.rpartition("\n")
        self._print(body if last.startswith("[") and last.endswith("]") else text)

    def finish(self) -> None:
        """Print what has waited."""
        self._print(self._text, last=True)
        self._screen.end_line()

    def _print(self, text: str, *, last: bool = False) -> None:
        if text == self._printed:
            return
        self._screen.turn_to(self)
        if text.startswith(self._printed):
            begun = self._printed.rfind("\n") + 1
            self._screen.write(text[len(self._printed) if self._at_end else begun :])
            self._at_end = True
        else:
            old, new = self._printed.split("\n"), text.split("\n")
            changes = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
            edited = [change for change in changes if change[0] != "equal"]
            if not last and all(_only_grows(old[a:b], new[c:d]) for _, a, b, c, d in edited):
                return  # several lines grow at once; a terminal can only show the end of one
            self._screen.end_line()
            self._screen.write("\n".join("\n".join(new[c:d]) for *_, c, d in edited if c < d))
            self._at_end = changes[-1][0] != "equal"
            if not self._at_end:
                self._screen.end_line()
        self._printed = text


def _only_grows(old: list[str], new: list[str]) -> bool:
    return len(old) == len(new) and all(
        after.startswith(before) for before, after in zip(old, new, strict=True)
    )


class Screen:
    """The terminal, and whether its cursor stands at the start of a line."""

    def __init__(self) -> None:
        self._fresh = True
        self._writer: object = None

    def turn_to(self, writer: object) -> None:
        """Begin a new line if it was another one who wrote last."""
        if writer is not self._writer:
            self.end_line()
            self._writer = writer

    def write(self, text: str) -> None:
        """Print text as it is."""
        if text:
            sys.stdout.write(text)
            sys.stdout.flush()
            self._fresh = text.endswith("\n")

    def end_line(self) -> None:
        """Go to a new line, unless the cursor is on one."""
        if not self._fresh:
            self.write("\n")


class TourGuide(NotebookClient):
    """Runs a notebook, prints it on the way, and saves it before each cell, as a person would."""

    def __init__(self, notebook: NotebookNode, file: Path, screen: Screen, **options: Any) -> None:
        super().__init__(notebook, on_cell_start=self._announce, **options)
        self._file = file
        self._screen = screen
        self._scrolls: dict[str, Scroll] = {}

    def _announce(self, cell: NotebookNode, cell_index: int) -> None:
        self._finish()
        first, *rest = cell.source.strip().splitlines() or [""]
        if cell.cell_type == "markdown":
            self._screen.write(f"\n{first.lstrip('# ')}\n" if first.startswith("#") else "")
        else:
            self._screen.write(f"\n[{cell_index + 1}] {first}{' ...' if rest else ''}\n")

    def _finish(self) -> None:
        for scroll in self._scrolls.values():
            scroll.finish()
        self._scrolls.clear()
        self._screen.end_line()

    def process_message(
        self, msg: dict[str, Any], cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Print what the page of a notebook would show."""
        kind, content = msg["msg_type"], msg["content"]
        data = content.get("data", {})
        text = data.get("text/plain")
        display_id = (content.get("transient") or {}).get("display_id")
        if kind == "stream":
            self._screen.turn_to(content["name"])
            self._screen.write(content["text"])
        elif display_id is not None and "text/vnd.graphviz" in data:
            pass  # The picture of a run is one of lights; the cell that defined it told the rest.
        elif text is not None and display_id is not None:
            self._scrolls.setdefault(display_id, Scroll(self._screen)).show(text)
        elif text is not None:
            self._screen.end_line()
            self._screen.write(f"{text}\n")
        return super().process_message(msg, cell, cell_index)

    async def async_execute_cell(
        self, cell: NotebookNode, cell_index: int, **options: Any
    ) -> NotebookNode:
        """Run a cell, or what stands for it where nobody answers; its source is kept."""
        nbformat.write(self.nb, self._file)
        source = cell.source
        cell.source = cell.metadata.get("nbagents", {}).get("headless", source)
        try:
            return await super().async_execute_cell(cell, cell_index, **options)
        finally:
            cell.source = source

    def execute(self, **options: Any) -> NotebookNode:
        """Run all cells; raises `CellExecutionError` at the first that fails."""
        # As a Jupyter server does, tell the kernel which notebook is open. Cells may show the path,
        # and it is relative, as the outputs should say nothing of this machine.
        opened = os.path.relpath(self._file, self.resources["metadata"]["path"])
        environment = os.environ | {"JPY_SESSION_NAME": opened}
        try:
            return super().execute(env=environment, **options)
        finally:
            self._finish()


def run(path: Path, build: Path, screen: Screen) -> None:
    """Run one notebook and write what became of it, and its HTML, to the directory `build`."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    build.mkdir(exist_ok=True)
    guide = TourGuide(
        notebook,
        (build / path.name).absolute(),
        screen,
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],  # ipykernel warns of its own TCP sockets
    )
    try:
        guide.execute()
    finally:
        leave_out_widgets(notebook)
        nbformat.write(notebook, build / path.name)
        write_html(notebook, (build / path.name).with_suffix(".html"))


def leave_out_widgets(notebook: NotebookNode) -> None:
    """Keep of a slider what can be read: it moves nothing where there is no kernel."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)


def write_html(notebook: NotebookNode, path: Path) -> None:
    """Write a page that loads nothing from anywhere."""
    exporter = HTMLExporter(embed_images=True, mathjax_url="", require_js_url="", jquery_url="")
    page, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": path.stem}})
    path.write_text(page, encoding="utf-8")


def notebooks() -> list[Path]:
    """List the tour's notebooks, without what sharing and replaying have left beside them."""
    return [path for path in sorted(TOUR.glob("0*.ipynb")) if "." not in path.stem]


def main() -> int:
    """Run the whole tour; return 1 when a cell failed."""
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    for name in ("NBAGENTS_MODEL", *(vendor.key for vendor in VENDORS.values() if vendor.key)):
        os.environ.pop(name, None)
    screen = Screen()
    for path in notebooks():
        screen.write(f"\n{path.name}\n")
        try:
            run(path, BUILD, screen)
        except CellExecutionError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        screen.write(f"\nWrote build/{path.name} and build/{path.stem}.html\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
