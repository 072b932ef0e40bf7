"""How long the event loop is held up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from pathlib import Path

__all__ = ["longest_pause"]

# Only Linux has it: how long this thread ran, how long it was ready and waited for a processor.
_TIMES = Path("/proc/thread-self/schedstat")


async def longest_pause(work: Awaitable[object]) -> float:
    """Do the work, and return the longest time, in seconds, that the loop was held up.

    Where the system tells it, that is without the time in which the loop's thread could go on, but
    other processes had all processors.
    """
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter() - _seconds_in_queue()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - _seconds_in_queue() - before - 0.001)

    watcher = asyncio.create_task(watch())
    await work
    watcher.cancel()
    return longest


def _seconds_in_queue() -> float:
    try:
        return int(_TIMES.read_bytes().split()[1]) / 1e9
    except FileNotFoundError:
        return 0.0
