"""Stop, in every state that a run can be in, awaited and on the portal."""

from __future__ import annotations

import time

import pytest

from tests.kernels.harness import Execution, Kernel
from tests.wire.openai import OpenAIWire
from tests.wire.server import Call, refuse, reply

pytestmark = pytest.mark.every_kernel

SETUP = """
%load_ext nbagents
import asyncio, time
from nbagents import Agent
from nbagents.providers.openai import OpenAIModel

async def linger():
    "Wait for ever."
    try:
        await asyncio.Event().wait()
    finally:
        cleaned.append(True)

async def block():
    "Block the loop."
    print("blocking", flush=True)
    time.sleep(60)

cleaned = []
agent = Agent("agent", model=OpenAIModel("m", base_url={url!r}, api_key="k"), tools=[linger, block])
"""
AWAITED = "%ask agent hello"
PORTAL = "def ask():\n    %ask agent hello\nask()"

STATES = {
    "has not said a word": (reply("Hello", end="mute"), 0),
    "streams": (reply("Hello there", end="hang", after=3), "Hello"),
    "waits for a tool": (reply(Call("linger")), "linger"),
    "backs off": (refuse(429, "Slow down", retry_after=50), "Slow down"),
}


def seen(cell: Execution) -> str:
    """What the cell shows, whatever form a live frame has."""
    return "".join(
        output["data"].get("text/plain", "") for output in cell.outputs if "data" in output
    )


@pytest.mark.parametrize("cell", [AWAITED, PORTAL], ids=["awaited", "on the portal"])
@pytest.mark.parametrize("state", STATES)
def test_stop_ends_a_run_that(kernel: Kernel, state: str, cell: str):
    answer, shows = STATES[state]
    with OpenAIWire([answer, reply("I am back")]) as server:
        assert kernel.execute(SETUP.format(url=server.url)).error is None
        running, queued = kernel.run_all(cell, "print('ran on')")
        running.wait_for(lambda _: server.requests)
        if shows:
            running.wait_for(lambda now: shows in seen(now))
        pressed = time.monotonic()
        kernel.interrupt()
        running.result()
        took = time.monotonic() - pressed
        queued.result()

        assert running.error == "Stopped: "
        assert running.outputs[-1]["traceback"] == ["Stopped by you"]
        assert "■ stopped" in seen(running)
        assert took < 2
        assert queued.status == "aborted"
        if state in {"has not said a word", "streams"}:
            server.requests[0].left.result(timeout=2)
        if state == "streams":
            assert "Hello" in seen(running)
        assert kernel.execute("print(_.status, cleaned)").text == (
            f"cancelled {[True] if 'tool' in state else []}\n"
        )
        ours = "[t for t in asyncio.all_tasks() if 'nbagents' in str(t.get_coro())]"
        tasks = kernel.execute(f"await asyncio.sleep(0); print(len({ours}))")
        assert tasks.text == "0\n"
        again = kernel.execute("%ask agent hello")
        assert "I am back" in seen(again)


@pytest.mark.parametrize(
    "cell",
    [
        "await asyncio.sleep(0)\nagent('hello')",
        "async def ask():\n    %ask agent hello\nawait ask()",
        "async def ask():\n    return agent('hello')\nawait ask()",
        "await agent.run('hello')",
        "async with agent.stream('hello') as stream:\n    async for event in stream: pass",
        "await asyncio.gather(agent.run('hello'), asyncio.sleep(60))",
    ],
)
def test_stop_ends_a_run_that_was_called_in_a_cell_that_awaits(kernel: Kernel, cell: str):
    with OpenAIWire([reply("Hello", end="mute"), reply("I am back")]) as server:
        kernel.execute(SETUP.format(url=server.url))
        running, queued = kernel.run_all(cell, "print('ran on')")
        running.wait_for(lambda _: server.requests)
        kernel.interrupt()
        assert running.result(timeout=5).status == "error"
        assert queued.result().status == "aborted"
        server.requests[0].left.result(timeout=5)
        assert "I am back" in seen(kernel.execute("%ask agent hello"))


def test_a_tool_that_raises_an_interrupt_ends_the_run_and_not_the_kernel(kernel: Kernel):
    for cell in (AWAITED, PORTAL):
        with OpenAIWire([reply(Call("give_up")), reply("I am back")]) as server:
            kernel.execute(SETUP.format(url=server.url))
            kernel.execute(
                "async def give_up():\n    'Give up.'\n    raise KeyboardInterrupt\n"
                "agent = agent.replaced(tools=[give_up])"
            )
            assert kernel.execute(cell).status == "error"
            assert "I am back" in seen(kernel.execute("%ask agent hello"))


def test_a_tool_that_blocks_the_loop_is_left_at_the_second_stop(kernel: Kernel):
    with OpenAIWire([reply(Call("block")), reply("I am back")]) as server:
        kernel.execute(SETUP.format(url=server.url))
        running, queued = kernel.run_all(AWAITED, "print('ran on')")
        running.wait_for(lambda now: "blocking" in now.text)
        kernel.interrupt()
        with pytest.raises(TimeoutError):
            running.result(timeout=0.5)
        kernel.interrupt()
        assert running.result(timeout=5).error == "Stopped: "
        assert queued.result().status == "aborted"
        assert "I am back" in seen(kernel.execute("%ask agent hello"))


def test_a_tool_that_blocks_the_portal_is_left_at_the_second_stop(kernel: Kernel):
    with OpenAIWire([reply(Call("block")), reply("I am back")]) as server:
        kernel.execute(SETUP.format(url=server.url))
        running = kernel.begin(PORTAL)
        running.wait_for(lambda now: "blocking" in now.text)
        kernel.interrupt()
        with pytest.raises(TimeoutError):
            running.result(timeout=0.5)
        kernel.interrupt()
        assert running.result(timeout=5).error == "Stopped: "
        assert "I am back" in seen(kernel.execute(PORTAL))


def test_stop_leaves_the_kernels_own_stop_as_it_was(kernel: Kernel):
    with OpenAIWire([reply("Hello", end="mute")]) as server:
        kernel.execute(SETUP.format(url=server.url))
        running = kernel.begin(AWAITED)
        running.wait_for(lambda _: server.requests)
        kernel.interrupt()
        running.result()
    sleeping = kernel.begin("print('asleep', flush=True); time.sleep(60)")
    sleeping.wait_for(lambda now: "asleep" in now.text)
    kernel.interrupt()
    assert sleeping.result().error == "KeyboardInterrupt: "
