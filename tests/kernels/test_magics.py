"""The magics on real kernels: grammar, values, errors, completion, loading and unloading."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernels.harness import Execution, Kernel

pytestmark = pytest.mark.every_kernel

SETUP = """
%load_ext nbagents
import asyncio, json
from nbagents import Agent, Say, ScriptedModel, tool, Usage

def echo(request):
    return request.messages[-1].text

def double(n: int) -> int:
    "Double a number."
    return 2 * n

model = ScriptedModel(echo, repeat=True)
writer = Agent("writer", model=model)
"""


@pytest.fixture
def cells(kernel: Kernel) -> Kernel:
    done = kernel.execute(SETUP)
    assert done.error is None
    return kernel


def run_all(kernel: Kernel, gate: Path, *codes: str) -> list[Execution]:
    """Send all cells before the first of them begins: a kernel only drops what it has received."""
    wait = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)"
    first, *cells = kernel.run_all(wait, *codes)
    first.wait_for(lambda cell: cell.frames)
    gate.touch()
    return [cell.result() for cell in cells]


def asked(kernel: Kernel) -> str:
    """The last prompt that the model was sent."""
    return kernel.execute("print(model.requests[-1].messages[-1].text)").text[:-1]


@pytest.mark.parametrize(
    "prompt",
    [
        "what's up?",
        "why??",
        'a JSON {"a": {"b": 1}}',
        "$5 and {x} and %d",
        "a string with %ask writer in it",
        "--hidden after the start",
        "tabs\tand  spaces",
        "ends with a backslash n: \\n",
        'quotes """ and \'\'\' and "',
    ],
)
def test_a_prompt_arrives_as_it_was_typed(cells: Kernel, prompt: str):
    done = cells.execute(
        f"%ask writer {prompt}" if prompt[0] != "-" else f"%ask writer -- {prompt}"
    )
    assert done.error is None
    assert asked(cells) == prompt


def test_a_cells_body_is_the_prompt(cells: Kernel):
    body = 'First line\n  {"a": 1}\n%ask writer is text here?\n\nLast line?'
    assert cells.execute(f"%%ask writer\n{body}").error is None
    assert asked(cells) == body


def test_in_keeps_what_was_typed(cells: Kernel):
    cells.execute("%ask writer hello?")
    assert cells.execute("print(In[-2])").text == "%ask writer hello?\n"


def test_double_braces_are_expanded_once(cells: Kernel):
    cells.execute("secret = 'no'; trap = '{{ secret }}'; name = 'Ada'")
    cells.execute("%ask writer {{ name }} and {{ trap }} and {{ 1 + 1 }} and {single}")
    assert asked(cells) == "Ada and {{ secret }} and 2 and {single}"


def test_the_value_is_the_run(cells: Kernel):
    cells.execute("run = %ask writer hello")
    assert cells.execute("print(type(run).__name__, run.output, run.status)").text == (
        "Run hello finished\n"
    )


def test_a_run_is_shown_once_and_again_when_it_is_asked_for(cells: Kernel):
    first = cells.execute("%ask writer hello")
    assert [output["output_type"] for output in first.outputs] == ["display_data"]
    again = cells.execute("_")
    assert first.outputs[0]["data"]["text/html"] == again.outputs[0]["data"]["text/html"]


def test_a_function_expands_its_own_variables(cells: Kernel):
    cells.execute("city = 'global'")
    cells.execute("def f(city):\n    %ask writer {{ city }} {{ len(json.dumps(1)) }}\nlen = len")
    cells.execute("f('local')")
    assert asked(cells) == "local 1"


def test_a_question_may_be_assigned_to_anything(cells: Kernel):
    cells.execute("d = {}")
    assert cells.execute("d['x'] = %ask writer is it ok?").error is None
    assert asked(cells) == "is it ok?"
    assert cells.execute("print(d['x'].output)").text == "is it ok?\n"


def test_options_change_only_what_they_name(cells: Kernel):
    cells.execute(
        "from nbagents import Limits\n"
        "busy = ScriptedModel(Say(calls=[('double', {'n': 1})], usage=Usage(10, 10)), repeat=True)\n"
        "spender = Agent('spender', model=busy, tools=[double], limits=Limits(tokens=50))"
    )
    cells.execute("run = %ask spender --turns 9 go")
    assert cells.execute("print(run.reason)").text == "tokens=50\n"
    assert "must be more than 0" in cells.execute("%ask spender --turns 0 go").text


def test_a_semicolon_asks_in_silence(cells: Kernel):
    assert cells.execute("%ask writer hush;").outputs == []
    assert asked(cells) == "hush"
    assert cells.execute("print(_.output)").text == "hush\n"


@pytest.mark.parametrize(
    "code",
    [
        "%%time\n%ask writer nested",
        "%%capture out\n%ask writer nested",
        "for i in range(2):\n    %ask writer nested",
        "def f():\n    return get_ipython().run_line_magic('ask', 'writer nested')\nf()",
        "if True:\n    x = %ask writer nested",
        "get_ipython().run_cell_magic('ask', 'writer', 'nested')",
    ],
)
def test_it_can_be_asked_from_anywhere(cells: Kernel, code: str):
    assert cells.execute(code).error is None
    assert asked(cells) == "nested"


def test_awaited_and_portal_runs_share_what_cells_have_made(cells: Kernel):
    cells.execute(
        "loops = []\n"
        "async def where() -> str:\n"
        "    'Where.'\n"
        "    loops.append(asyncio.get_running_loop())\n"
        "    return 'here'\n"
        "caller = Agent('caller', tools=[where],\n"
        "    model=ScriptedModel(Say(calls=[('where', {})]), 'done', repeat=True))\n"
        "mine = asyncio.get_running_loop()"
    )
    cells.execute("%ask caller go")
    cells.execute("%%time\n%ask caller go")
    assert cells.execute("print([loop is mine for loop in loops])").text == "[True, False]\n"


def test_a_sync_call_works_in_a_cell(cells: Kernel):
    assert cells.execute("print(writer('hello').output)").outputs[0]["text"] == "hello\n"


def test_agent_defines_the_variable_and_shows_a_card(cells: Kernel):
    made = cells.execute(
        "%%agent poet -m model -t double --uses writer --turns 3\n# Rhymes\nBe brief."
    )
    assert "double, writer" in made.text
    told = cells.execute("print(poet.instructions, poet.limits.turns, list(poet.tool_table))")
    assert told.text == "# Rhymes\nBe brief. 3 ['double', 'writer']\n"
    assert cells.execute("%%agent poet -m model\nAnew.").error is None


def test_typed_answers(cells: Kernel):
    cells.execute("typed = ScriptedModel(Say(calls=[('final_answer', {'value': [1, 2]})]))")
    assert cells.execute("run = %ask writer -m typed --out list[int] -- count").error is None
    assert cells.execute("print(run.output)").text == "[1, 2]\n"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("%ask writr hello", "There is no agent 'writr'. Did you mean 'writer'?"),
        (
            "%%agent fresh -m opnai:gpt\nhi",
            "There is no model provider 'opnai'. Did you mean 'openai'?",
        ),
        ("%%agent fresh -t dobble\nhi", "There is no tool 'dobble'. Did you mean 'double'?"),
        ("%%agent fresh --uses writr\nhi", "Did you mean 'writer'?"),
        ("%%agent fresh --out Lisst\nhi", "There is no type 'Lisst'."),
        ("%%agent json -m model\nhi", "'json' is a module already."),
        ("%%agent print -m model\nhi", "'print' is a function already."),
        ("%ask writer {{ modle }}", "There is no variable 'modle'. Did you mean 'model'?"),
        ("%ask writer {{ 1 / 0 }}", "ZeroDivisionError"),
        ("%ask writer {{ model.__class__.__mro__ }}", "may not"),
        ("%nbagents doktor", "Did you mean 'doctor'?"),
        ("%runs nothing", "There is no run 'nothing'."),
    ],
)
def test_a_mistake_is_one_line_that_helps_and_stops_run_all(
    cells: Kernel, tmp_path: Path, code: str, says: str
):
    wrong, queued = run_all(cells, tmp_path / "go", code, "print('ran on')")
    assert wrong.error is not None
    assert says in wrong.error
    assert len(wrong.outputs) == 1
    assert len(wrong.outputs[0]["traceback"]) == 1
    assert queued.status == "aborted"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("%ask writer --modl x hello", "There is no option '--modl'. Did you mean '--model'?"),
        ("%ask writer", "What do you want to ask?"),
        ("%ask writer -m", "The option -m needs a value."),
        ("%%agent two words\nhi", "takes one name"),
        ("%agents please", "takes no arguments"),
    ],
)
def test_a_wrong_use_is_a_usage_error_that_stops_run_all(
    cells: Kernel, tmp_path: Path, code: str, says: str
):
    wrong, queued = run_all(cells, tmp_path / "go", code, "print('ran on')")
    assert says in wrong.text
    assert wrong.status == "error"
    assert queued.status == "aborted"


def test_a_missing_key_names_the_variable(cells: Kernel):
    cells.execute("%%agent keyless -m openai:gpt-5\nhi")
    assert "OPENAI_API_KEY is not set" in cells.execute("%ask keyless hello").error


def test_the_card_says_which_model_and_why(cells: Kernel):
    assert "no vendor's key is set" in cells.execute("%%agent free\nhi").text
    cells.execute("%nbagents config model=anthropic:claude-x")
    assert "anthropic:claude-x (NBAGENTS_MODEL is set)" in cells.execute("%%agent free\nhi").text
    cells.execute("import os; del os.environ['NBAGENTS_MODEL']")


def test_lists_and_help(cells: Kernel):
    assert "writer" in cells.execute("%agents").text
    cells.execute("%ask writer remember me")
    listed = cells.execute("%runs").text
    assert "remember me" in listed
    run_id = listed.splitlines()[1].split()[0]
    cells.execute(f"x = %runs {run_id}")
    assert cells.execute("print(x.output)").text == "remember me\n"
    assert "%%agent NAME" in cells.execute("%nbagents").text
    assert "openai" in cells.execute("%nbagents doctor").text
    assert "--temperature" in cells.inspect("%%agent")


def test_completion(cells: Kernel):
    assert cells.complete("%ask wr") == ["writer"]
    assert cells.complete("%ask writer --mo") == ["--model"]
    assert "openai:gpt-5.4-mini" in cells.complete("%%agent fresh -m open")
    assert cells.complete("%%agent fresh -t dou") == ["double"]
    assert cells.complete("%%agent fresh --uses wri") == ["writer"]
    assert cells.complete("%nbagents doc") == ["doctor"]
    assert "writer" in cells.complete("wri")


def test_unload_undoes_everything_and_load_brings_it_back(cells: Kernel):
    state = (
        "ip = get_ipython(); print(len(ip.Completer.custom_matchers), "
        "len(ip.input_transformer_manager.cleanup_transforms), "
        "'transform_cell' in vars(ip.input_transformer_manager), "
        "len(ip.events.callbacks['pre_run_cell']))"
    )
    cells.execute("%unload_ext nbagents")
    bare = cells.execute(state).text
    assert "not found" in cells.execute("%ask writer hello").text
    cells.execute("%load_ext nbagents")
    assert cells.execute("%ask writer hello").error is None
    cells.execute("%unload_ext nbagents")
    assert cells.execute(state).text == bare
    cells.execute("%load_ext nbagents")


def test_load_prints_nothing(cells: Kernel):
    cells.execute("%unload_ext nbagents")
    assert cells.execute("%load_ext nbagents").outputs == []
