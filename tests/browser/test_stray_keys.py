"""A question takes no key and no click that was meant for something else."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import Locator, expect

pytestmark = pytest.mark.browser

SETUP = """%load_ext nbagents
from nbagents import Agent, Question, RunContext, Say, ScriptedModel, tool
deleted = []
@tool(approve=True)
def delete(name: str) -> str:
    "Delete a review."
    deleted.append(name)
    return "deleted"
@tool
async def ask(ctx: RunContext) -> str:
    "Ask."
    return await ctx.ask(Question("What is your name?"))
def calls(*names):
    steps = [("delete", {"name": name}) if name else ("ask", {}) for name in names]
    return Agent("cleaner", model=ScriptedModel(Say(calls=steps), "Done."), tools=[delete, ask])
"""
ASKS = "agent = calls({})\n%ask agent hi"
LATER = (
    "import asyncio, pathlib\nwhile not pathlib.Path('go-on').exists(): await asyncio.sleep(0.02)\n"
)
WHERE = "() => [document.activeElement.closest('.jp-Cell') !== null, document.activeElement.closest('.nbagents-form') !== null]"


@pytest.fixture(autouse=True)
def _nothing_goes_on_yet(lab):
    (lab.root / "go-on").unlink(missing_ok=True)


@pytest_asyncio.fixture(loop_scope="session")
async def asking(lab, notebook):
    """Open a notebook whose second cell asks, with cells below it, and run that cell."""

    async def ask(*names: str, below: tuple[str, ...] = ("'first'", "'second'")):
        lab.write("stray.ipynb", SETUP, ASKS.format(", ".join(map(repr, names))), *below, "deleted")
        await notebook.open("stray.ipynb")
        await notebook.run(0)
        running = await notebook.begin(1)
        await form(notebook).first.wait_for()
        return running

    return ask


def form(notebook) -> Locator:
    return notebook.cell(1).output.locator("form.nbagents-form")


def button(notebook, name: str) -> Locator:
    return form(notebook).first.get_by_role("button", name=name, exact=True)


async def denied(notebook, running) -> None:
    """Deny what is still open, and check that nothing was deleted."""
    await button(notebook, "Deny").click()
    await running.finished()
    await notebook.run(4)
    assert await notebook.cell(4).text() == "[]"


@pytest.mark.parametrize(
    "keys", [["Shift+Enter"] * 4, ["Enter", "Enter", "Escape", "Enter"], [" "] * 4]
)
async def test_keys_in_command_mode_answer_nothing_and_go_where_the_user_works(
    asking, notebook, keys
):
    running = await asking("a")
    assert await notebook.page.evaluate(WHERE) == [True, False]
    for key in keys:
        await notebook.page.keyboard.press(key)
        assert (await notebook.page.evaluate(WHERE))[1] is False
    await expect(button(notebook, "Allow")).to_be_enabled()
    for key in keys:
        await notebook.page.keyboard.press(key)
    await expect(form(notebook)).to_have_count(1)
    await denied(notebook, running)


async def test_what_is_typed_into_a_cell_stays_there_when_a_form_appears(lab, notebook):
    lab.write("stray.ipynb", SETUP, LATER + ASKS.format("'a'"), "", "''", "deleted")
    await notebook.open("stray.ipynb")
    await notebook.run(0)
    running = await notebook.begin(1)
    editor = notebook.cell(2).node.locator(".cm-content")
    await editor.click()
    await notebook.page.keyboard.type("ab")
    (lab.root / "go-on").touch()
    await form(notebook).wait_for()
    await notebook.page.keyboard.type("cd")
    await expect(editor).to_have_text("abcd")
    await expect(editor).to_be_focused()
    await denied(notebook, running)


async def test_the_page_stays_where_the_user_is(lab, notebook):
    below = ("\n".join(["# line"] * 60), "'second'")
    lab.write("stray.ipynb", SETUP, LATER + ASKS.format("'a'"), *below, "deleted")
    await notebook.open("stray.ipynb")
    await notebook.run(0)
    running = await notebook.begin(1)
    here = notebook.cell(3)
    await here.node.scroll_into_view_if_needed()
    await here.select()
    before = await here.node.bounding_box()
    (lab.root / "go-on").touch()
    await form(notebook).wait_for(state="attached")
    await expect(button(notebook, "Deny")).to_be_enabled()
    after = await here.node.bounding_box()
    assert abs(after["y"] - before["y"]) < 2
    await expect(here.node).to_be_focused()
    await denied(notebook, running)


async def test_a_click_in_the_first_moment_of_a_form_counts_for_nothing(asking, notebook):
    running = await asking("a")
    pressed = "button => [button.getAttribute('aria-disabled'), button.click()][0]"
    assert await button(notebook, "Allow").evaluate(pressed) == "true"
    await expect(button(notebook, "Allow")).to_be_enabled()
    await expect(form(notebook)).to_have_count(1)
    await denied(notebook, running)


async def test_a_double_click_does_not_answer_the_form_that_moves_under_the_pointer(
    asking, notebook
):
    running = await asking("a", "b")
    await expect(form(notebook)).to_have_count(2)
    allow = button(notebook, "Allow")
    await expect(allow).to_be_enabled()
    await allow.dblclick()
    await expect(form(notebook)).to_have_count(1)
    await expect(button(notebook, "Allow")).to_be_enabled()
    await button(notebook, "Deny").click()
    await running.finished()
    await notebook.run(4)
    assert await notebook.cell(4).text() == "['a']"


@pytest.mark.parametrize(
    "key", ["Shift+Enter", "Control+Enter", "Alt+Enter", "Meta+Enter", "Shift+ "]
)
async def test_a_shortcut_on_the_button_is_not_an_answer(asking, notebook, key):
    running = await asking("a")
    await expect(button(notebook, "Allow")).to_be_enabled()
    await button(notebook, "Allow").focus()
    await notebook.page.keyboard.press(key)
    await denied(notebook, running)


async def test_a_key_that_went_down_elsewhere_presses_no_button(asking, notebook):
    running = await asking("a")
    await expect(button(notebook, "Allow")).to_be_enabled()
    keyboard = notebook.page.keyboard
    for key in ("Enter", " "):
        # As a page does that moves the focus while the key is down.
        await button(notebook, "Allow").evaluate(
            "button => addEventListener('keydown', () => button.focus(), {once: true, capture: true})"
        )
        await form(notebook).get_by_label("Comment").focus()
        await keyboard.down(key)
        await keyboard.up(key)
        await button(notebook, "Allow").evaluate("button => button.blur()")
    await denied(notebook, running)


async def test_a_key_that_is_held_down_presses_once(asking, notebook):
    running = await asking("a", "b")
    await expect(form(notebook)).to_have_count(2)
    await expect(button(notebook, "Deny")).to_be_enabled()
    await button(notebook, "Deny").focus()
    for _ in range(4):  # Each one but the first is a repetition.
        await notebook.page.keyboard.down("Enter")
    await notebook.page.keyboard.up("Enter")
    await expect(form(notebook)).to_have_count(1)
    await denied(notebook, running)


async def test_enter_in_the_comment_decides_nothing(asking, notebook):
    running = await asking("a")
    await expect(button(notebook, "Allow")).to_be_enabled()
    comment = form(notebook).get_by_label("Comment")
    await comment.fill("Only this one")
    for _ in range(3):
        await notebook.page.keyboard.press("Enter")
    await expect(comment).to_be_focused()
    await denied(notebook, running)


async def test_a_key_allows_what_the_user_has_chosen(asking, notebook):
    running = await asking("a")
    await expect(button(notebook, "Allow")).to_be_enabled()
    await notebook.page.keyboard.press("Alt+Shift+A")
    await expect(form(notebook)).to_be_focused()
    while not await button(notebook, "Allow").evaluate("button => button.matches(':focus')"):
        await notebook.page.keyboard.press("Tab")
    await notebook.page.keyboard.press("Enter")
    await running.finished()
    await notebook.run(4)
    assert await notebook.cell(4).text() == "['a']"


async def test_keys_of_an_answer_that_came_too_late_are_not_shortcuts(asking, notebook):
    running = await asking("")
    answer = form(notebook).get_by_label("Answer")
    await answer.click()
    await notebook.page.keyboard.type("half an ans")
    await notebook.stop()
    await running.finished()
    await notebook.page.keyboard.type("dd")
    await notebook.page.keyboard.press("Shift+Enter")
    await expect(notebook.page.locator(".jp-Notebook .jp-Cell")).to_have_count(5)
    assert await notebook.cell(2).prompt() == "[ ]:"


LOOK = """button => {
  const look = getComputedStyle(button);
  const names = ['backgroundColor', 'color', 'borderColor', 'borderWidth', 'fontWeight', 'fontSize', 'opacity', 'height'];
  return names.map(name => look[name]);
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_deny_is_as_prominent_as_allow(asking, notebook, theme):
    running = await asking("a")
    if theme == "dark":
        await notebook.dark()
    await expect(button(notebook, "Allow")).to_be_enabled()
    looks = [await button(notebook, name).evaluate(LOOK) for name in ("Allow", "Deny")]
    assert looks[0] == looks[1]
    widths = [(await button(notebook, name).bounding_box())["width"] for name in ("Allow", "Deny")]
    assert widths[0] == widths[1]
    await notebook.screenshot(f"approval-{theme}")
    await denied(notebook, running)
