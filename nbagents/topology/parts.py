"""What a topology consists of: nodes, links, and the rules that hold between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from nbagents.errors import UserError
from nbagents.untrusted import one_line

__all__ = ["Diagram", "Link", "LinkKind", "NodeKind", "TopologyNode", "shorten"]

NodeKind = Literal["agent", "tool", "function", "human", "remote", "swarm", "graph"]
LinkKind = Literal["flow", "error", "tool", "handoff", "ask"]


@dataclass(frozen=True, slots=True)
class TopologyNode:
    """Something that runs, or that what runs may call."""

    id: str
    """A path that stays the same from run to run, such as `report/draft/search`."""
    label: str
    kind: NodeKind
    parent: str | None = None
    """The id of the team that holds it."""
    detail: str = ""
    """A few words for a small second line, such as the model, or `join any`."""


@dataclass(frozen=True, slots=True)
class Link:
    """A way from one node to another: taken by the flow, on an error, as a tool, to hand over or to ask."""

    source: str
    target: str
    label: str = ""
    """The condition under which it is taken."""
    kind: LinkKind = "flow"


@dataclass(frozen=True, slots=True)
class Diagram:
    """Nodes and links under a name.

    Raises `UserError` when two nodes have one id, an id is empty or cannot be printed, a parent
    or an end of a link is no node, or a node holds itself.
    """

    name: str
    nodes: tuple[TopologyNode, ...]
    links: tuple[Link, ...]

    def __post_init__(self) -> None:
        known = {node.id for node in self.nodes}
        if len(known) < len(self.nodes):
            raise UserError(f"Two nodes of {self.name!r} have the same id. Give each its own.")
        if strange := [
            known_id for known_id in known if not known_id.isprintable() or not known_id
        ]:
            raise UserError(f"{strange[0]!r} is no id of a node: use printable characters.")
        named = {node.parent for node in self.nodes if node.parent is not None}
        named.update(end for link in self.links for end in (link.source, link.target))
        if missing := sorted(named - known):
            raise UserError(f"{self.name!r} has a link or a parent {missing[0]!r} that is no node.")
        if len(self.walk()) < len(self.nodes):
            raise UserError(f"A node of {self.name!r} holds itself. Correct its parent.")

    def held(self) -> dict[str | None, list[TopologyNode]]:
        """Return the nodes by the id of the team that holds them; those in none under None."""
        held: dict[str | None, list[TopologyNode]] = {}
        for node in self.nodes:
            held.setdefault(node.parent, []).append(node)
        return held

    def walk(self) -> list[tuple[int, TopologyNode]]:
        """Return every node with its depth, each team before what it holds."""
        held = self.held()
        found: list[tuple[int, TopologyNode]] = []
        waiting = [(0, node) for node in reversed(held.get(None, []))]
        while waiting:
            depth, node = waiting.pop()
            found.append((depth, node))
            waiting += [(depth + 1, inner) for inner in reversed(held.get(node.id, []))]
        return found

    def ends(self) -> dict[str, tuple[str, str]]:
        """Return, for each team, the ids of a first and a last node inside that hold nothing.

        Graphviz joins nodes only: a link to a team is joined to one of these and cut at its border.
        """
        held = self.held()
        ends: dict[str, tuple[str, str]] = {}
        for _, node in reversed(self.walk()):
            inner = held.get(node.id, [])
            if steps := [step for step in inner if step.kind != "tool"] or inner:
                first, last = steps[0].id, steps[-1].id
                ends[node.id] = ends.get(first, (first,))[0], ends.get(last, (last,))[-1]
        return ends

    def homes(self, links: Iterable[Link]) -> list[str | None]:
        """Return, for each link, the innermost team that holds both its ends, or None.

        Written in that team's cluster, the link and its label stay inside the frame.
        """
        parents = {node.id: node.parent for node in self.nodes}

        def above(node_id: str) -> list[str | None]:
            held_by: list[str | None] = []
            team = parents[node_id]
            while team is not None:
                held_by.append(team)
                team = parents[team]
            return [*held_by, None]

        return [
            next(team for team in above(link.source) if team in above(link.target))
            for link in links
        ]


def shorten(text: str, length: int) -> str:
    """Return a text on one line, with an ellipsis for what is beyond `length` characters."""
    line = one_line(text)
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"
