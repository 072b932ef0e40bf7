"""Replay on a real kernel: a notebook is its own cassette."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import v4

from nbagents.errors import UserError
from nbagents.notebook.replaying import replay
from nbagents.notebook.wire import RUN_MIME
from tests.kernels.harness import NEWEST, Kernel
from tests.offline import child_environment

pytestmark = pytest.mark.kernel

SETUP = """
%load_ext nbagents
import asyncio
import os
from pathlib import Path
from nbagents import Agent, Say, ScriptedModel, Swarm, tool, handoff_to_user

def scripted(*steps):
    "A model that may be asked only where ASK is set, as a vendor's needs a key."
    class Model(ScriptedModel):
        def stream(self, request):
            assert "ASK" in os.environ, "A model was asked"
            return super().stream(request)
    return Model(*steps, repeat=True)

@tool
def weather(city: str) -> str:
    "Look out of the window."
    with open("ran.txt", "a") as file:
        file.write(city)
    return f"Sun in {city}"

# What is said depends on the conversation alone.
def step(request):
    last = request.messages[-1]
    return "It is sunny." if last.parts[0].type == "tool_result" else Say(calls=[("weather", {"city": "Rome"})])
model = scripted(step)
"""
CELLS = [
    SETUP,
    "guide = Agent('guide', 'You know the weather.', model=model, tools=[weather])",
    "run = %ask guide How is it in Rome?",
    "print(run.output, len(run.events), run, object())",
    "plan = Agent('plan', 'You plan.', model=scripted('We go to Rome.'))\nout = await plan.run('Where to?')\nout",
    "%session work\n%ask plan And then?",
    "1 + 1",
    "three = await asyncio.gather(*[plan.run(f'Stop {n}?') for n in range(3)])\nprint(len(three))",
]


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """A notebook that was run with its model, and saved."""
    path = tmp_path_factory.mktemp("saved") / "trip.ipynb"
    run_and_save(path, CELLS)
    return path


@pytest.fixture
def notebook(saved: Path, tmp_path: Path) -> Path:
    """It alone in a folder."""
    return Path(shutil.copy(saved, tmp_path))


def run_and_save(path: Path, sources: list[str]) -> None:
    cells = [v4.new_code_cell(source) for source in sources]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    client = NotebookClient(made, resources={"metadata": {"path": str(path.parent)}})
    nbformat.write(client.execute(env={**child_environment(), "ASK": "1"}), path)


def change(path: Path, before: str, after: str) -> None:
    made = nbformat.read(path, as_version=4)
    for cell in made.cells:
        cell.source = cell.source.replace(before, after)
    nbformat.write(made, path)


def terminal(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nbagents", *map(str, words)]
    return subprocess.run(
        command, env=child_environment(), capture_output=True, text=True, timeout=120, check=False
    )


def test_a_notebook_is_told_again_without_model_and_tools(notebook: Path):
    made = nbformat.read(notebook, as_version=4)
    made.cells.append(v4.new_code_cell("again = plan('Where to?')"))  # Its run was not saved.
    nbformat.write(made, notebook)
    replayed = replay(notebook)
    assert replayed.differences == ()
    assert replayed.notebook.cells[-1].outputs == []
    assert not (notebook.parent / "ran.txt").exists()
    documents = [
        output.data[RUN_MIME]
        for cell in replayed.notebook.cells
        for output in cell.outputs
        if RUN_MIME in output.get("data", {})
    ]
    assert len(documents) == 4
    assert all(document["replayed"] for document in documents)
    shown = json.dumps(replayed.notebook)
    assert "replayed, no cost" in shown
    assert "It is sunny." in shown


WAITING = """
from nbagents import OutputError, RunContext

@tool
async def pick(ctx: RunContext) -> str:
    "Pick a seat."
    return "seat " + await ctx.ask("Which seat?")

def seat(request):
    part = request.messages[-1].parts[0]
    return f"You have {part.text}" if part.type == "tool_result" else Say(calls=[("pick", {})])

host = Agent("host", model=scripted(seat), tools=[pick])
counter = Agent("counter", model=scripted("nonsense"), output_type=int)
mute = Agent("mute", model=scripted(ValueError("no line")))
"""
CAUGHT = """
for agent in (counter, mute):
    try:
        agent("go")
    except (OutputError, ValueError) as error:
        print("caught", error)
"""


def test_what_waits_fails_and_takes_its_time_is_told_again(tmp_path: Path):
    path = tmp_path / "wide.ipynb"
    cells = [
        SETUP + WAITING,
        "run = %ask host in the next cell",
        "run = await run.resume(answers={'q1': '12A'})\nrun",
        "run = host('in one cell'); print(run.status)\nprint((await run.resume(['3C'])).text)",
        "%ask host and left alone",
        CAUGHT,
        "%%time\nrun = host('on time', answers={'*': '9'})",
        "task = asyncio.create_task(host.run('behind', answers={'*': '10'}))",
        "(await task).text",
    ]
    run_and_save(path, cells)
    shown = [str(cell.outputs) for cell in nbformat.read(path, as_version=4).cells]
    assert "You have seat 12A" in shown[2]
    assert "waiting\\nYou have seat 3C" in shown[3]
    assert "caught no line" in shown[5]
    assert "You have seat 10" in shown[8]
    assert replay(path).differences == ()


STOPPABLE = """
%load_ext nbagents
import os
from pathlib import Path
from nbagents import Agent, ScriptedModel, TextDelta
from nbagents.models.base import Capabilities

class Halting:
    "Says half a sentence, and then nothing; it may be asked only where it was recorded."
    name = "halting:1"
    capabilities = Capabilities()
    async def stream(self, request):
        import asyncio
        yield TextDelta("Well, I think")
        Path(os.environ["ASK"]).touch()
        await asyncio.Event().wait()

slow = Agent("slow", model=Halting())
"""


@pytest.mark.parametrize(
    "code",
    ["%ask slow go", "for _ in [1]:\n    %ask slow go", "run = slow('go')", "await slow.run('go')"],
)
def test_a_run_that_was_stopped_is_told_again(kernel: Kernel, tmp_path: Path, code: str):
    marker = tmp_path / "asked"
    kernel.execute(f"import os; os.environ['ASK'] = {str(marker)!r}")
    assert kernel.execute(STOPPABLE).error is None
    cell = kernel.begin(code, allow_stdin=True)
    cell.wait_for(lambda _: marker.exists())
    kernel.interrupt()
    stopped = cell.result()
    assert stopped.error is not None
    saved = [v4.new_code_cell(STOPPABLE), v4.new_code_cell(code), v4.new_code_cell("6 * 7")]
    saved[1].outputs = [v4.new_output(**output) for output in stopped.outputs]
    saved[2].outputs = [v4.new_output(**output) for output in kernel.execute("6 * 7").outputs]
    path = tmp_path / "stopped.ipynb"
    nbformat.write(v4.new_notebook(cells=saved), path)
    replayed = replay(path)
    assert replayed.differences == ()
    assert "Well, I think" in json.dumps(replayed.notebook.cells[1].outputs)
    assert replayed.notebook.cells[2].outputs[0].data["text/plain"] == "42"


def test_a_changed_prompt_is_a_miss_that_names_the_cell(notebook: Path):
    change(notebook, "How is it in Rome?", "How is it in Paris?")
    first, *_ = replay(notebook).differences
    assert first.startswith("cell 3 (run = %ask guide How is it in Paris?): ")
    assert "No recorded answer for guide: its input has changed since cell 3" in first


def test_changed_instructions_are_a_miss(notebook: Path):
    change(notebook, "You plan.", "You plan well.")
    differences = replay(notebook).differences
    assert [difference.split(" ")[1] for difference in differences] == ["5", "6", "8"]
    assert "its instructions have changed" in differences[0]


def test_changed_code_is_a_difference(notebook: Path):
    change(notebook, "1 + 1", "1 + 2")
    assert replay(notebook).differences == ("cell 7 (1 + 2): expected '2', got '3'",)


def test_a_tool_that_has_changed_shows_when_tools_run(notebook: Path):
    change(notebook, "Sun in", "Rain in")
    assert replay(notebook).differences == ()
    differences = replay(notebook, run_tools=True).differences
    assert "cell 3" in differences[0]
    assert "its input has changed" in differences[0]


def test_a_terminal_checks_and_writes(notebook: Path):
    checked = terminal("replay", "--check", notebook)
    assert (checked.returncode, checked.stdout) == (0, "All outputs match.\n")
    assert not notebook.with_suffix(".replayed.ipynb").exists()
    assert terminal("replay", notebook).returncode == 0
    assert replay(notebook.with_suffix(".replayed.ipynb")).differences == ()
    before = notebook.read_bytes()
    assert "itself is its cassette" in terminal("replay", notebook, "--to", notebook).stderr
    assert notebook.read_bytes() == before
    change(notebook, "1 + 1", "1 + 2")
    failed = terminal("replay", "--check", notebook)
    assert failed.returncode == 1
    assert "cell 7" in failed.stderr


def test_what_holds_no_run_cannot_be_replayed(tmp_path: Path):
    path = tmp_path / "empty.ipynb"
    run_and_save(path, ["1 + 1"])
    with pytest.raises(UserError, match="holds no run"):
        replay(path)
    with pytest.raises(UserError, match="There is no file"):
        replay(tmp_path / "none.ipynb")


def test_a_document_that_cannot_be_read_names_its_cell(notebook: Path):
    made = nbformat.read(notebook, as_version=4)
    made.cells[2].outputs[0].data[RUN_MIME]["events"][1]["type"] = "exploded"
    nbformat.write(made, notebook)
    with pytest.raises(UserError, match=r"cell 3 \(run = %ask guide"):
        replay(notebook)


def test_a_kernel_replays_the_notebook_that_is_open(notebook: Path):
    again = notebook.with_name("again.ipynb")
    extra = [
        SETUP,
        f"%nbagents replay {notebook}",
        *CELLS[1:],
        "%nbagents replay off",
        "%ask plan Alone?",
    ]
    cells = [v4.new_code_cell(source) for source in extra]
    made = v4.new_notebook(cells=cells)
    client = NotebookClient(
        made, allow_errors=True, resources={"metadata": {"path": str(again.parent)}}
    )
    done = client.execute(env=child_environment())
    assert "replaying 6 recorded runs from trip.ipynb" in json.dumps(done.cells[1].outputs)
    assert "replayed, no cost" in json.dumps(done.cells[3].outputs)
    assert "A model was asked" in json.dumps(done.cells[-1].outputs)


def test_a_replayed_notebook_cannot_end_its_own_replay(tmp_path: Path):
    path = tmp_path / "off.ipynb"
    cells = [
        CELLS[0],
        "%nbagents replay off",
        "plan = Agent('plan', model=scripted('Rome.'))",
        "%ask plan Where?",
    ]
    run_and_save(path, cells)
    assert replay(path).differences == ()


OTHER = """
import subprocess, sys
OTHER_CODE = '''
from nbagents import Agent, FileStore, ScriptedModel, Session
Agent("other", model=ScriptedModel("Hello from outside."))("go", session="both")
own = Session("own", store=FileStore("own"))
Agent("other", model=ScriptedModel("Hello from outside."))("go", session=own)
'''
subprocess.run([sys.executable, "-c", OTHER_CODE], check=True)
from nbagents import FileStore, Session
len((await Session("both").load()).events), len((await Session("own", store=FileStore("own")).load()).events)
"""


def test_another_process_works_in_the_sessions_of_the_replay_and_in_no_real_one(tmp_path: Path):
    path = tmp_path / "two.ipynb"
    run_and_save(path, [*CELLS[:3], OTHER])
    real = sorted(tmp_path.rglob("log.jsonl"))
    before = [log.read_bytes() for log in real]
    assert len(real) == 2
    assert replay(path).differences == ()
    assert [log.read_bytes() for log in real] == before


def test_a_miss_that_was_saved_is_a_miss_again_whatever_its_words(notebook: Path):
    made = nbformat.read(notebook, as_version=4)
    cells = [cell.source for cell in made.cells]
    cells += [f"%nbagents replay {notebook}", "%ask guide How is it in Oslo?", "2 + 2"]
    path = notebook.with_name("miss.ipynb")
    saved = [v4.new_code_cell(source) for source in cells]
    saved[-2].metadata.tags = ["raises-exception"]
    client = NotebookClient(
        v4.new_notebook(cells=saved), resources={"metadata": {"path": str(path.parent)}}
    )
    done = client.execute(env={**child_environment(), "ASK": "1"})
    assert done.cells[-2].outputs[-1].ename == "ReplayMiss"
    done.cells[-2].outputs[-1].evalue = "What an older version said."
    nbformat.write(done, path)
    assert replay(path).differences == ()


@pytest.fixture
def newest(tmp_path: Path):
    """A newest kernel, where all extras are installed."""
    kernel = Kernel(NEWEST, tmp_path)
    yield kernel
    kernel.stop()


def test_the_sessions_of_a_replay_end_with_it(newest: Kernel, notebook: Path):
    show = "from nbagents.sessions.address import default_store; default_store().where('a')"
    assert newest.execute("%load_ext nbagents").error is None
    before = newest.execute(show).text
    assert newest.execute(f"%nbagents replay {notebook}").error is None
    during = newest.execute(show).text
    assert Path(during.strip("'")).parents[1].is_dir()
    assert newest.execute(f"%nbagents replay {notebook}").error is None
    again = newest.execute(show).text
    assert newest.execute("%nbagents replay off").error is None
    assert newest.execute(show).text == before
    assert len({before, during, again}) == 3
    assert not any(Path(place.strip("'")).parents[1].exists() for place in (during, again))


@pytest.mark.parametrize("dies", [False, True])
def test_what_a_kernel_writes_to_stderr_is_shown_only_if_it_dies(notebook: Path, capfd, dies: bool):
    changed = nbformat.read(notebook, as_version=4)
    noise = "import os, sys\nos.write(sys.__stderr__.fileno(), b'low on memory')\n"
    changed.cells[-2].source = noise + "os._exit(1)\n" * dies + "1 + 1"
    nbformat.write(changed, notebook)
    if dies:
        with pytest.raises(UserError, match=r"^The kernel died in cell 7 \(.*\), so the rest"):
            replay(notebook)
    else:
        assert replay(notebook).differences == ()
    assert ("low on memory" in capfd.readouterr().err) == dies
