"""Replay: what was recorded answers in place of models, tools and people."""

from nbagents.replay.cassette import (
    Cassette,
    Played,
    RecordedError,
    RecordedStop,
    ReplayMiss,
    no_result,
    play,
    play_everywhere,
    playing,
)
from nbagents.replay.requests import Requests

__all__ = [
    "Cassette",
    "Played",
    "RecordedError",
    "RecordedStop",
    "ReplayMiss",
    "Requests",
    "no_result",
    "play",
    "play_everywhere",
    "playing",
]
