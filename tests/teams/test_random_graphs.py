"""Random graphs: they end, joins wait for all that leads to them, and speed changes nothing."""

from __future__ import annotations

import asyncio
import random

import pytest

from nbagents import Graph, Node, Outcome, Run, RunFinished, RunStarted
from tests.teams.support import taken, visits

SEEDS = range(60)


def outputs(run: Run) -> dict[str, object]:
    """Tell the last output of each node."""
    ends = {event.run_id: event for event in run.events if isinstance(event, RunFinished)}
    starts = [e for e in run.events if isinstance(e, RunStarted) and e.parent_id == run.run_id]
    return {start.node: ends[start.run_id].output for start in starts}


class Made:
    """A random graph: which edges there are, and which of them are taken at which visit."""

    def __init__(self, seed: int, *, circles: bool) -> None:
        chance = random.Random(seed)
        self.names = [f"n{number}" for number in range(chance.randint(2, 9))]
        last = len(self.names) - 1
        edges = {(chance.randrange(target), target) for target in range(1, last + 1)}
        for _ in range(chance.randint(0, 2 * last)):
            source, target = sorted(chance.sample(range(last + 1), 2))
            edges.add((source, target))
        self.forward = sorted(edges)
        chance.shuffle(self.forward)
        self.back = []
        if circles:
            pairs = [sorted(chance.choices(range(last + 1), k=2)) for _ in range(3)]
            self.back = list(dict.fromkeys((target, source) for source, target in pairs))
        self.open = {
            edge: [chance.random() < 0.7 for _ in range(30)] for edge in self.forward + self.back
        }

    def graph(self, pace: random.Random | None = None, **about) -> Graph:
        """Build it; `pace` says how many times each visit gives way to the others."""

        def node(name: str):
            async def work(given) -> str:
                for _ in range(pace.randrange(7) if pace else 0):
                    await asyncio.sleep(0)
                inputs = "+".join(given) if isinstance(given, dict) else str(given)[:40]
                return f"{name}({inputs})"

            return work

        def when(edge: tuple[int, int]):
            async def is_open(outcome: Outcome) -> bool:
                for _ in range(pace.randrange(3) if pace else 0):
                    await asyncio.sleep(0)
                return self.open[edge][outcome.visits % 30]

            return is_open

        edges = [(self.names[a], self.names[b], when((a, b))) for a, b in self.forward + self.back]
        return Graph(
            "g", {name: Node(node(name)) for name in self.names}, edges, entry="n0", **about
        )

    def leading_to(self, name: str) -> list[str]:
        number = self.names.index(name)
        return [self.names[source] for source, target in self.forward if target == number]


def spans(run: Run) -> dict[str, list[tuple[int, int]]]:
    """Tell when each node began and ended, by the numbers of the events."""
    ends = {event.run_id: event.seq for event in run.events if isinstance(event, RunFinished)}
    told: dict[str, list[tuple[int, int]]] = {}
    for event in run.events:
        if isinstance(event, RunStarted) and event.parent_id == run.run_id:
            told.setdefault(event.node, []).append((event.seq, ends[event.run_id]))
    return told


@pytest.mark.parametrize("seed", SEEDS)
async def test_without_circles_the_speed_of_the_nodes_changes_nothing(seed):
    made = Made(seed, circles=False)
    plain = await made.graph().run("go")
    for pace in range(3):
        run = await made.graph(random.Random(pace)).run("go")
        assert run.output == plain.output
        assert sorted(visits(run)) == sorted(visits(plain))
        assert sorted(taken(run)) == sorted(taken(plain))
        assert outputs(run) == outputs(plain)


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_join_runs_once_and_only_when_all_that_leads_to_it_is_settled(seed):
    made = Made(seed, circles=False)
    run = await made.graph(random.Random(seed)).run("go")
    when = spans(run)
    assert set(map(len, when.values())) == {1}
    for name, [(began, _)] in when.items():
        for source in made.leading_to(name):
            for _, ended in when.get(source, []):
                assert ended < began
    came = set(taken(run))
    for name in when:
        assert name == "n0" or any((source, name) in came for source in made.leading_to(name))


@pytest.mark.parametrize("seed", SEEDS)
async def test_with_circles_every_graph_ends_by_itself_or_at_max_steps(seed):
    made = Made(seed, circles=True)
    for pace in (None, random.Random(seed)):
        async with asyncio.timeout(20):
            run = await made.graph(pace, max_steps=50).run("go")
        assert run.status in {"finished", "limited"}
        assert len(visits(run)) <= 50
        assert run.reason in {"", "max_steps=50"}


@pytest.mark.parametrize("seed", SEEDS)
async def test_in_a_circle_a_join_of_one_pass_never_sees_half_of_it(seed):
    """The last node leads back to the first one: each pass is all of the graph, at any speed."""
    made = Made(seed, circles=False)
    passes = 3
    sink = len(made.names)
    made.names.append("sink")
    made.forward += [(source, sink) for source in range(sink)]
    made.back = [(sink, 0)]
    made.open |= {(source, sink): [True] * 30 for source in range(sink)}
    made.open[sink, 0] = [False, *([True] * (passes - 1)), *([False] * 30)]
    plain = await made.graph().run("go")
    assert visits(plain).count("sink") == visits(plain).count("n0") == passes
    run = await made.graph(random.Random(seed)).run("go")
    assert run.output == plain.output
    assert outputs(run) == outputs(plain)
    assert sorted(visits(run)) == sorted(visits(plain))
    sinks = spans(run)["sink"]
    for name, when in spans(run).items():
        for began, ended in when:
            before = sum(end < began for _, end in sinks)
            assert name == "sink" or before == passes or ended < sinks[before][0]
