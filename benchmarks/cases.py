"""The cases: each is done by hand and by nbagents, in turn, in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from openai import AsyncOpenAI

from benchmarks import by_hand
from nbagents import Agent, Limits, Message, TextPart, tool
from nbagents.providers.openai import OpenAIModel

QUESTION = "What is the answer?"


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
    by_hand: Callable[[], Awaitable[object]]
    ours: Callable[[], Awaitable[object]]
    goal_pause: float | None = None


def cases(port: int) -> list[Case]:
    root = f"http://127.0.0.1:{port}"
    clients: dict[str, AsyncOpenAI] = {}
    models: dict[str, OpenAIModel] = {}

    def client(path: str) -> AsyncOpenAI:
        if path not in clients:
            clients[path] = AsyncOpenAI(base_url=f"{root}/{path}/v1", api_key="k", max_retries=0)
        return clients[path]

    def agent(path: str, *, tools: bool = False) -> Agent:
        if path not in models:
            models[path] = OpenAIModel("bench", base_url=f"{root}/{path}/v1", api_key="k")
        return Agent(
            "bench",
            model=models[path],
            tools=[tool(add)] if tools else [],
            limits=Limits(turns=None),
        )

    asked = [{"role": "user", "content": QUESTION}]
    told = [
        {"role": "user" if i % 2 == 0 else "assistant", "content": f"Message number {i}. " * 10}
        for i in range(1000)
    ]
    history = [Message(m["role"], (TextPart(m["content"]),)) for m in told]
    tools = {"add": add}
    turn, ten, long = agent("text/20"), agent("tools/10/1", tools=True), agent("text/5000")
    twenty, slow = agent("tools/1/20", tools=True), agent("slow/200/20")

    async def read_all(one: Agent) -> str:
        async with one.stream(QUESTION) as stream:
            return "".join([event.text async for event in stream if event.type == "text_delta"])

    def hand(path: str, messages=asked, tools=tools) -> Callable[[], Awaitable[object]]:
        return lambda: by_hand.run(client(path), messages, tools)

    async def thousand(one: Callable[[], Awaitable[object]]) -> None:
        await asyncio.gather(*(one() for _ in range(1000)))

    slow_hand = hand("slow/200/20", tools={})
    return [
        Case("a turn of 20 tokens", 0.4, 40, hand("text/20", tools={}), lambda: turn.run(QUESTION)),
        Case("ten tool turns", 0.35, 4, hand("tools/10/1"), lambda: ten.run(QUESTION)),
        Case("5,000 streamed tokens", 0.15, 1, hand("text/5000", tools={}), lambda: read_all(long)),
        Case(
            "a turn on 1,000 messages",
            0.05,
            5,
            hand("text/20", [*told, *asked], {}),
            lambda: turn.run([*history, QUESTION]),
        ),
        Case("20 tools at once", 0.5, 10, hand("tools/1/20"), lambda: twenty.run(QUESTION)),
        Case(
            "1,000 runs at once",
            0.65,
            1,
            lambda: thousand(slow_hand),
            lambda: thousand(lambda: slow.run(QUESTION)),
            goal_pause=0.5,
        ),
    ]
