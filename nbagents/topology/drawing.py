"""The strokes of a picture: nodes, frames of teams and lines as SVG, without styles or scripts."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass

from nbagents.topology.layout import Box, Line, Route, Size
from nbagents.topology.look import (
    FAINT,
    GREY,
    KINDS,
    LABEL_SIZE,
    STATES,
    TAKEN,
    Face,
    NodeState,
    state_words,
    text_width,
)
from nbagents.topology.parts import Link, TopologyNode

__all__ = ["Frame", "Stand", "Way", "loop_around"]

_LINK_COLOURS = {"error": "#e5646a", "ask": "#e08a4a"}
_STROKES = {
    "error": ' stroke-dasharray="6 4"',
    "handoff": ' stroke-width="1"',
    "tool": ' stroke-dasharray=".1 4" stroke-width="2" stroke-linecap="round"',
    "ask": ' stroke-dasharray="3 4"',
}


class Stand:
    """A node where it stands; all that no state changes is written once."""

    def __init__(self, node: TopologyNode, face: Face, box: Box, *, hug: bool = False) -> None:
        """Write the node; `hug` draws it only as wide as its words are, as titles of teams are."""
        self.node_id = node.id
        self._face, self._hug = face, hug
        self._width, self._height = box.width, box.height
        self._kind = KINDS[node.kind]
        self._radius = min(self._kind.radius, face.height / 2)
        place = f"{_n(box.x)} {_n(box.y)}"
        self._open = f'<g data-node="{html.escape(node.id)}" transform="translate({place})"'
        size = "" if face.label_size == LABEL_SIZE else f' font-size="{face.label_size}"'
        self._text = (
            f'<use href="#nb-{node.kind}" x="{face.icon_x}" y="{_n(face.height / 2)}"/>'
            f'<text x="{_n(face.text_x)}" y="{_n(face.label_y)}"{size}>{html.escape(face.label)}'
            f'<tspan x="{_n(face.second_x)}" y="{_n(face.second_y)}" '
            f'font-size="{face.second_size}" font-weight="400" fill="'
        )

    def draw(self, state: NodeState | None) -> str:
        """Draw the node; with a state, its small line tells how it went and not what it is."""
        words = self._face.second
        if state is None:
            paint, ink, group = f'fill="{self._kind.fill}" stroke="{self._kind.line}"', FAINT, ""
        else:
            look = STATES[state.status]
            paint = f'fill="{look.fill}" stroke="{look.line}"{look.dashes}{look.wide}'
            ink, group = look.ink, look.group
            if state.status != "pending":
                words = state_words(state)
        double = ""
        if state is not None and state.status == "waiting":
            double = f'{self._box(words, 3.5)} fill="none" stroke="{STATES["waiting"].line}"/>'
        return (
            f"{self._open}{group}>{double}{self._box(words)} {paint}/>"
            f'{self._text}{ink}">{html.escape(words)}</tspan></text></g>'
        )

    def _box(self, words: str, around: float = 0) -> str:
        face = self._face
        width = self._width
        if self._hug:
            width = face.second_x + text_width(words, face.second_size) + 10
        corner = f'x="{-around}" y="{-around}" ' if around else ""
        return (
            f'<rect {corner}width="{_n(width + 2 * around)}" '
            f'height="{_n(self._height + 2 * around)}" rx="{_n(self._radius + around)}"'
        )


class Frame:
    """A team: a frame around what it holds, and a title that is drawn as a node is."""

    def __init__(self, node: TopologyNode, face: Face, box: Box) -> None:
        place = Box(box.x + 9, box.y + 8, face.width, face.height)
        self.title = Stand(node, face, place, hug=True)
        self._rect = (
            f'<rect x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" '
            f'height="{_n(box.height)}" rx="12" fill="{GREY}" fill-opacity=".08" stroke='
        )

    def draw(self, state: NodeState | None) -> str:
        """Draw the frame alone: what it holds comes over it, and the title over all."""
        if state is None:
            return f'{self._rect}"{GREY}"/>'
        look = STATES[state.status]
        return f'{self._rect}"{look.line}"{look.dashes}/>'


@dataclass(frozen=True, slots=True)
class Way:
    """A line where it runs, in the pieces that are drawn over each other."""

    link: Link
    both: bool
    curve: str
    """The data of its path."""
    colour: str
    stroke: str
    start: str
    """The head of its arrow, as the data of a path; empty when it has none."""
    end: str
    pill: str
    lit_pill: str

    @classmethod
    def inside(cls, link: Link, corners: tuple[Size, Size, Size]) -> Way:
        """Write the line from a node to a tool in its own card."""
        (across, top), (_, middle), (right, _) = corners
        curve = f"M{_n(across)} {_n(top)}V{_n(middle)}H{_n(right)}"
        return cls(link, False, curve, GREY, _STROKES["tool"], "", "", "", "")

    @classmethod
    def of(cls, line: Line, route: Route, words: str, width: float) -> Way:
        """Write a line along a route, with a label of this width in its middle."""
        first, *rest = route.points
        curve = f"M{_near(first)}C{' '.join(map(_near, rest))}"
        start = _head(first, route.start) if route.start else ""
        end = _head(route.points[-1], route.end) if route.end else ""
        pill = lit_pill = ""
        if words and route.label:
            x, y = route.label
            rect = (
                f'<rect x="{_n(x - width / 2)}" y="{_n(y - 8.5)}" width="{_n(width)}" height="17" rx="8.5" '
                'fill="#f8fafc" stroke='
            )
            text = f'<text x="{_n(x)}" y="{_n(y + 3.7)}" stroke="none">{html.escape(words)}</text>'
            pill, lit_pill = f'{rect}"#cbd5e1"/>{text}', f'{rect}"{TAKEN}"/>{text}'
        kind = line.link.kind
        colour, stroke = _LINK_COLOURS.get(kind, GREY), _STROKES.get(kind, "")
        return cls(line.link, line.both, curve, colour, stroke, start, end, pill, lit_pill)


def loop_around(frame: Box, width: float) -> Route:
    """Return the route of a line from a team to itself, above its right corner; the label is `width` wide."""
    middle, top = frame.x + frame.width - max(width / 2 + 2, 24), frame.y
    left, right = middle - 11, middle + 11
    curve = (left, top), (left, top - 34), (right, top - 34), (right, top - 6)
    return Route(curve, None, (right, top), (middle, top - 25))


def _head(start: Size, tip: Size) -> str:
    """Write a triangle from the end of a curve to the tip of its arrow."""
    across, down = tip[0] - start[0], tip[1] - start[1]
    length = math.hypot(across, down) or 1.0
    right, up = -down / length * 3.6, across / length * 3.6
    left_corner, right_corner = (start[0] + right, start[1] + up), (start[0] - right, start[1] - up)
    return f"M{_at(tip)}L{_at(left_corner)} {_at(right_corner)}Z"


def _at(point: Size) -> str:
    return f"{_n(point[0])} {_n(point[1])}"


def _near(point: Size) -> str:
    return f"{point[0]:.0f} {point[1]:.0f}"


def _n(number: float) -> str:
    """Write a length in pixels, no finer than can be seen."""
    return f"{number:.1f}".removesuffix(".0")
