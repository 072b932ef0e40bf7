"""The line to the panel on real kernels, with the messages of a page but no page."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from nbagents.notebook.wire import RUN_MIME
from tests.kernels.harness import Kernel

pytestmark = pytest.mark.every_kernel

SETUP = """
%load_ext nbagents
import asyncio
from nbagents import Agent, Question, RunContext, Say, ScriptedModel, Swarm, handoff_to_user, tool, TextDelta
from nbagents.models.base import Capabilities, ModelDone
from nbagents.messages import Usage

class Slow:
    name = "slow:1"
    capabilities = Capabilities()
    async def stream(self, request):
        yield TextDelta("one ")
        yield TextDelta("two ")
        await asyncio.sleep(60)
        yield ModelDone("end", Usage())

def step(request):
    if len(request.messages) == 1:
        return Say(calls=[("handoff_to_user", {"question": "What colour?", "reason": "I paint"})])
    return "You said " + request.messages[-1].parts[0].text

painter = Agent("painter", model=ScriptedModel(step, repeat=True), tools=[handoff_to_user])
slow = Agent("slow", model=Slow())
"""
AWAITED, BLOCKED = "%ask painter hi", "for _ in [1]:\n    %ask painter hi"


class Page:
    """Stands for the panel of a page."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.name = uuid.uuid4().hex
        self.line = next(
            comm["comm_id"] for comm in kernel.comms if comm.get("target_name") == "nbagents"
        )
        kernel.send("comm_open", comm_id=self.name, target_name="nbagents.control", data={})
        self.send(type="hello")

    def send(self, **message: Any) -> None:
        data = {"method": "custom", "content": message}
        self.kernel.send("comm_msg", comm_id=self.name, data=data)

    @property
    def heard(self) -> list[dict[str, Any]]:
        return [comm["data"] for comm in self.kernel.comms if comm["comm_id"] == self.line]

    @property
    def state(self) -> dict[str, Any]:
        return next(told for told in reversed(self.heard) if told["type"] == "state")

    def wait_for(self, condition: Callable[[], object]) -> None:
        self.kernel.read_until(condition, 30)


@pytest.fixture
def page(kernel: Kernel) -> Page:
    kernel.execute("%unload_ext nbagents")
    kernel.comms.clear()
    done = kernel.execute(SETUP + "\n%session off", allow_stdin=True)
    assert done.error is None
    page = Page(kernel)
    page.wait_for(lambda: len(page.heard) > 1)
    return page


def test_the_panel_is_told_what_there_is(page: Page):
    page.wait_for(lambda: len(page.state["agents"]) == 2)
    row = {"name": "painter", "kind": "agent", "model": "scripted:scripted"}
    assert page.state["agents"][0] == {**row, "detail": "handoff_to_user"}
    page.kernel.execute("%session work")
    page.wait_for(lambda: page.state["sessions"] == [{"id": "work", "is_chosen": True}])
    page.kernel.execute("del slow")
    page.wait_for(lambda: len(page.state["agents"]) == 1)


def test_nothing_is_said_twice(page: Page):
    page.kernel.execute("1 + 1")
    page.kernel.execute("x = Agent('x')")
    page.wait_for(lambda: len(page.state["agents"]) == 3)
    states = [told for told in page.heard if told["type"] == "state"]
    assert all(one != after for one, after in pairwise(states[1:]))


@pytest.mark.parametrize("code", [AWAITED, BLOCKED], ids=["awaited", "blocked"])
def test_a_question_is_answered_from_the_panel_while_the_cell_runs(page: Page, code: str):
    cell = page.kernel.begin(code, allow_stdin=True)
    page.wait_for(lambda: page.state["questions"])
    asked = page.state["questions"][0]
    assert (asked["prompt"], asked["reason"]) == ("What colour?", "I paint")
    run = page.state["runs"][0]
    assert (run["run_id"], run["status"]) == (asked["run_id"], "running")
    page.send(type="answer", run_id="nonsense", question_id="q1", answer="red")
    page.wait_for(lambda: page.heard[-1]["type"] == "refused")
    page.send(type="answer", run_id=asked["run_id"], question_id="q1", answer=["no", "text"])
    page.wait_for(lambda: "does not fit" in page.heard[-1].get("message", ""))
    page.send(type="answer", run_id=asked["run_id"], question_id="q1", answer="red")
    assert "You said red" in cell.result().text
    page.wait_for(lambda: not page.state["questions"])
    page.wait_for(lambda: page.state["runs"][0]["status"] == "finished")
    page.send(type="answer", run_id=asked["run_id"], question_id="q1", answer="blue")
    page.wait_for(lambda: page.heard[-1]["type"] == "refused")


@pytest.mark.parametrize("code", ["%ask slow hi", "for _ in [1]:\n    %ask slow hi"])
def test_a_run_is_stopped_from_the_panel(page: Page, code: str):
    cell = page.kernel.begin(code, allow_stdin=True)
    page.wait_for(lambda: page.state["runs"] and any("two" in str(told) for told in page.heard))
    page.send(type="stop", run_id=page.state["runs"][0]["run_id"])
    assert cell.result().error == "Cancelled: Stopped by you"
    page.wait_for(lambda: page.state["runs"][0]["status"] == "cancelled")


@pytest.mark.parametrize("code", ["%ask slow hi", "for _ in [1]:\n    %ask slow hi"])
def test_pages_come_and_go_in_any_order(page: Page, code: str):
    kernel = page.kernel
    other = Page(kernel)
    other.wait_for(lambda: other.state["agents"])
    kernel.send("comm_close", comm_id=page.name, data={})
    kernel.send("comm_close", comm_id=page.line, data={})  # By a front end that does not know it.
    kernel.execute("import gc; gc.collect()")
    cell = kernel.begin(code, allow_stdin=True)
    other.wait_for(lambda: any("two" in str(told) for told in other.heard))
    late = Page(kernel)  # It is heard while the cell runs.
    late.wait_for(lambda: late.state["runs"])
    late.send(type="stop", run_id=late.state["runs"][0]["run_id"])
    assert cell.result().error == "Cancelled: Stopped by you"
    closed = {comm["comm_id"] for comm in kernel.comms if set(comm) == {"comm_id", "data"}}
    names = {page.name, other.name, late.name, page.line}
    closes = [comm for comm in kernel.comms if comm["comm_id"] in names and comm["data"] == {}]
    assert closed
    assert closes == []
    code = f"from comm import get_comm_manager; print({page.line!r} in get_comm_manager().comms)"
    assert kernel.execute(code).text == "True\n"


@pytest.mark.parametrize("stop", ["panel", "kernel"])
def test_whoever_shows_a_run_is_told_that_it_was_stopped(page: Page, stop: str):
    cell = page.kernel.begin("%ask slow hi", allow_stdin=True)
    page.wait_for(lambda: any("two" in str(told) for told in page.heard))
    if stop == "panel":
        page.send(type="stop", run_id=page.state["runs"][0]["run_id"])
    else:
        page.kernel.interrupt()
    cell.result()
    page.wait_for(lambda: page.state["runs"][0]["status"] == "cancelled")
    told = [event["type"] for heard in page.heard for event in heard.get("events", ())]
    assert told[-1] == "run_cancelled"


def test_a_page_that_comes_later_is_told_all_so_far(page: Page):
    cell = page.kernel.begin("%ask slow hi", allow_stdin=True)
    page.wait_for(lambda: page.state["runs"])
    run_id = page.state["runs"][0]["run_id"]
    page.wait_for(lambda: any("two" in str(told) for told in page.heard))
    page.send(type="watch", run_id=run_id)
    page.wait_for(lambda: page.heard[-1]["type"] == "document")
    document = page.heard[-1]["document"]
    assert document["live"]
    kinds = [event["type"] for event in document["events"]]
    assert kinds == ["run_started", "turn_started", "text_delta"]
    assert document["events"][-1]["text"] == "one two "
    frame = cell.outputs[0]["data"]
    assert frame[RUN_MIME] == {**frame[RUN_MIME], "run_id": run_id, "live": True, "events": []}
    page.send(type="stop", run_id=run_id)
    cell.result()


def test_a_page_that_has_missed_the_end_is_sent_it_again(page: Page):
    page.kernel.execute("fast = Agent('fast', model=ScriptedModel('Done.', repeat=True))")
    cell = page.kernel.execute("%ask fast hi", allow_stdin=True)
    before = page.kernel.updates
    page.send(type="watch", run_id=cell.outputs[0]["data"][RUN_MIME]["run_id"])
    page.wait_for(lambda: page.kernel.updates == before + 1)
    assert "Done." in cell.outputs[0]["data"]["text/plain"]


def test_a_question_reaches_the_panel_without_keys(page: Page):
    page.kernel.execute("""
@tool
async def send(ctx: RunContext) -> str:
    "Send it."
    key = "sk-" + "a1B2" * 10
    return await ctx.ask(Question(f"Is {key} right?", details={"header": [f"Bearer {key}"]}))

model = ScriptedModel(Say(calls=[("send", {})]), "Sent.", repeat=True)
clerk = Agent("clerk", model=model, tools=[send])
""")
    cell = page.kernel.begin("%ask clerk hi", allow_stdin=True)
    page.wait_for(lambda: page.state["questions"])
    (asked,) = page.state["questions"]
    assert asked["prompt"] == "Is [redacted] right?"
    assert "a1B2" not in json.dumps(asked)
    page.send(type="answer", run_id=asked["run_id"], question_id="q1", answer="yes")
    assert "Sent." in cell.result().text


def test_a_run_is_written_to_a_file_of_its_own(page: Page):
    page.kernel.execute("fast = Agent('fast', model=ScriptedModel('Done.', repeat=True))")
    cell = page.kernel.execute("run = %ask fast hi")
    saved = cell.outputs[0]["data"][RUN_MIME]
    refused = page.kernel.execute(f"%runs {saved['run_id']} --to run.txt")
    assert refused.error is not None
    assert "like run.nbagents.json" in refused.error
    page.kernel.execute(f"%runs {saved['run_id']} --to run.nbagents.json")
    code = "import json; print(json.dumps(json.load(open('run.nbagents.json'))['events'][1]))"
    read = page.kernel.execute(code)
    assert json.loads(read.text) == saved["events"][1]


def test_events_are_sent_once_and_in_order(page: Page):
    page.kernel.execute("fast = Agent('fast', model=ScriptedModel('Hello ' * 50, repeat=True))")
    cell = page.kernel.execute("%ask fast hi", allow_stdin=True)
    document = cell.outputs[0]["data"][RUN_MIME]
    page.wait_for(lambda: page.state["runs"] and page.state["runs"][0]["status"] == "finished")
    told = [event for heard in page.heard for event in heard.get("events", ())]
    assert [event["seq"] for event in told] == sorted({event["seq"] for event in told})
    passing = {"turn_started", "text_delta"}
    assert [event for event in told if event["type"] not in passing] == document["events"]


def test_nonsense_from_a_page_does_nothing(page: Page):
    page.send(type="explode")
    page.send()
    page.kernel.send("comm_msg", comm_id=page.name, data={"method": "update"})
    assert page.kernel.execute("1 + 1").text == "2"


def test_after_unload_the_line_is_closed_and_load_opens_another(page: Page):
    page.kernel.execute("%unload_ext nbagents")
    page.kernel.execute("%load_ext nbagents", allow_stdin=True)
    lines = [comm for comm in page.kernel.comms if comm.get("target_name") == "nbagents"]
    assert len({comm["comm_id"] for comm in lines}) == 2
    assert {"comm_id": page.line, "data": {}} in page.kernel.comms


def test_nobody_is_called_where_nobody_looks(kernel: Kernel):
    kernel.execute("%unload_ext nbagents")
    kernel.comms.clear()
    kernel.execute("%load_ext nbagents")
    assert kernel.comms == []


def test_a_key_that_the_model_says_in_pieces_is_in_no_message_and_no_output(page: Page):
    page.kernel.execute("""
class Leaks(Slow):
    async def stream(self, request):
        for piece in ("My key: ", "sk-pr", "oj-", *["a1B2c3"] * 8, " and ", "more."):
            yield TextDelta(piece)
            await asyncio.sleep(0.06)
        yield ModelDone("end", Usage())

leaks = Agent("leaks", model=Leaks())
""")
    cell = page.kernel.execute("%ask leaks hi", allow_stdin=True)
    page.wait_for(lambda: "run_finished" in json.dumps(page.heard))
    deltas = [event for told in page.heard for event in told.get("events", ()) if "text" in event]
    said = "".join(event["text"] for event in deltas)
    assert said.startswith("My key: ")
    assert "[redacted]" in said
    assert "a1B2" not in said
    assert "a1B2" not in json.dumps(page.heard)
    frames = [frame.content for frame in cell.frames]
    assert "a1B2c3" * 2 not in json.dumps(frames, default=str)
    assert "a1B2" not in json.dumps(cell.outputs)
