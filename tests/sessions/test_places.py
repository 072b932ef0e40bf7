"""Where sessions lie: as it is set, found once, and fit to be written before anything is done."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from textwrap import dedent

import pytest

from nbagents import Agent, ScriptedModel, UserError
from tests.offline import child_environment


def told_by(code: str, folder: object) -> str:
    """Run a script of its own, with a folder, and return what it prints."""
    env = child_environment()
    env.pop("NBAGENTS_SESSIONS", None)
    done = subprocess.run(
        [sys.executable, "-c", dedent(code), str(folder)],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


async def test_an_id_is_enough_and_the_setting_says_where(monkeypatch, tmp_path):
    monkeypatch.setenv("NBAGENTS_SESSIONS", f"file:{tmp_path}/there")
    await Agent("a", model=ScriptedModel("x")).run("go", session="diary")
    assert (tmp_path / "there" / "diary" / "log.jsonl").exists()
    with pytest.raises(UserError, match="cannot be the id"):
        await Agent("a", model=ScriptedModel("x")).run("go", session="a/b")


def test_another_folder_to_work_in_begins_no_other_store(tmp_path):
    code = """
    import os, sys
    from nbagents import Agent, ScriptedModel, Session
    agent = Agent("a", model=ScriptedModel("x", repeat=True))
    for place in (None, "file:logs", "memory:"):
        os.chdir(sys.argv[1])
        if place:
            os.environ["NBAGENTS_SESSIONS"] = place
        agent("one", session="diary")
        os.chdir("elsewhere")
        print(len(agent("two", session="diary").messages))
    """
    (tmp_path / "elsewhere").mkdir()
    assert told_by(code, tmp_path).split() == ["4", "4", "4"]
    logs = [str(log.relative_to(tmp_path)) for log in sorted(tmp_path.rglob("log.jsonl"))]
    assert logs == [".nbagents/sessions/diary/log.jsonl", "logs/diary/log.jsonl"]


def test_a_place_that_cannot_be_written_is_told_before_a_model_is_asked():
    # The rights of a folder do not bind root, so another user tries; where root's home is closed,
    # that one could import nothing any more.
    code = """
    import asyncio, os, sys
    from nbagents import Agent, FileStore, ScriptedModel, Session, SessionError
    import nbagents.testing, nbagents.agents.loop
    folder = sys.argv[1]
    async def main():
        asked = []
        model = ScriptedModel(lambda request: asked.append(1) or "x", repeat=True)
        async def ask(id):
            await Agent("a", model=model).run("go", session=Session(id, store=FileStore(folder)))
        await ask("diary")
        os.chmod(f"{folder}/diary/log.jsonl", 0o444)
        os.chmod(folder, 0o555)
        for id in ("diary", "new"):
            try:
                await ask(id)
            except SessionError as error:
                print(error)
        print(len(asked), len((await Session("diary", store=FileStore(folder)).load()).runs))
    if os.getuid() == 0:
        os.chown(folder, 65534, 65534)
        os.setgid(65534)
        os.setuid(65534)
    asyncio.run(main())
    """
    # pytest's own folder is closed to other users.
    with tempfile.TemporaryDirectory() as folder:
        way = (
            "cannot be written. Give yourself the right to it, "
            "or keep sessions elsewhere: %nbagents config sessions=file:DIR"
        )
        assert told_by(code, folder).splitlines() == [
            f"{folder}/diary/log.jsonl {way}",
            f"{folder}/new/log.jsonl {way}",
            "1 1",
        ]
