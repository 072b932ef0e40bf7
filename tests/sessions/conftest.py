"""What the tests of sessions share."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbagents import Agent, FileStore, ScriptedModel, Session


def pytest_configure():
    """Let what is asserted outside of the tests' own files be explained too."""
    pytest.register_assert_rewrite("tests.sessions.crashes")


@pytest.fixture
async def kept(tmp_path: Path) -> tuple[Path, FileStore]:
    """Make a session of five turns, and give its file."""
    store = FileStore(tmp_path)
    agent = Agent("a", model=ScriptedModel(*"12345"))
    for number in range(5):
        await agent.run(f"ask {number}", session=Session("s", store=store))
    return tmp_path / "s" / "log.jsonl", FileStore(tmp_path)
