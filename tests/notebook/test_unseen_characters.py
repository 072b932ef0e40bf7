"""What a person is asked: nothing invisible is in it, in whatever form it is shown."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from nbagents import Agent, Question, RunContext, Say, ScriptedModel, tool
from nbagents.events import InputRequested
from nbagents.notebook.bridge import _row_of
from nbagents.notebook.forms.fields import fields_of
from nbagents.notebook.forms.frozen import draw
from nbagents.notebook.forms.stdin import answer_by_lines
from nbagents.notebook.forms.widget import _spec
from nbagents.notebook.live import bundle
from nbagents.notebook.session_cards import session_card
from nbagents.notebook.view import RunView
from nbagents.questions import OpenQuestion
from nbagents.sessions.memory import MemoryStore
from nbagents.sessions.session import Session
from tests.hostile import UNSEEN

HIDDEN = "\u202e\u200b\u2066\u00ad\ufeff\U000e0041\u3164\x1b\x08"
WORDS = "".join(UNSEEN)
FILE = {"type": "file", "media_type": "text/plain", "name": "report.txt", "data": "cm0gLXJmIH4="}


def assert_seen(shown: str) -> None:
    for char in {*HIDDEN, *WORDS}:
        assert char.isascii() & char.isprintable() or char not in shown, hex(ord(char))


def asking(text: str, **more: Any) -> OpenQuestion:
    question = Question(text, choices=[text, "no"], reason=text, details={text: [text]}, **more)
    schema = question.adapter.json_schema()
    asked = InputRequested("q1", text, schema, text, text, question.details)
    return OpenQuestion(question, asked)


async def test_a_form_its_place_in_the_file_and_the_panel_show_what_is_there():
    question = asking(WORDS)
    fields = fields_of(question.asked.schema)
    spec, row = _spec(question, fields), asdict(_row_of("r", question))
    for shown in (spec, row):
        for name in ("asker", "prompt", "reason", "details"):
            assert_seen(shown[name])
            assert "202e" in shown[name].lower()
    assert json.loads(spec["details"]) == json.loads(row["details"]) == {WORDS: [WORDS]}
    for form in draw(question, fields, "open").values():
        assert_seen(form)
    question.answer(WORDS)
    for form in draw(question, fields, "answered").values():
        assert_seen(form)


async def test_a_line_to_type_shows_what_is_there():
    question = asking(WORDS)
    prompts: list[str] = []

    async def ask(prompt: str, secret: bool) -> str:
        prompts.append(prompt)
        return "2"

    await answer_by_lines(question, fields_of(question.asked.schema), ask)
    assert question.answer_json == "no"
    assert_seen(prompts[0])
    assert "\u2039U+202E\u203a" in prompts[0]


async def test_a_run_and_a_session_show_what_was_asked():
    async def ask(ctx: RunContext) -> str:
        return await ctx.ask(Question(WORDS, reason=WORDS, details=WORDS))

    agent = Agent("a", model=ScriptedModel(Say(calls=[("ask", {})]), "x"), tools=[ask])
    session = Session("s", store=MemoryStore())
    run = await agent.run("go", session=session)
    assert run.status == "waiting"
    await session.load()
    card = session_card(session)
    for form in (*bundle(RunView(run.events), 0.0).values(), repr(card), card._repr_html_()):
        assert_seen(form)


@pytest.mark.parametrize(
    ("written", "runs"),
    [
        ({"path": "a", "force": "yes", "times": "12"}, {"path": "a", "force": True, "times": 12}),
        ({"path": HIDDEN, "times": 10**30}, {"path": HIDDEN, "times": 10**30}),
        ('{"path": "safe", "path": "not safe"}', {"path": "not safe"}),
        ({"path": "a", "data": FILE}, {"path": "a", "data": FILE}),
    ],
)
async def test_an_approval_shows_the_arguments_as_the_tool_gets_them(written: Any, runs: Any):
    @tool(approve=True)
    def act(path: str, force: bool = False, times: int = 1, data: Any = None) -> str:
        """Act."""
        return "done"

    model = ScriptedModel(Say(calls=[("act", written)]), "x")
    run = await Agent("a", model=model, tools=[act]).run("go")
    [question] = run.questions
    details = _spec(question, fields_of(question.asked.schema))["details"]
    assert json.loads(details) == {"force": False, "times": 1, "data": None, **runs}
    assert_seen(details)
