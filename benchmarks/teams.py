"""Graphs and pictures: what they cost beside the work itself."""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise

from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

from benchmarks.cases import QUESTION, Work
from nbagents import Graph
from nbagents.notebook.live import NotebookCanvas, watch

NODES = 50


async def same(value: object) -> object:
    """Do as little as a node can."""
    return value


def chain(length: int) -> Graph:
    names = [f"n{i}" for i in range(length)]
    return Graph("chain", dict.fromkeys(names, same), list(pairwise(names)))


def fan(width: int) -> Graph:
    names = [f"n{i}" for i in range(width)]
    edges = [("first", name) for name in names] + [(name, "last") for name in names]
    return Graph("fan", dict.fromkeys(["first", *names, "last"], same), edges)


async def chain_by_hand(length: int) -> None:
    value: object = QUESTION
    for _ in range(length):
        value = await same(value)


async def fan_by_hand(width: int) -> None:
    value = await same(QUESTION)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(same(value)) for _ in range(width)]
    await same([task.result() for task in tasks])


async def seconds(work: Callable[[], Awaitable[object]], times: int) -> float:
    """CPU seconds of one piece of work."""
    gc.collect()
    before = time.process_time()
    for _ in range(times):
        await work()
    return (time.process_time() - before) / times


async def of_nodes(pairs: int) -> list[list[str]]:
    """A function node's own cost, in microseconds."""
    rows: list[list[str]] = []
    for name, graph, nodes, by_hand in (
        ("a function node in a chain of 100", chain(100), 100, lambda: chain_by_hand(100)),
        ("a function node in a fan of 200", fan(200), 202, lambda: fan_by_hand(200)),
    ):
        await graph.run(QUESTION)
        taken = [
            (await seconds(by_hand, 10), await seconds(lambda g=graph: g.run(QUESTION), 10))
            for _ in range(pairs)
        ]
        hand = statistics.median(hand for hand, _ in taken) / nodes * 1e6
        ours = statistics.median(ours for _, ours in taken) / nodes * 1e6
        rows.append([name, f"{hand:.1f} µs", f"{ours:.1f} µs", f"+{ours - hand:.1f} µs", "+20 µs"])
    return rows


async def of_building(pairs: int) -> list[str]:
    """Whether building a graph is linear in its size."""

    async def build(length: int) -> None:
        chain(length)

    # What other benchmarks left is walked through by each full collection: by the large graph alone.
    gc.collect()
    gc.freeze()
    taken = [
        (
            await seconds(lambda: build(1000), 10) / 1000,
            await seconds(lambda: build(10_000), 1) / 10_000,
        )
        for _ in range(pairs)
    ]
    gc.unfreeze()
    small = statistics.median(small for small, _ in taken) * 1e6
    large = statistics.median(large for _, large in taken) * 1e6
    name = "building a node of 10,000, against one of 1,000"
    return [name, f"{small:.1f} µs", f"{large:.1f} µs", f"{large / small:.2f}", "1.30"]


class Wire(DisplayPublisher):
    """Does with an output what a kernel does: writes it as JSON."""

    def publish(self, data, *rest, **options) -> None:  # noqa: ARG002 - it has many forms
        json.dumps(data).encode()


class Pictureless(NotebookCanvas):
    """The live output without its picture."""

    def start(self, view) -> None:
        view.topology = None
        super().start(view)


async def of_picture(work: Work, pairs: int) -> list[str]:
    """What a live picture of 50 agents adds to their run of about ten seconds."""
    shell = InteractiveShell.instance()
    shell.display_pub = Wire(parent=shell)
    agents = {f"n{i}": work.agent("slow/200/400").replaced(name=f"n{i}") for i in range(NODES)}
    graph = Graph("picture", agents, list(pairwise(agents)))
    await watch(graph.stream(QUESTION), [NotebookCanvas("text/html")], graph.topology())
    taken = [
        [
            await seconds(
                lambda c=canvas: watch(graph.stream(QUESTION), [c("text/html")], graph.topology()),
                1,
            )
            for canvas in (Pictureless, NotebookCanvas)
        ]
        for _ in range(max(1, pairs // 3))
    ]
    without = statistics.median(without for without, _ in taken)
    with_it = statistics.median(with_it for _, with_it in taken)
    share = statistics.median(with_it / without for without, with_it in taken)
    name = f"a watched run of {NODES} agents, with its picture"
    return [name, f"{without * 1e3:.0f} ms", f"{with_it * 1e3:.0f} ms", f"{share:.2f}", "1.05"]


async def rows_of_teams(port: int, pairs: int) -> AsyncIterator[list[str]]:
    """Measure all of it."""
    for one in await of_nodes(pairs):
        yield one
    yield await of_picture(Work(port), pairs)
    yield await of_building(pairs)
