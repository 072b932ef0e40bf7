"""Questions on real kernels, with the messages of a page but no page: answered, stopped, headless."""

from __future__ import annotations

import sys
from typing import Any

import pexpect
import pytest

from tests.kernels.harness import Execution, Kernel

pytestmark = pytest.mark.every_kernel

VIEW = "application/vnd.jupyter.widget-view+json"

SETUP = """
%load_ext nbagents
import asyncio, sys
loaded = globals().get("loaded", {"ipywidgets", "anywidget"} & set(sys.modules))
from nbagents import Agent, Question, RunContext, Say, ScriptedModel, handoff_to_user, tool

def asks(*calls):
    def step(request):
        if len(request.messages) == 1:
            return Say(calls=[("handoff_to_user", call) for call in calls])
        return "You said " + " and ".join(part.text for part in request.messages[-1].parts)
    return Agent("painter", model=ScriptedModel(step, repeat=True), tools=[handoff_to_user])

a = asks({"question": "What colour?", "reason": "I paint"})
"""
AWAITED = "%ask a hi"
METHOD = "run = await a.run('hi')\nprint(run.output if run.status == 'finished' else run.status)"
BLOCKED = "run = a('hi')\nprint(run.output if run.status == 'finished' else run.status)"
# A plain `await` in a cell is stopped by the kernel itself.
STOPPED = {AWAITED: "Stopped: ", METHOD: "CancelledError: ", BLOCKED: "Stopped: "}
ALL = pytest.mark.parametrize("code", [AWAITED, METHOD, BLOCKED], ids=["magic", "await", "blocked"])


@pytest.fixture
def cells(kernel: Kernel) -> Kernel:
    done = kernel.execute(SETUP)
    assert done.error is None
    return kernel


def forms(cell: Execution) -> list[str]:
    """The comms of the forms that stand in the cell's output now."""
    bundles = (output.get("data", {}) for output in cell.outputs)
    return [data[VIEW]["model_id"] for data in bundles if VIEW in data]


def shown(cell: Execution) -> str:
    """Everything that a reader of the cell sees."""
    return cell.text + "".join(
        output.get("data", {}).get("text/html", "") for output in cell.outputs
    )


class Page:
    """Stands for the form in a page."""

    def __init__(self, kernel: Kernel, cell: Execution, index: int = 0) -> None:
        """Wait for the form, and tell the kernel that it is seen."""
        self.kernel = kernel
        cell.wait_for(lambda now: len(forms(now)) > index)
        self.comm_id = forms(cell)[index]
        self.send(kind="ready")

    def send(self, **content: Any) -> None:
        data = {"method": "custom", "content": content}
        self.kernel.send("comm_msg", comm_id=self.comm_id, data=data)

    def submit(self, **values: Any) -> None:
        self.send(kind="submit", nonce="n", values=values)

    def answer(self, value: Any) -> None:
        self.submit(**{"": value})


@ALL
def test_an_answer_reaches_the_run_while_the_cell_runs(cells: Kernel, code: str):
    cell = cells.begin(code, allow_stdin=True)
    Page(cells, cell).answer("blue <b>")
    cell.result(10)
    assert cell.error is None
    assert "You said blue <b>" in cell.text
    assert forms(cell) == []
    for words in ("painter", "What colour?", "I paint", "Answered by you at", "blue &lt;b&gt;"):
        assert words in shown(cell)


@ALL
def test_stop_ends_the_cell_and_says_so_where_the_form_stood(cells: Kernel, code: str):
    cell = cells.begin(code, allow_stdin=True)
    Page(cells, cell)
    cells.interrupt()
    cell.result(10)
    assert cell.error == STOPPED[code]
    assert "Stopped before an answer." in shown(cell)
    assert forms(cell) == []
    again = cells.begin(code, allow_stdin=True)
    Page(cells, again).answer("red")
    assert "You said red" in again.result(10).text


@ALL
def test_cells_that_wait_behind_a_question_run_after_it(cells: Kernel, code: str):
    cell, after = cells.begin(code, allow_stdin=True), cells.begin("print('after')")
    Page(cells, cell).answer("blue")
    assert after.result(10).text == "after\n"
    assert "You said blue" in cell.text


@ALL
def test_the_first_of_two_answers_counts(cells: Kernel, code: str):
    cell = cells.begin(code, allow_stdin=True)
    page = Page(cells, cell)
    page.answer("first")
    page.answer("second")
    cell.result(10)
    assert "You said first" in cell.text
    assert cells.execute("print('alive')").text == "alive\n"


@ALL
def test_a_form_that_nobody_draws_becomes_a_line_to_type(cells: Kernel, code: str):
    cell = cells.begin(code, allow_stdin=True)
    cell.wait_for(lambda now: now.question is not None and not forms(now))
    assert cell.question == "Answer: "
    cell.answer("by hand")
    cell.result(10)
    assert "You said by hand" in cell.text
    assert "Answered by you at" in shown(cell)


@ALL
def test_stop_takes_back_a_line_and_input_works_afterwards(cells: Kernel, code: str):
    cell = cells.begin(code, allow_stdin=True)
    cell.wait_for(lambda now: now.question is not None)
    cells.interrupt()
    assert cell.result(10).error == STOPPED[code]
    plain = cells.begin("print(input('Name? '))", allow_stdin=True)
    plain.wait_for(lambda now: now.question is not None)
    plain.answer("Ada")
    assert plain.result(10).text == "Ada\n"


@ALL
def test_where_nobody_can_answer_the_run_waits_at_once(cells: Kernel, code: str):
    cell = cells.execute(code, timeout=10)
    assert cell.error is None
    assert forms(cell) == []
    assert "ask" in code or "waiting" in cell.text


def test_two_questions_at_once_have_their_own_forms(cells: Kernel):
    cells.execute("b = asks({'question': 'One?'}, {'question': 'Two?', 'choices': ['x', 'y']})")
    cell = cells.begin("%ask b hi", allow_stdin=True)
    one, two = Page(cells, cell, 0), Page(cells, cell, 1)
    two.answer("y")
    cell.wait_for(lambda now: len(forms(now)) == 1)
    assert forms(cell) == [one.comm_id]
    one.answer("1")
    assert "You said 1 and y" in cell.result(10).text


def test_what_does_not_fit_leaves_the_form_open(cells: Kernel):
    cells.execute("b = asks({'question': 'Which?', 'choices': ['x', 'y']})")
    cell = cells.begin("%ask b hi", allow_stdin=True)
    page = Page(cells, cell)
    page.answer("z")
    cell.wait_for(lambda now: any("problem" in str(frame.content) for frame in now.frames))
    assert forms(cell) == [page.comm_id]
    page.answer("x")
    assert "You said x" in cell.result(10).text


@pytest.mark.parametrize("code", [METHOD, BLOCKED], ids=["await", "blocked"])
@pytest.mark.parametrize(("kind", "words"), [("later", "Postponed."), ("closed", "was closed")])
def test_a_question_that_is_put_off_is_asked_again(cells: Kernel, code: str, kind: str, words: str):
    cell = cells.begin(code, allow_stdin=True)
    Page(cells, cell).send(kind=kind)
    cell.result(10)
    assert "waiting" in cell.text
    assert words in shown(cell)
    later = cells.begin("run = await run.resume()\nprint(run.output)", allow_stdin=True)
    Page(cells, later).answer("late")
    assert "You said late" in later.result(10).text


def test_an_answer_from_code_freezes_the_form(cells: Kernel):
    cells.execute(
        "from nbagents import Runnable, Result\n"
        "class Asks(Runnable):\n"
        "    name = description = 'asks'\n"
        "    async def execute(self, ctx, messages):\n"
        "        asyncio.get_running_loop().call_later(0.5, lambda: "
        "list(ctx.record.questions.values())[0].answer('coded'))\n"
        "        return Result(await ctx.ask('Which?'))\n"
    )
    cell = cells.begin("run = await Asks().run('hi')\nprint(run.output)", allow_stdin=True)
    Page(cells, cell)
    cell.result(10)
    assert "Answered in code" in shown(cell)
    assert "coded" in cell.text


def test_the_extension_loads_no_widgets_and_leaves_nothing(cells: Kernel):
    assert cells.execute("print(loaded)").text == "set()\n"
    stream = "get_ipython().kernel.shell_stream._recv_callback"
    cell = cells.begin(AWAITED, allow_stdin=True)
    Page(cells, cell).answer("blue")
    cell.result(10)
    assert "Tap" in cells.execute(f"print({stream})").text
    cells.execute("%unload_ext nbagents")
    assert "Tap" not in cells.execute(f"print({stream})").text
    run = cells.execute("run = await a.run('hi'); print(run.status)", allow_stdin=True, timeout=10)
    assert run.text == "waiting\n"


TERMINAL = """%load_ext nbagents
import pydantic
from nbagents import Agent, Question, RunContext, Say, ScriptedModel, tool
class Guest(pydantic.BaseModel): name: str; age: int; code: pydantic.SecretStr

@tool
async def ask(ctx: RunContext) -> str: return repr(await ctx.ask(Question("Who comes?", Guest)))

a = Agent("host", model=ScriptedModel(Say(calls=[("ask", {})]), lambda r: r.messages[-1].parts[0].text, repeat=True), tools=[ask])
"""


@pytest.fixture
def terminal(tmp_path, monkeypatch):
    """An IPython in a terminal of its own, with an agent that asks."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    setup = tmp_path / "setup.ipy"
    setup.write_text(TERMINAL)
    arguments = ["-m", "IPython", "--simple-prompt", "--no-banner", "--colors=NoColor"]
    child = pexpect.spawn(sys.executable, arguments, encoding="utf-8", timeout=30)
    child.expect_exact("In [1]: ")
    child.sendline(f"%run -i {setup}")
    child.expect_exact("In [2]: ")
    yield child
    child.close(force=True)


@pytest.mark.kernel
@pytest.mark.parametrize("code", ["r = %ask a hi", "r = a('hi')"], ids=["awaited", "blocked"])
def test_in_a_terminal_a_model_is_asked_line_by_line(terminal, code: str):
    terminal.sendline(code)
    terminal.expect_exact("host: Who comes?")
    terminal.expect_exact("Name: ")
    terminal.sendline("Ada")
    terminal.expect_exact("Age: ")
    terminal.sendline("old")
    terminal.expect_exact("Code: ")
    terminal.sendline("hush")
    terminal.expect_exact("valid integer")
    assert "hush" not in terminal.before
    terminal.expect_exact("Age: ")
    terminal.sendline("36")
    terminal.expect_exact("In [3]: ")
    terminal.sendline("r.output")
    terminal.expect_exact("Guest(name='Ada', age=36, code=SecretStr('**********'))")


@pytest.mark.kernel
@pytest.mark.parametrize("code", ["%ask a hi", "a('hi')"], ids=["awaited", "blocked"])
def test_ctrl_c_in_a_terminal_takes_the_question_back(terminal, code: str):
    terminal.sendline(code)
    terminal.expect_exact("Name: ")
    terminal.sendintr()
    terminal.expect_exact("Stopped by you")
    terminal.expect_exact("In [3]: ")
    terminal.sendline("print(input('Again? ') * 2)")
    terminal.expect_exact("Again? ")
    terminal.sendline("no")
    terminal.expect_exact("nono")
