"""Answers that ended before they were complete: none of their calls run, and the model is told why."""

from __future__ import annotations

from nbagents.errors import LimitReached, ModelError
from nbagents.messages import Message, StopReason

__all__ = ["INCOMPLETE", "MORE_TOKENS", "check_incomplete", "not_made"]

INCOMPLETE: dict[StopReason, str] = {
    "length": "it reached the limit of tokens for one answer",
    "filtered": "the model refused, or its vendor's content filter stopped it",
    "paused": "the model's vendor paused it",
    "unknown": "the model's server gave a reason that is not known here",
    "interrupted": "it was interrupted",
}
"""Why an answer with this stop reason is incomplete."""

MORE_TOKENS = "Raise it with settings=Settings(max_tokens=...), or ask for less at once."
_IN_A_ROW = 3


def not_made(message: Message) -> str:
    """Tell the model that the calls of an incomplete answer were not made, and what to change."""
    shorter = " Write less before the call, or pass less to it." if message.stop == "length" else ""
    return (
        f"This call was not made. Your answer ended before it was complete: {INCOMPLETE[message.stop]}. "
        f"If you still want it, call again with all arguments.{shorter}"
    )


def check_incomplete(message: Message, in_a_row: int, model: str) -> None:
    """Raise when too many answers in a row were incomplete: each of them is paid for.

    Raises `LimitReached` for the limit of tokens, `ModelError` for every other reason.
    """
    if in_a_row < _IN_A_ROW:
        return
    if message.stop == "length":
        spent = message.usage.output_tokens if message.usage else 0
        raise LimitReached("max_tokens", spent or "the model's own limit", fix=MORE_TOKENS)
    problem = f"{in_a_row} answers in a row ended early: {INCOMPLETE[message.stop]}."
    raise ModelError(problem, provider=model.partition(":")[0])
