"""What runs share by `ctx.state`: what comes back as what it is, and nothing else."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import BaseModel

from nbagents import Graph, MemoryStore, RunContext, Session, UserError


class Trip(BaseModel):
    place: str


@pytest.fixture
def store():
    return MemoryStore()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ((1, 2), r"ctx.state\['k'\] is not JSON \(tuple\). Make it a list, or hand it .* by deps="),
        ({1}, r"ctx.state\['k'\] is not JSON \(set\). Make it a list"),
        (b"x", r"ctx.state\['k'\] is not JSON \(bytes\)"),
        ({"a": [0, date(2026, 3, 1)]}, r"ctx.state\['k'\]\['a'\]\[1\] is not JSON \(date\)"),
        ({"a": object()}, r"ctx.state\['k'\]\['a'\] is not JSON \(object\)"),
        ({1: "a"}, r"The key of ctx.state\['k'\]\[1\] is not JSON \(int\)"),
        (Trip(place="Rome"), r"ctx.state\['k'\] is not JSON \(Trip\)"),
    ],
)
async def test_what_would_come_back_as_something_else_is_not_shared(store, value, told):
    def share(ctx: RunContext) -> str:
        ctx.state["good"], ctx.state["k"] = 1, value
        return ""

    session = Session("s", store=store)
    with pytest.raises(UserError, match=told):
        await Graph("g", {"share": share}, []).run("go", session=session)
    assert (await session.load()).state == {}


async def test_what_is_shared_comes_back_as_it_was(store):
    shared = {"text": "x", "list": [1, 2.5, None, True], "deep": {"a": [{}]}, "big": 10**30}

    def share(ctx: RunContext) -> str:
        ctx.state.update(shared)
        return ""

    session = Session("s", store=store)
    await Graph("g", {"share": share}, []).run("go", session=session)
    assert (await Session("s", store=store).load()).state == shared
