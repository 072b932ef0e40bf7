"""The view: what events add up to, and how it is drawn in every form."""

from __future__ import annotations

import asyncio
import re
from decimal import Decimal
from pathlib import Path

import pytest

from nbagents import (
    Agent,
    FilePart,
    Limits,
    ModelError,
    OutputError,
    RetryPolicy,
    Say,
    ScriptedModel,
    ToolResult,
    Usage,
)
from nbagents.notebook.items import NoteItem, TextItem, ToolItem
from nbagents.notebook.live import bundle
from nbagents.notebook.safe_markdown import NO_MATH
from nbagents.notebook.view import _STOP_NOTES, RunView

PNG = b"\x89PNG\r\n\x1a\n"


async def watched(agent: Agent, question: str = "go") -> tuple[RunView, list]:
    """Run an agent and fold all its events, whatever becomes of it."""
    view, events = RunView(), []
    stream = agent.stream(question)
    try:
        async with stream:
            async for event in stream:
                view.apply(event)
                events.append(event)
    except (ModelError, OutputError):
        pass
    for event in stream.rest():
        view.apply(event)
        events.append(event)
    return view, events


def drawn(view: RunView) -> str:
    """All forms of a view at once."""
    return "\n".join(bundle(view, 0.0).values())


def same(one: RunView, other: RunView) -> bool:
    return bundle(one, 0.0) == bundle(other, 0.0)


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


def broken() -> None:
    """Break."""
    raise ValueError("it <b>broke</b>")


def picture() -> ToolResult:
    """Draw."""
    return ToolResult((FilePart("image/png", PNG, name="<i>p</i>"),))


def three_levels() -> Agent:
    inner = Agent("inner", model=ScriptedModel("deep", repeat=True))
    middle_says = Say(calls=[("inner", {"message": "m"})])
    middle = Agent("middle", tools=[inner], model=ScriptedModel(middle_says, "mid", repeat=True))
    calls = [("middle", {"message": "1"}), ("add", {"a": 1, "b": 2}), ("broken", {})]
    top = ScriptedModel(Say(thinking="hm", text="First", calls=calls), "last")
    return Agent("top", tools=[middle, add, broken], model=top)


async def test_the_record_alone_draws_the_same_as_all_events():
    view, events = await watched(three_levels())
    durable = [event for event in events if hasattr(event, "seq") and event.type not in PASSING]
    assert same(view, RunView(durable))


PASSING = {
    "turn_started",
    "text_delta",
    "thinking_delta",
    "tool_call_delta",
    "tool_progress",
    "retrying",
}


async def test_the_tree_of_runs_is_the_tree_of_calls():
    view, _ = await watched(three_levels())
    assert view.root is not None
    kinds = [type(item) for item in view.root.items]
    assert kinds == [TextItem, TextItem, ToolItem, ToolItem, ToolItem, TextItem]
    middle = view.root.items[2]
    assert isinstance(middle, ToolItem)
    assert [run.name for run in middle.runs] == ["middle"]
    assert [run.name for run in middle.runs[0].items[0].runs] == ["inner"]


async def test_a_failed_tool_shows_its_error_and_traceback():
    view, _ = await watched(three_levels())
    html = bundle(view, 0.0)["text/html"]
    assert "ValueError: it &lt;b&gt;broke&lt;/b&gt;" in html
    assert "in broken" in html


async def test_a_retry_shows_while_it_waits_and_voids_what_was_streamed():
    class Breaks(ScriptedModel):
        async def stream(self, request):
            async for chunk in super().stream(request):
                yield chunk
                if len(self.requests) == 1:
                    raise ModelError("gone", provider="p", retryable=True)

    agent = Agent("a", model=Breaks("wrong start", "good"), retries=RetryPolicy(first=0.001))
    view, _ = await watched(agent)
    assert view.root is not None
    assert isinstance(view.root.items[0], NoteItem)
    assert "wrong" not in drawn(view)
    assert "gone" in drawn(view)
    assert drawn(view).count("good") == 3


async def test_a_run_at_its_limit_names_it():
    model = ScriptedModel(Say(calls=[("add", {"a": 1, "b": 1})]), repeat=True)
    view, _ = await watched(Agent("a", tools=[add], model=model, limits=Limits(turns=2)))
    forms = bundle(view, 0.0)
    assert all("turns=2" in form for form in forms.values())


async def test_a_failed_run_names_cause_and_fix_and_no_key():
    error = ModelError("Bad key sk-abcdefghijk. Check the API key.", provider="v", status=401)
    view, _ = await watched(Agent("a", model=ScriptedModel(error)))
    for form in bundle(view, 0.0).values():
        assert "Check the API key" in form
        assert "sk-abc" not in form


async def test_a_stopped_run_keeps_its_partial_text():
    go = asyncio.Event()
    calls = ScriptedModel(Say(text="Half", calls=[("wait", {})]))

    async def wait() -> str:
        """Wait."""
        go.set()
        await asyncio.Event().wait()
        return ""

    view = RunView()
    async with Agent("a", model=calls, tools=[wait]).stream("go") as stream:
        async for event in stream:
            view.apply(event)
            if event.type == "tool_started":
                break
    for event in stream.rest():
        view.apply(event)
    assert all("Half" in form and "stopped" in form for form in bundle(view, 0.0).values())


async def test_what_it_cost_is_in_the_header():
    usage = Usage(1000, 200, 0, Decimal("0.0123"))
    view, _ = await watched(Agent("a", model=ScriptedModel(Say(text="x", usage=usage))))
    forms = bundle(view, 0.0)
    assert "1,200 tokens · $0.0123" in forms["text/html"]
    assert "1,200 tokens · $0.0123" in forms["text/plain"]
    # As code, since two dollar signs would make a formula of what is between them.
    assert "1,200 tokens · `$`0.0123" in forms["text/markdown"]
    view, _ = await watched(Agent("a", model=ScriptedModel(Say(text="x", usage=Usage(10, 2)))))
    assert "price unknown" in drawn(view)


async def test_tokens_that_were_counted_from_the_text_are_about_so_many():
    usage = Usage(1000, 200, estimated=True)
    view, _ = await watched(Agent("a", model=ScriptedModel(Say(text="x", usage=usage))))
    assert all("about 1,200 tokens" in form for form in bundle(view, 0.0).values())


@pytest.mark.parametrize("say", [Say(), Say(text=" \n"), Say(thinking="hm")])
async def test_an_empty_answer_says_so(say: Say):
    view, _ = await watched(Agent("a", model=ScriptedModel(say)))
    assert all("The answer is empty." in form for form in bundle(view, 0.0).values())


@pytest.mark.parametrize("say", [Say(text="x"), Say(text="", stop="length")])
async def test_an_answer_that_is_there_or_is_cut_is_not_called_empty(say: Say):
    view, _ = await watched(Agent("a", model=ScriptedModel(say)))
    assert "The answer is empty." not in drawn(view)


def test_the_page_says_why_an_answer_ended_in_the_same_words():
    twin = Path(__file__).parents[2] / "labextension" / "src" / "fold.ts"
    listed = twin.read_text().partition("STOPS = new Map")[2].partition("]);")[0]
    said = re.findall(r"""\['(\w+)', (?:'([^']*)'|"([^"]*)")\]""", listed)
    assert {stop: one or other for stop, one, other in said} == _STOP_NOTES


async def test_everything_that_is_not_ours_is_escaped():
    evil = "<img src=x onerror=alert(1)>"
    model = ScriptedModel(
        Say(text=evil, thinking=evil, calls=[("picture", {}), ("nothing" + evil, {"a": evil})]),
        evil,
    )
    view, _ = await watched(Agent("a", model=model, tools=[picture], description=evil), evil)
    html = bundle(view, 0.0)["text/html"]
    assert "<img src=x" not in html
    assert "<i>p</i>" not in html
    assert 'src="data:image/png;base64,' in html


async def test_it_reads_well_with_all_style_and_folding_stripped():
    view, _ = await watched(three_levels())
    html = bundle(view, 0.0)["text/html"]
    assert "<script" not in html
    assert "<style" not in html
    assert html.count("class=") == html.count(f'class="{NO_MATH}"')
    for words in ("top", "finished", "Thought", "middle(message=", "deep", "last"):
        assert words in html


async def test_a_typed_answer_is_shown_as_data():
    model = ScriptedModel(Say(calls=[("final_answer", {"value": [1, 2]})]))
    view, _ = await watched(Agent("a", model=model, output_type=list[int]))
    assert "[1, 2]" in bundle(view, 0.0)["text/plain"]


@pytest.mark.parametrize("status", ["asking", "answering"])
async def test_a_running_view_says_what_it_waits_for(status: str):
    view = RunView()
    async with Agent("a", model=ScriptedModel("word word")).stream("go") as stream:
        async for event in stream:
            view.apply(event)
            if view.root and view.root.status == status:
                break
    words = {"asking": "waiting for the model", "answering": "answering"}
    assert words[status] in bundle(view, 0.0)["text/html"]
