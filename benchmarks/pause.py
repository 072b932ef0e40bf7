"""How long the event loop is held up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable

__all__ = ["longest_pause"]


async def longest_pause(work: Awaitable[object]) -> float:
    """Do the work, and return the longest time, in seconds, that the loop was held up."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before - 0.001)

    watcher = asyncio.create_task(watch())
    await work
    watcher.cancel()
    return longest
