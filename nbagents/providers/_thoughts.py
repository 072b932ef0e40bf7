"""Thoughts in chat completions: in tags of the text, and sealed to go back to their server alone."""

from __future__ import annotations

import hashlib
import json
from typing import Any, cast
from urllib.parse import urlsplit

__all__ = ["Seals", "ThinkTags", "is_from_chat"]

_TAGS = ("<think>", "<thinking>")
_PREFIX = "chat:"


class ThinkTags:
    """Splits a streamed text that begins with `<think>...</think>` into the thought and the rest."""

    def __init__(self) -> None:
        self.is_over = False
        """True when all that follows is text."""
        self._held = ""
        self._close = ""
        self._closed = False

    def feed(self, text: str) -> list[tuple[bool, str]]:
        """Take the next piece; return what it adds, each with True if it is a thought."""
        self._held += text
        said: list[tuple[bool, str]] = []
        if not self._close and not self._closed:
            start = self._held.lstrip()
            tag = next((tag for tag in _TAGS if start.startswith(tag)), None)
            if tag is None:
                if any(tag.startswith(start) for tag in _TAGS):
                    return said
                return [self._rest()]
            self._held, self._close = start[len(tag) :], f"</{tag[1:]}"
        if self._close:
            thought, found, rest = self._held.partition(self._close)
            if not found:
                keep = _overlap(self._held, self._close)
                thought, rest = self._held[: len(self._held) - keep], self._held[-keep:]
                rest = rest if keep else ""
            else:
                self._close, self._closed = "", True
            self._held = rest
            if thought:
                said.append((True, thought))
        if self._closed:
            self._held = self._held.lstrip()
            if self._held:
                said.append(self._rest())
        return said

    def finish(self) -> list[tuple[bool, str]]:
        """Return what was held back for a tag that never came."""
        thinking = bool(self._close)
        held = self._rest()[1]
        return [(thinking, held)] if held else []

    def _rest(self) -> tuple[bool, str]:
        held, self._held, self.is_over = self._held, "", True
        return False, held


def _overlap(text: str, tag: str) -> int:
    """Count the characters at the end of a text that may begin the tag."""
    sizes = range(min(len(text), len(tag) - 1), 0, -1)
    return next((size for size in sizes if tag.startswith(text[-size:])), 0)


class Seals:
    """Signs what goes back to the server that it came from, and to no other: others refuse it.

    The server is known by a hash of its address, which a shared notebook may not show.
    """

    def __init__(self, url: str) -> None:
        host = urlsplit(url).netloc.rpartition("@")[2]
        self._mark = f"{_PREFIX}{hashlib.blake2b(host.encode(), digest_size=4).hexdigest()}:"

    def seal(self, content: dict[str, Any]) -> str:
        """Write what a server wants back as the signature of a thought."""
        return self._mark + json.dumps(content, ensure_ascii=False)

    def open(self, signature: str | None) -> dict[str, Any]:
        """Read it again; empty for any signature that is not of this server."""
        if signature is None or not signature.startswith(self._mark):
            return {}
        try:
            content: Any = json.loads(signature[len(self._mark) :])
        except ValueError:
            return {}
        return cast("dict[str, Any]", content) if isinstance(content, dict) else {}


def is_from_chat(signature: str) -> bool:
    """Tell whether a signature is one of `Seals`, which only its own server understands."""
    return signature.startswith(_PREFIX)
