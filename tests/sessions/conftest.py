"""What the tests of sessions share."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from nbagents import Agent, FileStore, ScriptedModel
from nbagents.sessions.records import encode


def pytest_configure():
    """Let what is asserted outside of the tests' own files be explained too."""
    pytest.register_assert_rewrite("tests.sessions.crashes")


@pytest.fixture
def seeded(request) -> Callable[[int], tuple[int, int]]:
    """Give the seed of a test that kills at random, and how often it does: with `--all` anew and longer.

    A failure names the seed; `NBAGENTS_CRASH_SEED` repeats it.
    """
    every = request.config.getoption("all")
    seed = random.randrange(10**9) if every else 20_261_130
    return lambda kills: (
        int(os.environ.get("NBAGENTS_CRASH_SEED") or seed),
        kills * (5 if every else 1),
    )


@pytest.fixture
async def kept(tmp_path: Path) -> tuple[Path, FileStore]:
    """Make a session of five runs, one in each record, and give its file."""
    store = FileStore(tmp_path)
    agent = Agent("a", model=ScriptedModel(*"12345"))
    for number in range(5):
        run = await agent.run(f"ask {number}")
        await store.append("s", number, encode([(each, None) for each in run.events], number + 1))
    return tmp_path / "s" / "log.jsonl", FileStore(tmp_path)
