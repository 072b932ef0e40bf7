"""Circles: an edge back starts its target again, and arms what lies behind it anew."""

from __future__ import annotations

import asyncio

import pytest

from nbagents import Edge, Graph, Outcome, Result, Run, Say
from tests.teams.support import SPENT, gathered, named, prompts, says, taken, visits


def counted(name: str, log: list[str]):
    """Make a function for a node that says its name and the number of its visit."""

    async def node() -> str:
        log.append(name)
        return f"{name}{log.count(name)}"

    return node


def counting(*names: str):
    log: list[str] = []
    return {name: counted(name, log) for name in names}


async def test_a_circle_goes_on_while_its_condition_holds():
    writer = says("writer", "draft 1", "draft 2", "draft 3")
    critic = says("critic", Say(text="worse", usage=SPENT), Say(text="bad"), Say(text="good"))
    graph = Graph(
        "g",
        {"write": writer, "judge": critic, "print": named("printed")},
        [
            ("write", "judge"),
            ("judge", "write", "text != 'good'"),
            ("judge", "print", "text == 'good'"),
        ],
    )
    run = await graph.run("a poem")
    assert visits(run) == ["write", "judge"] * 3 + ["print"]
    assert run.output == "printed"
    assert prompts(writer) == [["a poem"], ["a poem\njudge:\nworse"], ["a poem\njudge:\nbad"]]
    assert prompts(critic)[2] == ["a poem\nwrite:\ndraft 3"]


async def test_the_usage_of_a_circle_is_the_sum_of_its_calls():
    graph = Graph("g", {"a": says("a")}, [("a", "a", "visits < 4")])
    run = await graph.run("go")
    assert (run.usage.input_tokens, run.usage.output_tokens) == (40, 4)
    again = await graph.run("go")
    assert (again.usage.input_tokens, again.usage.output_tokens) == (40, 4)


async def test_a_node_may_lead_to_itself():
    nodes = counting("a", "b")
    run = await Graph("g", nodes, [("a", "a", "visits < 3"), ("a", "b", "visits == 3")]).run("go")
    assert (visits(run), run.output) == (["a", "a", "a", "b"], "b1")
    assert taken(run) == [("a", "a"), ("a", "a"), ("a", "b")]


async def test_a_circle_within_a_circle():
    inner: list[int] = []

    async def b() -> int:
        inner.append(len(inner))
        return len(inner)

    nodes = counting("a", "c", "d") | {"b": b}
    edges = [
        ("a", "b"),
        ("b", "b", "output % 3"),
        ("b", "c", "output % 3 == 0"),
        ("c", "a", "visits < 2"),
        ("c", "d", "visits == 2"),
    ]
    run = await Graph("g", nodes, edges, entry="a").run("go")
    assert visits(run) == [*"abbbc", *"abbbc", "d"]
    assert run.output == "d1"


async def test_a_circle_whose_body_has_two_branches_that_join():
    seen: list[object] = []

    async def join(inputs) -> int:
        seen.append(inputs)
        return len(seen)

    nodes = counting("a", "b", "c") | {"join": join}
    edges = [("a", "b"), ("a", "c"), ("b", "join"), ("c", "join"), ("join", "a", "output < 3")]
    run = await Graph("g", nodes, edges).run("go")
    assert visits(run) == ["a", "b", "c", "join"] * 3
    assert seen == [{"b": f"b{n}", "c": f"c{n}"} for n in (1, 2, 3)]


async def test_a_branch_that_is_taken_in_a_later_pass_only_joins_in_that_pass():
    seen: list[object] = []

    async def join(inputs) -> int:
        seen.append(inputs)
        return len(seen)

    nodes = counting("a", "b", "c") | {"join": join}
    edges = [
        ("a", "b"),
        ("a", "c", "visits == 2"),
        ("b", "join"),
        ("c", "join"),
        ("join", "a", "output < 3"),
    ]
    run = await Graph("g", nodes, edges).run("go")
    assert seen == ["b1", {"b": "b2", "c": "c1"}, "b3"]
    assert run.output == 3


async def test_what_came_from_outside_of_a_circle_stays_for_its_later_passes():
    nodes = {"rules": named("be brief"), "write": gathered, "judge": gathered}
    edges = [
        ("rules", "write"),
        ("write", "judge"),
        ("rules", "judge"),
        ("judge", "write", "visits < 2"),
    ]
    run = await Graph("g", nodes, edges).run("go")
    first = "be brief"
    judged = [("write", first), ("rules", "be brief")]
    again = [("rules", "be brief"), ("judge", judged)]
    assert run.output == [("write", again), ("rules", "be brief")]
    assert visits(run) == ["rules", "write", "judge", "write", "judge"]


async def test_what_lies_behind_a_circle_runs_again_with_the_new_result():
    nodes = counting("a") | {"b": gathered, "c": gathered}
    edges = [("a", "b"), ("b", "c"), ("c", "a", "visits < 3")]
    run = await Graph("g", nodes, edges).run("go")
    assert run.output == "a3"
    assert visits(run) == [*"abc"] * 3


async def test_a_result_of_an_earlier_pass_leads_nowhere():
    again = asyncio.Event()
    passes: list[str] = []

    async def slow() -> str:
        passes.append("slow")
        if len(passes) == 1:
            await again.wait()
            return "old"
        again.set()
        return "new"

    nodes = counting("a", "back") | {"slow": slow, "end": gathered}
    edges = [("a", "slow"), ("a", "back"), ("back", "a", "visits < 2"), ("slow", "end")]
    run = await Graph("g", nodes, edges).run("go")
    assert visits(run).count("slow") == 2
    assert visits(run).count("end") == 1
    assert run.output == {"back": "back2", "end": "new"}


async def test_nobody_asks_the_conditions_of_a_result_of_an_earlier_pass():
    again = asyncio.Event()
    passes: list[str] = []
    asked: list[str] = []

    async def slow() -> str:
        passes.append("slow")
        if len(passes) == 1:
            await again.wait()
            return "old"
        again.set()
        return "new"

    nodes = counting("a", "back") | {"slow": slow, "end": gathered}
    when = Edge("slow", "end", lambda outcome: asked.append(outcome.text) or True)
    await Graph("g", nodes, [("a", "slow"), ("a", "back"), ("back", "a", "visits < 2"), when]).run(
        "go"
    )
    assert asked == ["new"]


async def test_a_condition_that_is_still_asked_when_the_next_pass_begins_leads_nowhere():
    again, answered = asyncio.Event(), asyncio.Event()

    async def late() -> str:
        await answered.wait()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return "late"

    async def when(outcome: Outcome) -> bool:
        if outcome.visits == 1:
            await again.wait()
            answered.set()
        else:
            again.set()
        return True

    nodes = counting("start", "a", "back", "quick") | {"late": late, "end": gathered}
    edges = [
        ("start", "a"),
        ("start", "late"),
        ("a", "quick"),
        ("a", "back"),
        ("back", "a", "visits < 2"),
        ("quick", "end", when),
        ("late", "end"),
    ]
    run = await Graph("g", nodes, edges).run("go")
    assert visits(run).count("end") == 1
    assert run.output == {"back": "back2", "end": [("quick", "quick2"), ("late", "late")]}


async def test_a_join_behind_a_circle_does_not_start_while_the_circle_goes_on():
    nodes = counting("start", "a", "b") | {"end": gathered}
    edges = [
        ("start", "end"),
        ("start", "a"),
        ("a", "b"),
        ("b", "a", "visits < 3"),
        ("b", "end", "visits == 3"),
    ]
    run = await Graph("g", nodes, edges).run("go")
    assert visits(run) == ["start", *"ababab", "end"]
    assert run.output == [("start", "start1"), ("b", "b3")]


async def forward_and_back() -> Run:
    gate = asyncio.Event()

    async def slow() -> str:
        await gate.wait()
        return "slow"

    async def b() -> None:
        if len(b_runs) == 1:
            gate.set()
        b_runs.append(1)

    b_runs: list[int] = []
    nodes = counting("start", "a", "c") | {"b": b, "slow": slow, "join": gathered}
    edges = [
        ("start", "a"),
        ("start", "slow"),
        ("a", "b"),
        ("b", "a", "visits < 2"),
        ("b", "c"),
        ("c", "join"),
        ("slow", "join"),
    ]
    return await Graph("g", nodes, edges).run("go")


async def test_going_on_and_back_at_once_never_starts_a_join_before_all_that_leads_to_it():
    run = await forward_and_back()
    assert run.output == [("c", "c2"), ("slow", "slow")]
    assert visits(run).count("join") == 1


async def test_going_on_and_back_at_once_ends_with_the_result_of_the_last_pass():
    nodes = counting("a", "b", "c") | {"d": gathered}
    edges = [("a", "b"), ("b", "a", "visits < 3"), ("b", "c"), ("c", "d")]
    run = await Graph("g", nodes, edges).run("go")
    assert visits(run).count("b") == 3
    assert run.output == "c3"


async def test_a_circle_may_begin_in_the_middle():
    nodes = counting("a", "b")
    edges = [("a", "b"), ("b", "a", "visits < 3")]
    run = await Graph("g", nodes, edges, entry="b").run("go")
    assert visits(run) == ["b", "a", "b", "a", "b"]


async def test_the_visits_of_a_condition_are_those_of_the_source_in_this_run():
    graph = Graph("g", counting("a", "b"), [("a", "b"), ("b", "a", "visits < 3")])
    for _ in range(2):
        run = await graph.run("go")
        assert visits(run) == [*"ab"] * 3


@pytest.mark.parametrize("most", [1, 2, 7])
async def test_a_circle_without_end_reaches_max_steps_which_names_itself(most):
    graph = Graph("g", counting("a", "b"), [("a", "b"), ("b", "a")], max_steps=most)
    run = await graph.run("go")
    assert (run.status, run.reason) == ("limited", f"max_steps={most}")
    assert len(visits(run)) == most
    with pytest.raises(Exception, match=rf"max_steps={most}. Raise it with Graph\(..., max_steps="):
        _ = run.output


async def test_without_max_steps_a_graph_makes_25_visits_a_node():
    run = await Graph("g", counting("a", "b"), [("a", "b"), ("b", "a")]).run("go")
    assert (run.reason, len(visits(run))) == ("max_steps=50", 50)


async def test_a_typed_result_reaches_the_next_pass_whole():
    async def count(inputs: Result) -> int:
        return inputs.output + 1 if isinstance(inputs.output, int) else 0

    run = await Graph("g", {"count": count}, [("count", "count", "output < 5")]).run("go")
    assert run.output == 5
