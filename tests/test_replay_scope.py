"""Where a replay answers: in its block, in the threads and tasks below it, and nowhere else."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from nbagents import Agent, ScriptedModel
from nbagents.replay import Cassette, play
from tests.test_replay import Deaf


def test_a_replay_that_ends_in_one_thread_goes_on_in_the_others():
    def recorded(answer: str) -> Cassette:
        cassette = Cassette()
        run = Agent("a", model=ScriptedModel(answer))("go")
        cassette.add(run.events, "cell 1")
        return cassette

    deaf, real = Agent("a", model=Deaf()), Agent("a", model=ScriptedModel("real", repeat=True))
    one, other = recorded("one"), recorded("other")
    has_ended, is_playing = threading.Event(), threading.Event()

    def plays_longer() -> list[str]:
        with play(other):
            is_playing.set()
            assert has_ended.wait(60)
            return [deaf("go").output, asyncio.run(deaf.run("go")).output]

    with ThreadPoolExecutor() as threads:
        longer = threads.submit(plays_longer)
        assert is_playing.wait(60)
        with play(one):
            assert deaf("go").output == "one"
        has_ended.set()
        assert longer.result() == ["other", "other"]
    assert real("go").output == "real"
