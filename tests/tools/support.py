"""What the tests of tools share: an agent that calls them, and what it was told."""

from __future__ import annotations

from nbagents import Agent, Say, ScriptedModel, ToolFinished


def asking(*functions, calls=None) -> Agent:
    """Make an agent whose model calls each function once, and then is done."""
    names = [getattr(made, "__name__", "") for made in functions]
    say = Say(calls=calls or [(name, {}) for name in names])
    return Agent("a", model=ScriptedModel(say, "done", repeat=True), tools=functions)


async def results(*functions, calls=None, **about):
    """Run such an agent; return the results that its model was told."""
    run = await asking(*functions, calls=calls).run("go", **about)
    assert run.output == "done"
    return run.messages[2].parts


async def finished(function) -> ToolFinished:
    run = await asking(function).run("go")
    return next(event for event in run.events if isinstance(event, ToolFinished))
