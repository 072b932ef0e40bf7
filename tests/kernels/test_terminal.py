"""An IPython terminal: the same magics, streamed text, Ctrl-C."""

from __future__ import annotations

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
