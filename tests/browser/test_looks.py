"""What is shown can be read, in both themes: contrast is measured, and nothing hides anything."""

from __future__ import annotations

import nbformat
import pytest
import pytest_asyncio
from nbformat import v4
from playwright.async_api import expect

from tests.browser.runs import team_outputs

pytestmark = pytest.mark.browser

SETUP = r"""%load_ext nbagents
import datetime as dt
from pydantic import BaseModel, Field
from nbagents import Agent, Question, RunContext, Say, ScriptedModel, tool
class Trip(BaseModel):
    name: str = "A\u200bda"
    day: dt.date = Field(description="When")
    guests: int
    tags: list[str]
@tool
async def guide(ctx: RunContext, where: str) -> str:
    "Guide."
    await ctx.ask(Question("Which **trip**?", Trip, reason="To book.", details="a plain text"))
    return "booked"
TEXT = '''It is $x^2$, **so** [there](https://example.org/) `code`.

> quoted

```python
def total(rows: list[int]) -> str:  # all
    return "sum" + str(1.5)
```

| a | b |
|---|---|
| c | d |'''
guided = Agent("guided", tools=[guide], model=ScriptedModel(
    Say(text=TEXT, calls=[("guide", {"where": "Ghent"})]), "The *end*."))
"""

# Colors are painted, one over the other, as the browser does it, on one point of a canvas.
FAINT = """
(root) => {
  const context = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const painted = (colors) => {
    context.globalAlpha = 1;
    context.fillStyle = '#fff';
    context.fillRect(0, 0, 1, 1);
    for (const [color, alpha] of colors) {
      context.globalAlpha = alpha;
      context.fillStyle = color;
      context.fillRect(0, 0, 1, 1);
    }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (color) => {
    const [r, g, b] = color.map((each) => {
      const part = each / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const around = (node) => {
    const all = [];
    for (let each = node; each; each = each.parentElement) all.unshift(each);
    return all;
  };
  const ground = (node) => {
    const colors = around(node).map((each) => [getComputedStyle(each).backgroundColor, 1]);
    const box = node.closest('g[data-node], g')?.querySelector(':scope > rect:last-of-type');
    if (box) colors.push([getComputedStyle(box).fill, 1]);
    return colors;
  };
  const seen = (node) => node.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const found = [];
  for (const node of root.querySelectorAll('*')) {
    if (!seen(node) || node.closest(':disabled, .nb-hidden, .nbagents-unseen, mjx-container')) continue;
    const style = getComputedStyle(node);
    const opacity = around(node).reduce((sum, each) => sum * getComputedStyle(each).opacity, 1);
    const told = [...node.childNodes].some((each) => each.nodeType === 3 && each.data.trim());
    const below = ground(node);
    if (told) {
      const color = node instanceof SVGElement ? style.fill : style.color;
      const is = ratio(painted([...below, [color, opacity]]), painted(below));
      const isSign = /^[●✓✗⚠■?→▸▾↻]$/.test(node.textContent.trim());
      if (is < (isSign ? 3 : 4.5)) found.push(`${is.toFixed(2)} ${node.textContent.slice(0, 40)}`);
    }
    if (told && parseFloat(style.fontSize) < 10) found.push(`${style.fontSize} ${node.textContent}`);
    if (node.matches('.nb-button:not(.nb-quiet), .nb-option, .nbagents-button:not(.nbagents-quiet), ' +
        'input:not([type=radio], [type=checkbox], [type=range]), textarea, select')) {
      const outside = ground(node.parentElement);
      const isBordered = parseFloat(style.borderTopWidth) > 0;
      const edge = isBordered ? [[style.borderTopColor, opacity]] : [];
      const is = Math.max(ratio(painted([...outside, ...edge]), painted(outside)),
        ratio(painted(below), painted(outside)));
      if (is < 3) found.push(`${is.toFixed(2)} edge of ${node.outerHTML.slice(0, 80)}`);
    }
  }
  return found;
}
"""
TWICE = """
() => {
  const ids = [...document.querySelectorAll('.nbagents-form [id], .nba-viewer [id]')].map((e) => e.id);
  return ids.filter((id, at) => ids.indexOf(id) !== at);
}
"""
SHRUNK = """
svg => svg.getBoundingClientRect().width / svg.viewBox.baseVal.width
"""


@pytest_asyncio.fixture(loop_scope="session")
async def asking(lab, notebook):
    """Open a notebook whose cell asks, in the cell and in the panel, above a run that was saved."""
    path = lab.write("looks.ipynb", SETUP, "%ask guided Is it not in the list for you?", "")
    file = nbformat.read(path, as_version=4)
    file.cells[2] = v4.new_code_cell("%ask house tea", outputs=await team_outputs())
    nbformat.write(file, path)
    await notebook.page.set_viewport_size({"width": 1280, "height": 1600})
    await notebook.open("looks.ipynb")
    await notebook.run(0)
    running = await notebook.begin(1)
    await expect(notebook.page.locator(".nbagents-form").first).to_be_visible()
    return notebook, running


async def faint(page, *roots: str) -> list[str]:
    """List what is too faint or too small below these elements."""
    found: list[str] = []
    for root in roots:
        for each in await page.locator(root).locator("visible=true").all():
            found += await each.evaluate(FAINT)
    return found


async def test_everything_can_be_read_in_both_themes(asking):
    notebook, running = asking
    page = notebook.page
    await page.evaluate("window.jupyterapp.commands.execute('nbagents:show')")
    panel = page.locator("#nbagents-panel")
    await panel.get_by_role("button", name="Answer").click()
    await expect(panel.locator(".nbagents-form")).to_be_visible()
    assert await page.evaluate(TWICE) == []
    form = notebook.cell(1).output.locator(".nbagents-form")
    await expect(form).to_contain_text("With hidden characters: A‹U+200B›da")
    await form.get_by_role("button", name="Send").click()  # What is wrong is read, too.
    await expect(form.get_by_role("alert")).to_contain_text("Please check: Day, Guests, Tags.")
    saved = notebook.cell(2).output
    for name in ("Time", "Replay", "Find"):
        await saved.get_by_role("button", name=name, exact=True).click()
    bad = {}
    for theme in ("light", "dark"):
        if theme == "dark":
            await notebook.dark()
        await expect(notebook.cell(1).output.locator("mjx-container")).to_be_visible()
        roots = (".nba-viewer", ".nbagents-form", "#nbagents-panel")
        bad[theme] = await faint(page, *roots)
        assert await saved.locator(".nba-map svg").evaluate(SHRUNK) >= 0.99
        await notebook.screenshot(f"looks-{theme}")
    assert bad == {"light": [], "dark": []}
    await notebook.stop()
    await running.finished()


async def test_a_question_is_said_once_and_folds_into_its_run(asking):
    notebook, running = asking
    page, output = notebook.page, notebook.cell(1).output
    said = output.get_by_text("waiting for you").locator("visible=true")
    await expect(said).to_have_count(1)
    words = notebook.cell(1).node.locator(".nbagents-asked, .nbagents-asked *")
    await expect(words.filter(has_text="not").first).to_have_css("font-weight", "400")
    colors = "all => [...new Set(all.map(each => getComputedStyle(each).color))]"
    assert len(await words.evaluate_all(colors)) == 1
    toast = page.locator(".Toastify__toast").filter(has_text="asks:")
    await expect(toast).to_have_count(1)
    form = output.locator(".nbagents-form")
    await form.get_by_label("Day").fill("2026-12-24")
    await expect(toast).to_have_count(0)  # Nothing lies over a form that is being filled in.
    await form.get_by_label("Guests").fill("3")
    await form.get_by_label("Tags").fill("sea\nsun, sand")
    await form.get_by_role("button", name="Send").click()
    await running.finished()
    await expect(output.locator(".nbagents-answered")).to_have_count(1)
    await expect(output.locator(".nbagents-answered")).to_be_hidden()
    last = output.get_by_role("treeitem").last
    await expect(last).to_have_text("The end.")
    await expect(output).to_contain_text('tags: ["sea","sun, sand"]')
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await output.get_by_role("button", name="Copy answer").click()
    await expect(output.get_by_role("button", name="Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == "The *end*."
    await output.get_by_role("button", name="Find").click()
    search = output.get_by_role("searchbox")
    for words, told in (("a plain TEXT", "1 found"), ("nowhere", "Nothing found"), ("", "")):
        await search.fill(words)
        await expect(output.locator(".nba-finder").get_by_role("status")).to_have_text(told)
        marks = await page.evaluate("[...CSS.highlights.get('nba-found') ?? []].map(String)")
        assert [mark.lower() for mark in marks] == ([words.lower()] if "1" in told else [])
