"""The viewer: what opening a long run costs a browser, and following one."""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from benchmarks.sessions import row
from tests.browser.conftest import FLAGS
from tests.browser.lab import chromium_path
from tests.browser.runs import big

ROOT = Path(__file__).parents[1]
EXTENSION = ROOT / "labextension"
BUNDLE = ROOT / "nbagents" / "notebook" / "static" / "viewer.js"
BATCHES = 100

OPEN = """
async ([text, code]) => {
  const start = performance.now();
  JSON.parse(text);
  const parsed = performance.now() - start;
  const holder = document.createElement('script');
  holder.type = 'application/vnd.nbagents.run+json';
  const fallback = document.createElement('div');
  fallback.dataset.nbagentsFallback = '';
  document.body.append(holder, fallback);
  const script = document.createElement('script');
  script.textContent = code;
  const before = performance.now();
  holder.textContent = text;
  document.body.append(script);
  const rows = () => document.querySelectorAll('.nba-row').length;
  do {
    await new Promise(requestAnimationFrame);
  } while (!rows());
  const drawn = new MessageChannel();
  await new Promise(then => {
    drawn.port1.onmessage = then;
    drawn.port2.postMessage(0);
  });
  return [parsed, performance.now() - before, rows()];
}
"""
"""Milliseconds of `JSON.parse`, and from the text to painted rows: a message comes after the paint."""

FOLLOW = """
async ([document_, batches, empty]) => {
  const viewer = new nbagents.Viewer();
  document.body.replaceChildren(viewer.node);
  viewer.setDocument(document_);
  for (let index = 0; index < 5; index += 1) await new Promise(requestAnimationFrame);
  const frames = [];
  let last = await new Promise(requestAnimationFrame);
  for (const batch of batches) {
    if (!empty) viewer.append(batch);
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - last);
    last = now;
  }
  const seen = viewer.node.querySelector('.nba-slider').max;
  viewer.dispose();
  return [frames, Number(seen)];
}
"""


async def page_of(browser: Browser) -> Page:
    page = await browser.new_page(viewport={"width": 1280, "height": 1000})
    await page.set_content("<!doctype html><body></body>")
    return page


async def of_opening(browser: Browser, pairs: int) -> list[str]:
    """A document of 10,000 events, from its text to rows that are seen, against reading the text."""
    text, code = json.dumps(big(10_000)), BUNDLE.read_text()
    hand: list[float] = []
    ours: list[float] = []
    for _ in range(pairs + 1):
        page = await page_of(browser)
        parsed, shown, rows = await page.evaluate(OPEN, [text, code])
        assert rows > 10
        hand.append(parsed)
        ours.append(shown)
        await page.close()
    name = "a run of 10,000 events, from its text to painted rows, against `JSON.parse`"
    return row(name, hand[1:], ours[1:], "1,000 ms")


async def bundled(folder: Path) -> Path:
    """Build the viewer as something that a page can call."""
    file = folder / "viewer.js"
    command = ("node_modules/.bin/esbuild", "src/viewer.ts", "--bundle", "--minify")
    options = ("--format=iife", "--global-name=nbagents", "--log-level=error")
    process = await asyncio.create_subprocess_exec(
        *command, *options, f"--outfile={file}", cwd=EXTENSION
    )
    assert await process.wait() == 0
    return file


async def of_following(browser: Browser, pairs: int, folder: Path) -> list[list[str]]:
    """2,000 events in 100 batches, one a frame, against frames in which nothing happens."""
    document: dict[str, Any] = {**big(2_000), "live": True}
    events = document["events"]
    document["events"] = events[:1]
    size = -(-len(events) // BATCHES)
    batches = [events[at : at + size] for at in range(1, len(events), size)]
    file = await bundled(folder)
    frames: dict[bool, list[list[float]]] = {True: [], False: []}
    for _ in range(pairs + 1):
        for empty, taken in frames.items():
            page = await page_of(browser)
            await page.add_style_tag(path=EXTENSION / "style" / "viewer.css")
            await page.add_script_tag(path=file)
            milliseconds, seen = await page.evaluate(FOLLOW, [document, batches, empty])
            assert empty or seen > len(events) - size - 1
            taken.append(milliseconds)
            await page.close()
    hand, ours = frames[True][1:], frames[False][1:]
    name = "2,000 events in 100 batches: {} frame, against frames in which nothing happens"
    return [
        row(name.format("longest"), [*map(max, hand)], [*map(max, ours)], "50 ms"),
        row(
            name.format("median"),
            [*map(statistics.median, hand)],
            [*map(statistics.median, ours)],
            "1.20",
        ),
    ]


async def rows_of_viewer(pairs: int) -> AsyncIterator[list[str]]:
    """Measure all of it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        yield await of_opening(browser, pairs)
        with tempfile.TemporaryDirectory() as name:
            for one in await of_following(browser, pairs, Path(name)):
                yield one
        await browser.close()
