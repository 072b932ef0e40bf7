"""The sketch into which runnables draw what they are made of."""

from __future__ import annotations

from typing import cast, get_args

from nbagents.topology import Link, LinkKind, NodeKind, Topology, TopologyNode

__all__ = ["HUMAN", "Sketch"]

HUMAN = "human"
"""The id of the node that stands for the person."""

_KINDS = get_args(NodeKind)


class Sketch:
    """Nodes and links in the order in which they are drawn."""

    def __init__(self) -> None:
        self._nodes: dict[str, TopologyNode] = {}
        self._links: dict[Link, None] = {}

    def add(self, id: str, label: str, kind: str, parent: str | None, detail: str = "") -> None:
        """Add a node; a kind that has no sign of its own is drawn as an agent."""
        known = cast("NodeKind", kind if kind in _KINDS else "agent")
        self._nodes[id] = TopologyNode(id, label, known, parent, detail)

    def link(self, source: str, target: str, label: str = "", kind: LinkKind = "flow") -> None:
        """Add a link."""
        self._links[Link(source, target, label, kind)] = None

    def ask_human(self, source: str) -> None:
        """Link a node to the person whom it may ask."""
        if HUMAN not in self._nodes:
            self.add(HUMAN, "you", "human", None)
        self.link(source, HUMAN, kind="ask")

    def topology(self, name: str) -> Topology:
        """Finish it."""
        return Topology(name, tuple(self._nodes.values()), tuple(self._links))
