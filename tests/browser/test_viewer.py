"""The viewer of runs in JupyterLab and Notebook 7: live, saved, untrusted, broken, big."""

from __future__ import annotations

import json
import re

import nbformat
import pytest
import pytest_asyncio
from nbformat import v4
from playwright.async_api import expect

from nbagents import Agent, Say, ScriptedModel
from nbagents.notebook.document import document_of
from nbagents.notebook.wire import PICTURE_MIME, RUN_MIME
from tests.browser.lab import LOADED
from tests.browser.runs import HOSTILE, HOSTILE_PICTURE, add, big, team_outputs, team_run

pytestmark = pytest.mark.browser

SETUP = """%load_ext nbagents
import asyncio, pathlib
from nbagents import Agent, Say, ScriptedModel, Swarm, tool
steps = pathlib.Path("steps")
steps.write_text("0")
async def reach(step):
    while int(steps.read_text() or 0) < step:
        await asyncio.sleep(0.02)
@tool
async def look(what: str) -> str:
    "Look."
    return f"{what} is seen, " * 20
@tool
async def wait(step: int) -> str:
    "Wait for a step."
    await reach(step)
    return f"step {step}"
def waits(step, text):
    return Say(text=text, calls=[("wait", {"step": step})])
agent = Agent("poet", tools=[look, wait], model=ScriptedModel(
    Say(text="First.", calls=[("look", {"what": "rose"})]), waits(1, "Second."),
    waits(2, "Third."), "It is a **rose**."))
def hands(to):
    return Say(text="Over.", calls=[("handoff", {"to": to, "reason": "your turn"})])
writer = Agent("writer", tools=[wait], model=ScriptedModel(waits(1, "I write."), hands("critic")))
critic = Agent("critic", tools=[wait], model=ScriptedModel(waits(2, "I weigh."), "Printed."))
desk = Swarm("desk", [writer, critic])
"""


def write(lab, name, *outputs):
    """A notebook that nobody trusts, of one cell with these outputs."""
    path = lab.write(name, "")
    file = nbformat.read(path, as_version=4)
    file.cells = [v4.new_code_cell("%ask house tea", execution_count=1, outputs=list(outputs))]
    nbformat.write(file, path)


def step(lab, number):
    """Let the waiting tool go on."""
    (lab.root / "steps").write_text(str(number))


def viewer(page):
    """The viewer that is seen."""
    return page.locator(".nba-viewer:visible")


async def press(page, name):
    """Press a button of the viewer's bar."""
    await viewer(page).get_by_role("button", name=name, exact=True).click()


@pytest_asyncio.fixture(loop_scope="session")
async def open_saved(lab, notebook):
    """Open outputs in a notebook without a kernel, in the front end that is named."""
    told = []

    async def open_(front, *outputs):
        write(lab, "saved.ipynb", *outputs)
        page = notebook.page
        page.on("console", lambda message: told.append((message.type, message.text)))
        page.on("pageerror", lambda error: told.append(("error", str(error))))
        where = "lab/tree/saved.ipynb?reset&" if front == "lab" else "notebooks/saved.ipynb?"
        await page.goto(f"{lab.url}{where}token={lab.token}")
        await page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=60_000)
        await page.evaluate(LOADED)
        await expect(viewer(page)).to_be_visible(timeout=15_000)
        return page

    open_.told = told
    return open_


@pytest.mark.parametrize("front", ["lab", "notebook7"])
async def test_an_untrusted_notebook_with_no_kernel_shows_the_run(open_saved, notebook, front):
    page = await open_saved(front, *await team_outputs())
    await notebook.close()  # From here on there is no kernel.
    shown = viewer(page)
    for words in ("house ✓ finished", "host hands over to waiter", "add(a=1, b=2)", "Three cups."):
        await expect(shown).to_contain_text(words)
    await expect(shown.locator(".nba-map g[data-node]")).not_to_have_count(0)
    await expect(page.locator("svg, img", has_text="house").locator("visible=true")).to_have_count(
        1
    )
    await expect(page.locator(".nba-shown-elsewhere")).to_be_hidden()
    tool = shown.get_by_role("treeitem").filter(has_text="add(a=1")
    await tool.locator("code").click()
    await expect(shown.locator("pre", has_text="3")).to_be_visible()


@pytest.mark.parametrize("front", ["lab", "notebook7"])
async def test_a_run_grows_in_the_viewer_without_flicker_and_is_saved_whole(lab, notebook, front):
    step(lab, 0)
    lab.write("live.ipynb", SETUP, "%ask agent hi", "")
    if front == "lab":
        await notebook.open("live.ipynb")
    else:
        notebook.path = lab.root / "live.ipynb"
        await notebook.page.goto(f"{lab.url}notebooks/live.ipynb?token={lab.token}")
        await notebook._loaded()
    page = notebook.page
    await notebook.run(0)
    await notebook.begin(1)
    shown = viewer(page)
    await expect(shown).to_contain_text("Second.", timeout=15_000)
    await expect(shown).to_contain_text("wait(step=1)")
    await expect(shown).to_have_attribute("data-look", "busy")
    look = shown.get_by_role("treeitem").filter(has_text="look(")
    await look.locator("code").click()
    await expect(look).to_have_attribute("aria-expanded", "true")
    first = await shown.get_by_role("treeitem").first.element_handle()
    await first.evaluate("row => { window.kept = row; row.closest('.nba-viewer').mark = 1; }")
    await page.evaluate(
        """() => {
          const list = document.querySelector('.nba-viewer:not([hidden]) .nba-list');
          window.gone = 0;
          new MutationObserver(all => all.forEach(one => {
            window.gone += [...one.removedNodes].filter(n => n.classList?.contains('nba-row')).length;
          })).observe(list, {childList: true});
        }"""
    )
    scroller = page.locator(".jp-WindowedPanel-outer").first
    before = await scroller.evaluate("node => node.scrollTop")
    step(lab, 1)
    await expect(shown).to_contain_text("Third.")
    step(lab, 2)
    await expect(shown).to_contain_text("It is a rose.")
    await expect(shown).to_have_attribute("data-look", "good")
    assert await page.evaluate("window.kept.isConnected && window.gone === 0")
    await expect(look).to_have_attribute("aria-expanded", "true")
    assert await shown.evaluate("node => node.mark") == 1
    assert await scroller.evaluate("node => node.scrollTop") == before
    await notebook.idle()
    await notebook.save()
    (output,) = notebook.saved().cells[1].outputs
    assert not output.data[RUN_MIME]["live"]
    assert output.data[RUN_MIME]["events"][-1]["type"] == "run_finished"
    assert "<strong>rose</strong>" in output.data["text/html"]


async def test_turns_are_headings_that_hide_nothing_until_they_are_closed(open_saved):
    page = await open_saved("lab", *await team_outputs())
    rows = viewer(page).get_by_role("treeitem")
    turn = rows.filter(has_text=re.compile(r"^Turn 1 · [\d.]+ s"))
    inside = rows.filter(has_text="I count twice")
    answer = rows.filter(has_text="Three cups.")
    await expect(turn).to_have_count(1)  # The host had a single turn.
    await expect(turn).to_have_attribute("aria-expanded", "true")
    levels = [await row.get_attribute("aria-level") for row in (turn, inside, answer)]
    assert levels == ["2", "3", "3"]
    await turn.focus()
    await page.keyboard.press("ArrowLeft")
    await expect(turn).to_have_attribute("aria-expanded", "false")
    await expect(inside).to_have_count(0)
    await expect(answer).to_be_visible()
    await page.keyboard.press("ArrowRight")
    await expect(inside).to_be_visible()
    await expect(turn).to_be_focused()


async def test_a_swarm_lights_up_in_the_map_of_the_viewer_and_is_drawn_once(lab, notebook):
    step(lab, 0)
    lab.write("swarm.ipynb", SETUP, "%ask desk hi")
    await notebook.open("swarm.ipynb")
    await notebook.run(0)
    await notebook.begin(1)
    page = notebook.page

    def node(name):
        return viewer(page).locator(f"g[data-node='desk/{name}']")

    await expect(node("writer")).to_have_attribute("data-status", "running", timeout=15_000)
    await expect(node("critic")).to_have_attribute("data-status", "pending")
    await notebook.screenshot("viewer-swarm-live")
    step(lab, 1)
    await expect(node("critic")).to_have_attribute("data-status", "running")
    await expect(node("writer")).to_have_attribute("data-status", "done")
    step(lab, 2)
    await expect(node("critic")).to_have_attribute("data-status", "done")
    await expect(viewer(page).locator("path.nba-taken")).not_to_have_count(0)
    await notebook.idle()
    output = notebook.cell(1).output
    await expect(output.locator("g[data-node='desk/writer']:visible")).to_have_count(1)
    await expect(output.locator("img:visible")).to_have_count(0)
    await notebook.save()
    kinds = [mime for one in notebook.saved().cells[1].outputs for mime in one.data]
    assert {RUN_MIME, PICTURE_MIME} <= set(kinds)


async def test_a_node_leads_to_its_row_and_the_slider_shows_it_pending_again(open_saved):
    page = await open_saved("lab", *await team_outputs())
    shown = viewer(page)
    node = shown.locator("g[data-node='house/waiter']")
    await node.locator("> text").first.click()
    row = shown.get_by_role("treeitem").filter(has_text="waiter ·").first
    await expect(row).to_be_focused()
    await expect(row).to_have_attribute("aria-expanded", "true")
    await press(page, "Replay")
    slider = shown.get_by_role("slider", name="Replay")
    await slider.focus()
    await page.keyboard.press("Home")
    await expect(node).to_have_attribute("data-status", "pending")
    await expect(shown.get_by_role("treeitem")).to_have_count(0)
    await page.keyboard.press("End")
    await expect(node).to_have_attribute("data-status", "done")
    await press(page, "▶ Play")
    await expect(node).to_have_attribute("data-status", "pending")
    await expect(node).to_have_attribute("data-status", "done", timeout=15_000)


async def test_a_run_is_searched_filtered_and_copied_as_text(open_saved):
    page = await open_saved("lab", *await team_outputs())
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown = viewer(page)
    await press(page, "Find")
    search = shown.get_by_role("searchbox", name="Find in this run")
    await expect(search).to_be_focused()
    await search.press_sequentially("cups")
    await expect(shown.get_by_role("treeitem")).to_have_text(
        [re.compile("waiter"), re.compile("Turn 2"), re.compile("Three cups")]
    )
    await search.fill("")
    await shown.get_by_role("combobox", name="Show").select_option(label="Problems")
    await expect(shown).to_contain_text("add(a=2")
    await expect(shown).not_to_contain_text("Three cups.")
    await press(page, "Find")
    await expect(shown).to_contain_text("Three cups.")
    await press(page, "Copy")
    await expect(shown.get_by_role("button", name="Copied")).to_be_visible()
    text = await page.evaluate("navigator.clipboard.readText()")
    assert text.startswith("> tea for three\n\nhouse ✓ finished")
    assert "→ host hands over to waiter: you know" in text
    assert "  ✓ add(a=1, b=2)" in text


async def open_file(notebook, lab, name, document):
    """Open a file of the server in JupyterLab."""
    text = document if isinstance(document, str) else json.dumps(document)
    (lab.root / name).write_text(text)
    await notebook.page.goto(f"{lab.url}lab/tree/{name}?reset&token={lab.token}")
    await notebook.page.locator(".nba-output").wait_for(timeout=60_000)
    return notebook.page


async def test_a_file_of_ten_thousand_events_opens_by_itself_and_is_walked_by_keyboard(
    lab, notebook
):
    page = await open_file(notebook, lab, "big.nbagents.json", big(10_000))
    rows = viewer(page).get_by_role("treeitem")
    await expect(rows.nth(1)).to_contain_text("Step 0")
    assert await rows.count() < 150
    await rows.nth(1).click()
    for key in ("ArrowDown", "End"):
        await page.keyboard.press(key)
    focused = viewer(page).locator(":focus")
    await expect(focused).to_contain_text("All done.")
    await expect(focused).to_be_in_viewport()
    assert await rows.count() < 150
    for _ in range(60):
        await page.keyboard.press("ArrowUp")
    await expect(focused).to_be_in_viewport()
    await expect(focused).to_contain_text(re.compile("question|Step|Turn"))
    await page.keyboard.press("Home")
    await expect(focused).to_contain_text("Turn 1")
    await expect(focused).to_be_in_viewport()
    await press(page, "Time")
    await expect(viewer(page).locator(".nba-bar").first).to_be_visible()
    await notebook.screenshot("viewer-big")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 9}, "newer version of nbagents (format 9)"),
        ({"events": "none"}, "This document is broken"),
        ({"events": []}, "no events in this document"),
    ],
)
async def test_a_document_that_is_not_as_it_should_be_says_so(lab, notebook, change, words):
    _, run = await team_run()
    document = {**document_of(run.events), **change}
    page = await open_file(notebook, lab, "odd.nbagents.json", document)
    await expect(page.locator(".nba-output")).to_contain_text(words)
    if change.get("version"):
        await expect(page.locator(".nba-output")).to_contain_text("Three cups.")


@pytest.mark.parametrize("text", ["[1, 2]", "This is no JSON {"])
async def test_a_file_that_is_no_run_says_so_and_shows_what_it_is(lab, notebook, text):
    page = await open_file(notebook, lab, "other.nbagents.json", text)
    await expect(page.locator(".nba-output")).to_contain_text("not a run document")
    await expect(page.locator(".nba-output")).to_contain_text(text)
    await expect(page.locator(".jp-Dialog")).to_have_count(0)


@pytest.mark.parametrize("front", ["lab", "notebook7"])
async def test_hostile_text_and_pictures_do_nothing(open_saved, front):
    call = Say(text=HOSTILE, calls=[("add", {"a": HOSTILE, "b": 1})])
    agent = Agent("writer", model=ScriptedModel(call, HOSTILE), tools=[add])
    run = await agent.run(HOSTILE)
    document = document_of(run.events, picture=HOSTILE_PICTURE)
    asked = []
    output = v4.new_output("display_data", {RUN_MIME: document, "text/html": "<p>static</p>"})
    page = await open_saved(front, output)
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: asked.append(dialog.message))
    shown = viewer(page)
    await expect(shown).to_contain_text("<script>")
    await shown.locator("g[data-node=writer]").click()
    for row in await shown.locator("[role=treeitem][aria-expanded=false]").all():
        await row.press("Enter")
    bad = "script, iframe, img, foreignObject, image, [onclick], [onload], [onerror], [href^=java]"
    await expect(shown.locator(bad)).to_have_count(0)
    link = shown.get_by_role("link", name="good").first
    await expect(link).to_have_attribute("rel", "noopener noreferrer")
    await expect(link).to_have_attribute("title", "https://example.org/")
    assert await page.evaluate("window.hacked") is None
    assert not [url for url in asked if "evil" in url]
    assert not [text for kind, text in open_saved.told if kind == "error" and "nba" in text]


async def test_tab_goes_through_the_bar_the_map_and_the_tree_in_that_order(open_saved):
    page = await open_saved("lab", *await team_outputs())
    shown = viewer(page)
    assert await shown.get_attribute("aria-label") == "Run of house"
    await shown.get_by_role("button", name="Map").focus()
    seen = []
    for _ in range(40):
        role = await page.evaluate("document.activeElement.getAttribute('role')")
        name = await page.evaluate(
            "document.activeElement.closest('.nba-viewer') && "
            "(document.activeElement.getAttribute('aria-label') || document.activeElement.innerText)"
        )
        if name is None:
            break
        seen.append(role or "button")
        assert name
        await page.keyboard.press("Tab")
    kinds = list(dict.fromkeys(seen))
    assert kinds == ["button", "treeitem"]
    assert seen.count("treeitem") == 1
    await expect(shown.get_by_role("toolbar", name="View")).to_be_visible()
    await expect(shown.get_by_role("tree", name="What happened")).to_be_visible()


@pytest.mark.parametrize("look", ["light", "dark", "contrast", "still"])
async def test_it_is_seen_in_every_look(open_saved, notebook, look):
    page = await open_saved("lab", *await team_outputs())
    if look == "dark":
        await notebook.dark()
    elif look == "contrast":
        await page.emulate_media(forced_colors="active")
    elif look == "still":
        await page.emulate_media(reduced_motion="reduce")
    shown = viewer(page)
    await press(page, "Time")
    await press(page, "Replay")
    await shown.locator("g[data-node='house/waiter'] > text").first.click()
    row = shown.locator(".nba-row:focus")
    names = await row.evaluate(
        "row => [getComputedStyle(row).animationName, getComputedStyle(row).outlineStyle]"
    )
    assert (names[0] == "none") == (look == "still")
    await row.press("ArrowRight")
    failed = shown.get_by_role("treeitem").filter(has_text="add(a=2")
    await expect(failed).to_contain_text("✗")
    await expect(failed).to_contain_text("failed")
    await notebook.screenshot(f"viewer-{look}")
