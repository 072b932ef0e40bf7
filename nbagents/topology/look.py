"""How kinds and states look: colours that read on white and on black, signs that need no colour."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from typing import Literal, NamedTuple

from nbagents.topology.parts import NodeKind, TopologyNode, shorten
from nbagents.topology.sources import LONGEST_LABEL

__all__ = [
    "FAINT",
    "GREY",
    "INK",
    "KINDS",
    "LABEL_SIZE",
    "STATES",
    "TAKEN",
    "Face",
    "NodeState",
    "Status",
    "face_of",
    "state_words",
    "text_width",
]

Status = Literal["pending", "running", "waiting", "done", "failed", "skipped", "stopped"]

LABEL_SIZE = 13
INK, FAINT, GREY, TAKEN = "#0f172a", "#64748b", "#8a94a6", "#3b82f6"


@dataclass(frozen=True, slots=True)
class NodeState:
    """How far a node is; `seconds` is how long all its visits took."""

    status: Status
    visits: int = 0
    seconds: float = 0.0


class KindLook(NamedTuple):
    """How a kind of node looks while it has no state; the icon is drawn around 0,0."""

    fill: str
    line: str
    radius: float
    icon: str


class StateLook(NamedTuple):
    """How a status looks: its sign, its word and its line tell it without the colours too."""

    sign: str
    words: str
    fill: str
    line: str
    ink: str
    dashes: str = ""
    wide: str = ""
    """Attribute of the line of a node; the frame of a team stays thin."""
    group: str = ""
    """Attribute of the whole node."""


_SWARM = (
    '<path d="M0-4-5 4H5Z" fill="none" stroke="#475569"/>'
    '<path d="M-2.6-4a2.6 2.6 0 1 1 5.2 0 2.6 2.6 0 1 1-5.2 0M-7.6 4a2.6 2.6 0 1 1 5.2 0 '
    '2.6 2.6 0 1 1-5.2 0M2.4 4a2.6 2.6 0 1 1 5.2 0 2.6 2.6 0 1 1-5.2 0" fill="#475569"/>'
)
_GRAPH = (
    '<path d="M-4 0C0 0-1-4.5 4-4.5M-4 0C0 0-1 4.5 4 4.5" fill="none" stroke="#475569"/>'
    '<path d="M-7.5-2.5h5v5h-5ZM2.5-7h5v5h-5ZM2.5 2h5v5h-5Z" fill="#475569"/>'
)
KINDS: dict[NodeKind, KindLook] = {
    "agent": KindLook(
        "#eef2ff",
        "#818cf8",
        9,
        '<path d="M0-8C.9-2.2 2.2-.9 8 0 2.2.9.9 2.2 0 8-.9 2.2-2.2.9-8 0-2.2-.9-.9-2.2 0-8Z"'
        ' fill="#6366f1"/>',
    ),
    "tool": KindLook(
        "#fefce8",
        "#d1a53c",
        99,
        '<path d="M6.3-3.4 4-1.1 1.1-4 3.4-6.3A4.2 4.2 0 0 0-1.6-.9L-6.3 3.8'
        'A1.76 1.76 0 0 0-3.8 6.3L.9 1.6A4.2 4.2 0 0 0 6.3-3.4Z" fill="#a16207"/>',
    ),
    "function": KindLook(
        "#f8fafc",
        "#94a3b8",
        3,
        '<text y="5" text-anchor="middle" font-size="18" font-weight="400" font-style="italic"'
        ' font-family="Georgia,serif" fill="#475569">ƒ</text>',
    ),
    "human": KindLook(
        "#fff7ed",
        "#f59e57",
        14,
        '<path d="M-6.5 7.5C-6.5 2.6-3.6.8 0 .8S6.5 2.6 6.5 7.5ZM-3.4-3.6a3.4 3.4 0 1 1 6.8 0'
        ' 3.4 3.4 0 1 1-6.8 0" fill="#c2410c"/>',
    ),
    "remote": KindLook(
        "#ecfeff",
        "#3aa6bd",
        9,
        '<path d="M-4.5 5.5A3.6 3.6 0 0 1-5-1.7 5 5 0 0 1 4.6-2.7 4.1 4.1 0 0 1 4.5 5.5Z"'
        ' fill="#0e7490"/>',
    ),
    "swarm": KindLook("#f1f5f9", GREY, 11, _SWARM),
    "graph": KindLook("#f1f5f9", GREY, 11, _GRAPH),
}
STATES: dict[Status, StateLook] = {
    "pending": StateLook(
        "",
        "pending",
        '#e2e8f0" fill-opacity=".65',
        "#94a3b8",
        "#334155",
        ' stroke-dasharray=".1 3.5" stroke-linecap="round"',
    ),
    "running": StateLook("●", "running", "#dbeafe", "#2563eb", "#1d4ed8", wide=' stroke-width="3"'),
    "waiting": StateLook("?", "waiting for you", "#ffedd5", "#ea580c", "#9a3412"),
    "done": StateLook("✓", "done", "#dcfce7", "#16a34a", "#166534"),
    "failed": StateLook(
        "✗",
        "failed",
        "#fee2e2",
        "#dc2626",
        "#b91c1c",
        ' stroke-dasharray="9 2"',
        ' stroke-width="2.5"',
    ),
    "skipped": StateLook(
        "\N{EN DASH}",
        "skipped",
        "#f1f5f9",
        "#94a3b8",
        "#334155",
        ' stroke-dasharray="4 4"',
        group=' opacity=".6"',
    ),
    "stopped": StateLook(
        "■", "stopped", "#e2e8f0", "#475569", "#334155", ' stroke-dasharray="12 3"'
    ),
}

_KIND_WORDS: dict[NodeKind, str] = {"human": "person", "remote": "remote agent"}
_NARROW = frozenset("ijltfrI.,:;'!|()[]{}/\\-\"` ")
_BROAD = frozenset("mwMW@%—…")


def text_width(text: str, size: float) -> float:
    """Estimate how wide a text is, in pixels, in the widest of the usual sans-serif fonts."""
    ems = 0.0
    for char in text:
        if char in _NARROW:
            ems += 0.37
        elif char in _BROAD or unicodedata.east_asian_width(char) in "WF":
            ems += 1.0
        elif not unicodedata.combining(char):
            ems += 0.7 if char.isupper() else 0.6
    return ems * size


def state_words(state: NodeState) -> str:
    """Return the small line that tells a state: sign, visits and seconds, or else the word."""
    look = STATES[state.status]
    told = [f"\N{MULTIPLICATION SIGN}{state.visits}"] if state.visits > 1 else []
    if state.seconds >= 0.001:
        told.append(_duration(state.seconds))
    told = told if state.status in {"running", "done", "failed", "stopped"} else []
    return f"{look.sign} {' · '.join(told) or look.words}".strip()


def _duration(seconds: float) -> str:
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 99.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5970 else f"{seconds / 3600:.1f} h"


class Face(NamedTuple):
    """What is written in a node and where, in pixels from its left upper corner."""

    label: str
    second: str
    """The small line while there is no state to tell."""
    label_size: float
    second_size: float
    icon_x: float
    text_x: float
    label_y: float
    second_x: float
    second_y: float
    width: float
    height: float


def face_of(node: TopologyNode, *, frame: bool) -> Face:
    """Measure a node, or the title of a team's frame, with room for every state it may have."""
    label = shorten(node.label, LONGEST_LABEL) or shorten(node.id, LONGEST_LABEL)
    second = shorten(node.detail, LONGEST_LABEL) or _KIND_WORDS.get(node.kind, node.kind)
    small = node.kind == "tool"
    label_size, second_size = (11.5, 10) if small else (LABEL_SIZE, 10.5)
    label_width = text_width(label, label_size) * 1.04  # It is half bold.
    longest = state_words(NodeState("waiting"))
    second_width = max(text_width(text, second_size) for text in (second, longest))
    if frame:
        across = 28 + label_width + 10
        size = math.ceil(across + second_width + 10), 24
        return Face(label, second, LABEL_SIZE, second_size, 15, 28, 16.5, across, 16.2, *size)
    if small:
        size = math.ceil(28 + max(label_width, second_width) + 12), 34
        return Face(label, second, label_size, second_size, 15, 28, 14.5, 28, 27, *size)
    size = math.ceil(31 + max(label_width, second_width) + 13), 42
    return Face(label, second, label_size, second_size, 17, 31, 18, 31, 33, *size)
