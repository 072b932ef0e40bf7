"""Answers: what the model writes, read as it comes, at the same cost for each piece."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Answer", "Call", "CallAnswer", "JsonAnswer", "TextAnswer"]

_START = '{"tool": "'
_HEAD = re.compile(r'\{"tool": ("(?:[^"\\]|\\.)*"), "arguments": ')
_TEXT = '{"text": "'
_END = '"}}'
# What can be decoded for itself: an escape cut in the middle waits for its rest, and so does the
# first half of a surrogate pair (RFC 8259, section 7) until it is seen that no second half comes.
_WHOLE = re.compile(
    r"""(?: [^"\\]
        | \\["\\/bfnrt]
        | \\u(?![dD][89abAB])[0-9a-fA-F]{4}
        | \\u[dD][89abAB][0-9a-fA-F]{2}
          (?: \\u[dD][c-fC-F][0-9a-fA-F]{2} | (?= [^\\] | \\[^u] | \\u[^dD] | \\u[dD][^c-fC-F] ) )
        )*""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool, in the protocol's form."""

    name: str
    args: str
    """JSON text."""

    def __str__(self) -> str:
        return f'{{"tool": {json.dumps(self.name, ensure_ascii=False)}, "arguments": {self.args}}}'


class Answer(Protocol):
    """Reads one answer."""

    def feed(self, piece: str) -> str:
        """Take what came and return the text that it adds. Raises `ValueError` on a wrong form."""
        ...

    def close(self) -> Call | None:
        """Return the call, if the answer is one. Raises `ValueError` if it is not complete."""
        ...


class TextAnswer:
    """An answer in free words."""

    def feed(self, piece: str) -> str:
        """Return the piece."""
        return piece

    def close(self) -> Call | None:
        """There is no call in free words."""
        return None


class JsonAnswer:
    """An answer that is JSON from its first to its last character."""

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def feed(self, piece: str) -> str:
        """Return the piece."""
        self._pieces.append(piece)
        return piece

    def close(self) -> Call | None:
        """Check that it is JSON."""
        json.loads("".join(self._pieces))
        return None


class CallAnswer:
    """A call; that of the tool `reply` is an answer in words, or in JSON if `reply_is_json`."""

    def __init__(self, reply: str, *, reply_is_json: bool) -> None:
        self._reply = reply
        self._reply_is_json = reply_is_json
        self._name: str | None = None
        self._in_text = False
        self._rest = ""
        self._args: list[str] = []

    def feed(self, piece: str) -> str:
        """Return the text that the piece adds to a reply; other calls are only collected."""
        self._rest += piece
        if self._name is None and not self._read_head():
            return ""
        if self._name == self._reply and not self._reply_is_json:
            return self._read_text()
        # The last brace belongs to the call, not to its arguments.
        args, self._rest = self._rest[:-1], self._rest[-1:]
        self._args.append(args)
        return args if self._name == self._reply else ""

    def close(self) -> Call | None:
        """Return the call, or None after a reply."""
        if self._name == self._reply and not self._reply_is_json:
            if self._rest != _END:
                raise ValueError("The text has no end.")
            return None
        if self._name is None or self._rest != "}":
            raise ValueError("The call has no end.")
        call = Call(self._name, "".join(self._args))
        json.loads(call.args)
        return None if call.name == self._reply else call

    def _read_head(self) -> bool:
        head = _HEAD.match(self._rest)
        if head is None:
            if self._rest[: len(_START)] != _START[: len(self._rest)]:
                raise ValueError("This is no call.")
            return False
        self._name = str(json.loads(head[1]))
        self._rest = self._rest[head.end() :]
        return True

    def _read_text(self) -> str:
        if not self._in_text:
            if len(self._rest) < len(_TEXT):
                return ""
            if not self._rest.startswith(_TEXT):
                raise ValueError("This reply has no text.")
            self._rest = self._rest[len(_TEXT) :]
            self._in_text = True
        whole = _WHOLE.match(self._rest)
        raw = whole[0] if whole else ""
        self._rest = self._rest[len(raw) :]
        if "\\" not in raw:
            return raw
        text = str(json.loads(f'"{raw}"', strict=False))
        # Half a surrogate pair is no character, and nothing after us could write it.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
