"""Mistakes in cells: what works all the same, and what the message says, on real kernels."""

from __future__ import annotations

import pytest

from tests.kernels.harness import Kernel

SETUP = """
%load_ext nbagents
import asyncio

from nbagents import Agent, Say, ScriptedModel, UserError

class Table:
    pass

def count_reviews(topic: str) -> int:
    "Count reviews."
    return 1

async def forever(topic: str) -> str:
    "Never ends."
    print("begun")
    await asyncio.Event().wait()

def refuse(request):
    raise UserError("not today")

model = ScriptedModel("ok", repeat=True)
writer = Agent("writer", model=model)
critic = Agent("critic", model=model)
odd = Agent("clerk", model=model)
slow = Agent("slow", tools=[forever], model=ScriptedModel(
    Say(text="half", calls=[("forever", {"topic": "x"})]), repeat=True))
refusing = Agent("refusing", model=ScriptedModel(refuse, repeat=True))
reviews = Table()
"""


@pytest.fixture
def cells(kernel: Kernel) -> Kernel:
    assert kernel.execute(SETUP).error is None
    return kernel


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (
            "%%agent w --out reviews\nhi",
            "--out reviews: An output type must be a type, not a value",
        ),
        ("%%agent w --out Table\nhi", "The output type Table has no JSON Schema"),
        ("%%agent w --out list[\nhi", "--out list[ is not a type: '[' was never closed."),
        ("%%agent w --uses count_reviews\nhi", "is a function, not an agent."),
        ("%%agent w --uses count_reviews\nhi", "--tools count_reviews"),
        ("%%agent w --uses reviews\nhi", "'reviews' is a Table, not an agent."),
        ("%%agent w --tools reviews\nhi", "'reviews' is a Table, not a tool."),
        ("%%agent w --tools Table\nhi", "'Table' is a class, not a tool."),
        (
            "%%agent w --model {model}\nhi",
            "Write the variable of the model as it is: --model model",
        ),
        ("%%agent w --model modle\nhi", "There is no model 'modle'. Did you mean 'model'?"),
        ("%%agent w --model reviews\nhi", "'reviews' is a Table, not a model."),
        ("%%agent human\nhi", "'human' stands for you"),
        ("%%swarm human\nwriter", "'human' stands for you"),
        ("%%agent größe\nhi", "For example: 'grosse'."),
        ("%ask count_reviews hi", "'count_reviews' is a function, not an agent."),
        ("%ask writer {{ secrets.TOKEN }}", 'To write the characters {{ themselves: {{ "{{" }}'),
        (
            "%%swarm s\nwriter: x => critic\ncritic: y",
            "Line 2: write -> for =>: `writer: x -> critic`",
        ),
        ("%%swarm s\nwriter => human", "Line 2: write -> for =>"),
        ("%%swarm s\nwriter: x → critc\ncritic: y", "Line 2: write -> for →"),
        ("%%graph g\nwriter => critic", "Line 2 is not valid DOT: write -> for =>."),
        ("%%graph g\nwriter -> reviews", "'reviews' is a Table, not an agent or a function."),
        ("%%graph g\nx [py=writer]", "'writer' is an Agent, not a function. Write agent=writer"),
        ("%%graph g\nx [agent=count_reviews]", "is a function, not an agent."),
    ],
)
def test_a_mistake_names_its_cause_and_its_fix(cells: Kernel, code: str, says: str):
    wrong = cells.execute(code)
    assert says in (wrong.error or "")
    assert len(wrong.outputs) == 1


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("%%agent\nhi", "%%agent needs a name: %%agent NAME ..."),
        ("%%ask", "%ask needs a name: %ask NAME ..."),
        ("%%swarm\nwriter", "%%swarm needs a name"),
        ("%%agent w --turns many\nhi", "--turns must be a whole number, not 'many'."),
        (
            "%%graph g --max-steps x\nwriter -> critic",
            "--max-steps must be a whole number, not 'x'.",
        ),
        ("%%agent w --tools a b\nhi", "separate names with commas: --tools a,b"),
        ("%agents x", "%agents takes no arguments. Remove 'x'."),
    ],
)
def test_a_wrong_line_is_explained_without_the_words_of_the_parser(
    cells: Kernel, code: str, says: str
):
    wrong = cells.execute(code)
    assert wrong.status == "error"
    assert says in wrong.text


def test_what_people_write_works(cells: Kernel):
    made = cells.execute(
        "%%agent w -m model --tools count_reviews, forever --approve count_*, forever\nx"
    )
    assert "count_reviews, forever" in made.text
    assert cells.execute("%%swarm s\nwriter: turns a => b\ncritic: y").error is None
    assert cells.execute("run = %ask clerk hello").error is None
    told = cells.execute("print(run.name, (await writer('hello')).output)").text
    assert told.startswith("clerk ok\n")
    assert "odd (named clerk)" in cells.execute("%agents").text
    for place in ("{rid}", "$rid", "{{ rid }}"):
        cells.execute(f"rid = run.run_id\nfound = %runs {place}")
        assert cells.execute("print(found is run)").text == "True\n"


def test_two_agents_of_one_name_are_told_apart_by_their_variables(cells: Kernel):
    cells.execute("other = Agent('clerk', model=model)")
    wrong = cells.execute("%ask clerk hello")
    assert "Several agents are named 'clerk'. Use a variable: odd, other." in (wrong.error or "")
    cells.execute("del other")


def test_a_run_that_was_stopped_or_failed_is_what_its_variable_holds(cells: Kernel):
    cells.execute("run = %ask writer the run before")
    cell = cells.begin("run = %ask slow hello")
    cell.wait_for(lambda cell: "begun" in cell.text)
    cells.interrupt()
    cell.result()
    told = cells.execute("print(run.name, run.status, run.text, run is _)")
    assert told.text == "slow cancelled half True\n"
    assert "not today" in (cells.execute("run = %ask refusing hello").error or "")
    assert cells.execute("print(run.name, run.status)").text == "refusing failed\n"
