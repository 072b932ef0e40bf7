"""Questions as forms in a real JupyterLab: answered, put off, stopped, restarted, saved."""

from __future__ import annotations

import hashlib
import json

import pytest
import pytest_asyncio
from playwright.async_api import expect

pytestmark = pytest.mark.browser

SETUP = """%load_ext nbagents
import datetime, enum
from typing import Annotated, Literal
from pydantic import BaseModel, Field, SecretStr
from nbagents import Agent, FilePart, Question, RunContext, Say, ScriptedModel, tool
Size = enum.Enum("Size", {"small": "small", "large": "large"})
class Order(BaseModel):
    name: str
    notes: Annotated[str, Field(json_schema_extra={"format": "textarea"})] = ""
    guests: int = Field(2, ge=1, le=12)
    budget: float | None = None
    day: datetime.date
    hour: datetime.time | None = None
    delivered: datetime.datetime | None = None
    outside: bool = False
    size: Size
    extras: list[Literal["bread", "olives", "wine"]] = ["bread"]
    code: SecretStr = SecretStr("")
    menu: FilePart | None = None
    more: dict[str, int] = {}
questions = {
    "order": Question("What shall I **order**?", Order, reason="The kitchen closes soon."),
    "file": Question("Which file?", FilePart),
    "text": Question("What is your name?"),
    "long": Question("Tell me more.", Annotated[str, Field(json_schema_extra={"format": "textarea"})]),
    "yes": Question("Shall I send it?", bool),
    "colour": Question("Which colour?", choices=["red", "green", "blue"]),
    "hostile": Question(
        "<img src=x onerror='window.hacked=1'>[x](javascript:window.hacked=2)",
        choices=["<b>a</b>", "b"],
        reason="<script>window.hacked=3</script>",
        details={"<u>": "</pre><img src=x onerror='window.hacked=4'>"},
    ),
}; answers = {}
@tool
async def ask(ctx: RunContext, what: str) -> str:
    "Ask."
    answers[what] = await ctx.ask(questions[what])
    return "answered " + what
def asks(*whats):
    calls = [("ask", {"what": what}) for what in whats]
    model = ScriptedModel(Say(calls=calls), "Thank you.")
    return Agent("waiter", model=model, tools=[ask])
"""


@pytest_asyncio.fixture(loop_scope="session")
async def cells(lab, notebook):
    """Open a notebook of the set-up and these cells, with the first one run."""

    async def open_(*sources: str):
        lab.write("forms.ipynb", SETUP, *sources)
        await notebook.open("forms.ipynb")
        await notebook.run(0)
        return notebook

    return open_


@pytest_asyncio.fixture(loop_scope="session")
async def asking(cells):
    """Run a cell that asks these questions."""

    async def ask(*whats: str, after: str = "print(answers)"):
        notebook = await cells(f"agent = asks(*{whats})\n%ask agent hi", after)
        return notebook, await notebook.begin(1)

    return ask


async def printed(notebook) -> str:
    """What the cell after the one that asks prints."""
    await notebook.run(2)
    return await notebook.cell(2).text()


def forms(cell):
    """The forms in the output of a cell."""
    return cell.output.locator("form.nbagents-form")


async def test_every_kind_of_field_is_answered_with_the_mouse(asking, tmp_path):
    after = "print(answers['order'].model_dump_json())"
    notebook, running = await asking("order", after=after)
    cell = notebook.cell(1)
    form = forms(cell)
    await form.get_by_label("Name").fill("Ada <b>L</b>")
    await form.get_by_label("Notes").fill("one\ntwo")
    await form.get_by_label("Guests").fill("4")
    await form.get_by_label("Budget").fill("99.5")
    await form.get_by_label("Day").fill("2026-12-24")
    await form.get_by_label("Hour").fill("19:30")
    await form.get_by_label("Delivered").fill("2026-12-24T18:00")
    await form.get_by_role("group", name="Outside").get_by_text("Yes").click()
    await form.get_by_role("group", name="Size").get_by_text("large").click()
    await form.get_by_role("group", name="Extras").get_by_text("wine").click()
    await form.get_by_label("Code").fill("tell-nobody")
    file = tmp_path / "menu.txt"
    file.write_bytes(b"soup")
    await form.get_by_label("Menu").set_input_files(file)
    await form.get_by_label("More").fill('{"chairs": 5}')
    await form.get_by_role("button", name="Send").click()
    await running.finished()
    answer = json.loads(await printed(notebook))
    menu = answer.pop("menu")
    assert answer == {
        "name": "Ada <b>L</b>",
        "notes": "one\ntwo",
        "guests": 4,
        "budget": 99.5,
        "day": "2026-12-24",
        "hour": "19:30:00",
        "delivered": "2026-12-24T18:00:00",
        "outside": True,
        "size": "large",
        "extras": ["bread", "wine"],
        "code": "**********",
        "more": {"chairs": 5},
    }
    assert (menu["name"], menu["media_type"], menu["data"]) == (
        "menu.txt",
        "text/plain",
        "c291cA==",
    )
    shown = await cell.text()
    for words in (
        "What shall I order?",
        "The kitchen closes soon.",
        "Answered by you at",
        "Ada <b>L</b>",
        "menu.txt (4 bytes)",
    ):
        assert words in shown
    assert "tell-nobody" not in await cell.html()


async def test_the_keyboard_alone_is_enough_and_types_no_shortcuts(cells):
    notebook = await cells(
        "agent = asks('text')\nsecond = asks('long')\nthird = asks('yes')\n%ask agent hi\n%ask second hi\n%ask third hi",
        "print(answers)",
    )
    running = await notebook.begin(1)
    keyboard = notebook.page.keyboard
    cell = notebook.cell(1)
    await forms(cell).wait_for()
    await keyboard.press("Alt+Shift+A")
    await expect(forms(cell)).to_be_focused()
    await keyboard.press("Tab")
    await expect(forms(cell).get_by_label("Answer")).to_be_focused()
    await keyboard.type("ddbbaa00xx")
    await keyboard.press("Enter")
    await forms(cell).locator("textarea").wait_for()
    await keyboard.press("Alt+Shift+A")
    await keyboard.press("Tab")
    await expect(forms(cell).locator("textarea")).to_be_focused()
    await keyboard.type("one")
    await keyboard.press("Enter")
    await keyboard.type("two")
    await keyboard.press("Control+Enter")
    yes, no = (forms(cell).get_by_role("button", name=name) for name in ("Yes", "No"))
    await expect(yes).to_be_enabled()
    await keyboard.press("Alt+Shift+A")
    await keyboard.press("Tab")
    await expect(yes).to_be_focused()
    await keyboard.press("Tab")
    await expect(no).to_be_focused()
    await keyboard.press("Enter")
    await running.finished()
    await expect(cell.node).to_be_focused()
    await notebook.run(2)
    assert (
        await notebook.cell(2).text() == "{'text': 'ddbbaa00xx', 'long': 'one\\ntwo', 'yes': False}"
    )
    await expect(notebook.page.locator(".jp-Notebook .jp-Cell")).to_have_count(3)


async def test_two_questions_at_once_are_answered_in_the_other_order(asking):
    notebook, running = await asking("text", "colour")
    cell = notebook.cell(1)
    await expect(forms(cell)).to_have_count(2)
    await forms(cell).nth(0).get_by_label("Answer").fill("Ada")
    await forms(cell).nth(1).get_by_role("button", name="green").click()
    await expect(forms(cell)).to_have_count(1)
    await expect(forms(cell).get_by_label("Answer")).to_have_value("Ada")
    await forms(cell).get_by_role("button", name="Send").click()
    await running.finished()
    assert await printed(notebook) == "{'colour': 'green', 'text': 'Ada'}"


async def test_what_does_not_fit_is_explained_and_what_was_typed_stays(asking):
    notebook, running = await asking("order", after="print(answers['order'].guests)")
    form = forms(notebook.cell(1))
    await form.get_by_label("Name").fill("Ada")
    await form.get_by_role("button", name="Send").click()
    await expect(form.get_by_role("alert")).to_have_text("Please check: Day, Size.")
    await expect(form.get_by_label("Day")).to_be_focused()
    await form.get_by_label("Day").fill("2026-12-24")
    await expect(form.get_by_role("alert")).to_have_text("Please check: Size.")
    await form.get_by_role("group", name="Size").get_by_text("small").click()
    await expect(form.get_by_role("alert")).to_be_empty()
    await form.get_by_label("Guests").fill("40")
    await form.get_by_role("button", name="Send").click()
    await expect(form).to_contain_text("Input should be less than or equal to 12")
    await expect(form.get_by_label("Guests")).to_be_focused()
    await expect(form.get_by_label("Name")).to_have_value("Ada")
    await form.get_by_label("Guests").fill("12")
    await notebook.page.keyboard.press("Enter")
    await running.finished()
    assert await printed(notebook) == "12"


async def test_an_empty_answer_is_one_but_not_by_accident(asking):
    notebook, running = await asking("text")
    form = forms(notebook.cell(1))
    await form.get_by_role("button", name="Send").click()
    await expect(form.get_by_role("alert")).to_contain_text(
        "This field is empty. Press Send again to leave it blank."
    )
    await form.get_by_role("button", name="Send").click()
    await running.finished()
    assert await printed(notebook) == "{'text': ''}"


async def test_a_large_file_arrives_whole(asking, tmp_path):
    after = "import hashlib\nprint(len(answers['file'].data), hashlib.md5(answers['file'].data).hexdigest())"
    notebook, running = await asking("file", after=after)
    data = bytes(range(256)) * 60_000
    file = tmp_path / "large.bin"
    file.write_bytes(data)
    form = forms(notebook.cell(1))
    await form.locator("input[type=file]").set_input_files(file)
    await form.get_by_role("button", name="Send").click()
    await running.finished()
    await expect(notebook.cell(1).output).to_contain_text("large.bin (15,360,000 bytes)")
    assert await printed(notebook) == f"15360000 {hashlib.md5(data).hexdigest()}"


async def test_a_saved_notebook_holds_question_and_answer_and_no_widget(asking):
    notebook, running = await asking("colour")
    await forms(notebook.cell(1)).get_by_role("button", name="blue").click()
    await running.finished()
    await notebook.save()
    saved = notebook.saved()
    text = json.dumps(saved)
    assert "widget" not in text.replace("nbagents", "")
    question = saved.cells[1].outputs[1].data
    assert sorted(question) == ["text/html", "text/markdown", "text/plain"]
    assert all("Which colour?" in form and "blue" in form for form in question.values())
    await notebook.reload()
    await expect(notebook.cell(1).output).to_contain_text("Answered by you at")
    await expect(forms(notebook.cell(1))).to_have_count(0)


async def test_later_puts_a_question_off_and_resume_asks_it_again(cells):
    notebook = await cells(
        "agent = asks('text')\nrun = await agent.run('hi')\nprint(run.status)",
        "run = await run.resume()\nprint(run.status, answers)",
    )
    running = await notebook.begin(1)
    await forms(notebook.cell(1)).get_by_role("button", name="Later").click()
    await running.finished()
    shown = await notebook.cell(1).text()
    assert 'Postponed. To continue: await run.resume(answers={"q1": ...})\nwaiting' in shown
    running = await notebook.begin(2)
    await forms(notebook.cell(2)).get_by_label("Answer").fill("Ada")
    await notebook.page.keyboard.press("Enter")
    await running.finished()
    assert "finished {'text': 'Ada'}" in await notebook.cell(2).text()


async def test_a_form_whose_output_is_cleared_lets_the_cell_end(cells):
    notebook = await cells("agent = asks('text')\nrun = await agent.run('hi')", "print(run.status)")
    running = await notebook.begin(1)
    await forms(notebook.cell(1)).wait_for()
    await notebook.choose("Edit", "Clear Cell Output")
    await running.finished(20)
    assert await printed(notebook) == "waiting"


async def test_stop_leaves_a_line_and_the_next_question_works(cells):
    notebook = await cells(
        "agent = asks('text')\n%ask agent hi", "agent = asks('yes')\n%ask agent hi"
    )
    running = await notebook.begin(1)
    await forms(notebook.cell(1)).wait_for()
    await notebook.stop()
    await running.finished(10)
    assert "Stopped before an answer." in await notebook.cell(1).text()
    await expect(forms(notebook.cell(1))).to_have_count(0)
    running = await notebook.begin(2)
    await forms(notebook.cell(2)).get_by_role("button", name="Yes").click()
    await running.finished(10)


async def test_a_restart_of_the_kernel_is_said_in_the_form(asking):
    notebook, _ = await asking("text")
    form = forms(notebook.cell(1))
    await form.get_by_label("Answer").fill("half an ans")
    await notebook.restart()
    await expect(form.get_by_role("alert")).to_contain_text(
        "The kernel was restarted: this question is gone. Run the cell again."
    )
    await expect(form.get_by_role("button", name="Send")).to_be_disabled()


async def test_a_page_that_cannot_show_forms_is_asked_line_by_line(asking, page):
    await page.route("**/extensions/anywidget/**", lambda route: route.abort())
    notebook, running = await asking("yes")
    line = notebook.cell(1).output.locator("input.jp-Stdin-input")
    await line.fill("y")
    await line.press("Enter")
    await running.finished()
    assert "Answered by you" in await notebook.cell(1).text()
    assert await printed(notebook) == "{'yes': True}"


async def test_nothing_in_a_question_is_markup(asking):
    notebook, running = await asking("hostile")
    form = forms(notebook.cell(1))
    await expect(form.get_by_role("button", name="<b>a</b>")).to_be_visible()
    await expect(form).to_contain_text("<script>window.hacked=3</script>")
    await expect(form.locator("img, script, b b, u, a")).to_have_count(0)
    await form.get_by_role("button", name="<b>a</b>").click()
    await running.finished()
    assert "<b>a</b>" in await notebook.cell(1).text()
    assert await notebook.page.evaluate("window.hacked") is None


async def test_a_kernel_that_does_not_answer_is_told_of_and_gets_the_answer_in_the_end(cells):
    notebook = await cells(
        "import asyncio, time\nagent = asks('text')\n"
        "def block():\n    print('blocking', flush=True)\n    time.sleep(8)\n"
        "asyncio.get_running_loop().call_later(2, block)\n%ask agent hi",
        "print(answers)",
    )
    running = await notebook.begin(1)
    form = forms(notebook.cell(1))
    await form.get_by_label("Answer").fill("Ada")
    await expect(notebook.cell(1).output).to_contain_text("blocking")
    await form.get_by_role("button", name="Send").click()
    await expect(form.get_by_role("alert")).to_contain_text("The kernel did not answer.")
    await expect(form.get_by_role("button", name="Send")).to_be_enabled()
    await expect(form.get_by_label("Answer")).to_have_value("Ada")
    await running.finished(15)
    assert await printed(notebook) == "{'text': 'Ada'}"


async def test_a_page_that_is_loaded_again_shows_the_form_again(asking):
    notebook, _ = await asking("text")
    await forms(notebook.cell(1)).wait_for()
    await notebook.save()
    await notebook.reload()
    form = forms(notebook.cell(1))
    await form.get_by_label("Answer").fill("Ada")
    await notebook.page.keyboard.press("Enter")
    await expect(form).to_have_count(0)
    assert await printed(notebook) == "{'text': 'Ada'}"


async def test_a_form_is_readable_in_the_dark(asking):
    notebook, running = await asking("order", "yes")
    await notebook.dark()
    form = forms(notebook.cell(1)).first
    await form.wait_for()
    colours = await form.evaluate(
        """form => ['backgroundColor', 'color'].map(
          (name) => Number(getComputedStyle(form)[name].match(/\\d+/)[0]))"""
    )
    assert colours[0] < 60
    assert colours[1] > 200
    await notebook.screenshot("form-dark")
    await notebook.stop()
    await running.finished(10)
