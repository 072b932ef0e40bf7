"""When to ask a model again, and how long to wait before."""

from __future__ import annotations

import random
from dataclasses import dataclass

from nbagents.errors import ModelError

__all__ = ["RetryPolicy"]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with full jitter; what the vendor asks for comes first."""

    attempts: int = 5
    """Requests in all; 1 means never again."""
    first: float = 1.0
    """Seconds at most before the second request."""
    longest: float = 60.0
    """Seconds at most before any request, also when the vendor asks for more."""

    def wait(self, error: ModelError, attempt: int) -> float | None:
        """Return the seconds to wait after request number `attempt` failed, or None to give up."""
        if not error.retryable or attempt >= self.attempts:
            return None
        if error.retry_after is not None:
            return error.retry_after if error.retry_after <= self.longest else None
        ceiling = min(self.longest, self.first * 2 ** (attempt - 1))
        return random.uniform(ceiling / 2, ceiling)  # noqa: S311 - jitter is no secret
