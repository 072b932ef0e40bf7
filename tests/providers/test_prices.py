"""Prices come from the list of genai-prices, or not at all."""

from __future__ import annotations

from decimal import Decimal

import genai_prices
import pytest

from nbagents.messages import Usage
from nbagents.providers.openai import OpenAIModel
from nbagents.providers.prices import cost


@pytest.mark.parametrize("read", [10, 1_000, 300_000])
@pytest.mark.parametrize(
    ("provider", "seller", "model"),
    [
        ("openai", "openai", "gpt-5-mini"),
        ("openai", "openai", "gpt-3.5-turbo"),
        ("anthropic", "anthropic", "claude-sonnet-4-5"),
        ("anthropic", "anthropic", "claude-haiku-5-5"),
        ("bedrock", "aws", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("bedrock", "aws", "meta.llama3-1-8b-instruct-v1:0"),
    ],
)
def test_an_answer_costs_what_the_list_says(provider: str, seller: str, model: str, read: int):
    usage = Usage(read, 50, cached_tokens=read // 2)
    theirs = genai_prices.calc_price(
        genai_prices.Usage(
            input_tokens=read,
            output_tokens=50,
            cache_read_tokens=read // 2,
            cache_write_tokens=read // 5,
        ),
        model,
        provider_id=seller,
    )
    assert cost(provider, model, usage, written_tokens=read // 5) == theirs.total_price


def test_what_is_kept_in_the_cache_for_an_hour_has_its_own_price():
    usage = Usage(1_000_000, 0)
    minutes = cost("anthropic", "claude-sonnet-5-5", usage, written_tokens=1_000_000)
    hour = cost(
        "anthropic",
        "claude-sonnet-5-5",
        usage,
        written_tokens=1_000_000,
        written_1h_tokens=1_000_000,
    )
    assert (minutes, hour) == (Decimal("2.5"), Decimal(4))


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "no-such-model"),
        ("local", "qwen2.5-coder-0.5b"),
        ("bedrock", "arn:aws:bedrock:us-east-1:1:application-inference-profile/x"),
        ("bedrock", "amazon.nova-2-sonic-v1:0"),
    ],
)
def test_an_unknown_price_is_never_guessed(provider: str, model: str):
    assert cost(provider, model, Usage(1000, 50)) is None


def test_what_openai_writes_into_its_cache_is_billed():
    model = OpenAIModel("gpt-5.6", api_key="k")
    spent = {"prompt_tokens": 1_000_000, "completion_tokens": 0}
    written = {"prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 1_000_000}}
    plain, billed = (model._usage({"usage": usage}).cost for usage in (spent, spent | written))
    assert plain
    assert billed
    assert billed == plain * Decimal("1.25")
