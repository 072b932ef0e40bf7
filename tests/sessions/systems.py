"""Systems of agents that do the same each time, and write down what they really did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel

from nbagents import (
    Agent,
    Edge,
    Graph,
    Node,
    Question,
    RunContext,
    Runnable,
    Say,
    ScriptedModel,
    Swarm,
    handoff_to_user,
    tool,
)
from nbagents.messages import Usage
from nbagents.models.base import ModelRequest

Did = Callable[[str], None]


class Report(BaseModel):
    title: str
    score: int


@dataclass
class System:
    """What is run, and what is asked."""

    make: Callable[[Did], Runnable[Any]]
    answers: dict[str, Any] = field(default_factory=dict)


def says(*steps: Say | str) -> ScriptedModel:
    """Answer by how many of its own messages the conversation has: the same in any process."""

    def step(request: ModelRequest) -> Say:
        own = 0
        for message in reversed(request.messages):
            if message.role == "user" and message.parts[0].type != "tool_result":
                break
            own += message.role == "assistant"
        say = steps[own] if isinstance(steps[own], Say) else Say(text=steps[own])
        return replace(say, usage=Usage(100 + own, len(steps)))

    return ScriptedModel(step, repeat=True)


def works(did: Did, name: str, *, idempotent: bool = True) -> Any:
    @tool(name=name, idempotent=idempotent)
    async def work(ctx: RunContext, what: str) -> str:
        """Work."""
        did(f"{name} {what}")
        ctx.state[what] = name
        return f"{what} done"

    return work


def call(name: str, *whats: str) -> Say:
    return Say(calls=[(name, {"what": what}) for what in whats])


def agent(did: Did) -> Agent:
    tools = [works(did, "dig"), works(did, "plant")]
    steps = [call("dig", "a", "b"), call("plant", "c"), call("dig", "d"), "All is green."]
    return Agent("gardener", model=says(*steps), tools=tools)


def typed(did: Did) -> Agent[Report]:
    steps = [call("read", "x"), Say(calls=[("final_answer", {"title": "T", "score": 3})])]
    return Agent("reader", model=says(*steps), tools=[works(did, "read")], output_type=Report)


def nested(did: Did) -> Agent:
    def helper(name: str) -> Agent:
        steps = [call("look", name), f"{name} looked"]
        return Agent(name, model=says(*steps), tools=[works(did, "look")])

    both = Say(calls=[("one", {"message": "go"}), ("two", {"message": "go"})])
    again = Say(calls=[("one", {"message": "again"})])
    return Agent(
        "boss", model=says(both, again, "Both looked."), tools=[helper("one"), helper("two")]
    )


def swarm(did: Did) -> Swarm:
    def hands(to: str) -> Say:
        return Say(text="Over.", calls=[("handoff", {"to": to, "reason": "your turn"})])

    note = Say(calls=[("note", {"key": "k", "value": "v"})])
    writer = Agent(
        "writer", model=says(call("write", "w"), note, hands("critic")), tools=[works(did, "write")]
    )
    critic = Agent(
        "critic", model=says(call("weigh", "c"), hands("editor")), tools=[works(did, "weigh")]
    )
    editor = Agent("editor", model=says(call("cut", "e"), "Printed."), tools=[works(did, "cut")])
    return Swarm("desk", [writer, critic, editor])


def graph(did: Did) -> Graph:
    """Draft and facts side by side, a loop with a condition, a nested swarm, a failing node."""

    def draft(input: str) -> Report:
        did("draft")
        return Report(title=input, score=1)

    async def facts() -> list[str]:
        did("facts")
        return ["f"]

    def judge(draft: Report, facts: list[str], improve: Report | None) -> Report:
        did("judge")
        report = improve or draft
        return Report(title=report.title + facts[0], score=report.score)

    def improve(judge: Report, ctx: RunContext) -> Report:
        did("improve")
        ctx.state["improved"] = judge.score
        return Report(title=judge.title, score=judge.score + 4)

    def risky() -> str:
        did("risky")
        raise ValueError("too hot")

    def rescue(risky: str) -> str:
        did("rescue")
        return f"rescued from {risky}"

    def end(**outputs: Any) -> dict[str, Any]:
        did("end")
        return {name: str(output) for name, output in outputs.items()}

    nodes = {
        "draft": draft,
        "facts": facts,
        "judge": judge,
        "improve": improve,
        "desk": swarm(did),
        "inner": Graph("inner", {"who": typed(did), "boss": nested(did)}, []),
        "risky": Node(risky, retries=1),
        "rescue": rescue,
        "end": end,
    }
    edges = [
        ("draft", "judge"),
        ("facts", "judge"),
        ("judge", "improve", "score < 5"),
        ("improve", "judge"),
        ("judge", "desk", "score >= 5"),
        ("judge", "inner", "score >= 5"),
        ("facts", "risky"),
        Edge("risky", "rescue", on="error"),
        ("desk", "end"),
        ("inner", "end"),
    ]
    return Graph("flow", nodes, edges)


def asking(did: Did) -> Graph:
    async def first(ctx: RunContext) -> str:
        did("first")
        return await ctx.ask("Which?")

    @tool(idempotent=True)
    async def choose(ctx: RunContext) -> str:
        """Choose."""
        did("choose")
        number = await ctx.ask(Question("How many?", int))
        return str(number + await ctx.ask(Question("And more?", int)))

    steps = [
        Say(calls=[("handoff_to_user", {"question": "Where?"}), ("choose", {})]),
        call("buy", "it"),
        "Bought.",
    ]
    buyer = Agent(
        "buyer",
        model=says(*steps),
        tools=[handoff_to_user, choose, works(did, "buy", idempotent=False)],
        approve=["buy"],
    )
    nodes = {"first": first, "buyer": buyer, "sure": Question("Sure?", bool)}
    return Graph("shop", nodes, [("first", "sure"), ("buyer", "sure")])


def till(did: Did) -> Graph:
    """Tools that must not run twice: two at once, in two nodes at once, and one that asks."""

    @tool
    async def pay(ctx: RunContext) -> str:
        """Pay."""
        amount = await ctx.ask(Question("How much?", int))
        did("pay it")
        return f"{amount} paid"

    def charge() -> Any:
        return works(did, "charge", idempotent=False)

    def count(desk: str, waiter: str) -> str:
        did("count")
        return f"{desk} {waiter}"

    over = Say(calls=[("handoff", {"to": "cashier", "reason": "to be paid"})])
    clerk = Agent(
        "clerk", model=says(call("charge", "a", "b"), call("charge", "c"), over), tools=[charge()]
    )
    cashier = Agent("cashier", model=says(Say(calls=[("pay", {})]), "Paid."), tools=[pay])
    waiter = Agent(
        "waiter", model=says(call("charge", "d"), call("charge", "e"), "Served."), tools=[charge()]
    )
    nodes = {"desk": Swarm("desk", [clerk, cashier]), "waiter": waiter, "count": count}
    return Graph("till", nodes, [("desk", "count"), ("waiter", "count")])


def heavy(did: Did) -> Agent:
    """What its second tool leaves behind takes the disk a while."""

    @tool(idempotent=True)
    async def dump(ctx: RunContext) -> str:
        """Dump."""
        did("dump")
        ctx.state["dump"] = "much " * 2_000_000
        return "done"

    steps = [call("dig", "a"), Say(calls=[("dump", {})]), call("dig", "b"), "Big."]
    return Agent("miner", model=says(*steps), tools=[works(did, "dig"), dump])


ANSWERS = {
    "Which?": "this",
    "How many?": 2,
    "And more?": 3,
    "Where?": "here",
    "Allow buyer to call buy?": {"approve": True},
    "Sure?": True,
}

PAID = {"How much?": 5}

SYSTEMS = {
    "agent": System(agent),
    "typed": System(typed),
    "nested": System(nested),
    "swarm": System(swarm),
    "graph": System(graph),
    "asking": System(asking, ANSWERS),
}
