"""What of a long conversation is sent to the model. What is remembered never changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from nbagents.messages import Message, TextPart, ToolResultPart, user_message

__all__ = ["Ask", "History", "KeepAll", "KeepLast", "Summarise", "turns_of"]

Ask = Callable[[str, Sequence[Message]], Awaitable[str]]
"""Ask the agent's model one thing on the side: instructions and messages in, text out."""


class History(Protocol):
    """A policy that chooses which messages are sent."""

    async def select(
        self, messages: Sequence[Message], overflows: int, ask: Ask
    ) -> Sequence[Message] | None:
        """Return what to send.

        `overflows` counts how often the model has refused this very request as too long; return
        None when there is nothing left to leave out, and the run fails with `ContextOverflow`.
        """
        ...


def turns_of(messages: Sequence[Message]) -> list[Sequence[Message]]:
    """Cut a conversation where a person speaks, so that no tool call leaves its result."""
    starts = [index for index, message in enumerate(messages) if _begins_turn(message)]
    if not starts or starts[0] != 0:
        starts.insert(0, 0)
    ends = [*starts[1:], len(messages)]
    return [messages[start:end] for start, end in zip(starts, ends, strict=True)]


def _begins_turn(message: Message) -> bool:
    has_results = any(isinstance(part, ToolResultPart) for part in message.parts)
    return message.role == "user" and not has_results


@dataclass(frozen=True, slots=True)
class KeepAll:
    """Send everything."""

    async def select(
        self, messages: Sequence[Message], overflows: int, ask: Ask
    ) -> Sequence[Message] | None:
        """Return all messages; a request that is too long is an error."""
        del ask
        return None if overflows else messages


@dataclass(frozen=True, slots=True)
class KeepLast:
    """Send the last turns: what a person said, and all that followed from it."""

    turns: int

    async def select(
        self, messages: Sequence[Message], overflows: int, ask: Ask
    ) -> Sequence[Message] | None:
        """Return the last turns; half as many after each refusal, one at the least."""
        del ask
        starts: list[int] = []
        for index in range(len(messages) - 1, -1, -1):  # What came long before is not looked at.
            if len(starts) >= self.turns:
                break
            if index == 0 or _begins_turn(messages[index]):
                starts.append(index)
        kept = len(starts) >> overflows
        return messages[starts[kept - 1] :] if kept else None


_SUMMARISE = (
    "Summarise the conversation below for the one who goes on with it. Keep every fact, name, "
    "number, decision and open question. Write plain sentences, at most 300 words."
)


@dataclass(frozen=True, slots=True)
class Summarise:
    """Send a summary of the old turns, and the last turns as they are.

    The model itself writes the summary; what that costs belongs to the run.
    """

    keep: int = 4
    """Turns that are sent as they are."""
    above: int = 40
    """Messages from which on the older ones are summarised."""

    async def select(
        self, messages: Sequence[Message], overflows: int, ask: Ask
    ) -> Sequence[Message] | None:
        """Return the summary and the last turns; fewer of them after each refusal."""
        if len(messages) <= self.above and not overflows:
            return messages
        turns = turns_of(messages)
        kept = min(self.keep, len(turns)) >> overflows
        if kept < 1:
            return None
        old = [message for turn in turns[:-kept] for message in turn]
        if not old:
            return None if overflows else messages
        told = await ask(_SUMMARISE, [user_message(_transcript(old))])
        recent = [message for turn in turns[-kept:] for message in turn]
        summary = f"[What was said before, in short]\n{told}"
        if recent and recent[0].role == "user":
            first = Message("user", (TextPart(summary), *recent[0].parts))
            return [first, *recent[1:]]
        return [user_message(summary), *recent]


def _transcript(messages: Sequence[Message]) -> str:
    lines: list[str] = []
    for message in messages:
        who = message.agent or message.role
        if message.text:
            lines.append(f"{who}: {message.text}")
        lines.extend(f"{who} called {call.name}({call.args})" for call in message.tool_calls)
        lines.extend(
            f"{part.name} answered: {part.text}"
            for part in message.parts
            if isinstance(part, ToolResultPart)
        )
    return "\n".join(lines)
