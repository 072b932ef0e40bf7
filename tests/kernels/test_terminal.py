"""An IPython terminal: the same magics, streamed text, Ctrl-C."""

from __future__ import annotations

import re
import sys

import pexpect
import pytest

from tests.wire.openai import OpenAIWire
from tests.wire.server import reply

pytestmark = pytest.mark.kernel

SETUP = (
    "from nbagents import Agent; from nbagents.providers.openai import OpenAIModel; "
    "a = Agent('a', model=OpenAIModel('m', base_url={url!r}, api_key='k'))"
)


@pytest.fixture
def terminal(tmp_path, monkeypatch):
    """An IPython in a terminal of its own."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    arguments = ["-m", "IPython", "--simple-prompt", "--no-banner", "--colors=NoColor"]
    child = pexpect.spawn(sys.executable, arguments, encoding="utf-8", timeout=30)
    child.expect_exact("In [1]: ")
    child.sendline("%load_ext nbagents")
    child.expect_exact("In [2]: ")
    yield child
    child.close(force=True)


def test_an_answer_streams_and_the_value_is_the_run(terminal):
    with OpenAIWire([reply("Hello from the wire")]) as server:
        terminal.sendline(SETUP.format(url=server.url))
        terminal.expect_exact("In [3]: ")
        terminal.sendline("run = %ask a what's up?")
        terminal.expect_exact("Hello from the wire")
        terminal.expect_exact("finished")
        terminal.expect_exact("In [4]: ")
        terminal.sendline("run.output.upper()")
        terminal.expect_exact("'HELLO FROM THE WIRE'")


def test_ctrl_c_stops_a_silent_model_and_the_agent_answers_again(terminal):
    with OpenAIWire([reply("x", end="mute"), reply("I am back")]) as server:
        terminal.sendline(SETUP.format(url=server.url))
        terminal.expect_exact("In [3]: ")
        terminal.sendline("%ask a hello")
        terminal.expect_exact("%ask a hello")
        while not server.requests:
            terminal.expect([pexpect.TIMEOUT], timeout=0.05)
        terminal.sendintr()
        terminal.expect_exact("Stopped by you")
        server.requests[0].left.result(timeout=5)
        terminal.expect_exact("In [4]: ")
        terminal.sendline("%ask a hello")
        terminal.expect_exact("I am back")


def test_a_mistake_is_one_line(terminal):
    terminal.sendline("%ask nobody hello")
    terminal.expect_exact("There is no agent 'nobody' yet. Define it: %%agent nobody")
    terminal.expect_exact("In [3]: ")
    assert "Traceback" not in terminal.before


HOSTILE = r'''
from nbagents import Agent, ModelError, Question, RunContext, Say, ScriptedModel, Session, tool, UserError

EVIL = "\x1b]52;c;cm0=\x07\x1b]0;title\x07\x1b[2J\x9b2J\x08\r\u202e"

@tool(approve=True)
def act(what: str) -> str:
    """Act."""
    raise ValueError(EVIL + what)

async def ask(ctx: RunContext) -> str:
    return await ctx.ask(Question("Which" + EVIL, choices=["one" + EVIL, "two"], reason=EVIL))

steps = [Say(thinking=EVIL, text=EVIL, calls=[("act", {"what": EVIL})]), "told" + EVIL]
teller = Agent("teller", model=ScriptedModel(*steps, repeat=True), tools=[act])
asker = Agent("asker", model=ScriptedModel(Say(calls=[("ask", {})]), "asked", repeat=True), tools=[ask])

def fail():
    raise UserError("wrong" + EVIL)

def refuse():
    raise ModelError("refused" + EVIL, provider="p" + EVIL)
'''
OBEYED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e]")


def test_nothing_that_models_and_tools_say_is_obeyed_by_the_terminal(terminal, tmp_path):
    (tmp_path / "hostile.py").write_text(HOSTILE)
    seen = ""

    def enter(line: str, *expected: str) -> None:
        nonlocal seen
        terminal.sendline(line)
        for text in expected:
            terminal.expect_exact(text)
            seen += terminal.before
        terminal.expect(r"In \[\d+\]: ")
        seen += terminal.before

    enter(f"%cd {tmp_path}")
    enter("from hostile import *")
    enter("%session work")
    seen = ""
    terminal.sendline("run = %ask teller {{ EVIL }} go")
    terminal.expect_exact("Allow teller to call act?")
    seen += terminal.before
    terminal.expect_exact("Decision (y: Allow, n: Deny): ")
    seen += terminal.before
    assert r"\u001b]52;c;cm0=\u0007" in seen
    terminal.sendline("y")
    terminal.expect_exact("Comment")
    terminal.sendline("")
    enter("", "told")
    terminal.sendline("%ask asker go")
    terminal.expect_exact("1. one\u2039U+001B\u203a]52;")
    terminal.expect_exact("Number: ")
    enter("2", "asked")
    for line in ("%runs", "%session list", "%session show", "run", "print(run.fork)"):
        enter(line)
    enter("fail()", "UserError: wrong")
    enter("refuse()", "ModelError: p")
    assert "]0;title" in seen
    assert not OBEYED.findall(seen.replace("\x1b[?2004h", "").replace("\x1b[?2004l", ""))


APPROVAL = """
from nbagents import Agent, Say, ScriptedModel, tool

@tool(approve=True)
def remove(what: str) -> str:
    'Remove something.'
    return 'removed'

call = Say(calls=[('remove', {'what': 'all'})])
remover = Agent('remover', model=ScriptedModel(call, 'done', repeat=True), tools=[remove])
"""


def test_what_was_typed_before_a_question_appeared_does_not_answer_it(terminal, tmp_path):
    (tmp_path / "approval.py").write_text(APPROVAL)
    terminal.sendline(f"%cd {tmp_path}")
    terminal.expect(r"In \[\d+\]: ")
    terminal.sendline("from approval import *")
    terminal.expect(r"In \[\d+\]: ")
    terminal.send("run = %ask remover go\ny\nlooks fine\n")
    terminal.expect_exact("Decision (y: Allow, n: Deny): ")
    terminal.sendline("n")
    terminal.expect_exact("Comment")
    terminal.sendline("no")
    terminal.expect(r"In \[\d+\]: ")
    terminal.sendline("print(run.messages[2].parts[0].text)")
    terminal.expect_exact("The user denied this call; it was not made. Comment from the user: no")
