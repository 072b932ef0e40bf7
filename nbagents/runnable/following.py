"""Which run a conversation follows: what `[*run.messages, ...]` holds is in that run already."""

from __future__ import annotations

import weakref
from collections.abc import Sequence

from nbagents.messages import Message

__all__ = ["followed", "remember_conversation"]

_ends: dict[int, tuple[weakref.ref[Message], int, str]] = {}
"""The last message of each conversation, the hash of all its messages, and its run."""


def remember_conversation(run_id: str, messages: Sequence[Message]) -> None:
    """Remember which run these messages come from, for as long as the last of them exists."""
    if messages:
        key, forget = id(messages[-1]), _ends.pop
        reference = weakref.ref(messages[-1], lambda _: forget(key, None))
        _ends[key] = reference, hash(tuple(map(id, messages))), run_id


def followed(messages: Sequence[Message], run_id: str) -> tuple[int, str | None]:
    """Find the run that `messages` of the run `run_id` continue.

    Returns how many messages are that run's conversation, unchanged, and its ID.
    """
    for count in range(len(messages) - 1, 0, -1):
        last = messages[count - 1]
        reference, known, other = _ends.get(id(last), (None, 0, ""))
        if reference is None or reference() is not last or other == run_id:
            continue
        if hash(tuple(map(id, messages[:count]))) == known:
            return count, other
    return 0, None
