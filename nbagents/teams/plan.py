"""The plan of a graph: its nodes and ways by number, and which ways close a circle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from nbagents.errors import UserError
from nbagents.questions import Question
from nbagents.runnable import Runnable
from nbagents.teams.conditions import Condition, Outcome
from nbagents.untrusted import received

__all__ = ["Edge", "Node", "Plan", "Way", "Works", "check_name"]

Works = Runnable[Any] | Callable[..., Any] | Question
"""What a node may do: run an agent or a team, call a function, ask the person."""


def check_name(what: str, name: str) -> None:
    """Raise `UserError` for a name that cannot be saved or displayed; `what` is what has it."""
    if not name.strip() or received(name) != name:
        problem = "has characters that cannot be displayed" if name.strip() else "is blank"
        raise UserError(f"The name of a {what}, {name!r}, {problem}. Choose another one.")


@dataclass(frozen=True, slots=True)
class Node:
    """What a node does, and how it deals with what leads to it and with failure."""

    runs: Works
    join: Literal["all", "any"] | int = field(default="all", kw_only=True)
    """When it starts: once all that leads to it is settled, at the first, or at the n-th."""
    timeout: float | None = field(default=None, kw_only=True)
    """Seconds of one attempt, without the time that a person takes to answer."""
    retries: int = field(default=0, kw_only=True)
    """Attempts after the first one that failed."""
    on_error: Literal["fail", "skip"] = field(default="fail", kw_only=True)
    """Whether its failure ends the graph, or counts as if it had not been reached."""
    show: Sequence[str] = field(default=(), kw_only=True)
    """Of a question: the nodes whose last outputs it shows. Without them it shows the outputs that
    the next nodes use, or else those that lead to it."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A way from one node to another."""

    source: str
    target: str
    when: str | Callable[[Outcome], object] | None = None
    """An expression over `output`, `text`, `state` and `visits`, or a function of an `Outcome`."""
    on: Literal["success", "error"] = field(default="success", kw_only=True)
    """`error` is the way that is taken instead when the source has failed."""


@dataclass(slots=True)
class Way:
    """An edge, by numbers."""

    number: int
    source: int
    target: int
    condition: Condition | None
    on_error: bool
    closes_circle: bool = False


class Plan:
    """What does not change from run to run."""

    def __init__(self, nodes: dict[str, Node], ways: list[Way], entries: list[int]) -> None:
        """Sort the ways. Raises `UserError` when a node can never be reached."""
        self.names = list(nodes)
        self.numbers = {name: number for number, name in enumerate(self.names)}
        self.nodes = list(nodes.values())
        self.ways = ways
        self.entries = entries
        self.out: list[list[Way]] = [[] for _ in self.names]
        self.into: list[list[Way]] = [[] for _ in self.names]
        for way in ways:
            self.out[way.source].append(way)
            self.into[way.target].append(way)
        self._find_circles()
        self.awaited = [sum(not way.closes_circle for way in into) for into in self.into]
        """How many ways to a node have to be settled."""
        for name, node, into in zip(self.names, self.nodes, self.awaited, strict=True):
            if isinstance(node.join, int) and node.join > max(into, 1):
                message = (
                    f"join={node.join} of the node {name!r} is more than the {into} ways to it."
                )
                raise UserError(message)
        self.is_plain = [
            not any(way.condition or way.on_error or way.closes_circle for way in out)
            for out in self.out
        ]
        """Nodes whose ways are all taken whenever they succeed."""
        self._regions: dict[int, list[int]] = {}

    def _find_circles(self) -> None:
        """Walk from the entries in the order of the edges: a way back to where we came from is one.

        A loop, not a recursion: a chain may be long.
        """
        fresh, under_way, done = 0, 1, 2
        seen = [fresh] * len(self.names)
        for entry in self.entries:
            if seen[entry] != fresh:
                continue
            seen[entry] = under_way
            stack = [(entry, iter(self.out[entry]))]
            while stack:
                node, ways = stack[-1]
                way = next(ways, None)
                if way is None:
                    seen[node] = done
                    stack.pop()
                elif seen[way.target] == under_way:
                    way.closes_circle = True
                elif seen[way.target] == fresh:
                    seen[way.target] = under_way
                    stack.append((way.target, iter(self.out[way.target])))
        if fresh in seen:
            lost = ", ".join(repr(n) for n, s in zip(self.names, seen, strict=True) if s == fresh)
            start = ", ".join(repr(self.names[entry]) for entry in self.entries)
            raise UserError(
                f"Nothing leads from {start} to {lost}. Add an edge, or name the entry."
            )

    def behind(self, node: int) -> Sequence[int]:
        """Return a node and all that lies behind it, not counting ways that close a circle."""
        if node not in self._regions:
            found = {node: None}
            waiting = [node]
            while waiting:
                for way in self.out[waiting.pop()]:
                    if not way.closes_circle and way.target not in found:
                        found[way.target] = None
                        waiting.append(way.target)
            self._regions[node] = list(found)
        return self._regions[node]
