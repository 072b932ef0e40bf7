"""Messages as chat completions take them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

from nbagents.errors import UserError
from nbagents.messages import (
    FilePart,
    Message,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from nbagents.providers._calls import call_object, fitting_id, fitting_name
from nbagents.providers._files import IMAGES, mention, shown_files, true_type, unreadable
from nbagents.providers._http import dump
from nbagents.providers._thoughts import Seals

__all__ = ["ChatMessages"]


class ChatMessages:
    """Writes messages for one server: what it sealed goes back to it, and ids have the form it takes."""

    def __init__(self, seals: Seals, ids: re.Pattern[str]) -> None:
        self._seals = seals
        self._ids = ids

    def __call__(self, message: Message) -> bytes:
        """Write one message as the chat messages it becomes, separated by commas."""
        encode = self._assistant if message.role == "assistant" else self._user
        return b",".join(dump(wire) for wire in encode(message))

    def _assistant(self, message: Message) -> Iterator[dict[str, Any]]:
        shown = shown_files(message, _content)
        if shown is not None:
            yield from self._user(shown)
        said = (
            mention(part) if isinstance(part, FilePart) else part.text
            for part in message.parts
            if isinstance(part, (TextPart, FilePart))
        )
        wire: dict[str, Any] = {"role": "assistant", "content": "".join(said) or None}
        calls = message.tool_calls
        if calls:
            wire["tool_calls"] = [self._call(call) for call in calls]
            self._unseal(message, wire)
        if calls or wire["content"]:
            yield wire

    def _call(self, call: ToolCallPart) -> dict[str, Any]:
        args = call.args
        made = call_object(args)
        if (
            "_malformed" in made
        ):  # Many servers read it before they start, and refuse what they cannot.
            args = dump(made).decode()
        return {
            "id": fitting_id(call.call_id, self._ids),
            "type": "function",
            "function": {"name": fitting_name(call.name), "arguments": args},
        }

    def _unseal(self, message: Message, wire: dict[str, Any]) -> None:
        """Put what the server wants back with its calls in the place it came from."""
        thoughts = [part for part in message.parts if isinstance(part, ThinkingPart)]
        parts: list[dict[str, Any]] = []
        for thought in thoughts:
            sealed = self._seals.open(thought.signature)
            if field := sealed.get("field"):
                wire[field] = f"{wire.get(field, '')}{thought.text}"
            if details := sealed.get("details"):
                wire.setdefault("reasoning_details", []).extend(details)
            if (signed := sealed.get("thinking")) is not None:
                inner = [{"type": "text", "text": thought.text}]
                parts.append({"type": "thinking", "thinking": inner, **signed})
            for position, extra in sealed.get("calls") or ():
                if position < len(wire["tool_calls"]):
                    wire["tool_calls"][position].update(extra)
        if parts:
            text = [{"type": "text", "text": wire["content"]}] if wire["content"] else []
            wire["content"] = [*parts, *text]

    def _user(self, message: Message) -> Iterator[dict[str, Any]]:
        """Tool results come first and hold only text: their files follow as the user's."""
        content: list[TextPart | FilePart] = []
        for part in message.parts:
            if isinstance(part, ToolResultPart):
                call_id = fitting_id(part.call_id, self._ids)
                yield {"role": "tool", "tool_call_id": call_id, "content": part.text}
                content.extend(file for file in part.content if isinstance(file, FilePart))
            elif isinstance(part, (TextPart, FilePart)):
                content.append(part)
        if all(isinstance(part, TextPart) for part in content):
            text = "\n".join(part.text for part in content if isinstance(part, TextPart))
            if text:
                yield {"role": "user", "content": text}
        else:
            yield {"role": "user", "content": [_content(part) for part in content]}


def _content(part: TextPart | FilePart) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    kind, url = true_type(part), part.url
    if part.data is not None:
        url = f"data:{kind};base64,{base64.b64encode(part.data).decode()}"
    if kind in IMAGES:
        return {"type": "image_url", "image_url": {"url": url}}
    if kind != "application/pdf":
        raise unreadable("This model", part)
    if part.data is None:
        msg = f"OpenAI takes files by their content, not by address: read {part.url} first."
        raise UserError(msg)
    return {"type": "file", "file": {"filename": part.name or "file.pdf", "file_data": url}}
