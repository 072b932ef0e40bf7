"""Running tools: where they run, how they report, how long they may take."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from nbagents import (
    Agent,
    RunContext,
    Say,
    ScriptedModel,
    ToolError,
    ToolFinished,
    ToolProgress,
    ToolStarted,
    UserError,
    tool,
)
from tests.agents.support import never, story
from tests.tools.support import asking, results

PLACE = contextvars.ContextVar("PLACE", default="nowhere")


# Where


async def test_a_plain_function_runs_in_a_thread_and_sees_what_the_caller_has_set():
    def where() -> str:
        """Where."""
        return f"{threading.current_thread().name}, {PLACE.get()}"

    PLACE.set("here")
    assert (await results(where))[0].text == "nbagents-work, here"


async def test_an_async_function_runs_on_the_loop_of_the_run():
    loop = asyncio.get_running_loop()

    async def where() -> bool:
        """Where."""
        return asyncio.get_running_loop() is loop

    assert (await results(where))[0].text == "true"


@tool(thread="main")
def main_or_not() -> str:
    """Main or not."""
    is_main = threading.current_thread() is threading.main_thread()
    return f"{is_main}, {PLACE.get()}"


async def test_a_tool_for_the_main_thread_runs_there_in_an_awaited_run():
    PLACE.set("here")
    assert (await results(main_or_not))[0].text == "True, here"


def test_a_tool_for_the_main_thread_runs_there_in_a_called_agent():
    token = PLACE.set("here")
    assert asking(main_or_not)("go").messages[2].parts[0].text == "True, here"
    PLACE.reset(token)


def test_a_tool_for_the_main_thread_says_so_when_nobody_is_there():
    with ThreadPoolExecutor(1) as pool, pytest.raises(UserError, match="busy elsewhere"):
        pool.submit(asking(main_or_not), "go").result(timeout=10)


async def test_a_function_is_given_the_context_of_its_call():
    def about(ctx: RunContext) -> str:
        """About."""
        return f"{ctx.name} {ctx.call_id} {ctx.deps} {ctx.cancelled}"

    two = [("about", {}), ("about", {})]
    told = await results(about, calls=two, deps=7)
    assert [part.text for part in told] == ["a call_0 7 False", "a call_1 7 False"]


async def test_tools_of_one_turn_run_at_once_and_their_results_keep_the_order_of_the_calls():
    order = []
    first_may_end = asyncio.Event()

    async def first() -> str:
        """First."""
        await first_may_end.wait()
        order.append("first")
        return "1"

    def second() -> str:
        """Second."""
        order.append("second")
        loop.call_soon_threadsafe(first_may_end.set)
        return "2"

    loop = asyncio.get_running_loop()
    told = await results(first, second)
    assert order == ["second", "first"]
    assert [(part.call_id, part.text) for part in told] == [("call_0", "1"), ("call_1", "2")]


async def test_thirty_plain_functions_wait_for_each_other_without_a_deadlock():
    barrier = threading.Barrier(30)

    def meet() -> int:
        """Meet."""
        return barrier.wait(10)

    told = await results(meet, calls=[("meet", {})] * 30)
    assert sorted(int(part.text) for part in told) == list(range(30))


# Progress


async def test_an_async_generator_reports_each_item_and_the_last_one_is_the_result():
    async def count():
        """Count."""
        yield 1
        yield {"two": 2}
        yield object

    async with asking(count).stream("go") as stream:
        events = [event async for event in stream if event.type.startswith("tool_")]
    assert story(events)[2:] == [
        ToolStarted("call_0", "count", {}),
        ToolProgress("call_0", 1),
        ToolProgress("call_0", {"two": 2}),
        ToolProgress("call_0", repr(object)),
        ToolFinished("call_0", stream.run.messages[2].parts[0], 0.0),
    ]
    assert stream.run.messages[2].parts[0].text == str(object)


async def test_an_async_generator_that_gives_up_early_is_an_error_result_after_its_progress():
    async def count():
        """Count."""
        yield 1
        raise ToolError("That is all.")

    told = await results(count)
    assert (told[0].is_error, told[0].text) == (True, "That is all.")


async def test_an_async_generator_that_takes_too_long_to_be_read_has_cleaned_up_too():
    stopping, cleaned = asyncio.Event(), asyncio.Event()

    @tool(timeout=0.01)
    async def count():
        """Count."""
        try:
            for number in range(5000):
                yield number
        finally:
            stopping.set()
            for _ in range(1000):
                await asyncio.sleep(0)
            cleaned.set()

    model = ScriptedModel(Say(calls=[("count", {})]), lambda _: f"cleaned: {cleaned.is_set()}")
    async with Agent("a", model=model, tools=[count]).stream("go") as stream:
        await stopping.wait()
        _ = [event async for event in stream]
    assert stream.run.messages[2].parts[0].text == "It did not answer within 0.01 seconds."
    assert stream.run.output == "cleaned: True"


# Time


async def test_a_tool_that_takes_too_long_is_an_error_result_and_has_cleaned_up():
    cleaned = asyncio.Event()

    @tool(timeout=0.01)
    async def wait() -> None:
        """Wait."""
        try:
            await never().wait()
        finally:
            cleaned.set()

    told = await results(wait)
    assert (told[0].is_error, told[0].text) == (True, "It did not answer within 0.01 seconds.")
    assert cleaned.is_set()


async def test_a_function_in_a_thread_that_takes_too_long_can_see_that_nobody_waits_any_more():
    saw, go_on = threading.Event(), threading.Event()

    @tool(timeout=0.01)
    def wait(ctx: RunContext) -> None:
        """Wait."""
        go_on.wait(10)
        if ctx.cancelled:
            saw.set()

    told = await results(wait)
    assert told[0].text == "It did not answer within 0.01 seconds."
    go_on.set()
    assert await asyncio.to_thread(saw.wait, 10)


async def test_a_timeout_inside_a_tool_is_an_error_like_any_other():
    @tool(timeout=60)
    async def wait() -> None:
        """Wait."""
        raise TimeoutError("the disk sleeps")

    assert (await results(wait))[0].text == "TimeoutError: the disk sleeps"
