"""One JupyterLab and one browser for all browser tests; a profile and a notebook for each."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

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


def pytest_collection_modifyitems(items: list[pytest.Item]):
    """Run the tests of this folder in one loop: it is the loop of the browser that they share."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browsers():
    """Give the browser; another one if it crashed."""
    async with async_playwright() as playwright:
        started: list[Browser] = []

        async def running() -> Browser:
            if not started or not started[-1].is_connected():
                started.append(
                    await playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
                )
            return started[-1]

        yield running
        for browser in started:
            await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def browser(browsers) -> Browser:
    """The browser of all tests: each opens contexts of its own in it, which end with the test."""
    browser = await browsers()
    yield browser
    for context in browser.contexts:
        await context.close()


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


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser, lab):
    """An empty page with a profile of its own."""
    return await browser.new_page(viewport={"width": 1280, "height": 1000})


@pytest_asyncio.fixture(loop_scope="session")
async def notebook(page, lab, request):
    """A notebook to be opened; how the page looked at the end stays in `build/screenshots/`."""
    lab.reset()
    notebook = Notebook(page, lab)
    yield notebook
    await notebook.screenshot(re.sub(r"\W+", "-", request.node.name))
    await notebook.close()
