"""What is drawn of teams and questions: from the events alone, in every form, harmless."""

from __future__ import annotations

import asyncio
import base64
import re

import nbformat
import pytest
from nbconvert import HTMLExporter
from nbformat import v4

from nbagents import (
    Agent,
    Graph,
    InputRequested,
    Node,
    Question,
    Run,
    RunContext,
    Say,
    ScriptedModel,
    Swarm,
    event_codec,
    handoff_to_user,
    tool,
)
from nbagents.notebook.items import HandoffItem, QuestionItem, RunNode, ToolItem
from nbagents.notebook.live import bundle
from nbagents.notebook.pictures import picture_bundle
from nbagents.notebook.view import RunView
from tests.notebook.test_safe_markdown import read_by_all
from tests.people import present

HOSTILE = '<img src=x onerror="hacked()">&amp;[x](javascript:hacked())'


def says(name: str, *steps) -> Agent:
    return Agent(name, model=ScriptedModel(*(steps or (f"{name} speaks",)), repeat=True))


def shown(run: Run) -> tuple[RunView, dict[str, str]]:
    view = RunView(run.events)
    return view, bundle(view, run.events[-1].at)


def states(run: Run) -> dict[str, str]:
    view = RunView(run.events)
    told = view.states.of(run.topology(), run.events[-1].at)
    return {name: state.status for name, state in told.items()}


async def swarm_run() -> Run:
    hands = Say(text="One moment.", calls=[("handoff", {"to": "b", "reason": "you know"})])
    return await Swarm("team", [says("a", hands), says("b")]).run("go")


async def test_a_swarm_is_drawn_member_by_member_with_its_handoffs():
    run = await swarm_run()
    view, forms = shown(run)
    first, handoff, second = view.root.items
    assert isinstance(first, RunNode)
    assert handoff == HandoffItem("a", "b", "you know")
    assert isinstance(second, RunNode)
    for text in forms.values():
        assert re.search(r"One moment.*hands over to.*you know.*b speaks", text, re.DOTALL)
    assert states(run) == {"team": "done", "team/a": "done", "team/b": "done"}
    assert list(view.states.taken) == [("team/a", "team/b")]


async def test_a_graph_is_drawn_with_its_last_node_open_and_the_others_folded():
    async def count(a: str) -> dict:
        return {"letters": len(a)}

    nodes = {"a": says("a"), "count": count, "never": says("never")}
    run = await Graph(
        "g", nodes, [("a", "count"), ("count", "never", "output['letters'] < 0")]
    ).run("go")
    _, forms = shown(run)
    assert len(re.findall(r"<details style", forms["text/html"])) == 1
    assert len(re.findall(r"<details open", forms["text/html"])) == 1
    assert "&quot;letters&quot;: 8" in forms["text/html"]
    assert '"letters": 8' in forms["text/plain"]
    assert states(run) == {"g": "done", "g/a": "done", "g/count": "done", "g/never": "skipped"}


async def test_nested_teams_and_tools_have_the_states_of_their_own_nodes():
    async def look() -> str:
        return "seen"

    boss = Agent(
        "boss",
        tools=[says("helper"), look],
        model=ScriptedModel(
            Say(calls=[("helper", {"message": "x"}), ("look", {}), ("look", {})]), "done"
        ),
    )
    outer = Graph("outer", {"inner": Graph("inner", {"team": Swarm("team", [boss])}, [])}, [])
    run = await outer.run("go")
    view = RunView(run.events)
    told = view.states.of(run.topology(), run.events[-1].at)
    assert {name: (state.status, state.visits) for name, state in told.items()} == {
        "outer": ("done", 1),
        "outer/inner": ("done", 1),
        "outer/inner/team": ("done", 1),
        "outer/inner/team/boss": ("done", 1),
        "outer/inner/team/boss/helper": ("done", 1),
        "outer/inner/team/boss/look": ("done", 2),
    }


async def asking() -> Run:
    async def check(ctx: RunContext) -> str:
        return await ctx.ask(Question("Is it right?", reason="I am not sure.", details={"n": 1}))

    ask = Say(calls=[("handoff_to_user", {"question": "Which one?"})])
    agent = Agent("agent", model=ScriptedModel(ask, "thanks"), tools=[handoff_to_user])
    return await Graph("g", {"check": check, "agent": agent}, []).run("go")


async def test_a_question_waits_in_its_place_and_then_holds_its_answer():
    run = await asking()
    view, forms = shown(run)
    assert view.root.waiting == 2
    assert states(run) == {
        "g": "waiting",
        "g/check": "waiting",
        "g/agent": "waiting",
        "human": "waiting",
    }
    for text in forms.values():
        for words in ("Is it right?", "Which one?", "waiting for you"):
            assert words in text
    run = await run.resume({"q1": "yes", "q2": "this"})
    view, forms = shown(run)
    node, agent = (item for item in view.root.items if isinstance(item, RunNode))
    assert isinstance(node.items[0], QuestionItem)
    [call] = (item for item in agent.items if isinstance(item, ToolItem))
    assert call.questions[0].received.answer == "this"
    for text in forms.values():
        assert "waiting for you" not in text
        assert re.search(r"Is it right\?.*answered at \d\d:\d\d by code: yes", text, re.DOTALL)
    assert states(run)["human"] == "done"


async def test_a_question_that_was_never_answered_says_so():
    async def check(ctx: RunContext) -> str:
        return await ctx.ask("Is it right?")

    with present(lambda question: asyncio.Event().wait()):
        async with Graph("g", {"check": check}, []).stream("go") as stream:
            async for event in stream:
                if isinstance(event, InputRequested):
                    break
    view, forms = shown(stream.run)
    assert view.root.waiting == 0
    for text in forms.values():
        assert re.search(r"Is it right\?.*■.*not answered", text, re.DOTALL)


async def test_the_view_of_a_record_that_was_stored_is_the_same():
    codec = event_codec()
    for run in (await swarm_run(), await asking()):
        again = [codec.validate_json(codec.dump_json(event)) for event in run.events]
        now = run.events[-1].at
        assert bundle(RunView(again), now) == bundle(RunView(run.events), now)
        assert again[0].topology == run.topology()
        one, other = (
            picture_bundle(RunView(events), run.topology(), now) for events in (again, run.events)
        )
        assert one == other


def svg_of(forms: dict[str, str]) -> str:
    data = re.search(r"base64,([^\"]+)", forms["text/html"])
    assert data is not None
    return base64.b64decode(data[1]).decode()


async def test_hostile_names_reasons_and_answers_stay_words():
    async def node(ctx: RunContext) -> str:
        return await ctx.ask(Question(HOSTILE, reason=HOSTILE, details={HOSTILE: HOSTILE}))

    @tool(approve=True)
    async def act(what: str) -> str:
        return what

    model = ScriptedModel(Say(calls=[("act", {"what": HOSTILE})]), HOSTILE, repeat=True)
    graph = Graph(
        HOSTILE,
        {HOSTILE: Node(node), "agent": Agent("agent", model=model, tools=[act])},
        [(HOSTILE, "agent")],
    )
    run = await graph.run(HOSTILE, answers=[HOSTILE, True])
    _, forms = shown(run)
    drawn = picture_bundle(RunView(run.events), run.topology(), run.events[-1].at)
    markdown = read_by_all(forms["text/markdown"])
    for text in (forms["text/html"], *markdown, drawn["text/html"], svg_of(drawn)):
        assert "<img src=x" not in text
        assert 'href="javascript' not in text


@pytest.mark.parametrize(
    ("schema", "answer", "said"), [(bool, True, "Yes"), (bool, False, "No"), (str, "yes", "yes")]
)
async def test_an_answer_is_said_as_its_button_was(schema, answer, said):
    run = await Graph("g", {"ok": Question("Sure?", schema)}, []).run("go", answers=[answer])
    _, forms = shown(run)
    for form in ("text/html", "text/plain"):
        assert re.search(rf"answered in advance at \d\d:\d\d: {said}\b", forms[form])


@pytest.mark.parametrize("sanitize", [False, True])
async def test_nbconvert_shows_picture_question_and_answer(sanitize):
    run = await (await asking()).resume(["yes", "this"])
    _, forms = shown(run)
    picture = picture_bundle(RunView(run.events), run.topology(), run.events[-1].at)
    cell = v4.new_code_cell("%ask g go", execution_count=1)
    cell.outputs = [v4.new_output("display_data", data=data) for data in (picture, forms)]
    page, _ = HTMLExporter(sanitize_html=sanitize).from_notebook_node(v4.new_notebook(cells=[cell]))
    nbformat.validate(v4.new_notebook(cells=[cell]))
    assert "data:image/svg+xml;base64," in page
    assert "Is it right?" in page
    assert "by code: yes" in page
