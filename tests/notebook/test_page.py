"""The page of a shared notebook: how its cells are laid out."""

from __future__ import annotations

import nbformat
from nbformat import v4

from nbagents.notebook.share import share


def test_instructions_wrap_and_code_does_not(tmp_path):
    path = tmp_path / "n.ipynb"
    cells = [v4.new_code_cell(f"%%agent a\nYou teach {'well ' * 90}"), v4.new_code_cell("x = 1")]
    nbformat.write(v4.new_notebook(cells=cells), path)
    page = share(path).page.read_text()
    before, wraps, after = page[page.index("<main>") :].partition("<div data-nbagents-prose")
    assert wraps
    assert "You teach" in after
    assert "data-nbagents-prose" not in before + after
