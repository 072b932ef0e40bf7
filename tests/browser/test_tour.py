"""The first notebook of the tour in a real JupyterLab, with the real local model."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.local_model]

TOUR = "01-first-agent.ipynb"


def index_of(notebook, start: str) -> int:
    """The cell whose source starts so."""
    sources = [cell.source for cell in notebook.saved().cells]
    return next(i for i, source in enumerate(sources) if source.startswith(start))


async def test_the_tour_streams_is_saved_and_comes_back(notebook):
    await notebook.open(TOUR)
    await notebook.run(index_of(notebook, "%load_ext"))
    await notebook.run(index_of(notebook, "%%agent guide"))
    ask = index_of(notebook, "%ask guide")
    lengths = await notebook.run(ask, seconds=180)
    assert len(set(lengths)) >= 4
    shown = await notebook.cell(ask).text()
    assert "finished" in shown
    assert "small local model, may be wrong" in shown

    await notebook.save()
    saved = notebook.saved().cells[ask].outputs[0].data
    answer = saved["text/plain"].splitlines()[0]
    assert len(answer) > 40
    assert answer in saved["text/markdown"]
    await notebook.reload()
    assert answer[:40] in await notebook.cell(ask).text()


async def test_stop_from_the_toolbar_keeps_the_partial_answer_and_asks_again(lab, notebook):
    lab.write(
        "stop.ipynb",
        "%load_ext nbagents",
        "%%agent teller\nYou tell long stories.",
        "%ask teller Tell the story of a lighthouse, with many details.",
        "%ask teller Say yes.",
    )
    await notebook.open("stop.ipynb")
    await notebook.run(0)
    await notebook.run(1)
    running = await notebook.begin(2)
    await running.grown(4, seconds=120)
    await notebook.stop()
    await running.finished(10)
    stopped = await notebook.cell(2).text()
    assert "■ stopped" in stopped
    assert "Stopped by you" in stopped
    await notebook.run(3, seconds=120)
    assert "finished" in await notebook.cell(3).text()


async def test_run_all_goes_through_the_whole_tour_in_the_dark(notebook):
    await notebook.open(TOUR)
    await notebook.dark()
    await notebook.run_all(seconds=400)
    team = index_of(notebook, "%ask planner")
    output = notebook.cell(team).output
    await output.get_by_role("treeitem").filter(has_text="forecaster(").first.click()
    await expect(output).to_contain_text("temperature(city=")
    await notebook.save()
    errors = [
        output
        for cell in notebook.saved().cells
        for output in cell.get("outputs", ())
        if output.output_type == "error"
    ]
    assert errors == []


async def test_the_second_notebook_asks_in_forms_and_goes_on_with_what_was_put_off(notebook):
    await notebook.open("02-human-in-the-loop.ipynb")
    for start in ("answers = None", "%load_ext", "%%agent waiter"):
        await notebook.run(index_of(notebook, start))

    book = index_of(notebook, "%ask waiter --answers answers I would")
    running = await notebook.begin(book)
    form = notebook.cell(book).output.locator("form.nbagents-form")
    await expect(form).to_contain_text("Which table would you like?", timeout=180_000)
    await form.get_by_label("Name").fill("Grace")
    await form.get_by_label("Day").fill("2027-05-14")
    await form.get_by_label("Guests").fill("4")
    await form.get_by_role("group", name="Room").get_by_text("terrace").click()
    await form.get_by_role("group", name="Vegetarian").get_by_text("Yes").click()
    await form.get_by_role("button", name="Send").click()
    await running.finished(180)
    assert "Answered by you" in await notebook.cell(book).text()

    wait = index_of(notebook, "run = %ask waiter Cancel")
    running = await notebook.begin(wait)
    form = notebook.cell(wait).output.locator("form.nbagents-form")
    await expect(form).to_contain_text("Allow waiter to call cancel_booking?", timeout=180_000)
    await form.get_by_role("button", name="Later").click()
    await running.finished(60)
    assert "waiting for you" in await notebook.cell(wait).text()
    resume = index_of(notebook, "if run.questions:")
    await notebook.run(resume, seconds=180)
    shown = await notebook.cell(resume).text()
    assert "'Okafor': 'Saturday'" in shown
    assert "'Grace': 'Friday'" in shown
    assert "finished" in shown
