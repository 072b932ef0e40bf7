"""Where everything stands: Graphviz is asked for positions only, in pixels of a picture of ours."""

from __future__ import annotations

import functools
import json
import math
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nbagents._optional import install_command
from nbagents.errors import UserError
from nbagents.topology.parts import Diagram, Link, TopologyNode

__all__ = [
    "Box",
    "Layout",
    "LayoutUnavailable",
    "Line",
    "Route",
    "graphviz_program",
    "lay_out",
    "lines_of",
]

_TIMEOUT_SECONDS = 20
_CELL_WIDTH = 900
"""Pixels of a notebook's cell: a picture that is wider is shown smaller."""
_CHARACTER = 6.0
"""Width of a character of Courier in 10 points: labels are reserved room for with these."""
_FONT = "fontname=Courier fontsize=10"

_INSIDE = 8
"""Pixels between a label and the frame around it."""
_MANY_LINES = 140
"""More are drawn straight and less carefully: curves around everything would take seconds."""
_CLOSE = 14
"""Pixels that a label may be moved to stand on its line."""

Size = tuple[float, float]


class LayoutUnavailable(UserError):
    """There is no Graphviz on this machine, or it does not work."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle: its left upper corner, width and height, in pixels."""

    x: float
    y: float
    width: float
    height: float

    def holds(self, point: Size) -> bool:
        """Tell whether a point is inside."""
        x, y = point
        return self.x < x < self.x + self.width and self.y < y < self.y + self.height


@dataclass(frozen=True, slots=True)
class Route:
    """How a line runs: the points of a Bézier curve, its tips and the middle of its label."""

    points: tuple[Size, ...]
    start: Size | None
    end: Size | None
    label: Size | None


@dataclass(frozen=True, slots=True)
class Layout:
    """Positions in pixels: boxes of nodes and teams by id, and a route a line (None: a team to itself)."""

    width: float
    height: float
    boxes: Mapping[str, Box]
    routes: tuple[Route | None, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """What is drawn as one line: a link, or two handoffs that lead to and fro."""

    link: Link
    both: bool = False


def lines_of(links: Iterable[Link]) -> tuple[Line, ...]:
    """Join each handoff with the one that leads back, in the order of the links."""
    lines: dict[tuple[str, ...], Line] = {}
    for number, link in enumerate(links):
        if link.kind != "handoff" or link.label:
            lines[str(number),] = Line(link)
        elif (back := (link.target, link.source)) in lines:
            lines[back] = Line(lines[back].link, both=True)
        else:
            lines[link.source, link.target] = Line(link)
    return tuple(lines.values())


def lay_out(
    diagram: Diagram, lines: tuple[Line, ...], sizes: Mapping[str, Size], pills: tuple[float, ...]
) -> Layout:
    """Find a place for nodes of these sizes, for titles of teams of these, and labels so wide.

    From left to right, or from top to bottom when the picture would be wider than a notebook's cell
    and that makes it narrower. Blocks. Raises `LayoutUnavailable`.
    """
    layouts: list[Layout] = []
    for direction in ("LR", "TB") if len(lines) <= _MANY_LINES else ("TB",):
        plan = _Plan(diagram, lines, sizes, pills)
        layouts.append(plan.read(_positions(plan.write(direction))))
        if layouts[-1].width <= _CELL_WIDTH:
            break
    return min(layouts, key=lambda layout: layout.width)


class _Plan:
    """What Graphviz is told and how its answer is read: it sees numbers for names, never a label."""

    def __init__(
        self,
        diagram: Diagram,
        lines: tuple[Line, ...],
        sizes: Mapping[str, Size],
        pills: tuple[float, ...],
    ) -> None:
        self._held = diagram.held()
        self._ends = diagram.ends()
        self._lines, self._sizes, self._pills = lines, sizes, pills
        self._number = {node.id: number for number, node in enumerate(diagram.nodes)}
        self._parent = {node.id: node.parent for node in diagram.nodes}
        self._loops: dict[str, float] = {}
        self._homed: dict[str | None, list[int]] = {}
        for number, home in enumerate(diagram.homes(line.link for line in lines)):
            link = lines[number].link
            if link.source == link.target and link.source in self._ends:
                self._loops[link.source] = pills[number]
            else:
                self._homed.setdefault(home, []).append(number)

    def write(self, direction: str) -> str:
        """Write the DOT that is laid out."""
        ranksep = 0.5 if direction == "LR" else 0.36
        body = [
            f"digraph{{compound=true newrank=true rankdir={direction} labeljust=l",
            f"nodesep=0.22 ranksep={ranksep} {_FONT} edge[arrowsize=0.7 {_FONT}]",
            'node[shape=box fixedsize=true label=""]',
        ]
        if len(self._lines) > _MANY_LINES:
            body.append("splines=line nslimit=0.5 mclimit=0.1")
        self._write_inside(None, body)
        return "\n".join([*body, "}"])

    def _write_inside(self, team: str | None, body: list[str]) -> None:
        """Write the nodes and the lines that a team holds; None holds those that no team does."""
        for node in self._held.get(team, []):
            if node.id in self._held:
                self._write_team(node, body)
            elif node.id in self._sizes:
                width, height = self._sizes[node.id]
                number = self._number[node.id]
                body.append(f"{number}[width={width / 72:.3f} height={height / 72:.3f}]")
        body += [self._line(number) for number in self._homed.get(team, [])]

    def _line(self, number: int) -> str:
        line = self._lines[number]
        link = line.link
        attributes = [f"id=e{number}"]
        if link.source in self._ends:
            attributes.append(f"ltail=cluster_{self._number[link.source]}")
        if link.target in self._ends:
            attributes.append(f"lhead=cluster_{self._number[link.target]}")
        if line.both:
            attributes.append("dir=both")
        elif link.kind == "tool":
            attributes.append("dir=none")
        if self._pills[number]:
            attributes.append(f'label="{_filler(self._pills[number])}"')
        tail = self._number[self._ends.get(link.source, (link.source,))[-1]]
        head = self._number[self._ends.get(link.target, (link.target,))[0]]
        return f"{tail}->{head}[{' '.join(attributes)}]"

    def _write_team(self, node: TopologyNode, body: list[str]) -> None:
        number, width = self._number[node.id], self._sizes[node.id][0]
        if node.id in self._loops:
            # Graphviz cannot draw a line from a cluster to itself: it only keeps room for it.
            width = max(width, self._loops[node.id] + 60)
            body.append(f'subgraph cluster_loop{number}{{margin=4 label="{_filler(width)}\\n\\n"')
        body.append(f'subgraph cluster_{number}{{margin=12 label="{_filler(width)}\\n\\n"')
        self._write_inside(node.id, body)
        body.append("}}" if node.id in self._loops else "}")

    def read(self, answer: dict[str, Any]) -> Layout:
        """Read the positions; Graphviz counts them from the lower left corner."""
        _, _, width, height = map(float, answer["bb"].split(","))
        found = {thing["name"]: thing for thing in answer.get("objects", [])}
        boxes: dict[str, Box] = {}
        for node_id in self._sizes:
            number = self._number[node_id]
            if node_id in self._held:
                left, low, right, high = map(float, found[f"cluster_{number}"]["bb"].split(","))
                boxes[node_id] = _box(left, height - high, right - left, high - low)
            else:
                x, y = map(float, found[str(number)]["pos"].split(","))
                wide, tall = self._sizes[node_id]
                boxes[node_id] = _box(x - wide / 2, height - y - tall / 2, wide, tall)
        routes = {edge["id"]: _route(edge, height) for edge in answer.get("edges", [])}
        ways = tuple(
            self._settled(line.link, boxes, routes.get(f"e{number}"))
            for number, line in enumerate(self._lines)
        )
        return Layout(self._widened(boxes, ways, width), height, boxes, ways)

    def _widened(
        self, boxes: dict[str, Box], ways: tuple[Route | None, ...], width: float
    ) -> float:
        """Widen teams to the right as far as the labels inside of them reach."""
        for home, numbers in self._homed.items():
            for number in numbers:
                way, team = ways[number], home
                if way is None or way.label is None:
                    continue
                right = way.label[0] + self._pills[number] / 2
                while team is not None:
                    right += _INSIDE
                    box = boxes[team]
                    boxes[team] = replace(box, width=max(box.width, round(right - box.x)))
                    team = self._parent.get(team)
                width = max(width, right)
        return width

    def _settled(self, link: Link, boxes: Mapping[str, Box], route: Route | None) -> Route | None:
        """Put the label of a route on its line, when the line runs close by or is cut at a team."""
        if route is None or route.label is None:
            return route
        near = min(_samples(route.points), key=lambda point: math.dist(point, route.label or point))
        teams = [boxes[end] for end in (link.source, link.target) if end in self._ends]
        hidden = any(team.holds(route.label) for team in teams)
        if hidden or math.dist(near, route.label) <= _CLOSE:
            return replace(route, label=_middle(route.points) if hidden else near)
        return route


def _box(*sides: float) -> Box:
    return Box(*map(round, sides))


def _samples(points: tuple[Size, ...]) -> list[Size]:
    """Return points on a Bézier curve, eight of each of its pieces."""
    found: list[Size] = []
    for first in range(0, len(points) - 1, 3):
        corners = points[first : first + 4]
        for step in range(8):
            t = step / 8
            weights = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
            x = sum(weight * corner[0] for weight, corner in zip(weights, corners, strict=True))
            y = sum(weight * corner[1] for weight, corner in zip(weights, corners, strict=True))
            found.append((x, y))
    return [*found, points[-1]]


def _middle(points: tuple[Size, ...]) -> Size:
    samples = _samples(points)
    return samples[len(samples) // 2]


def _filler(width: float) -> str:
    return "x" * math.ceil(width / _CHARACTER)


def _route(edge: dict[str, Any], height: float) -> Route:
    points: list[Size] = []
    tips: dict[str, Size] = {}
    for point in edge["pos"].split():
        *mark, x, y = point.split(",")
        place = float(x), height - float(y)
        if mark:
            tips[mark[0]] = place
        else:
            points.append(place)
    label = None
    if "lp" in edge:
        x, y = map(float, edge["lp"].split(","))
        label = x, height - y
    return Route(tuple(points), tips.get("s"), tips.get("e"), label)


@functools.lru_cache(maxsize=32)
def _positions(source: str) -> dict[str, Any]:
    """Ask Graphviz where everything in a DOT source stands."""
    import subprocess

    binary = graphviz_program()
    try:
        done = subprocess.run(  # noqa: S603 - a known program, and no text of others
            [binary, "-Tjson0"],
            input=source,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_SECONDS,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        # Graphviz exits with 1 after some warnings too: what counts is whether it answered.
        if done.stdout.strip():
            return json.loads(done.stdout)
        reason = f"failed: {done.stderr.strip()[-300:] or f'exit code {done.returncode}'}"
    except subprocess.TimeoutExpired:
        reason = f"did not answer within {_TIMEOUT_SECONDS} s"
    except (OSError, ValueError) as error:
        reason = f"failed: {error}"
    raise LayoutUnavailable(
        f"The picture cannot be laid out: {binary} {reason}. "
        "Reinstall Graphviz, or take this program off the PATH and run: "
        + install_command(["graphviz-pure"])
    )


def graphviz_program() -> str:
    """Find Graphviz: the system's, or the one that came with this Python's packages.

    Raises `LayoutUnavailable` when there is neither.
    """
    folder = Path(sys.executable).parent
    beside = os.pathsep.join((str(folder), str(folder / "Scripts")))  # The latter on Windows.
    found = (
        shutil.which("dot")
        or shutil.which("graphviz-pure", path=beside)
        or shutil.which("graphviz-pure")
    )
    if not found:
        raise LayoutUnavailable(
            "There is no Graphviz to lay out the picture. "
            f"Install Graphviz (its program `dot`), or: {install_command(['graphviz-pure'])}"
        )
    return found
