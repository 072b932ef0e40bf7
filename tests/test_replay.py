"""Replay: a run is told again from what was recorded, and nothing else is asked."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from nbagents import (
    Agent,
    Capabilities,
    FileStore,
    Graph,
    Run,
    RunContext,
    Say,
    ScriptedModel,
    Session,
    Settings,
    TextDelta,
    ToolResultPart,
    Usage,
    handoff_to_user,
    tool,
)
from nbagents.events import DurableEvent, InputReceived, RunCancelled, RunStarted
from nbagents.models.base import ModelDone
from nbagents.replay import Cassette, RecordedError, ReplayMiss, play_everywhere
from tests.sessions.systems import SYSTEMS, says


@pytest.fixture(autouse=True)
def _nothing_plays_on():
    yield
    play_everywhere(None)


class Deaf:
    """A model that must not be asked."""

    name = "scripted:scripted"
    capabilities = Capabilities()

    async def stream(self, request):
        raise AssertionError("A model was asked")
        yield


# Which of several questions is asked first may differ.
LEFT_OUT = {"run_id", "seq", "at", "usage", "seconds", "replayed", "parent_id", "question_id"}


def insert(*runs: Run[Any], run_tools: bool = False) -> None:
    cassette = Cassette(run_tools=run_tools)
    for number, run in enumerate(runs, 1):
        cassette.add(run.events, f"cell {number}")
    play_everywhere(cassette)


def told(events: Sequence[DurableEvent]) -> list[tuple[Any, ...]]:
    """The events without what differs from run to run, and without the cost."""
    paths: dict[str, str] = {}
    plain: list[tuple[Any, ...]] = []
    for event in events:
        if isinstance(event, RunStarted):
            above = paths.get(event.parent_id or "", "")
            paths[event.run_id] = f"{above}/{event.node or event.name}"
        place = paths[event.run_id]
        kept = {
            name: getattr(event, name)
            for name in event.__dataclass_fields__
            if name not in LEFT_OUT
        }
        if "message" in kept and not isinstance(kept["message"], str):
            kept["message"] = kept["message"].parts
        if isinstance(event, RunCancelled):  # Those below are not told why.
            del kept["reason"]
        plain.append((place, *kept.values()))
    return sorted(plain, key=repr)


@pytest.mark.parametrize("name", SYSTEMS)
async def test_any_system_is_told_again(name: str):
    system = SYSTEMS[name]
    did: list[str] = []
    first = await system.make(did.append).run("go", answers=system.answers)
    insert(first)
    did_again: list[str] = []
    again = await system.make(did_again.append).run("go")
    assert again.output == first.output
    assert told(again.events) == told(first.events)
    assert again.usage == first.usage
    functions = {"draft", "facts", "judge", "improve", "risky", "rescue", "end", "first"}
    assert set(did_again) <= functions  # No tool of an agent was run.
    begun = [event for event in again.events if isinstance(event, RunStarted)]
    assert all(event.replayed for event in begun)


async def test_no_model_is_asked():
    first = await Agent("a", "Be brief.", model=ScriptedModel("Hello.")).run("hi")
    insert(first)
    again = await Agent("a", "Be brief.", model=Deaf()).run("hi")
    assert again.output == "Hello."


async def test_a_conversation_goes_on_in_a_replay():
    agent = Agent("a", model=ScriptedModel("One.", "Two."))
    first = await agent.run("count")
    second = await agent.run([*first.messages, "on"])
    insert(first, second)
    deaf = Agent("a", model=Deaf())
    again = await deaf.run("count")
    assert (await deaf.run([*again.messages, "on"])).output == "Two."


async def test_what_was_said_is_streamed_in_one_piece():
    agent = Agent("a", model=ScriptedModel("One two three."))
    insert(await agent.run("go"))
    async with agent.replaced(model=Deaf()).stream("go") as stream:
        said = [event.text async for event in stream if event.type == "text_delta"]
    assert said == ["One two three."]


async def test_a_failure_is_told_again_and_so_is_the_answer_that_came_later():
    agent = Agent("a", model=ScriptedModel(ValueError("no line"), "Later."))
    with pytest.raises(ValueError, match="no line") as failed:
        await agent.run("go")
    insert(failed.value.run, await agent.run("go"))
    deaf = agent.replaced(model=Deaf())
    with pytest.raises(RecordedError, match="no line") as again:
        await deaf.run("go")
    assert told(again.value.run.events) == told(failed.value.run.events)
    assert (await deaf.run("go")).output == "Later."


class Halting:
    """A model that says half a sentence, and then nothing."""

    name = "scripted:scripted"
    capabilities = Capabilities()

    async def stream(self, request):
        yield TextDelta("Well, I ")
        yield TextDelta("think")
        await asyncio.Event().wait()


async def stopped(agent: Agent, moment: str) -> Run[Any]:
    """Run it, and stop it at the first event of a type."""
    async with agent.stream("go") as stream:
        async for event in stream:
            if event.type == moment and getattr(event, "text", "think") == "think":
                stream.cancel("Stopped by you")
    return stream.run


@tool
async def endless() -> str:
    """Never answer."""
    await asyncio.Event().wait()
    return "never"


@pytest.mark.parametrize(
    ("model", "moment"),
    [(Halting(), "text_delta"), (ScriptedModel(Say(calls=[("endless", {})])), "tool_started")],
    ids=["in an answer", "in a tool"],
)
async def test_a_stop_is_told_again(model: Any, moment: str):
    helper = Agent("helper", model=model, tools=[endless])
    boss = Agent("boss", model=ScriptedModel(Say(calls=[("helper", {"message": "do"})])))
    run = await stopped(boss.replaced(tools=[helper]), moment)
    assert run.status == "cancelled"
    insert(run)
    deaf = boss.replaced(model=Deaf(), tools=[helper.replaced(model=Deaf())])
    async with deaf.stream("go") as stream:
        async for _ in stream:
            pass
    assert (stream.run.status, stream.run.reason) == ("cancelled", "Stopped by you")
    assert told(stream.run.events) == told(run.events)
    with pytest.raises(asyncio.CancelledError, match="Stopped by you"):
        await deaf.run("go")


async def test_a_stop_inside_of_a_graph_ends_the_graph_again():
    halting = Agent("thinker", model=Halting())
    other = Agent("other", model=ScriptedModel("Me.", repeat=True))
    graph = Graph("duo", {"thinker": halting, "other": other}, [])
    run = await stopped(graph, "text_delta")
    assert run.status == "cancelled"
    insert(run)
    nodes = {"thinker": halting.replaced(model=Deaf()), "other": other.replaced(model=Deaf())}
    deaf = Graph("duo", nodes, [])
    async with deaf.stream("go") as stream:
        async for _ in stream:
            pass
    assert (stream.run.status, stream.run.reason) == ("cancelled", "Stopped by you")
    assert told(stream.run.events) == told(run.events)


@pytest.mark.parametrize(("kind", "caught"), [(ValueError, ValueError), (OSError, Exception)])
async def test_an_error_is_caught_as_it_was(kind: type[Exception], caught: type[Exception]):
    agent = Agent("a", model=ScriptedModel(kind("no line")))
    with pytest.raises(kind) as failed:
        await agent.run("go")
    insert(failed.value.run)
    with pytest.raises(caught, match="no line") as again:
        await agent.replaced(model=Deaf()).run("go")
    assert isinstance(again.value, RecordedError)
    assert again.value.recorded == kind.__name__


async def test_equal_calls_of_one_turn_get_each_its_own_answer():
    done = asyncio.Event()

    class Coins:
        """The second coin lands before the first one."""

        name = "scripted:scripted"
        capabilities = Capabilities()
        tosses = itertools.count()

        async def stream(self, request):
            if next(self.tosses) == 0:
                await done.wait()
                yield TextDelta("heads")
            else:
                yield TextDelta("tails")
                done.set()
            yield ModelDone("end", Usage())

    coin = Agent("coin", model=Coins())
    ask = ("coin", {"message": "toss"})
    boss = Agent("boss", model=ScriptedModel(Say(calls=[ask, ask]), "Done."), tools=[coin])
    run = await boss.run("go")

    def results(run: Run[Any]) -> list[str]:
        return [part.text for part in run.messages[2].parts if isinstance(part, ToolResultPart)]

    assert results(run) == ["heads", "tails"]
    insert(run)
    for _ in range(3):
        again = await boss.replaced(model=Deaf(), tools=[coin.replaced(model=Deaf())]).run("go")
        assert results(again) == ["heads", "tails"]


async def test_the_same_agent_in_several_nodes_answers_in_each_as_it_did_there():
    numbers = itertools.count(1)
    one = Agent("a", model=ScriptedModel(lambda _: f"answer {next(numbers)}", repeat=True))
    nodes = {name: one for name in "xyz"}

    def end(**outputs: str) -> str:
        return str(sorted(outputs.items()))

    def graph(order: str, agent: Agent) -> Graph:
        known = {name: agent for name in order}
        return Graph("g", {**known, "end": end}, [(name, "end") for name in nodes])

    first = await graph("xyz", one).run("go")
    insert(first)
    assert (await graph("zxy", one.replaced(model=Deaf())).run("go")).output == first.output


async def test_the_same_question_gets_its_answers_in_their_order_and_then_anew():
    agent = Agent("a", model=ScriptedModel("One.", "Two."))
    insert(await agent.run("x"), await agent.run("x"))
    deaf = Agent("a", model=Deaf())
    assert [(await deaf.run("x")).output for _ in range(3)] == ["One.", "Two.", "One."]


@pytest.mark.parametrize(
    ("changes", "asked", "why"),
    [
        ({"instructions": "Be long."}, "hi", "its instructions have changed"),
        ({}, "ho", "its input has changed"),
        ({"settings": Settings(temperature=1.0)}, "hi", "its model or settings have changed"),
        ({"output_type": int}, "hi", "its tools, or the type of its answer, have changed"),
        ({"name": "b"}, "hi", "No recorded answer for b"),
    ],
)
async def test_a_change_is_a_miss_that_says_where_and_why(
    changes: dict[str, Any], asked: str, why: str
):
    agent = Agent("a", "Be brief.", model=ScriptedModel("Hello."))
    insert(await agent.run("hi"))
    with pytest.raises(ReplayMiss, match=why) as raised:
        await agent.replaced(model=Deaf(), **changes).run(asked)
    assert ("since cell 1" in str(raised.value)) is ("name" not in changes)


async def test_tools_run_when_that_is_asked_for():
    ran: list[int] = []

    @tool
    def double(x: int) -> int:
        """Double."""
        ran.append(x)
        return 2 * x

    def agent(model: Any) -> Agent:
        return Agent("a", model=model, tools=[double])

    first = await agent(ScriptedModel(Say(calls=[("double", {"x": 4})]), "8")).run("go")
    insert(first)
    assert (await agent(Deaf()).run("go")).output == "8"
    assert ran == [4]
    insert(first, run_tools=True)
    await agent(Deaf()).run("go")
    assert ran == [4, 4]


async def test_what_a_tool_did_inside_is_told_again():
    helper = Agent("helper", model=ScriptedModel("Helped."))

    @tool
    async def consult(ctx: RunContext) -> str:
        """Consult."""
        ctx.state["who"] = await ctx.ask("Who?")
        return "yes"

    steps = says(Say(calls=[("consult", {}), ("helper", {"message": "help"})]), "Done.")
    agent = Agent("a", model=steps, tools=[consult, helper])
    first = await agent.run("go", answers={"Who?": "Ada"})
    insert(first)
    again = await agent.replaced(model=Deaf()).run("go")
    assert told(again.events) == told(first.events)
    answers = [event.answer for event in again.events if isinstance(event, InputReceived)]
    assert answers == ["Ada"]


async def test_a_tool_that_was_never_called_so_is_a_miss():
    @tool
    def look(where: str) -> str:
        """Look."""
        return where

    agent = Agent("a", model=says(Say(calls=[("look", {"where": "up"})]), "Up."), tools=[look])
    first = await agent.run("go")
    kept = [event for event in first.events if event.type != "tool_finished"]
    cassette = Cassette()
    cassette.add(kept, "cell 1")
    play_everywhere(cassette)
    with pytest.raises(ReplayMiss, match="a calls look"):
        await agent.run("go")


async def test_a_question_that_nobody_had_answered_waits_again():
    steps = says(Say(calls=[("handoff_to_user", {"question": "Where?"})]), "Gone.")
    agent = Agent("a", model=steps, tools=[handoff_to_user])
    first = await agent.run("go")
    insert(first)
    again = await agent.replaced(model=Deaf()).run("go")
    assert again.status == first.status == "waiting"
    assert [question.prompt for question in again.questions] == ["Where?"]


async def test_what_was_answered_in_a_later_cell_waits_for_that_cell_again():
    steps = says(Say(calls=[("handoff_to_user", {"question": "Where?"})]), "Gone.")
    agent = Agent("a", model=steps, tools=[handoff_to_user])
    waiting = await agent.run("go")
    cassette = Cassette()
    cassette.add(waiting.events, "cell 1")
    cassette.add((await waiting.resume(["there"])).events, "cell 2")
    play_everywhere(cassette)
    again = await agent.replaced(model=Deaf()).run("go")
    assert again.status == "waiting"
    assert (await again.resume(["there"])).output == "Gone."


async def test_no_real_session_is_read_or_written_in_a_replay(tmp_path):
    agent = Agent("a", model=ScriptedModel("One."))
    insert(await agent.run("go"))
    store = FileStore(tmp_path)
    await agent.replaced(model=Deaf()).run("go", session=Session("real", store=store))
    assert await store.list() == []
    assert list(tmp_path.iterdir()) == []
