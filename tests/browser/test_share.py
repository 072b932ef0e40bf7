"""A shared page, opened from a folder by somebody who has no network and no Jupyter."""

from __future__ import annotations

import asyncio

import nbformat
import pytest
import pytest_asyncio
from nbformat import v4
from nbformat.sign import NotebookNotary
from playwright.async_api import expect

from nbagents import Agent, Say, ScriptedModel, Swarm
from nbagents.notebook.live import saved
from nbagents.notebook.pictures import picture_bundle
from nbagents.notebook.share import share
from nbagents.notebook.view import RunView
from tests.browser.lab import PICTURES

pytestmark = pytest.mark.browser

PLOT = "<p>a plot</p><script>window.ran = 1</script>"


def wants(server: str) -> str:
    """An output that tries to get something from a server in every way."""
    return (
        f'<img src="{server}/i.png"><script src="{server}/s.js"></script>'
        f'<link rel="stylesheet" href="{server}/s.css"><iframe src="{server}/frame"></iframe>'
        f"<style>@import url({server}/t.css); p {{background: url({server}/b)}}</style>"
        f'<script>fetch("{server}/f"); new Image().src = "{server}/n"; '
        f'import("{server}/m.js").catch(() => (window.refused = 1))</script>'
    )


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


async def team_outputs():
    hands = Say(text="One moment.", calls=[("handoff", {"to": "waiter", "reason": "you know"})])
    counts = Say(thinking="Hm.", calls=[("add", {"a": 1, "b": 2})])
    members = [
        Agent("host", model=ScriptedModel(hands)),
        Agent("waiter", model=ScriptedModel(counts, "**Three** cups </script>."), tools=[add]),
    ]
    team = Swarm("house", members)
    run = await team.run("tea")
    view = RunView(run.events)
    picture = picture_bundle(view, team.topology(), run.events[-1].at)
    shown = saved(view, run, run.events[-1].at)
    return [v4.new_output("display_data", data) for data in (shown, picture)]


def written(path, *more):
    """A notebook whose outputs are trusted here, so that the scripts of its plots run."""
    notebook = v4.new_notebook(cells=more, metadata={"language_info": {"name": "python"}})
    with NotebookNotary() as notary:
        notary.sign(notebook)
    nbformat.write(notebook, path)
    return path


@pytest_asyncio.fixture(loop_scope="session")
async def path(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    return written(
        tmp_path / "tea.ipynb",
        v4.new_markdown_cell("# Tea for three\n\nWho brings it, and $n = 1 + 2$?"),
        v4.new_code_cell("def add(a: int, b: int) -> int:\n    return a + b", execution_count=1),
        v4.new_code_cell("%%agent waiter -t add\nYou **serve** tea.", execution_count=2),
        v4.new_code_cell("%ask house tea", outputs=await team_outputs(), execution_count=3),
        v4.new_code_cell("plot()", outputs=[v4.new_output("display_data", {"text/html": PLOT})]),
    )


@pytest_asyncio.fixture(loop_scope="session")
async def server():
    """A server on this machine, and the list of who asked it for something."""
    heard = []

    async def hear(reader, writer):
        heard.append(await reader.readline())
        writer.close()

    listening = await asyncio.start_server(hear, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", heard


@pytest_asyncio.fixture(loop_scope="session")
async def opened(browser):
    """Open a file in a browser without a network; the page has a list of what it asked for."""

    async def open_file(path, *, dark=False, scripts=True, offline=True):
        context = await browser.new_context(
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            viewport={"width": 1100, "height": 1000},
        )
        await context.set_offline(offline)
        page = await context.new_page()
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url))
        await page.goto(path.as_uri())
        return page

    return open_file


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_a_shared_page_asks_for_nothing_and_its_viewer_works(path, opened, dark):
    shared = share(path)
    assert shared.notes == ()
    page = await opened(shared.page, dark=dark)
    await expect(page.get_by_role("heading", name="Tea for three")).to_be_visible()
    fallback = page.locator("[data-nbagents-fallback]")
    await expect(fallback).to_be_hidden()
    await expect(page.locator("[data-nbagents-picture]")).to_be_hidden()
    viewer = page.locator(".jp-OutputArea-child", has=fallback)
    before = await viewer.inner_text()
    await page.screenshot(
        path=PICTURES / f"shared-{'dark' if dark else 'light'}.png", full_page=True
    )
    # By keyboard alone: into the viewer, and whatever has the focus there opens or closes.
    await viewer.locator("button:visible, summary, [tabindex='0'][role]").first.focus()
    await page.keyboard.press("Enter")
    await expect(viewer).not_to_have_text(before, use_inner_text=True)
    assert await page.evaluate("window.ran") == 1
    assert page.asked == [shared.page.as_uri()]


async def test_without_scripts_the_page_shows_everything_too(path, opened):
    shared = share(path)
    page = await opened(shared.page, scripts=False)
    text = await page.inner_text("main")
    for words in ("host", "hands over", "add(a=1, b=2)", "Three cups </script>.", "a plot"):
        assert words in text
    assert '"events"' not in text
    await expect(page.locator("[data-nbagents-picture] img")).to_be_visible()
    assert page.asked == [shared.page.as_uri()]


async def test_in_a_page_from_elsewhere_only_the_viewer_runs(path, opened, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "another"))
    shared = share(path)
    # What the sweeping may have overlooked, the rules of the page still stop.
    sneaked = "<script>window.ran = 2</script><img src=x: onerror='window.ran = 3'>"
    shared.page.write_text(shared.page.read_text().replace("a plot", f"a plot{sneaked}"))
    page = await opened(shared.page)
    await expect(page.locator("[data-nbagents-fallback]")).to_be_hidden()
    await expect(page.get_by_text("a plot")).to_be_visible()
    assert await page.evaluate("window.ran") is None


async def test_no_output_gets_anything_from_a_server(path, opened, server):
    address, heard = server
    cell = v4.new_code_cell(
        "x", outputs=[v4.new_output("display_data", {"text/html": wants(address)})]
    )
    shared = share(written(path, cell))
    assert shared.page.read_text().count(address) == wants(address).count(address)
    page = await opened(shared.page, offline=False)
    await page.wait_for_function("window.refused")
    assert heard == []
    # The same without the rules: the server can be reached, so it was they that kept it quiet.
    text = shared.page.read_text()
    shared.page.write_text(text.replace("Content-Security-Policy", "Nothing"))
    await opened(shared.page, offline=False)
    assert heard


async def test_a_shared_page_fits_a_phone_and_paper(path, opened):
    page = await opened(share(path).page)
    await page.set_viewport_size({"width": 360, "height": 700})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    await page.emulate_media(media="print")
    await expect(page.locator("[data-nbagents-fallback]").get_by_text("Three cups")).to_be_visible()
    await expect(page.locator("[data-nbagents-picture] img")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    assert len(await page.pdf()) > 10_000
