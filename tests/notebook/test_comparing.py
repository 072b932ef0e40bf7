"""What a replay compares: what was said and done, and not what came by chance."""

from __future__ import annotations

import asyncio

from nbformat import v4

from nbagents import Graph
from nbagents.notebook.comparing import differences
from nbagents.notebook.document import document_of
from nbagents.notebook.wire import RUN_MIME


async def run_of(*order: str):
    """A graph whose nodes `a` and `b` run side by side and end in the given order."""
    ended = {name: asyncio.Event() for name in order}

    def node(name: str):
        async def run(input: str) -> str:
            if name != order[0]:
                await ended[order[0]].wait()
            ended[name].set()
            return name

        return run

    graph = Graph("both", {name: node(name) for name in "ab"}, [])
    return await graph.run("go")


def cells(run, *texts: str):
    """The cell that saved the run, and cells that print."""
    shown = v4.new_output("display_data", {RUN_MIME: document_of(run.events)})
    printed = [[v4.new_output("stream", name="stdout", text=text)] for text in texts]
    return [v4.new_code_cell("run", outputs=outputs) for outputs in ([shown], *printed)]


def ends(run) -> str:
    """What a user prints of the events, in their order."""
    return "\n".join(
        e.output for e in run.events if e.type == "run_finished" and e.output != run.output
    )


async def test_nodes_that_run_side_by_side_may_end_in_another_order():
    before, after = await run_of("a", "b"), await run_of("b", "a")
    assert ends(before) != ends(after)
    assert differences(cells(before, ends(before)), cells(after, ends(after))) == {}
    listed = (str(ends(before).split()), str(ends(after).split()))
    assert differences(cells(before, listed[0]), cells(after, listed[1])) == {}


async def test_where_no_run_came_in_another_order_the_order_of_a_text_counts():
    before, after = await run_of("a", "b"), await run_of("a", "b")
    assert differences(cells(before, "a\nb"), cells(after, "b\na")) == {
        2: "expected 'a b', got 'b a'",
    }


async def test_a_text_of_other_words_differs_in_any_order():
    before, after = await run_of("a", "b"), await run_of("b", "a")
    assert differences(cells(before, "a 1"), cells(after, "a 2")) == {
        2: "expected 'a 1', got 'a 2'"
    }


async def test_what_was_printed_before_the_run_has_an_order():
    before, after = await run_of("a", "b"), await run_of("b", "a")
    was, now = cells(before, "x y")[::-1], cells(after, "y x")[::-1]
    assert differences(was, now) == {1: "expected 'x y', got 'y x'"}
