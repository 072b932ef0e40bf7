"""Somebody at the screen: a `Human` that does with each question what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from nbagents import Graph, OpenQuestion, Question, RunContext
from nbagents.questions import meet


class Person:
    """Brings each question to `act`.

    `asked` keeps them all, `left` counts those that are over, `came` is set at the first one.
    """

    def __init__(self, act: Callable[[OpenQuestion], Awaitable[None]]) -> None:
        self.asked: list[OpenQuestion] = []
        self.left = 0
        self.came = asyncio.Event()
        self._act = act

    async def attend(self, question: OpenQuestion) -> None:
        """Show the question."""
        self.asked.append(question)
        self.came.set()
        try:
            await self._act(question)
        finally:
            self.left += 1


@contextmanager
def present(act: Callable[[OpenQuestion], Awaitable[None]]) -> Iterator[Person]:
    """Have somebody at the screen for a while."""
    person = Person(act)
    meet(person)
    try:
        yield person
    finally:
        meet(None)


def answering(**answers: object) -> Callable[[OpenQuestion], Awaitable[None]]:
    """Answer by the question's text."""

    async def act(question: OpenQuestion) -> None:
        question.answer(answers[question.prompt], via="form")

    return act


def asks(*questions: Question | str) -> Graph:
    """Make a graph of one node that asks, one after the other."""

    async def node(ctx: RunContext) -> object:
        return [await ctx.ask(question) for question in questions]

    return Graph("g", {"node": node}, [])
