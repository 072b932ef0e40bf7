"""What a run may be given, and the messages that it becomes."""

from __future__ import annotations

from collections.abc import Sequence

from nbagents.errors import UserError
from nbagents.messages import FilePart, Message, TextPart, user_message

__all__ = ["Input", "asked_messages", "conversation"]

Input = str | TextPart | FilePart | Message | Sequence[str | TextPart | FilePart | Message]
"""What a run may be given: a text, files beside texts, or a conversation to go on with."""


def asked_messages(input: Input | None, session: object) -> tuple[Message, ...] | None:
    """Turn what is asked into messages; None, to resume what was interrupted, needs a session."""
    if input is None and session is None:
        raise UserError("A run is given text, files or messages, not nothing.")
    return None if input is None else conversation(input)


def conversation(input: Input) -> tuple[Message, ...]:
    """Turn what a run is given into messages; texts and files side by side are one message.

    Raises `UserError` on anything else, and on nothing.
    """
    items: Sequence[object] = [input]
    if isinstance(input, Sequence) and not isinstance(input, (str, bytes)):
        items = input
    messages: list[Message] = []
    loose: list[str | TextPart | FilePart] = []
    for item in items:
        if isinstance(item, Message):
            if loose:
                messages.append(user_message(*loose))
                loose.clear()
            messages.append(item)
        elif isinstance(item, (str, TextPart, FilePart)):
            loose.append(item)
        else:
            kind = type(item).__name__
            raise UserError(f"A run is given text, files or messages, not {kind} ({item!r:.60}).")
    if loose:
        messages.append(user_message(*loose))
    if not messages:
        raise UserError("A run is given text, files or messages, not nothing.")
    return tuple(messages)
