"""Topologies to draw, and an SVG read back as a reader would."""

from __future__ import annotations

import warnings
from xml.etree import ElementTree as ET

import pydot

from nbagents.topology import Link, Topology, TopologyNode

SVG = "{http://www.w3.org/2000/svg}"


def chain() -> Topology:
    """A graph of three nodes, the last of which leads back."""
    return Topology(
        "report",
        (
            TopologyNode("report", "report", "graph"),
            TopologyNode("report/draft", "draft", "agent", "report", "gpt-5"),
            TopologyNode("report/check", "check", "function", "report"),
            TopologyNode("report/publish", "publish", "function", "report", "join any"),
        ),
        (
            Link("report/draft", "report/check"),
            Link("report/check", "report/draft", "score < 8"),
            Link("report/check", "report/publish", "score >= 8"),
            Link("report/draft", "report/publish", kind="error"),
        ),
    )


def nested() -> Topology:
    """A graph that holds a swarm that holds an agent with two tools."""
    return Topology(
        "paper",
        (
            TopologyNode("paper", "paper", "graph"),
            TopologyNode("paper/ask", "ask", "human", "paper"),
            TopologyNode("paper/room", "newsroom", "swarm", "paper"),
            TopologyNode("paper/room/reporter", "reporter", "agent", "paper/room"),
            TopologyNode("paper/room/reporter/search", "search", "tool", "paper/room"),
            TopologyNode("paper/room/reporter/read", "read", "tool", "paper/room"),
            TopologyNode("paper/room/editor", "editor", "agent", "paper/room"),
            TopologyNode("paper/far", "translator", "remote", "paper"),
        ),
        (
            Link("paper/ask", "paper/room"),
            Link("paper/room/reporter", "paper/room/reporter/search", kind="tool"),
            Link("paper/room/reporter", "paper/room/reporter/read", kind="tool"),
            Link("paper/room/reporter", "paper/room/editor", kind="handoff"),
            Link("paper/room/editor", "paper/room/reporter", kind="handoff"),
            Link("paper/room", "paper/room", "words < 400"),
            Link("paper/room", "paper/far", "text != ''"),
            Link("paper/far", "paper/ask", kind="ask"),
        ),
    )


def tree(count: int) -> Topology:
    """A graph of so many nodes, each leading to two others."""
    nodes = [TopologyNode("g", "pipeline", "graph")]
    nodes += [TopologyNode(f"g/{n}", f"step {n}", "agent", "g", "gpt-5") for n in range(count)]
    links = tuple(Link(f"g/{(n - 1) // 2}", f"g/{n}") for n in range(1, count))
    return Topology("pipeline", tuple(nodes), links)


def single(label: str, *, detail: str = "", condition: str = "") -> Topology:
    """One node that leads to another, and to itself."""
    nodes = TopologyNode("a", label, "agent", None, detail), TopologyNode("b", "b", "function")
    return Topology(label, nodes, (Link("a", "b", condition), Link("a", "a", condition)))


def read(svg: str) -> ET.Element:
    return ET.fromstring(svg)


def read_dot(dot: str) -> pydot.Dot:
    """Read DOT with the parser that `%%graph` uses, which warns of its own parser's old names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        (graph,) = pydot.graph_from_dot_data(dot)
    return graph


def drawn(svg: str) -> dict[str, ET.Element]:
    """Return what is drawn of each node, by its id."""
    return {node: g for g in read(svg).iter(f"{SVG}g") if (node := g.get("data-node"))}


def words(svg: str) -> dict[str, str]:
    """Return what is written in each node, by its id."""
    texts = {
        node: [text for part in g.iter(f"{SVG}text") for text in part.itertext()]
        for node, g in drawn(svg).items()
    }
    return {node: " | ".join(parts) for node, parts in texts.items()}


def box(svg: str, node: str) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a node."""
    g = drawn(svg)[node]
    x, y = map(float, g.attrib["transform"].removeprefix("translate(").rstrip(")").split())
    rect = g.findall(f"{SVG}rect")[-1]
    return x, y, x + float(rect.attrib["width"]), y + float(rect.attrib["height"])


def frames(svg: str) -> list[tuple[float, float, float, float]]:
    """Return left, top, right and bottom of the frames of teams, the outer ones first."""
    rects = [
        {k: float(r.get(k, 0)) for k in ("x", "y", "width", "height")}
        for r in read(svg).findall(f"{SVG}rect")
    ]
    return [(r["x"], r["y"], r["x"] + r["width"], r["y"] + r["height"]) for r in rects]


def inside(inner: tuple[float, ...], outer: tuple[float, ...]) -> bool:
    return (
        outer[0] <= inner[0]
        and outer[1] <= inner[1]
        and inner[2] <= outer[2]
        and inner[3] <= outer[3]
    )
