"""Events on their way to a page: without keys, of which one may come in many pieces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from nbagents.events import Event, TextDelta, ThinkingDelta
from nbagents.notebook.document import joined
from nbagents.redaction import MARK, redact
from nbagents.redaction.hints import may_begin_secret
from nbagents.sessions.records import without_keys

__all__ = ["Outgoing"]

_CONTEXT = 300
_MOST_HELD = 20_000
_LAST_WORD = re.compile(r"\S{1,1000}\Z")


class Outgoing:
    """Takes events, and gives those that may be sent.

    A text is held back at the end where a key may have begun, until its word is over. Each delta is
    searched together with what was sent just before it, so the work does not grow with the text.
    """

    def __init__(self, sent: Sequence[Event] = ()) -> None:
        """`sent` are the deltas of unfinished messages that the page has already."""
        self._held: list[Event] = []
        self._before: dict[tuple[str, str], str] = {}
        """The end of the text that was sent, by run and type."""
        for event in sent:
            if isinstance(event, (TextDelta, ThinkingDelta)):
                key = (event.run_id, event.type)
                self._before[key] = (self._before.get(key, "") + event.text)[-_CONTEXT:]

    def take(self, new: Sequence[Event]) -> list[Event]:
        """Return the events to send now."""
        events = joined([*self._held, *new])
        first = self._first_unfinished(events)
        self._held = events[first:]
        return [self._cleaned(event) for event in events[:first]]

    def _first_unfinished(self, events: Sequence[Event]) -> int:
        """Find the first delta that ends in what may be the beginning of a key."""
        first = len(events)
        over: set[str] = set()
        """Runs of which something else has come since."""
        for index in range(len(events) - 1, -1, -1):
            event = events[index]
            if isinstance(event, (TextDelta, ThinkingDelta)) and event.run_id not in over:
                text = self._before.get((event.run_id, event.type), "") + event.text
                if len(event.text) < _MOST_HELD and _is_unfinished(text):
                    first = index
            over.add(event.run_id)
        return first

    def _cleaned(self, event: Event) -> Event:
        if not isinstance(event, (TextDelta, ThinkingDelta)):
            for kind in ("text_delta", "thinking_delta"):
                self._before.pop((event.run_id, kind), None)
            return without_keys(event)
        key = (event.run_id, event.type)
        before = self._before.get(key, "")
        whole = before + event.text
        self._before[key] = whole[-_CONTEXT:]
        cleaned = redact(whole)
        if cleaned == whole:
            return event
        sent = redact(before)
        if cleaned.startswith(sent):
            return replace(event, text=cleaned[len(sent) :])
        # The key began in what was sent: its rest becomes a mark.
        return replace(event, text=MARK + _common_end(cleaned, event.text))


def _common_end(one: str, other: str) -> str:
    pairs = zip(reversed(one), reversed(other), strict=False)
    length = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return one[len(one) - length :]


def _is_unfinished(text: str) -> bool:
    word = _LAST_WORD.search(text)
    return may_begin_secret(text, word.start()) if word else "PRIVATE KEY" in text
