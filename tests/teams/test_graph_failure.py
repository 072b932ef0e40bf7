"""Failure in a graph: retries, other ways, siblings that are stopped, and time that runs out."""

from __future__ import annotations

import asyncio

import pytest

from nbagents import (
    Agent,
    Edge,
    Graph,
    LimitReached,
    Limits,
    ModelError,
    Node,
    Question,
    Result,
    RunContext,
    RunFailed,
    Say,
    UserError,
)
from tests.agents.support import END, Chunks, never, others
from tests.teams.support import gathered, named, says, taken, visits


def failing(times: int, then: str = "at last"):
    """Make a function for a node that fails so many times."""
    calls: list[int] = []

    async def node() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise ValueError(f"no {len(calls)}")
        return then

    return node


async def test_a_node_that_fails_fails_the_graph_with_its_own_error():
    async def broken() -> None:
        raise ValueError("no")

    graph = Graph("g", {"a": broken, "b": named("b")}, [("a", "b")])
    async with graph.stream("go") as stream:
        with pytest.raises(ValueError, match="no"):
            _ = [event async for event in stream]
    run = stream.run
    assert visits(run) == ["a"]
    ends = [event for event in run.events if isinstance(event, RunFailed)]
    assert [(end.error, end.message) for end in ends] == [("ValueError", "no")] * 2
    assert (run.status, run.reason) == ("failed", "no")


async def test_a_failed_node_is_named_with_the_users_own_line():
    def pick(given: str) -> str:
        return given["key"]

    inner = Graph("inner", {"pick": pick}, [])
    graph = Graph("g", {"load": named("load"), "inner": inner}, [("load", "inner")])
    with pytest.raises(TypeError) as caught:
        await graph.run("go")
    ends = [event.where for event in caught.value.run.events if isinstance(event, RunFailed)]
    number = pick.__code__.co_firstlineno + 1
    line = f'test_graph_failure.py, line {number} of pick: return given["key"]'
    assert ends == [
        line,
        f"Raised by the node 'pick'. {line}",
        f"Raised by the node 'pick'. Raised by the node 'inner'. {line}",
    ]


async def test_the_causes_of_an_error_stay_and_the_group_of_tasks_is_not_one():
    def caused() -> None:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second") from error

    def during() -> None:
        try:
            raise KeyError("first")
        except KeyError:
            raise ValueError("second")  # noqa: B904 - the user's own code may do so

    for function in (caused, during):
        with pytest.raises(ValueError, match="second") as caught:
            await Graph("g", {"a": function}, []).run("go")
        assert isinstance(caught.value.__context__, KeyError)
        assert caught.value.__suppress_context__ is (function is caused)
        assert caught.value.__context__.__context__ is None


async def test_a_user_error_of_a_node_names_the_node_in_a_notebook():
    def refuse() -> None:
        raise UserError("not today")

    with pytest.raises(UserError) as caught:
        await Graph("g", {"a": refuse}, []).run("go")
    shown = caught.value._render_traceback_()
    assert shown == ["UserError: not today", "Raised by the node 'a'."]


async def test_the_siblings_of_a_failing_node_have_cleaned_up_before_the_error_is_raised():
    begun, cleaned = asyncio.Event(), []

    async def sibling() -> None:
        begun.set()
        try:
            await never().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("sibling")

    model = Chunks(["Well", never()])

    async def broken() -> None:
        await begun.wait()
        await model.begun.wait()
        raise ValueError("no")

    deep = Graph("deep", {"agent": Agent("talker", model=model)}, [])
    graph = Graph("g", {"a": sibling, "b": broken, "deep": deep}, [])
    with pytest.raises(ValueError, match="no"):
        await graph.run("go")
    assert (cleaned, model.closed, others()) == (["sibling"], 1, set())


async def test_a_node_is_tried_again_as_often_as_it_may_be():
    run = await Graph("g", {"a": Node(failing(2), retries=2)}, []).run("go")
    assert (run.output, visits(run)) == ("at last", ["a"] * 3)
    with pytest.raises(ValueError, match="no 2"):
        await Graph("g", {"a": Node(failing(2), retries=1)}, []).run("go")


async def test_what_only_the_user_can_put_right_is_not_tried_again():
    calls: list[int] = []

    async def broken() -> None:
        calls.append(1)
        raise UserError("OPENAI_API_KEY is not set.")

    nodes = {"a": Node(broken, retries=3), "b": gathered}
    with pytest.raises(UserError, match="not set") as raised:
        await Graph("g", nodes, [("a", "b")]).run("go")
    assert len(calls) == 1
    assert raised.value.run.status == "failed"
    run = await Graph("g", nodes, [Edge("a", "b", on="error")]).run("go")
    assert run.output == "UserError: OPENAI_API_KEY is not set."


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_function_that_wants_to_end_the_process_only_fails(is_async):
    def leave() -> None:
        raise SystemExit("usage")

    async def leave_later() -> None:
        leave()

    node = leave_later if is_async else leave
    with pytest.raises(RuntimeError, match="SystemExit: usage"):
        await Graph("g", {"a": node}, []).run("go")
    run = await Graph("g", {"a": named("a"), "b": named("b")}, [("a", "b")]).run("go")
    assert run.output == "b"


async def test_the_output_after_an_error_edge_is_that_of_where_it_leads():
    nodes = {"a": named("a"), "b": divide, "c": gathered}
    run = await Graph("g", nodes, [("a", "b"), Edge("b", "c", on="error")]).run("go")
    assert run.output == "ZeroDivisionError: division by zero"


async def test_a_node_that_is_skipped_counts_as_if_it_had_not_been_reached():
    nodes = {"a": named("a"), "bad": Node(failing(9), on_error="skip"), "c": named("c")}
    nodes |= {"behind": gathered, "end": gathered}
    edges = [("a", "bad"), ("a", "c"), ("bad", "behind"), ("behind", "end"), ("c", "end")]
    run = await Graph("g", nodes, edges).run("go")
    assert (run.status, run.output) == ("finished", "c")
    assert visits(run) == ["a", "bad", "c", "end"]


async def test_an_error_edge_is_taken_instead_and_tells_the_error():
    broken = ModelError("overloaded", provider="openai", status=400)
    nodes = {"ask": says("ask", broken), "good": named("good"), "other": gathered}
    run = await Graph("g", nodes, [("ask", "good"), Edge("ask", "other", on="error")]).run("go")
    assert taken(run) == [("ask", "other")]
    assert run.output == "ModelError: openai (HTTP 400): overloaded"
    assert run.status == "finished"


async def test_an_error_edge_is_not_taken_when_all_is_well():
    nodes = {"a": named("a"), "b": gathered, "other": named("other")}
    run = await Graph("g", nodes, [("a", "b"), Edge("a", "other", on="error")]).run("go")
    assert (visits(run), run.output) == (["a", "b"], "a")


async def test_an_error_edge_may_have_a_condition_and_without_a_way_the_graph_fails():
    def graph(when: str) -> Graph:
        nodes = {"a": failing(9), "b": gathered}
        return Graph("g", nodes, [Edge("a", "b", when, on="error")])

    assert (await graph("'no 1' in text").run("go")).output == "ValueError: no 1"
    with pytest.raises(ValueError, match="no 1"):
        await graph("'timeout' in text").run("go")


async def test_retries_come_before_error_edges():
    nodes = {"a": Node(failing(1), retries=1), "b": gathered, "other": gathered}
    run = await Graph("g", nodes, [("a", "b"), Edge("a", "other", on="error")]).run("go")
    assert taken(run) == [("a", "b")]


async def test_an_error_edge_may_lead_back():
    nodes = {"a": failing(2), "b": gathered}
    run = await Graph("g", nodes, [Edge("a", "a", on="error"), ("a", "b")]).run("go")
    assert (visits(run), run.output) == (["a", "a", "a", "b"], "at last")


async def test_a_key_in_an_error_does_not_travel_along_an_error_edge():
    async def broken() -> None:
        raise ValueError("refused sk-abcdefghijklmnopqrstuvwx")

    run = await Graph("g", {"a": broken, "b": gathered}, [Edge("a", "b", on="error")]).run("go")
    assert run.output == "ValueError: refused [redacted]"


async def test_the_timeout_of_a_node_interrupts_a_model_and_names_itself():
    model = Chunks(["Well", never()])
    agent = Agent("talker", model=model)
    run = await Graph("g", {"a": Node(agent, timeout=0.01)}, []).run("go")
    assert (run.status, run.reason) == ("limited", "timeout of a=0.01 s")
    assert (model.closed, others()) == (1, set())
    with pytest.raises(LimitReached, match=r"timeout of a=0.01 s. Raise it with Node"):
        _ = run.output


async def test_the_timeout_of_a_node_is_that_of_one_attempt():
    model = Chunks([never()], ["Here.", END])
    nodes = {"a": Node(Agent("talker", model=model), timeout=0.05, retries=1)}
    run = await Graph("g", nodes, []).run("go")
    assert (run.output, visits(run)) == ("Here.", ["a", "a"])


async def test_a_node_whose_time_runs_out_may_be_led_around():
    async def slow() -> None:
        await never().wait()

    nodes = {"a": Node(slow, timeout=0.01), "b": gathered}
    run = await Graph("g", nodes, [Edge("a", "b", on="error")]).run("go")
    assert run.status == "finished"
    assert run.output.startswith("LimitReached: ")


@pytest.mark.parametrize("declared", [True, False])
async def test_the_time_of_a_whole_graph_interrupts_a_model_and_names_itself(declared):
    model, limits = Chunks(["Well", never()]), Limits(seconds=0.01)
    deep = Graph("deep", {"a": Agent("talker", model=model)}, [])
    graph = Graph("g", {"deep": deep}, [], limits=limits if declared else None)
    run = await graph.run("go", limits=None if declared else limits)
    assert (run.status, run.reason) == ("limited", "seconds=0.01")
    assert (model.closed, others()) == (1, set())
    assert run.messages[0].text == "go"


async def test_an_error_that_is_a_timeout_of_its_own_is_not_taken_for_the_limit():
    async def broken() -> None:
        raise TimeoutError("the database is slow")

    with pytest.raises(TimeoutError, match="database"):
        await Graph("g", {"a": Node(broken, timeout=60)}, []).run("go")


async def test_the_time_that_a_person_takes_does_not_count():
    asked = Node(Question("Really?", bool), timeout=0.02)
    graph = Graph("g", {"ask": asked, "end": gathered}, [("ask", "end")])
    waiting = await graph.run("go", limits=Limits(seconds=0.03))
    assert waiting.status == "waiting"
    await asyncio.sleep(0.06)
    run = await waiting.resume({"q1": True})
    assert (run.status, run.output) == ("finished", True)


async def test_the_time_of_a_node_goes_on_when_the_person_has_answered():
    async def ask(ctx: RunContext) -> None:
        await ctx.ask("Really?")
        await never().wait()

    graph = Graph("g", {"a": Node(ask, timeout=0.02)}, [])
    run = await graph.run("go", answers=["yes"])
    assert (run.status, run.reason) == ("limited", "timeout of a=0.02 s")


async def test_the_time_counts_while_something_beside_the_person_goes_on():
    nodes = {"ask": Question("Really?"), "slow": Agent("talker", model=Chunks([never()]))}
    run = await Graph("g", nodes, []).run("go", limits=Limits(seconds=0.02))
    assert (run.status, run.reason) == ("limited", "seconds=0.02")


async def test_a_limit_of_the_whole_graph_is_not_skipped_as_the_failure_of_a_node():
    nodes = {"a": says("a"), "b": Node(says("b"), on_error="skip"), "c": named("c")}
    run = await Graph("g", nodes, [("a", "b"), ("a", "c")]).run("go", limits=Limits(tokens=5))
    assert (run.status, run.reason) == ("limited", "tokens=5")


async def test_cancelling_a_graph_has_cleaned_up_the_deepest_tool_when_the_caller_goes_on():
    begun, cleaned = asyncio.Event(), []

    async def dig() -> None:
        """Dig."""
        begun.set()
        try:
            await never().wait()
        finally:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            cleaned.append("dig")

    digger = says("digger", Say(calls=[("dig", {})]), tools=[dig])
    boss = says("boss", Say(calls=[("digger", {"message": "dig"})]), tools=[digger])
    inner = Graph("inner", {"boss": boss}, [])
    task = asyncio.create_task(Graph("g", {"inner": inner, "b": named("b")}, []).run("go"))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (cleaned, others()) == (["dig"], set())


async def test_a_node_whose_future_was_cancelled_elsewhere_fails_and_does_not_hang():
    async def node() -> Result:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        return await future

    with pytest.raises(RuntimeError, match="What the node 'a' waited for was cancelled"):
        await Graph("g", {"a": node}, []).run("go")


async def divide() -> float:
    return 1 / 0


async def test_the_output_is_that_of_the_last_node_that_was_not_skipped():
    nodes = {"a": named("a"), "b": Node(divide, on_error="skip")}
    run = await Graph("g", nodes, [("a", "b")]).run("go")
    assert run.output == "a"


async def test_an_error_of_a_node_brings_its_run_along():
    with pytest.raises(ZeroDivisionError) as raised:
        await Graph("g", {"a": divide}, []).run("go")
    assert raised.value.run.status == "failed"
