"""The picture: laid out once, then drawn as often as a state changes."""

from __future__ import annotations

import html
import math
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from nbagents.topology.cards import places, rail, sizes_of, tools_inside
from nbagents.topology.drawing import Frame, Stand, Way, loop_around
from nbagents.topology.layout import Box, Layout, Route, lay_out, lines_of
from nbagents.topology.look import (
    GREY,
    INK,
    KINDS,
    LABEL_SIZE,
    STATES,
    TAKEN,
    NodeState,
    face_of,
    text_width,
)
from nbagents.topology.parts import Diagram, NodeKind, shorten
from nbagents.topology.sources import LONGEST_CONDITION, condition
from nbagents.untrusted import one_line

__all__ = ["Picture"]

_FONT = "ui-sans-serif,system-ui,-apple-system,Segoe UI,Roboto,Helvetica Neue,Arial,sans-serif"
_MARGIN = 8
_NO_STATES: Mapping[str, NodeState] = MappingProxyType({})
_PENDING = NodeState("pending")


class Picture:
    """A topology that was laid out once, and is drawn with other states without a new layout."""

    def __init__(self, topology: Diagram) -> None:
        """Lay the topology out; this blocks while Graphviz works.

        Raises `LayoutUnavailable` when there is no Graphviz, or when it fails.
        """
        inside = tools_inside(topology)
        carried = {tool for tools in inside.values() for tool in tools}
        held = topology.held()
        faces = {node.id: face_of(node, frame=node.id in held) for node in topology.nodes}
        lines = lines_of(link for link in topology.links if link.target not in carried)
        words = [shorten(condition(line.link), LONGEST_CONDITION) for line in lines]
        pills = tuple(text_width(text, 10.5) + 14 if text else 0.0 for text in words)
        layout = lay_out(topology, lines, sizes_of(faces, inside), pills)
        boxes = {**layout.boxes, **places(faces, inside, layout.boxes)}
        self._name = one_line(topology.name)
        self._labels = {node_id: face.label for node_id, face in faces.items()}
        nodes = [node for _, node in topology.walk()]
        self._frames = [
            Frame(node, faces[node.id], boxes[node.id]) for node in nodes if node.id in held
        ]
        # A card lies below the lines to its tools; titles lie over all lines.
        self._cards = [Stand(n, faces[n.id], boxes[n.id]) for n in nodes if n.id in inside]
        self._stands = [
            Stand(n, faces[n.id], boxes[n.id])
            for n in nodes
            if n.id not in held and n.id not in inside
        ]
        self._stands += [frame.title for frame in self._frames]
        routes = [
            route or loop_around(boxes[line.link.source], pill)
            for line, route, pill in zip(lines, layout.routes, pills, strict=True)
        ]
        self._ways = [
            Way.of(line, route, text, pill)
            for line, route, text, pill in zip(lines, routes, words, pills, strict=True)
        ]
        self._ways += [
            Way.inside(link, rail(faces[link.source], boxes[link.source], boxes[link.target]))
            for link in topology.links
            if link.target in carried
        ]
        self._head = _head(_extent(layout, routes, pills), {node.kind for node in topology.nodes})

    def svg(
        self,
        states: Mapping[str, NodeState] = _NO_STATES,
        taken: Collection[tuple[str, str]] = (),
    ) -> str:
        """Draw the picture with the states of nodes, by id, and the links that were taken.

        As soon as one node has a state, those without one are pending.
        """
        other = _PENDING if states else None
        title = html.escape(self._title(states))
        return "".join(
            (
                f'{self._head[0]} aria-label="{title}"><title>{title}</title>{self._head[1]}',
                *(frame.draw(states.get(frame.title.node_id, other)) for frame in self._frames),
                *(card.draw(states.get(card.node_id, other)) for card in self._cards),
                *self._links(frozenset(taken)),
                *(stand.draw(states.get(stand.node_id, other)) for stand in self._stands),
                "</svg>",
            )
        )

    def _title(self, states: Mapping[str, NodeState]) -> str:
        """Tell the states in words."""
        told = [
            f"{self._labels[node_id]}: {STATES[state.status].words}"
            for node_id, state in states.items()
            if node_id in self._labels and state.status != "pending"
        ]
        return f"{self._name}: {', '.join(told) or f'{len(self._labels)} nodes'}"

    def _links(self, taken: frozenset[tuple[str, str]]) -> list[str]:
        """Draw the lines: those taken over the others, and the labels over all of them."""
        unlit: list[str] = []
        lit: list[str] = []
        pills: list[str] = []
        heads: dict[str, list[str]] = {}
        for way in self._ways:
            link = way.link
            there = (link.source, link.target) in taken
            back = way.both and (link.target, link.source) in taken
            ends = f' data-from="{html.escape(link.source)}" data-to="{html.escape(link.target)}"'
            if there or back:
                lit.append(f'<path d="{way.curve}"{ends}/>')
            else:
                colour = f' stroke="{way.colour}"' if way.colour != GREY else ""
                unlit.append(f'<path d="{way.curve}"{ends}{colour}{way.stroke}/>')
            heads.setdefault(TAKEN if there else way.colour, []).append(way.end)
            heads.setdefault(TAKEN if back else way.colour, []).append(way.start)
            pills.append(way.lit_pill if there else way.pill)
        return [
            f'<g fill="none" stroke="{GREY}">',
            *unlit,
            f'</g><g fill="none" stroke="{TAKEN}" stroke-width="3">',
            *lit,
            "</g>",
            *(
                f'<path d="{data}" fill="{colour}"/>'
                for colour, all_of in heads.items()
                if (data := "".join(all_of))
            ),
            '<g font-size="10.5" font-weight="400" text-anchor="middle" stroke-width="1">',
            *pills,
            "</g>",
        ]


def _extent(layout: Layout, routes: Sequence[Route], pills: Sequence[float]) -> Box:
    """Return the box around everything: lines and their labels may run around the nodes."""
    points = [(0.0, 0.0), (layout.width, layout.height)]
    for route, pill in zip(routes, pills, strict=True):
        points += route.points
        if route.label and pill:
            x, y = route.label
            points += [(x - pill / 2, y - 9), (x + pill / 2, y + 9)]
    left, top = (math.floor(min(point[axis] for point in points)) for axis in (0, 1))
    right, bottom = (math.ceil(max(point[axis] for point in points)) for axis in (0, 1))
    return Box(left, top, right - left, bottom - top)


def _head(extent: Box, kinds: Collection[NodeKind]) -> tuple[str, str]:
    """Write how the picture begins, before and after its title."""
    left, top = extent.x - _MARGIN, extent.y - _MARGIN
    width, height = (side + 2 * _MARGIN for side in (extent.width, extent.height))
    icons = "".join(
        f'<g id="nb-{kind}">{look.icon}</g>' for kind, look in KINDS.items() if kind in kinds
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="{left} {top} {width} {height}" font-family="{_FONT}" '
        f'font-size="{LABEL_SIZE}" font-weight="600" fill="{INK}" stroke-width="1.5" role="img"'
    ), f"<defs>{icons}</defs>"
