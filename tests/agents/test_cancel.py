"""Stopping: whatever a run is doing, it ends, cleans up, and keeps what there is."""

from __future__ import annotations

import asyncio
import threading

import pytest

from nbagents import (
    Agent,
    Cancelled,
    Limits,
    Message,
    MessageFinished,
    ModelError,
    RunCancelled,
    RunContext,
    RunStarted,
    Say,
    ScriptedModel,
    TextDelta,
    TextPart,
    ToolCallDelta,
    ToolCallPart,
    ToolFinished,
    ToolStarted,
    UserError,
)
from nbagents.events import interrupted_result, messages_of
from nbagents.messages import ZERO_USAGE, user_message
from tests.agents.support import END, Chunks, never, others, story


async def stopped(agent: Agent, *, when: asyncio.Event):
    """Stop a run at a moment, and return it as it is when the stop has come to its end."""
    async with agent.stream("go") as stream:
        await when.wait()
        stream.cancel("Stopped by you")
        _ = [event async for event in stream]
    assert others() == set()
    return stream.run


STARTED = RunStarted("a", "agent", (user_message("go"),), model="chunks:chunks")
STOPPED = RunCancelled("Stopped by you", ZERO_USAGE)


async def test_a_model_that_has_not_said_a_word():
    model = Chunks([never()], ["Here again.", END])
    agent = Agent("a", model=model)
    run = await stopped(agent, when=model.begun)
    assert (run.status, run.reason) == ("cancelled", "Stopped by you")
    assert story(run.events) == [STARTED, STOPPED]
    assert model.closed == 1
    assert (await agent.run("again")).output == "Here again."


async def test_a_model_in_the_middle_of_its_text_whose_words_are_kept():
    model = Chunks(["Once ", "upon", never()], ["a time", END])
    agent = Agent("a", model=model)
    run = await stopped(agent, when=model.begun)
    said = Message("assistant", (TextPart("Once upon"),), "a", stop="interrupted")
    assert story(run.events) == [STARTED, MessageFinished(said), STOPPED]
    assert run.messages == [user_message("go"), said]
    assert run.text == "Once upon"
    goes_on = await agent.run([*run.messages, "go on"])
    assert goes_on.output == "a time"
    assert list(model.requests[1].messages) == [*run.messages, user_message("go on")]


async def test_a_model_in_the_middle_of_a_tool_call_which_is_dropped():
    model = Chunks(["I'll look. ", ToolCallDelta(0, "c1", "look", '{"wh'), never()])
    run = await stopped(Agent("a", model=model), when=model.begun)
    assert run.messages[-1].parts == (TextPart("I'll look. "),)


def waiting_tool():
    """Make an async tool that waits for ever and takes its time to clean up."""
    begun, cleaned = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        """Wait."""
        begun.set()
        try:
            await never().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    return wait, begun, cleaned


async def test_a_tool_that_waits_has_cleaned_up_before_the_caller_goes_on():
    wait, begun, cleaned = waiting_tool()
    model = ScriptedModel(Say(text="So.", calls=[("wait", {}), ("wait", {})]), "Here again.")
    agent = Agent("a", model=model, tools=[wait])
    run = await stopped(agent, when=begun)
    assert cleaned.is_set()
    calls = [ToolCallPart(f"call_{index}", "wait", "{}") for index in range(2)]
    assert [type(event) for event in run.events][2:] == [
        ToolStarted,
        ToolStarted,
        ToolFinished,
        ToolFinished,
        RunCancelled,
    ]
    assert run.messages[-1] == Message("user", tuple(interrupted_result(call) for call in calls))
    assert run.messages == messages_of(run.events, run.run_id)
    assert (await agent.run([*run.messages, "again"])).output == "Here again."


async def test_calls_that_wait_for_their_turn_have_a_result_too():
    wait, begun, _ = waiting_tool()
    model = ScriptedModel(Say(calls=[("wait", {})] * 3))
    agent = Agent("a", model=model, tools=[wait], limits=Limits(parallel_tools=1))
    run = await stopped(agent, when=begun)
    assert sum(isinstance(event, ToolStarted) for event in run.events) == 1
    assert [part.call_id for part in run.messages[-1].parts] == ["call_0", "call_1", "call_2"]
    assert all(part.is_error for part in run.messages[-1].parts)


async def test_what_a_finished_tool_has_answered_is_kept_beside_one_that_was_stopped():
    wait, begun, _ = waiting_tool()

    async def look() -> str:
        """Look."""
        return "seen"

    model = ScriptedModel(Say(calls=[("look", {}), ("wait", {})]))
    run = await stopped(Agent("a", model=model, tools=[wait, look]), when=begun)
    assert [part.text for part in run.messages[-1].parts] == [
        "seen",
        "Interrupted: the run was stopped before this tool answered.",
    ]


async def test_a_tool_in_a_thread_holds_nothing_up_and_can_see_that_it_was_stopped():
    begun, go_on, saw = asyncio.Event(), threading.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def work(ctx: RunContext) -> None:
        """Work."""
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(10)
        if ctx.cancelled:
            saw.set()

    agent = Agent("a", model=ScriptedModel(Say(calls=[("work", {})])), tools=[work])
    run = await stopped(agent, when=begun)
    assert run.status == "cancelled"
    assert not saw.is_set()
    go_on.set()
    assert await asyncio.to_thread(saw.wait, 10)


async def test_a_tool_that_streams_its_progress_has_cleaned_up():
    begun, cleaned = asyncio.Event(), asyncio.Event()

    async def count():
        """Count."""
        try:
            yield 1
            begun.set()
            await never().wait()
        finally:
            cleaned.set()

    agent = Agent("a", model=ScriptedModel(Say(calls=[("count", {})])), tools=[count])
    await stopped(agent, when=begun)
    assert cleaned.is_set()


async def test_a_retry_that_backs_off():
    busy = ModelError("busy", provider="x", retryable=True, retry_after=60)
    model = Chunks([busy], ["Here again.", END])
    agent = Agent("a", model=model)
    run = await stopped(agent, when=model.begun)
    assert story(run.events) == [STARTED, STOPPED]
    assert len(model.requests) == 1
    assert (await agent.run("again")).output == "Here again."


async def test_leaving_early_stops_the_run_and_waits_for_its_clean_up():
    wait, begun, cleaned = waiting_tool()
    agent = Agent("a", model=ScriptedModel(Say(calls=[("wait", {})])), tools=[wait])
    async with agent.stream("go") as stream:
        await begun.wait()
    assert cleaned.is_set()
    assert (stream.run.status, stream.run.reason) == ("cancelled", "The stream was closed")
    assert others() == set()


async def test_breaking_out_of_the_loop_stops_the_run_when_the_block_ends():
    model = Chunks(["Once ", "upon", never()])
    async with Agent("a", model=model).stream("go") as stream:
        async for event in stream:
            if isinstance(event, TextDelta):
                break
        assert stream.run.status == "running"
    assert (stream.run.status, stream.run.text) == ("cancelled", "Once upon")
    assert model.closed == 1


async def test_an_error_of_the_reader_stops_the_run_and_comes_out_as_it_is():
    stream = Agent("a", model=Chunks(["Once ", never()])).stream("go")

    async def read():
        async with stream:
            async for event in stream:
                assert not isinstance(event, TextDelta), "too much text"

    with pytest.raises(AssertionError, match="too much text"):
        await read()
    assert stream.run.status == "cancelled"
    assert others() == set()


async def test_the_reader_may_go_on_after_a_break():
    agent = Agent("a", model=ScriptedModel("one two three"))
    async with agent.stream("go") as stream:
        async for event in stream:
            if isinstance(event, TextDelta):
                break
        rest = [event.text async for event in stream if isinstance(event, TextDelta)]
    assert (event.text, rest) == ("one", [" two", " three"])
    assert stream.run.status == "finished"


async def test_cancelling_the_task_of_an_awaited_run():
    model = Chunks(["Once ", never()])
    task = asyncio.create_task(Agent("a", model=model).run("go"))
    await model.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert model.closed == 1
    assert others() == set()


async def test_cancelling_the_task_of_the_reader():
    model = Chunks(["Once ", never()])
    agent = Agent("a", model=model)
    runs = []

    async def read():
        async with agent.stream("go") as stream:
            runs.append(stream)
            _ = [event async for event in stream]

    task = asyncio.create_task(read())
    await model.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert runs[0].run.status == "cancelled"
    assert others() == set()


async def test_a_run_that_was_stopped_before_it_began_is_cancelled_and_not_running():
    async with Agent("a", model=ScriptedModel("hi")).stream("go") as stream:
        pass
    run = stream.run
    assert (run.status, run.events) == ("cancelled", [])
    with pytest.raises(Cancelled, match="before it began"):
        _ = run.output


async def test_a_run_that_was_stopped_has_no_output_and_says_why():
    model = Chunks([never()])
    run = await stopped(Agent("a", model=model), when=model.begun)
    with pytest.raises(Cancelled, match="Stopped by you"):
        _ = run.output


async def test_one_of_two_runs_is_stopped_and_the_other_goes_on():
    go_on = asyncio.Event()
    agent = Agent("a", model=ScriptedModel(Say(text="done", wait=go_on), repeat=True))
    first, second = (asyncio.create_task(agent.run("go")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    go_on.set()
    assert (await second).output == "done"
    assert (await asyncio.wait([first]))[0].pop().cancelled()


async def test_a_failing_tool_that_fails_the_run_stops_the_tools_beside_it():
    wait, begun, cleaned = waiting_tool()

    async def fail() -> None:
        """Fail."""
        await begun.wait()
        raise UserError("Set a key.")

    model = ScriptedModel(Say(calls=[("wait", {}), ("fail", {})]))
    with pytest.raises(UserError, match="Set a key") as raised:
        await Agent("a", model=model, tools=[wait, fail]).run("go")
    assert cleaned.is_set()
    assert raised.value.run.status == "failed"
    assert len(raised.value.run.messages[-1].parts) == 2
    assert others() == set()


async def test_something_else_that_was_cancelled_inside_a_tool_is_only_the_failure_of_that_tool():
    async def wait_for_another() -> None:
        """Wait."""
        other = asyncio.create_task(never().wait())
        other.cancel()
        await other

    model = ScriptedModel(Say(calls=[("wait_for_another", {})]), "done")
    run = await Agent("a", model=model, tools=[wait_for_another]).run("go")
    assert run.output == "done"
    assert run.messages[2].parts[0].text.startswith("CancelledError")
