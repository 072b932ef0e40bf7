"""A clone that was set up as the README says: its commands work, and need nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Self
from urllib.error import URLError

import nbformat
import pytest

from notebooks.tour import notebooks
from tests.offline import child_environment

pytestmark = [pytest.mark.newcomer, pytest.mark.kernel, pytest.mark.local_model]

ROOT = Path(__file__).parents[2]
CLONE = ROOT / ".cache" / "newcomer" / "clone"
TOUR = [path.name for path in notebooks()]


@pytest.fixture(scope="module")
def clone() -> Path:
    """The folder of the clone."""
    assert (CLONE / ".venv" / ".lab").exists(), "There is no clone: `make newcomer` makes it."
    return CLONE


def make(clone: Path, *words: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Run make in the clone, as from a terminal of its own, with no way to the network."""
    environment = child_environment()
    for inherited in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "VIRTUAL_ENV"):
        environment.pop(inherited, None)
    return subprocess.run(
        ["make", *words],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


@pytest.mark.timeout(900)  # A model answers in every notebook, on whatever processor there is.
def test_make_tour_runs_every_notebook(clone: Path):
    done = make(clone, "tour", seconds=880)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    for name in TOUR:
        page = clone / "build" / name
        assert f"Wrote build/{name}" in done.stdout
        assert page.with_suffix(".html").stat().st_size > 10_000
        for cell in nbformat.read(page, as_version=4).cells:
            errors = [o.ename for o in cell.get("outputs", ()) if o.output_type == "error"]
            expected = ["ReplayMiss"] if "raises-exception" in cell.metadata.get("tags", ()) else []
            assert errors == expected, cell.source


@pytest.mark.parametrize("name", TOUR)
def test_a_notebook_of_the_tour_replays_as_it_was_shipped(clone: Path, name: str):
    checked = subprocess.run(
        [clone / ".venv" / "bin" / "nbagents", "replay", "--check", f"notebooks/{name}"],
        cwd=clone,
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert checked.stderr == ""
    assert (checked.returncode, checked.stdout) == (0, "All outputs match.\n")


class Lab:
    """`make lab` in the clone, until the `with` ends."""

    def __init__(self, clone: Path, folder: Path) -> None:
        own = {"JUPYTER_RUNTIME_DIR": "runtime", "JUPYTER_CONFIG_DIR": "config"}
        folders = {name: str(folder / value) for name, value in own.items()}
        self._log = folder / "lab.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["make", "lab"],
                cwd=clone,
                env=child_environment(BROWSER="true", **folders),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._runtime = folder / "runtime"
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(timeout=30)

    def get(self, path: str) -> bytes:
        """Ask the server, once it listens."""
        end = time.monotonic() + 60
        while self._process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(StopIteration, ValueError, URLError):
                server = json.loads(next(self._runtime.glob("jpserver-*.json")).read_text())
                return self._open(f"{server['url']}{path}?token={server['token']}").read()
            time.sleep(0.05)
        raise AssertionError(self._log.read_text()[-3000:])


def test_make_lab_serves_the_tour_with_the_extension(clone: Path, tmp_path: Path):
    with Lab(clone, tmp_path) as lab:
        assert b"@nbagents/labextension" in lab.get("lab/tree/notebooks/01-first-agent.ipynb")
        listed = json.loads(lab.get("api/contents/notebooks"))["content"]
        assert set(TOUR) <= {entry["name"] for entry in listed}


def test_make_bench_sets_up_the_page_tools_and_the_browser_before_it_measures(clone: Path):
    planned = make(clone, "--dry-run", "bench").stdout
    steps = ["jlpm install", ".ci/system chromium", "-m benchmarks --write"]
    found = [planned.find(step) for step in steps]
    assert -1 not in found, planned
    assert found == sorted(found)
