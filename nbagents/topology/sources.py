"""A topology as text: DOT for Graphviz, Mermaid for Markdown, an outline for readers without pictures."""

from __future__ import annotations

import importlib
from collections import Counter
from typing import Any

from nbagents.topology.parts import Diagram, Link, TopologyNode, shorten
from nbagents.untrusted import one_line

__all__ = ["LONGEST_CONDITION", "LONGEST_LABEL", "condition", "dot", "mermaid", "outline"]

LONGEST_LABEL = 32
LONGEST_CONDITION = 36

_DOT_NODE = {
    "agent": {"style": "rounded,filled", "fillcolor": "#eef2ff", "color": "#6366f1"},
    "tool": {"shape": "ellipse", "fillcolor": "#fefce8", "color": "#a16207", "fontsize": "10"},
    "function": {"fillcolor": "#f8fafc", "color": "#64748b"},
    "human": {"shape": "house", "fillcolor": "#fff7ed", "color": "#c2410c"},
    "remote": {"shape": "component", "fillcolor": "#ecfeff", "color": "#0e7490"},
    "swarm": {"style": "rounded,filled,dashed", "fillcolor": "#f8fafc", "color": "#64748b"},
    "graph": {"shape": "box3d", "fillcolor": "#f8fafc", "color": "#64748b"},
}
_DOT_LINK = {
    "flow": {},
    "error": {"style": "dashed", "color": "#dc2626"},
    "tool": {"style": "dotted", "arrowhead": "none"},
    "handoff": {"arrowhead": "vee"},
    "ask": {"style": "dashed", "arrowhead": "vee", "color": "#c2410c"},
}
_MERMAID_NODE = {
    "agent": ("(", ")"),
    "tool": ("([", "])"),
    "function": ("[", "]"),
    "human": ("{{", "}}"),
    "remote": ("[[", "]]"),
    "swarm": ("[", "]"),
    "graph": ("[", "]"),
}
_MERMAID_LINK = {"flow": "-->", "error": "-.->", "tool": "---", "handoff": "-->", "ask": "-.->"}
_MERMAID_ESCAPES = str.maketrans({char: f"#{ord(char)};" for char in "\"#&<>`\\'"})
_WORDS = {
    "flow": "->",
    "error": "->",
    "tool": "uses",
    "handoff": "may hand over to",
    "ask": "may ask",
}


def condition(link: Link) -> str:
    """Return what is written at a link."""
    return link.label or ("on error" if link.kind == "error" else "")


def dot(diagram: Diagram) -> str:
    """Write the diagram for Graphviz: teams as clusters, ids as names, labels escaped."""
    graphviz = _graphviz()
    held, ends = diagram.held(), diagram.ends()
    font = {"fontname": "Helvetica", "fontsize": "12"}
    root = graphviz.Digraph(
        graphviz.escape(one_line(diagram.name)),
        graph_attr={"compound": "true", "rankdir": "LR", "labeljust": "l", "bgcolor": "transparent"}
        | font,
        node_attr={"shape": "box", "style": "filled"} | font,
        edge_attr={"color": "#64748b", "fontname": "Helvetica", "fontsize": "10"},
    )

    homed: dict[str | None, list[Link]] = {}
    for link, home in zip(diagram.links, diagram.homes(diagram.links), strict=True):
        homed.setdefault(home, []).append(link)

    def add(graph: Any, team: str | None) -> None:
        for node in held.get(team, []):
            label = graphviz.escape(shorten(node.label, LONGEST_LABEL))
            if detail := shorten(node.detail, LONGEST_LABEL):
                label = graphviz.nohtml(f"{label}\\n{graphviz.escape(detail)}")
            if node.id not in held:
                graph.node(graphviz.escape(node.id), label=label, **_DOT_NODE[node.kind])
                continue
            cluster = graphviz.Digraph(
                graphviz.escape(f"cluster_{node.id}"),
                graph_attr={"label": label, "style": "rounded", "color": "#94a3b8"},
            )
            add(cluster, node.id)
            graph.subgraph(cluster)
        graph.body += [_dot_link(link, ends) for link in homed.get(team, [])]

    add(root, None)
    return root.source


def _dot_link(link: Link, ends: dict[str, tuple[str, str]]) -> str:
    graphviz = _graphviz()
    escape, quoting = graphviz.escape, graphviz.quoting
    attributes = dict(_DOT_LINK[link.kind])
    if words := shorten(condition(link), LONGEST_CONDITION):
        attributes["label"] = escape(words)
    if link.source != link.target:
        cut = {"ltail": link.source, "lhead": link.target}
        attributes |= {end: escape(f"cluster_{team}") for end, team in cut.items() if team in ends}
    tail = quoting.quote(escape(ends.get(link.source, (link.source,))[-1]))
    head = quoting.quote(escape(ends.get(link.target, (link.target,))[0]))
    # `Digraph.edge` reads what follows a colon as a port, and ids may have colons.
    return f"\t{tail} -> {head}{quoting.attr_list(kwargs=attributes)}\n"


def _graphviz() -> Any:
    return importlib.import_module("graphviz")  # It has no type stubs.


def mermaid(diagram: Diagram) -> str:
    """Write the diagram as a Mermaid flowchart: teams as subgraphs, labels escaped."""
    held = diagram.held()
    names = {node.id: f"n{number}" for number, node in enumerate(diagram.nodes)}
    lines = ["flowchart LR"]

    def quoted(text: str) -> str:
        return f'"{text.translate(_MERMAID_ESCAPES)}"'

    def add(nodes: list[TopologyNode], indent: str) -> None:
        for node in nodes:
            label = quoted(shorten(node.label, LONGEST_LABEL) or node.id)
            if node.id in held:
                lines.append(f"{indent}subgraph {names[node.id]}[{label}]")
                add(held[node.id], indent + "  ")
                lines.append(f"{indent}end")
            else:
                left, right = _MERMAID_NODE[node.kind]
                lines.append(f"{indent}{names[node.id]}{left}{label}{right}")

    add(held.get(None, []), "  ")
    for link in diagram.links:
        words = shorten(condition(link), LONGEST_CONDITION)
        label = f"|{quoted(words)}|" if words else ""
        arrow = _MERMAID_LINK[link.kind]
        lines.append(f"  {names[link.source]} {arrow}{label} {names[link.target]}")
    return "\n".join(lines) + "\n"


def outline(diagram: Diagram) -> str:
    """Write the diagram as an indented tree: a line a node with its kind, and where it leads."""
    labels = {node.id: one_line(node.label) for node in diagram.nodes}
    shared = Counter(labels.values())
    called = {
        node_id: label if label and shared[label] == 1 else node_id
        for node_id, label in labels.items()
    }
    leaving: dict[str, list[Link]] = {}
    for link in diagram.links:
        leaving.setdefault(link.source, []).append(link)
    lines: list[str] = []
    for depth, node in diagram.walk():
        indent = "  " * depth
        detail = one_line(node.detail)
        kind = f"{node.kind}, {detail}" if detail else node.kind
        lines.append(f"{indent}{labels[node.id] or node.id} ({kind})")
        lines += [f"{indent}    {line}" for line in _ways(leaving.get(node.id, []), called)]
    return "\n".join(lines)


def _ways(links: list[Link], called: dict[str, str]) -> list[str]:
    """Write where a node leads: one line a condition, one for all tools, one for all handoffs."""
    lines: list[str] = []
    before: Link | None = None
    for link in links:
        when = "  on error" if link.kind == "error" else ""
        if label := one_line(link.label):
            when += f"  when {label}"
        joins = link.kind in {"tool", "handoff", "ask"} and not when
        if joins and before is not None and before.kind == link.kind and not before.label:
            lines[-1] += f", {called[link.target]}"
        else:
            lines.append(f"{_WORDS[link.kind]} {called[link.target]}{when}")
        before = link
    return lines
