"""One JupyterLab for all browser tests, one browser and one notebook for each."""

from __future__ import annotations

import re
import sys

import pytest
from playwright.async_api import async_playwright

from tests.browser.lab import JupyterLab, Notebook, chromium_path

# Without the later ones Chromium calls home, again and again where there is no network.
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def labs(tmp_path_factory):
    """The JupyterLab servers: with the extension, without it, the oldest; each starts when it is needed."""
    started: dict[tuple[str, bool], JupyterLab] = {}

    def lab(*, plain: bool = False, python: str = sys.executable) -> JupyterLab:
        key = (python, plain)
        if key not in started:
            started[key] = JupyterLab(tmp_path_factory.mktemp("lab"), plain=plain, python=python)
        return started[key]

    yield lab
    for server in started.values():
        server.stop()


@pytest.fixture
def lab(labs, request):
    """A running JupyterLab server; one without the extension for what is marked as `plain`."""
    return labs(plain=request.node.get_closest_marker("plain") is not None)


@pytest.fixture
async def page(lab):
    """An empty page in a browser of the test's own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        yield await browser.new_page(viewport={"width": 1280, "height": 1000})
        await browser.close()


@pytest.fixture
async def notebook(page, lab, request):
    """A notebook to be opened; how the page looked at the end stays in `build/screenshots/`."""
    lab.reset()
    notebook = Notebook(page, lab)
    yield notebook
    await notebook.screenshot(re.sub(r"\W+", "-", request.node.name))
    await notebook.close()
