"""Cards: a node together with its tools, which are laid out as one and stand in rows inside it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from nbagents.topology.layout import Box, Size
from nbagents.topology.look import Face
from nbagents.topology.parts import Diagram

__all__ = ["places", "rail", "sizes_of", "tools_inside"]

_GAP = 5
_LEFT = 31
_SPINE = 17
_RIGHT = 11
_BOTTOM = 9


def tools_inside(diagram: Diagram) -> dict[str, tuple[str, ...]]:
    """Return, by who uses them, the tools that have no other link and stand in the same team."""
    nodes = {node.id: node for node in diagram.nodes}
    teams = diagram.held()
    linked = Counter(end for link in diagram.links for end in (link.source, link.target))
    inside: dict[str, tuple[str, ...]] = {}
    for link in diagram.links:
        user, tool = nodes[link.source], nodes[link.target]
        alone = linked[tool.id] == 1 and tool.id not in teams and user.id not in teams
        alike = user.parent == tool.parent and user.kind != "tool"
        if link.kind == "tool" and tool.kind == "tool" and alone and alike:
            inside[user.id] = (*inside.get(user.id, ()), tool.id)
    return inside


def sizes_of(faces: Mapping[str, Face], inside: Mapping[str, tuple[str, ...]]) -> dict[str, Size]:
    """Measure all that is laid out: nodes, titles of teams, and cards with the tools inside them."""
    carried = {tool for tools in inside.values() for tool in tools}
    sizes = {
        node_id: (face.width, face.height)
        for node_id, face in faces.items()
        if node_id not in carried
    }
    for user, tools in inside.items():
        columns, rows = _grid(len(tools))
        width, height = _cell(faces, tools)
        sizes[user] = (
            max(faces[user].width, _LEFT + columns * width - _GAP + _RIGHT),
            faces[user].height + rows * height - _GAP + _BOTTOM,
        )
    return sizes


def places(
    faces: Mapping[str, Face],
    inside: Mapping[str, tuple[str, ...]],
    cards: Mapping[str, Box],
) -> dict[str, Box]:
    """Find a place for each tool in the card that it stands in."""
    boxes: dict[str, Box] = {}
    for user, tools in inside.items():
        columns, _ = _grid(len(tools))
        width, height = _cell(faces, tools)
        left, top = cards[user].x + _LEFT, cards[user].y + faces[user].height
        for index, tool in enumerate(tools):
            row, column = divmod(index, columns)
            place = left + column * width, top + row * height
            boxes[tool] = Box(*place, width - _GAP, height - _GAP)
    return boxes


def rail(user: Face, card: Box, tool: Box) -> tuple[Size, Size, Size]:
    """Return the corners of the line from below a node's icon to one of the tools in its card."""
    across, middle = card.x + _SPINE, tool.y + tool.height / 2
    return (across, card.y + user.height - 7), (across, middle), (tool.x, middle)


def _grid(count: int) -> tuple[int, int]:
    columns = 1 if count <= 5 else 2 if count <= 12 else 3
    return columns, math.ceil(count / columns)


def _cell(faces: Mapping[str, Face], tools: tuple[str, ...]) -> Size:
    """Measure the largest of the tools, and the gap after it."""
    return (
        max(faces[tool].width for tool in tools) + _GAP,
        max(faces[tool].height for tool in tools) + _GAP,
    )
