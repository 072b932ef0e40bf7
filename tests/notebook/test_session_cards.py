"""Sessions as they are shown: the card, the list, what was said, and a run that went on."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import pytest

from nbagents import (
    Agent,
    Graph,
    MemoryStore,
    Question,
    Run,
    Say,
    ScriptedModel,
    Session,
    tool,
)
from nbagents.events import InputRequested, MessageFinished, RunResumed, RunStarted
from nbagents.notebook.items import QuestionItem, ResumedItem, RunNode, TextItem
from nbagents.notebook.live import TerminalCanvas, bundle
from nbagents.notebook.session_cards import (
    Conversation,
    can_go_on,
    diff_bundle,
    session_bundle,
    session_card,
    sessions_table,
)
from nbagents.notebook.view import RunView
from nbagents.sessions.story import Story
from tests.notebook.test_safe_markdown import read_by_all
from tests.people import present

HOSTILE = "<img src=x onerror=alert(1)>[x](javascript:alert(2))"


def forms(shown: Any) -> dict[str, str]:
    return {
        "text/html": shown._repr_html_(),
        "text/markdown": shown._repr_markdown_(),
        "text/plain": repr(shown),
    }


def counting(**more: Any) -> Agent:
    """Work twice, then say so; by what it has said, so in any process the same."""

    @tool(idempotent=True)
    def work() -> str:
        return "worked"

    def step(request):
        done = sum(message.role == "assistant" for message in request.messages)
        return Say(text=f"Step {done}.", calls=[("work", {})]) if done < 2 else "All done."

    return Agent("worker", model=ScriptedModel(step, repeat=True), tools=[work], **more)


def asking(words: str = "May it?") -> Graph:
    def end(ask: bool) -> str:
        return f"It {'may' if ask else 'may not'}."

    return Graph("gate", {"ask": Question(words, bool), "end": end}, [("ask", "end")])


async def whole(agent: Agent | Graph, **more: Any) -> Session:
    session = Session("whole", store=MemoryStore())
    await agent.run("go", session=session, **more)
    return await session.load()


async def went_on(agent: Agent | Graph, at: int, **more: Any) -> tuple[Run, Session]:
    """Cut a run off behind an event, and go on with it."""
    part = await (await whole(agent, **more)).fork("part", at)
    run = await agent.run("go", session=part, **more)
    return run, await part.load()


def last_at(run: Run) -> float:
    return run.events[-1].at


async def test_a_run_that_went_on_is_drawn_whole_with_a_line_where_it_did():
    run, _ = await went_on(counting(), 4)
    view = RunView(run.events)
    kinds = [type(item).__name__ for item in view.root.items]
    expected = "TextItem ToolItem ResumedItem TextItem ToolItem TextItem"
    assert kinds == expected.split()
    for text in bundle(view, last_at(run)).values():
        assert re.search(
            r"Step 0(.|\n)*↻ Continued at \d\d:\d\d after it was cut off(.|\n)*Step 1(.|\n)*All done",
            text,
        )


async def test_the_time_in_which_nothing_ran_does_not_count():
    run, _ = await went_on(counting(), 4)
    [at] = [index for index, event in enumerate(run.events) if isinstance(event, RunResumed)]
    for event in run.events[:at]:
        object.__setattr__(event, "at", event.at - 3600)
    view = RunView(run.events)
    assert view.root.seconds(last_at(run)) < 60
    assert last_at(run) - run.events[0].at > 3600


async def test_a_line_names_the_day_when_it_is_another_one():
    run, _ = await went_on(counting(), 4)
    for event in run.events[:4]:
        object.__setattr__(event, "at", event.at - 86_400)
    view = RunView(run.events)
    [line] = [item for item in view.root.items if isinstance(item, ResumedItem)]
    assert re.search(r"Continued at \d{4}-\d\d-\d\d \d\d:\d\d", line.text)


async def test_what_is_not_as_it_was_stands_below_the_line():
    part = await (await whole(counting())).fork("part", 4)
    other = counting().replaced(tools=[])
    run = await other.run("go", session=part)
    for text in bundle(RunView(run.events), last_at(run)).values():
        assert "worker has no longer: work." in text


async def test_the_parts_of_a_team_that_had_begun_have_a_line_of_their_own():
    graph = Graph("team", {"worker": counting()}, [])
    session = await whole(graph)
    cut = next(i for i, e in enumerate(session.events) if isinstance(e, MessageFinished)) + 1
    run, _ = await went_on(graph, cut)
    view = RunView(run.events)
    [member] = [item for item in view.root.items if isinstance(item, RunNode)]
    assert [type(item) for item in member.items][:3:2] == [TextItem, ResumedItem]
    assert isinstance(view.root.items[1], ResumedItem)


async def test_a_question_that_is_open_again_waits_and_one_that_was_answered_does_not():
    session = Session("s", store=MemoryStore())
    await asking().run("go", session=session)
    run = await asking().run("go", session=session)
    view = RunView(run.events)
    assert view.root.waiting == 1
    assert "Asked again at" in bundle(view, last_at(run))["text/plain"]
    run = await asking().run("go", session=session, answers=[True])
    view = RunView(run.events)
    assert view.root.waiting == 0
    assert bundle(view, last_at(run))["text/plain"].count("answered in advance at") == 1


async def test_a_question_of_a_run_that_was_stopped_is_open_again_when_it_goes_on():
    session = Session("s", store=MemoryStore())
    with present(lambda question: asyncio.Event().wait()):
        async with asking().stream("go", session=session) as stream:
            async for event in stream:
                if isinstance(event, InputRequested):
                    break
    view = RunView(stream.run.events)
    assert view.root.status == "stopped"
    assert view.root.waiting == 0
    again = await asking().run(session=await session.load())
    view = RunView(again.events)
    assert view.root.waiting == 1
    assert "Continued at" in bundle(view, last_at(again))["text/plain"]
    assert "not answered" not in bundle(view, last_at(again))["text/plain"]


async def test_a_question_in_other_words_takes_the_place_of_the_open_one():
    session = Session("s", store=MemoryStore())
    await asking().run("go", session=session)
    run = await asking("May it now?").run("go", session=session)
    view = RunView(run.events)
    assert view.root.waiting == 1
    [node] = [item for item in view.root.items if isinstance(item, RunNode)]
    asked = [item for item in node.items if isinstance(item, QuestionItem)]
    assert [(item.asked.prompt, item.is_open) for item in asked] == [
        ("May it?", False),
        ("May it now?", True),
    ]


async def test_a_terminal_prints_what_was_said_before(capsys):
    run, _ = await went_on(counting(), 4)
    view, canvas = RunView(), TerminalCanvas()
    canvas.start(view)
    for event in run.events:
        view.apply(event)
        canvas.touch(event)
    await canvas.finish(run)
    shown = capsys.readouterr().out
    assert re.search(r"Step 0.\n\[work…\]\n\[continued\]\n.*Step 1.", shown)


async def test_a_card_tells_who_said_how_much_how_it_ended_and_what_waits():
    session = Session("work", store=MemoryStore())
    await counting().run("go", session=session)
    await counting().run("again", session=session)
    await asking().run("go", session=session)
    await session.load()
    for text in forms(session_card(session)).values():
        words = re.sub(r"<[^>]+>|\\", " ", text)
        assert re.search(r"worker\W+\d+ messages +· +2 runs: 2 finished", words)
        assert re.search(r"gate\W+0 messages +· +1 run: 1 waiting for you", words)
        assert re.search(r"asks you\W+ask: May it\?", words)
        assert "this process" in words or "memory" in words
    assert [run.name for run in can_go_on(session)] == ["gate"]


async def test_a_card_of_a_hundred_agents_is_short():
    nodes = {f"a{n}": Agent(f"a{n}", model=ScriptedModel("x", repeat=True)) for n in range(100)}
    session = await whole(Graph("many", nodes, []))
    begun = time.perf_counter()
    shown = repr(session_card(session))
    assert time.perf_counter() - begun < 2
    assert len(shown.splitlines()) < 30
    assert "and 81 more" in shown


@pytest.mark.parametrize("name", ["text/html", "text/markdown"])
async def test_hostile_names_and_words_stay_words(name: str):
    graph = Graph(HOSTILE, {HOSTILE: Question(HOSTILE)}, [])
    session = Session("s", store=MemoryStore())
    await graph.run(HOSTILE, session=session)
    await session.load()
    for shown in (session_card(session), Conversation(session)):
        text = forms(shown)[name]
        for html in [text] if name == "text/html" else read_by_all(text):
            assert "<img src=x" not in html
            assert 'href="javascript' not in html
    diff = diff_bundle(session.diff(session.at(1)))[name]
    for html in [diff] if name == "text/html" else read_by_all(diff):
        assert "<img src=x" not in html
    assert "<img" not in sessions_table([("s", Story(session.events))], None)._repr_html_()


async def test_two_hundred_sessions_are_a_table_that_scrolls_with_the_newest_first():
    session = await whole(counting())
    stories: list[tuple[str, Story | str]] = []
    for number in range(200):
        events = [*session.events[:3]]
        stories.append((f"s{number}", Story(events)))
    stories += [("newest", Story(session.events)), ("broken", "Record 3 of x is not JSON.")]
    table = sessions_table(stories, "s7")
    assert repr(sessions_table(stories, None, 1_500)).startswith(
        "The first 202 of 1,500, by their ids"
    )
    assert table.rows[0][0] == "newest"
    assert table.rows[-1] == ("broken", "", "?", "", "Record 3 of x is not JSON.")
    assert "overflow:auto" in table._repr_html_()
    assert re.search(r"s7 +current", repr(table))
    assert "There is no session here yet" in repr(sessions_table([], None))


async def test_what_was_said_is_shown_run_by_run_and_a_run_that_was_cut_off_says_so():
    session = Session("work", store=MemoryStore())
    await counting().run("first", session=session)
    await counting().run("second", session=session)
    await session.load()
    part = await session.fork("part", len(session.events) - 1)
    shown = forms(Conversation(part))
    for text in shown.values():
        assert re.search(r"worker: first(.|\n)*All done(.|\n)*worker: second", text)
        assert "Cut off." in text
        assert "waiting for the model" not in text
    assert (
        shown["text/html"].count(
            '<details open style="margin:4px 0"><summary style="display:list-item">20'
        )
        == 1
    )


async def test_a_long_session_shows_its_last_runs():
    session = Session("long", store=MemoryStore())
    talker = Agent("talker", model=ScriptedModel("Yes.", repeat=True))
    for number in range(60):
        await talker.run(f"n{number}", session=session)
    shown = repr(Conversation(await session.load()))
    assert shown.startswith("Session long: 60 runs, the last 50 of them")
    assert "n9\n" not in shown
    assert "n10\n" in shown


async def test_a_session_at_an_earlier_step_has_its_own_card():
    session = await whole(asking(), answers=[False])
    step = next(i for i, e in enumerate(session.events) if e.type == "input_requested") + 1
    now, then = session_bundle(session), session_bundle(session.at(step))
    assert "1 finished" in now["text/plain"]
    assert "1 waiting for you" in then["text/plain"]
    assert "asks you   ask: May it?" in then["text/plain"]
    nothing = session_bundle(session.at(0))["text/plain"]
    assert "nothing in it, or not read yet: await session.load()" in nothing
    assert isinstance(session.at(1).events[0], RunStarted)
