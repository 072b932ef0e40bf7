"""The whole corpus of hostile text, in every form and front end, read by a real browser."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import nbformat
import pytest
from nbconvert import HTMLExporter
from nbformat import v4
from playwright.async_api import Page, expect

from nbagents import Agent, Question, RunContext, Say, ScriptedModel
from nbagents.errors import ModelError, ToolError
from nbagents.notebook.live import saved
from nbagents.notebook.share import share
from nbagents.notebook.view import RunView
from tests.hostile import CORPUS, HTML

pytestmark = pytest.mark.browser

FORMS = ("text/html", "text/markdown", "text/plain", "application/vnd.nbagents.run+json")

FOUND = """
(root, ours) => {
  const found = [];
  const active = 'script:not([type="application/vnd.nbagents.run+json"]), iframe, object, embed, ' +
    'form:not(.nbagents-form), base, link, meta, img[src]:not([src^="data:image/"]), video[poster], ' +
    '[srcset], [action], [formaction], [ping], [background], foreignObject, animate' +
    (ours ? ', .mermaid, .jp-RenderedMermaid, mjx-container :is(a, [href], [style*=url])' : '');
  for (const node of root.querySelectorAll(active)) found.push(node.outerHTML.slice(0, 300));
  for (const node of ours ? root.querySelectorAll('mjx-container, .MathJax, .MathJax_Preview') : []) {
    // Only what was found to be a formula, and to keep to its place, is drawn.
    if (!node.closest('.nba-formula, .mathjax_process')) found.push(node.outerHTML.slice(0, 300));
  }
  for (const node of root.querySelectorAll('*')) {
    for (const { name } of node.attributes) {
      if (name.startsWith('on')) found.push(node.outerHTML.slice(0, 300));
    }
  }
  for (const link of root.querySelectorAll('a[href]')) {
    const target = link.getAttribute('href');
    const shown = link.parentElement.innerText + (link.parentElement.parentElement?.innerText ?? '');
    const url = URL.parse(target);
    const isWeb = /^https?:/i.test(target);
    const isSaid = !ours || !url || shown.includes(url.host);
    // Of plain text JupyterLab itself makes links of addresses and paths, which are their own words.
    const isItself = root.matches('.jp-RenderedText') &&
      (!target || target.startsWith(link.innerText.slice(0, 8)));
    if (!target.startsWith('#') && !isItself && !(isWeb && isSaid)) {
      found.push(`${link.outerHTML.slice(0, 300)}`);
    }
  }
  return found;
}
"""


async def bundle_of(text: str) -> dict[str, Any]:
    """Draw a run in which all that others write is this text, and which fails with it."""

    async def ask(ctx: RunContext, why: str) -> str:
        await ctx.ask(Question(text, reason=text, choices=[text, "no"], details={text: text}))
        raise ToolError(text)

    say = Say(thinking=text, text=text, calls=[("ask", {"why": text})])
    model = ScriptedModel(say, ModelError(text, provider=text))
    with pytest.raises(ModelError) as failed:
        await Agent("agent", model=model, tools=[ask]).run(text, answers=[text])
    run = failed.value.run
    return saved(RunView(run.events), run, run.events[-1].at)


@pytest.fixture(scope="module")
def bundles() -> list[dict[str, Any]]:
    """The runs of the whole corpus."""

    async def drawn() -> list[dict[str, Any]]:
        return [await bundle_of(text) for text in CORPUS]

    return asyncio.run(drawn())


def watched(page: Page) -> list[str]:
    """List what the page asks for elsewhere, and where it goes."""
    heard: list[str] = []
    page.on("request", lambda request: heard.append(request.url) if "evil" in request.url else None)
    page.on("dialog", lambda dialog: heard.append(dialog.message))
    page.on("popup", lambda popup: heard.append(popup.url))
    return heard


async def assert_nothing_happened(
    page: Page, root: str, heard: list[str], *, ours: bool = True
) -> None:
    """Look for what acts, and where the text is written by us, for links that hide their target."""
    where = page.url
    await page.wait_for_load_state("networkidle")
    for number in range(await page.locator(root).count()):
        assert await page.locator(root).nth(number).evaluate(FOUND, ours) == [], number
    assert await page.evaluate("window.hacked") is None
    assert page.url == where
    assert heard == []


async def test_jupyterlab_draws_every_form_and_obeys_none(lab, notebook, bundles):
    show = (
        "import json\nfor one in json.load(open('bundles.json'))[{}:{}]:\n"
        "    display({{{mime!r}: one[{mime!r}]}}, raw=True)"
    )
    half = len(bundles) // 2  # A cell shows fifty outputs.
    halves = [(0, half), (half, len(bundles))]
    cells = [show.format(*part, mime=mime) for mime in FORMS for part in halves]
    errors = "from nbagents import UserError\nraise UserError(json.load(open('bundles.json'))[-1])"
    (lab.root / "bundles.json").write_text(json.dumps([*bundles, "\n\n".join(CORPUS)]))
    lab.write("hostile.ipynb", *cells, errors)
    heard = watched(notebook.page)
    await notebook.open("hostile.ipynb")
    for number in range(len(cells) + 1):  # Outputs of cells that ran here are trusted.
        await notebook.run(number)
    outputs = ".jp-Notebook .jp-OutputArea-output"
    await expect(notebook.page.locator(outputs)).to_have_count(len(FORMS) * len(bundles) + 1)
    await assert_nothing_happened(notebook.page, outputs, heard)


async def test_what_nbconvert_makes_of_every_form_obeys_none(browser, tmp_path, bundles):
    outputs = [
        v4.new_output("display_data", {mime: bundle[mime]})
        for bundle in bundles
        for mime in FORMS[:3]
    ]
    notebook = v4.new_notebook(cells=[v4.new_code_cell("x", outputs=outputs)])
    (tmp_path / "page.html").write_text(HTMLExporter().from_notebook_node(notebook)[0])
    page = await browser.new_page()
    heard = watched(page)
    await page.goto((tmp_path / "page.html").as_uri(), wait_until="commit")
    await page.wait_for_load_state("load")
    assert await page.locator(".jp-OutputArea-output").count() == len(outputs)
    await assert_nothing_happened(page, ".jp-OutputArea-output", heard)


@pytest.mark.parametrize("rules", [True, False], ids=["with its rules", "without its rules"])
async def test_the_shared_page_of_a_notebook_from_elsewhere_obeys_none(
    browser, tmp_path, monkeypatch, bundles, rules
):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    raw = [{"text/html": text} for text in HTML] + [{"text/markdown": text} for text in CORPUS]
    outputs = [v4.new_output("display_data", data) for data in [*raw, *bundles]]
    cells = [v4.new_code_cell("x", outputs=[output]) for output in outputs]
    cells += [v4.new_markdown_cell(text) for text in CORPUS]
    path = tmp_path / "n.ipynb"
    nbformat.write(v4.new_notebook(cells=cells), path)
    shared = share(path)
    if not rules:  # What the sanitizer leaves does nothing by itself.
        text = shared.page.read_text()
        shared.page.write_text(text.replace("Content-Security-Policy", "Nothing"))
    page = await browser.new_page()
    heard = watched(page)
    await page.goto(shared.page.as_uri())
    await expect(page.locator(".nba-viewer").first).to_be_visible()
    assert await page.locator("main").count() == 1
    # No link of a cell lies over what is beside the cells.
    for x, y in ((1, 3), (640, 3), (1279, 3), (1, 400), (1279, 700)):
        over = f"document.elementFromPoint({x}, {y}).closest('a')?.outerHTML"
        assert await page.evaluate(over) is None
    await assert_nothing_happened(page, "main", heard, ours=False)
