"""The cases: each is done by hand and by nbagents, in turn, in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from openai import AsyncOpenAI

from benchmarks import by_hand
from nbagents import Agent, Limits, Message, Swarm, TextPart, tool
from nbagents.providers.openai import OpenAIModel

QUESTION = "What is the answer?"
ASKED = [{"role": "user", "content": QUESTION}]
Do = Callable[[], Awaitable[object]]


async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@dataclass(frozen=True)
class Case:
    name: str
    goal: float
    """The share of the hand-written loop's CPU that we want to stay below."""
    repeat: int
    """Times that one sample does the work."""
    by_hand: Do
    ours: Do
    goal_pause: float | None = None


class Work:
    """Both sides of a case, each with one client or model for each path of the server."""

    def __init__(self, port: int) -> None:
        self._root = f"http://127.0.0.1:{port}"
        self._clients: dict[str, AsyncOpenAI] = {}

    def by_hand(self, path: str, messages: list[dict] = ASKED, *, tools: bool = False) -> Do:
        if path not in self._clients:
            url = f"{self._root}/{path}/v1"
            self._clients[path] = AsyncOpenAI(base_url=url, api_key="k", max_retries=0)
        client = self._clients[path]
        return lambda: by_hand.run(client, messages, {"add": add} if tools else {})

    def hand_over(self, first: str, second: str) -> Do:
        self.by_hand(first)
        self.by_hand(second)
        one, two = self._clients[first], self._clients[second]
        return lambda: by_hand.hand_over(one, two, ASKED)

    def swarm(self, first: str, second: str) -> Swarm:
        members = [self.agent(first).replaced(name="a"), self.agent(second).replaced(name="b")]
        return Swarm("bench", members, hands_off_to={"a": ["b"], "b": []})

    def agent(self, path: str, *, tools: bool = False) -> Agent:
        model = OpenAIModel("bench", base_url=f"{self._root}/{path}/v1", api_key="k")
        used = [tool(add)] if tools else []
        return Agent("bench", model=model, tools=used, limits=Limits(turns=None))


async def read_all(agent: Agent) -> str:
    """Watch a run and collect its text."""
    async with agent.stream(QUESTION) as stream:
        return "".join([event.text async for event in stream if event.type == "text_delta"])


async def thousand(one: Do) -> None:
    await asyncio.gather(*(one() for _ in range(1000)))


def cases(port: int) -> list[Case]:
    work = Work(port)
    roles = ("user", "assistant")
    told = [{"role": roles[i % 2], "content": f"Message number {i}. " * 10} for i in range(1000)]
    history = [Message(m["role"], (TextPart(m["content"]),)) for m in told]
    turn, ten = work.agent("text/20"), work.agent("tools/10/1", tools=True)
    long, twenty = work.agent("text/5000"), work.agent("tools/1/20", tools=True)
    swarm = work.swarm("handoff", "text/20")
    slow, slow_hand = work.agent("slow/200/20"), work.by_hand("slow/200/20")
    return [
        Case("a turn of 20 tokens", 0.4, 40, work.by_hand("text/20"), lambda: turn.run(QUESTION)),
        Case(
            "ten tool turns",
            0.35,
            4,
            work.by_hand("tools/10/1", tools=True),
            lambda: ten.run(QUESTION),
        ),
        Case("5,000 streamed tokens", 0.15, 1, work.by_hand("text/5000"), lambda: read_all(long)),
        Case(
            "a turn on 1,000 messages",
            0.05,
            5,
            work.by_hand("text/20", [*told, *ASKED]),
            lambda: turn.run([*history, QUESTION]),
        ),
        Case(
            "20 tools at once",
            0.5,
            10,
            work.by_hand("tools/1/20", tools=True),
            lambda: twenty.run(QUESTION),
        ),
        Case(
            "a handoff, and the answer",
            0.6,
            20,
            work.hand_over("handoff", "text/20"),
            lambda: swarm.run(QUESTION),
        ),
        Case(
            "1,000 runs at once",
            0.65,
            1,
            lambda: thousand(slow_hand),
            lambda: thousand(lambda: slow.run(QUESTION)),
            goal_pause=0.5,
        ),
    ]
