"""What the tests of teams share: agents that say one thing, and what a run has visited."""

from __future__ import annotations

from nbagents import Agent, EdgeTaken, Run, RunStarted, Say, ScriptedModel, Usage

SPENT = Usage(10, 1)


def says(name: str, *steps, **declared) -> Agent:
    """Make an agent that says its name, or these steps, again and again."""
    answers = steps or (Say(text=name, usage=SPENT),)
    return Agent(name, model=ScriptedModel(*answers, repeat=True), **declared)


def hands(to: str, reason: str = "your turn", text: str = "") -> Say:
    """Make the step of a model that hands over."""
    return Say(text=text, calls=[("handoff", {"to": to, "reason": reason})], usage=SPENT)


def visits(run: Run) -> list[str]:
    """Tell the nodes, or members, that a run has visited, in order."""
    own = run.run_id
    return [e.node for e in run.events if isinstance(e, RunStarted) and e.parent_id == own]


def taken(run: Run) -> list[tuple[str, str]]:
    """Tell the edges that a graph has taken, in order."""
    edges = [
        e for e in run.events if isinstance(e, EdgeTaken) and e.run_id == run.run_id and e.target
    ]
    return [(edge.source, edge.target) for edge in edges]


def prompts(agent: Agent) -> list[list[str]]:
    """Tell what an agent's model was sent: one text a message, request by request."""
    return [
        ["\n".join(p.text for p in message.parts if hasattr(p, "text")) for message in r.messages]
        for r in agent.model.requests
    ]


def named(name: str):
    """Make a function for a node that returns its name."""

    async def node() -> str:
        return name

    return node


async def gathered(inputs) -> object:
    """Return what leads here, in its order."""
    return list(inputs.items()) if isinstance(inputs, dict) else inputs
