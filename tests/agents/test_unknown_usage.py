"""Servers that do not say what an answer cost: limits hold all the same, and say how they know."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from decimal import Decimal

import pytest

from nbagents import Agent, Limits, ModelError, RetryPolicy, Settings
from nbagents.events import TextDelta, ToolCallDelta
from nbagents.messages import FilePart, Message, Usage, user_message
from nbagents.models.base import Capabilities, Chunk, ModelDone, ModelRequest, UsageSoFar
from nbagents.models.estimate import estimated_usage
from tests.wire.chat import call, calls, delta, event, openai, raw
from tests.wire.openai import OpenAIWire

SPENT = {"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 10}}


class Silent:
    """Calls a tool for ever and never says what it cost; fails at first as often as it is told to."""

    name = "silent:m"
    capabilities = Capabilities()

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.asked = 0

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        self.asked += 1
        yield TextDelta("Let me look.")
        if self.asked <= self.failures:
            yield UsageSoFar(Usage(100, 10, 0, Decimal(1)))
            raise ModelError("Busy.", provider="silent", retryable=True)
        yield ToolCallDelta(0, f"c{self.asked}", "look", "{}")
        yield ModelDone("tools", None)


def look() -> str:
    """Look."""
    return "x" * 400


async def test_a_limit_of_tokens_holds_on_an_estimate_and_says_so():
    model = Silent()
    run = await Agent("a", model=model, tools=[look], limits=Limits(tokens=200)).run("go")
    assert run.status == "limited"
    assert run.reason == "tokens=200 (estimated: the server reports no usage)"
    assert model.asked < 5
    assert run.usage.estimated
    assert run.usage.cost is None


async def test_what_is_known_is_not_called_an_estimate():
    script = [calls([call("{}", name="look")]), raw(delta({"content": "ok"}, "stop"))]
    script = [raw(*reply.raw[:-1], event(SPENT)) for reply in script]
    async with OpenAIWire(script) as server:
        run = await Agent("a", model=openai(server), tools=[look]).run("go")
    assert (run.usage.total_tokens, run.usage.estimated) == (220, False)


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": 0, "completion_tokens": 0}])
async def test_no_usage_is_an_estimate_of_about_the_right_size(usage):
    words = "word " * 400
    script = [raw(delta({"content": words}, "stop"), event({"choices": [], "usage": usage}))]
    async with OpenAIWire(script) as server:
        run = await Agent("a", model=openai(server), instructions=words).run(words)
    assert run.usage.estimated
    assert 800 <= run.usage.input_tokens <= 1200
    assert 400 <= run.usage.output_tokens <= 600


async def test_broken_tries_are_counted_and_end_a_run_at_its_limit():
    quick = RetryPolicy(attempts=5, first=0.001)
    model = Silent(failures=5)
    limits = Limits(tokens=250)
    run = await Agent("a", model=model, tools=[look], retries=quick, limits=limits).run("go")
    assert (run.reason, model.asked, run.usage.total_tokens) == ("tokens=250", 3, 330)
    run = await Agent("a", model=Silent(5), retries=quick, limits=Limits(cost=2)).run("go")
    assert run.reason == "cost=2"


async def test_a_run_that_fails_tells_what_all_its_tries_cost():
    agent = Agent("a", model=Silent(failures=9), retries=RetryPolicy(attempts=2, first=0.001))
    with pytest.raises(ModelError) as raised:
        await agent.run("go")
    assert raised.value.run.usage == Usage(200, 20, 0, Decimal(2))


def test_a_file_counts_as_a_picture_does_and_not_by_its_bytes():
    request = ModelRequest(
        [user_message(FilePart("image/png", b"x" * 1_000_000))], settings=Settings()
    )
    assert estimated_usage(request, Message("assistant", ())) == Usage(1000, 0, estimated=True)
