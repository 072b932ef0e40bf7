"""Teams on real kernels: defined in cells, drawn, run, stopped, and their errors."""

from __future__ import annotations

import pytest

from nbagents.notebook.wire import PICTURE_MIME, RUN_MIME
from tests.kernels.harness import Execution, Kernel

SETUP = """
%load_ext nbagents
import asyncio
from nbagents import Agent, Say, ScriptedModel

def hands(to, reason):
    return Say(calls=[("handoff", {"to": to, "reason": reason})])

greeter = Agent("greeter", model=ScriptedModel(hands("planner", "wants to travel"), repeat=True))
planner = Agent("planner", model=ScriptedModel("By train.", repeat=True))
ended = []

def size(planner: str) -> int:
    return len(planner)

async def forever():
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("cleaned up")
"""
SWARM = "%%swarm desk\ngreeter: finds out what is wanted -> planner\nplanner: plans trips"
GRAPH = '%%graph trip\nplanner -> size\nsize -> desk [when="output > 3"]'


@pytest.fixture
def cells(kernel: Kernel) -> Kernel:
    assert kernel.execute(SETUP).error is None
    return kernel


def kinds(cell: Execution) -> list[set[str]]:
    """The forms in which each output of a cell is there."""
    return [set(output["data"]) for output in cell.outputs if "data" in output]


def test_a_swarm_is_defined_drawn_and_asked(cells: Kernel):
    defined = cells.execute(SWARM)
    assert kinds(defined) == [{"text/html", "text/plain", "text/vnd.graphviz"}]
    asked = cells.execute("%ask desk I want to travel")
    assert "greeter hands over to planner: wants to travel" in asked.text
    assert "By train." in asked.text
    assert kinds(asked) == [
        {"text/html", "text/plain", "text/vnd.graphviz", PICTURE_MIME},
        {"text/html", "text/markdown", "text/plain", RUN_MIME},
    ]
    assert cells.execute("print(_.output, desk.max_handoffs)").text == "By train. 20\n"


def test_options_of_a_swarm_are_those_of_the_class(cells: Kernel):
    cells.execute(SWARM.replace("desk", "desk --start planner --max-handoffs 3"))
    shown = cells.execute("print(desk.start, desk.max_handoffs, desk.hands_off_to, desk.purposes)")
    purposes = {"greeter": "finds out what is wanted", "planner": "plans trips"}
    assert shown.text == f"planner 3 {{'greeter': ['planner']}} {purposes}\n"


def test_a_graph_is_defined_and_asked_and_defined_again(cells: Kernel):
    for _ in range(2):
        assert cells.execute(SWARM).error is None
        assert cells.execute(GRAPH).error is None
    asked = cells.execute("run = %ask trip Where to?")
    assert asked.error is None
    assert cells.execute("print(run.output, run.status)").text == "By train. finished\n"
    shown = cells.execute("%agents").text
    assert "greeter, planner" in shown
    assert "planner, size, desk" in shown


def test_a_run_that_is_shown_again_has_its_picture(cells: Kernel):
    cells.execute(SWARM)
    cells.execute("run = %ask desk Go ;")
    again = cells.execute("run")
    assert [min(kind) for kind in kinds(again)] == [PICTURE_MIME, RUN_MIME]
    document = again.outputs[1]["data"][RUN_MIME]
    assert again.outputs[0]["data"][PICTURE_MIME]["run_id"] == document["run_id"]
    assert document["picture"].startswith("<svg")
    assert "desk" in again.text


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("%%swarm s\ngreeter\nplaner", "Line 3: There is no agent 'planer'. Did you mean 'planner'?"),
        ("%%swarm s\ngreeter -> planer\nplanner", "Line 2: There is no member 'planer'."),
        ("%%swarm s\n# nobody", "The swarm 's' has no members."),
        ("%%swarm s\ngreeter: a\n-> b", "Line 3: write one member a line"),
        ("%%swarm s --start planer\ngreeter\nplanner", "There is no member 'planer'."),
        ("%%swarm planner\ngreeter", "'planner' is an Agent already."),
        ("%%graph g\n\nplanner -> sise", "Line 3: There is no agent or function 'sise'. Did you mean 'size'?"),
        ('%%graph g\nplanner -> size\nsize -> greeter [when="ouput > 3"]', "Line 3: The edge size -> greeter: In the condition 'ouput > 3': There is no name 'ouput'. Did you mean 'output'?"),
        ('%%graph g\nplanner -> size [when="1 +"]', "Line 2: The edge planner -> size: The condition isn't a valid Python expression"),
        ("%%graph g\nplanner [agent=nobody]", "Line 2: There is no agent 'nobody'."),
        ("%%graph g\nplanner [timeout=soon]", "Line 2: timeout must be a number, not 'soon'."),
        ("%%graph g\nplanner [join=some]", "Line 2: There is no join 'some'."),
        ("%%graph g --entry nobody\nplanner -> size", "There is no node 'nobody'."),
        ("%%graph g\nplanner -> size\ngreeter -> greeter", "Line 3: Nothing leads from 'planner' to 'greeter'."),
        ("%%graph g\nplanner -> size\n\nsize [timeout=abc]", "Line 4: timeout must be a number, not 'abc'."),
        ("%%graph g\nplanner -> size\n\nsize [join=al]", "Line 4: There is no join 'al'."),
        ("%%graph g\nplanner -> size\nplanner [on_error=ignore]", "Line 3: There is no on_error 'ignore'."),
        ('%%graph g\nplanner -> size\nplanner -> greeter\n\nplanner -> size [when="visit"]', "Line 5: The edge planner -> size"),
        ("%%graph g\nplanner -> size\n}\nsize -> greeter", "Line 3: there is one } too many."),
        ("%%graph g\nplanner -- size", "Line 2: edges have a direction here"),
        ("%%swarm s\ngreeter\nplanner\ngreeter", "Line 4: 'greeter' is a member already."),
        ("%%graph g extra\nplanner", "%%graph takes one name"),
        ("%ask planner --answers nothing hi", "There is no variable 'nothing'"),
        ("%ask planner --answers 1/0 hi", "cannot be evaluated"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_that_points_at_it(cells: Kernel, cell: str, told: str):
    done = cells.execute(cell)
    assert told in (done.error or done.text)
    assert "Error: " in (done.error or done.text).partition("\n")[0]


def test_stop_reaches_the_deepest_node(cells: Kernel):
    cells.execute("%%graph inner\nforever")
    cells.execute("%%graph outer\nplanner -> inner")
    cell = cells.begin("%ask outer go")
    cell.wait_for(lambda cell: any("forever" in str(frame.content) for frame in cell.frames))
    cells.interrupt()
    assert cell.result().error == "Stopped: "
    assert cells.execute("print(ended)").text == "['cleaned up']\n"


@pytest.mark.parametrize("ask", ["%ask trip go", "await trip.run('go')", "trip('go')"])
def test_prepared_answers_are_taken_and_shown(cells: Kernel, ask: str):
    cells.execute(
        '%%graph trip\nplanner -> ok -> size\nok [ask="Go?", out=bool]\nsize [py=anything]'
    )
    assert cells.execute("def anything(x): return f'so {x}'").error is None
    cells.execute(
        '%%graph trip\nplanner -> ok -> size\nok [ask="Go?", out=bool]\nsize [py=anything]'
    )
    with_answers = ask.replace("%ask", "%ask --answers [True]").replace(
        "'go'", "'go', answers=[True]"
    )
    cell = cells.execute(with_answers)
    assert cell.error is None
    assert "answered in advance at" in cell.text
    assert "so True" in cell.text


def test_an_agent_is_given_the_person_and_what_has_to_be_allowed(cells: Kernel):
    cells.execute("def pay_bill(): 'Pay.'\ndef book(): 'Book.'")
    card = cells.execute(
        "%%agent clerk --human --tools pay_bill,book --approve pay*,book\nBook."
    ).text
    assert "handoff_to_user" in card
    assert "pay*, book" in card
    assert cells.execute("print(clerk.approve)").text == "('pay*', 'book')\n"


def test_approval_of_nothing_is_an_error(cells):
    for nothing in ("''", "',  '"):
        line = f"%%agent clerk --tools book --approve {nothing}"
        assert "--approve names nothing" in cells.execute(f"{line}\nBook.").text


def test_names_and_options_of_teams_are_completed(cells: Kernel):
    cells.execute(SWARM)
    assert "desk" in cells.complete("%ask de")
    assert "--max-handoffs" in cells.complete("%%swarm x --max")
    assert "--entry" in cells.complete("%%graph x --en")


def test_unloading_takes_the_magics_of_teams_away(cells: Kernel):
    cells.execute("%unload_ext nbagents")
    names = "%lsmagic"
    listed = cells.execute(
        f"print([m for m in ('swarm', 'graph') if m in str(get_ipython().run_line_magic('{names[1:]}', ''))])"
    )
    assert listed.text == "[]\n"


def test_a_plain_await_that_is_stopped_says_so_in_one_line(cells: Kernel):
    cells.execute("%%graph inner\nforever")
    cell = cells.begin("print('begun', flush=True)\nawait inner.run('go')")
    cell.wait_for(lambda cell: "begun" in cell.text)
    cells.interrupt()
    done = cell.result()
    assert done.error == "CancelledError: "
    [error] = [output for output in done.outputs if output["output_type"] == "error"]
    assert error["traceback"] == ["Stopped by you"]
    foreign = cells.begin("print('begun', flush=True)\nawait asyncio.sleep(60)")
    foreign.wait_for(lambda cell: "begun" in cell.text)
    cells.interrupt()
    [error] = [output for output in foreign.result().outputs if output["output_type"] == "error"]
    assert len(error["traceback"]) > 1


def test_a_member_is_known_by_its_variable_and_by_its_name(cells: Kernel):
    cells.execute("g, p = greeter, planner")
    defined = cells.execute("%%swarm desk --start g\ng: greets -> p\np: plans -> greeter")
    assert defined.error is None
    shown = cells.execute("print(desk.start, desk.hands_off_to, desk.purposes)").text
    ways = {"greeter": ["planner"], "planner": ["greeter"]}
    assert shown == f"greeter {ways} {{'greeter': 'greets', 'planner': 'plans'}}\n"
