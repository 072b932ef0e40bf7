"""What an answer cost, by the price list that comes with `genai-prices`."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from nbagents.messages import Usage

__all__ = ["cost"]

_SELLERS = {"bedrock": "aws"}
_UNDERSTOOD = {
    "input_mtok",
    "output_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "cache_write_1h_mtok",
    "web_searches_kcount",
    "storage_searches_kcount",
}
_PER = 1_000_000


def cost(
    provider: str, model: str, usage: Usage, *, written_tokens: int = 0, written_1h_tokens: int = 0
) -> Decimal | None:
    """Return the price of one answer in US dollars, or None when it is not known.

    `written_tokens` are those of `usage.input_tokens` that the vendor wrote into its cache, and
    `written_1h_tokens` those of them that it keeps for an hour; both have prices of their own.
    Only ask for what the vendor itself sells at its ordinary rate: other people's servers, batches
    and priority tiers have prices that the list does not hold. The first call reads the list,
    which takes some 0.3 seconds.
    """
    known = _prices(provider, model)
    if known is None:
        return None
    listed: dict[str, Any] = known.get_prices(datetime.now(tz=UTC)).__dict__
    rates = {name: rate for name, rate in listed.items() if rate is not None}
    if "input_mtok" not in rates or "output_mtok" not in rates or not rates.keys() <= _UNDERSTOOD:
        return None  # It sells sound or pictures too, and Usage does not tell tokens apart.
    counts = {
        "output_mtok": usage.output_tokens,
        "cache_read_mtok": usage.cached_tokens,
        "cache_write_mtok": written_tokens - written_1h_tokens,
        "cache_write_1h_mtok": written_1h_tokens,
    }
    if "cache_write_1h_mtok" not in rates:
        counts["cache_write_mtok"] = written_tokens
    special = {name: count for name, count in counts.items() if name in rates}
    special["input_mtok"] = usage.input_tokens + usage.output_tokens - sum(special.values())
    from genai_prices.types import calc_unit_price

    read = usage.input_tokens
    return sum(
        (calc_unit_price(rates[name], count, read, _PER) for name, count in special.items()),
        Decimal(0),
    )


@functools.lru_cache(maxsize=256)
def _prices(provider: str, model: str) -> Any:
    from genai_prices.data_snapshot import get_snapshot

    seller = _SELLERS.get(provider, provider)
    try:
        return get_snapshot().find_provider_model(model, None, seller, None)[1]
    except LookupError:
        return None
