"""Live output on real kernels: where it lands, how much of it is sent, what is saved."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest

from nbagents.notebook.wire import RUN_MIME
from tests.kernels.harness import Kernel
from tests.wire.openai import OpenAIWire
from tests.wire.server import Reply, Text

pytestmark = pytest.mark.every_kernel

SETUP = """
%load_ext nbagents
import asyncio
from nbagents import Agent, ModelError, Say, ScriptedModel, TextDelta, Usage
from nbagents.models.base import Capabilities, ModelDone

class Typist:
    "Says many words, at a steady pace."
    name = "typist:1"
    capabilities = Capabilities()
    def __init__(self, words, every): self.words, self.every = words, every
    async def stream(self, request):
        for i in range(self.words):
            yield TextDelta(f"word{i % 10} " if i % 40 else "\\n\\nword0 ")
            if i % self.every == 0:
                await asyncio.sleep(0.01)
        yield ModelDone("end", Usage())
"""


@pytest.fixture
def cells(kernel: Kernel) -> Kernel:
    done = kernel.execute(SETUP)
    assert done.error is None
    return kernel


def updates(cell) -> list:
    return [frame for frame in cell.frames if frame.type == "update_display_data"]


@pytest.mark.parametrize(("words", "most"), [(2_000, 400_000), (8_000, 1_600_000)])
@pytest.mark.parametrize("watched", [True, False], ids=["watched", "headless"])
def test_what_is_sent_grows_with_the_text(cells: Kernel, words: int, most: int, watched: bool):
    cells.execute(f"a = Agent('a', model=Typist({words}, {words // 400}))")
    cell = cells.execute("%ask a go", allow_stdin=watched, timeout=60)
    assert cell.size <= most
    drawn = [frame.content["data"] for frame in updates(cell)]
    assert len(drawn) > 10
    assert all(one != after for one, after in pairwise(drawn))
    for form in ("text/plain", "text/html"):
        assert len(re.findall(r"word\d", cell.outputs[0]["data"][form])) == words
    assert "finished" in cell.outputs[0]["data"]["text/html"]


@pytest.mark.parametrize(
    "piece",
    ["- item {i}\\n", "    <b>{i}</b>\\n", "日本 {i} ", "**a** `b` {i}\\n\\n"],
    ids=["list", "code", "wide", "marked"],
)
def test_what_is_sent_stays_small_for_text_of_any_kind(cells: Kernel, piece: str):
    cells.execute(
        "class Other(Typist):\n"
        "    async def stream(self, request):\n"
        "        for i in range(2_000):\n"
        f"            yield TextDelta(f'{piece}')\n"
        "            if i % 5 == 0:\n"
        "                await asyncio.sleep(0.01)\n"
        "        yield ModelDone('end', Usage())\n"
        "a = Agent('a', model=Other(1, 1))"
    )
    cell = cells.execute("%ask a go", allow_stdin=True, timeout=60)
    assert cell.error is None
    final = sum(len(json.dumps(form)) for form in cell.outputs[0]["data"].values())
    assert cell.size - final <= 30 * len(cell.outputs[0]["data"]["text/plain"]) + 40_000


def test_a_picture_is_sent_once_to_be_seen_and_once_to_be_kept(cells: Kernel):
    cells.execute(
        "from nbagents import FilePart\n"
        "def picture() -> FilePart:\n"
        "    'Draw.'\n"
        "    return FilePart('image/png', b'x' * 300_000)\n"
        "class Then(Typist):\n"
        "    async def stream(self, request):\n"
        "        if len(request.messages) == 1:\n"
        "            async for chunk in ScriptedModel(Say(calls=[('picture', {})])).stream(request):\n"
        "                yield chunk\n"
        "        else:\n"
        "            async for chunk in super().stream(request):\n"
        "                yield chunk\n"
        "a = Agent('a', model=Then(400, 4), tools=[picture])"
    )
    cell = cells.execute("%ask a go", allow_stdin=True, timeout=60)
    assert 800_000 < cell.size < 900_000


def test_a_burst_ends_with_its_last_word(cells: Kernel):
    cells.execute("a = Agent('a', model=Typist(9_000, 100_000))")
    cell = cells.execute("%ask a go", allow_stdin=True, timeout=60)
    assert cell.outputs[0]["data"]["text/plain"].count("word") == 9_000
    assert len(cell.frames) < 60


def test_text_shows_while_the_model_still_speaks(cells: Kernel):
    slow = Reply((Text("one two three four"),), end="hang", after=3)
    with OpenAIWire([slow]) as server:
        cells.execute(
            "from nbagents.providers.openai import OpenAIModel\n"
            f"a = Agent('a', model=OpenAIModel('m', base_url={server.url!r}, api_key='k'))"
        )
        cell = cells.begin("%ask a go", allow_stdin=True)
        cell.wait_for(lambda now: "one" in "".join(map(str, now.outputs)))
        assert cell.status == "running"
        cells.interrupt()
        cell.result()


def test_the_saved_output_holds_every_form(cells: Kernel):
    cells.execute("a = Agent('a', model=ScriptedModel('Hello', repeat=True))")
    cell = cells.execute("%ask a go")
    saved = cell.outputs[0]["data"]
    assert sorted(saved) == [RUN_MIME, "text/html", "text/markdown", "text/plain"]
    assert all("Hello" in str(form) for form in saved.values())
    assert [event["type"] for event in saved[RUN_MIME]["events"]] == [
        "run_started",
        "message_finished",
        "run_finished",
    ]


def test_no_key_reaches_the_document(cells: Kernel):
    key = "sk-" + "a1b2c3d4" * 4
    cells.execute(f"a = Agent('a', model=ScriptedModel('It is {key}', repeat=True))")
    saved = cells.execute("%ask a go").outputs[0]["data"]
    assert "[redacted]" in str(saved[RUN_MIME])
    assert key not in str(saved[RUN_MIME])


def test_a_failure_shows_its_cause_and_keeps_what_was_said(cells: Kernel):
    cells.execute(
        "class Breaks(Typist):\n"
        "    async def stream(self, request):\n"
        "        yield TextDelta('Almost')\n"
        "        raise ModelError('No more credit', provider='vendor', status=402)\n"
        "a = Agent('a', model=Breaks(1, 1))"
    )
    cell = cells.execute("%ask a go")
    assert "Almost" in cell.outputs[0]["data"]["text/plain"]
    assert "vendor (HTTP 402): No more credit" in cell.outputs[0]["data"]["text/html"]
    assert cell.error == "ModelError: vendor (HTTP 402): No more credit"


def test_two_runs_at_once_land_in_their_own_outputs(cells: Kernel):
    cells.execute(
        "a = Agent('a', model=ScriptedModel('first', repeat=True))\n"
        "b = Agent('b', model=ScriptedModel('second', repeat=True))\n"
        "ask = get_ipython().magics_manager.registry['AgentMagics'].awaited"
    )
    cell = cells.execute("runs = await asyncio.gather(ask('a go', None), ask('b go', None))")
    assert [output["data"]["text/plain"].splitlines()[0] for output in cell.outputs] == [
        "first",
        "second",
    ]


def test_a_run_in_the_background_lands_in_the_cell_that_began_it(cells: Kernel):
    cells.execute(
        "go = asyncio.Event()\n"
        "a = Agent('a', model=ScriptedModel(Say(text='late', wait=go)))\n"
        "ask = get_ipython().magics_manager.registry['AgentMagics'].awaited"
    )
    began = cells.execute("task = asyncio.create_task(ask('a go', None)); await asyncio.sleep(0)")
    later = cells.execute("go.set(); run = await task; print('mine')")
    began.wait_for(lambda cell: "late" in cell.text)
    assert later.text == "mine\n"


def test_what_tools_print_lands_in_the_cell(cells: Kernel):
    cells.execute(
        "def say(word: str) -> str:\n"
        "    'Say it.'\n"
        "    print('said', word)\n"
        "    return word\n"
        "a = Agent('a', tools=[say],\n"
        "    model=ScriptedModel(Say(calls=[('say', {'word': 'x'})]), 'done', repeat=True))"
    )
    for code in ("%ask a go", "%%time\n%ask a go"):
        assert "said x" in cells.execute(code).text


def test_an_agent_in_a_tool_has_its_own_place(cells: Kernel):
    cells.execute(
        "inner = Agent('inner', model=ScriptedModel('from inside', repeat=True))\n"
        "outer = Agent('outer', tools=[inner], model=ScriptedModel(\n"
        "    Say(calls=[('inner', {'message': 'one'}), ('inner', {'message': 'two'})]), 'done'))"
    )
    cell = cells.execute("%ask outer go")
    picture, run = cell.outputs
    assert "inner" in picture["data"]["text/plain"]
    assert run["data"]["text/html"].count("from inside") == 2
