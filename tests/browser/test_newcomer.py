"""A JupyterLab that was set up as the README says: the tour runs in it to its end."""

from __future__ import annotations

import pytest

from tests.browser.lab import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.local_model, pytest.mark.newcomer]


@pytest.fixture
def lab(labs):
    """The JupyterLab of the clone."""
    python = ROOT / ".cache" / "newcomer" / "clone" / ".venv" / "bin" / "python"
    assert python.exists(), f"There is no {python}: `make newcomer` makes it."
    return labs(python=str(python))


async def test_run_all_goes_through_sharing_and_replay(notebook):
    await notebook.open("07-share-and-replay.ipynb")
    await notebook.run_all(seconds=240)
    await notebook.save()
    cells = [cell for cell in notebook.saved().cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells)
    errors = [o.ename for cell in cells for o in cell.outputs if o.output_type == "error"]
    assert errors == ["ReplayMiss"]
    shared = notebook.path.with_name("07-share-and-replay.shared.html")
    assert shared.stat().st_size > 100_000
