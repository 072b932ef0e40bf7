"""The body of a `%%graph` cell: DOT, read by a real parser, and the lines that errors point at."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nbagents.errors import UserError, unknown_name
from nbagents.notebook.dot_errors import explain

__all__ = ["DotBody", "DotEdge", "read_dot"]

_OF_NODES = ("agent", "py", "ask", "out", "show", "join", "timeout", "retries", "on_error")
_OF_EDGES = ("when", "on")
# What only changes how Graphviz would draw it.
_LOOKS = (
    *(
        "label",
        "xlabel",
        "tooltip",
        "shape",
        "style",
        "color",
        "fillcolor",
        "fontcolor",
        "fontname",
    ),
    *(
        "fontsize",
        "penwidth",
        "weight",
        "group",
        "width",
        "height",
        "rank",
        "rankdir",
        "dir",
        "URL",
    ),
    *(
        "arrowhead",
        "arrowtail",
        "arrowsize",
        "constraint",
        "headlabel",
        "taillabel",
        "minlen",
        "pos",
    ),
)


# Brackets and undirected edges, and what may hide them: quoted text and comments.
_TOKEN = re.compile(
    r'"(?:\\.|[^"\\])*"|//[^\n]*|^\s*#[^\n]*|/\*.*?\*/|-->?|[{}]', re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class DotEdge:
    """An edge as it is written."""

    source: str
    target: str
    attributes: Mapping[str, str]


@dataclass(slots=True)
class DotBody:
    """The nodes with their attributes, in the order in which they are first named, and the edges."""

    source: str
    nodes: dict[str, dict[str, str]] = field(default_factory=dict)
    edges: list[DotEdge] = field(default_factory=list)

    def at_attribute(self, name: str, value: str) -> str:
        """Say in which line an attribute has this value, to begin a message with."""
        # As it is written: with its quotes, and with a backslash before those inside.
        written = re.escape(value.replace('"', '\\"'))
        found = re.search(rf'(?<!\w){name}\s*=\s*"?{written}', self.source)
        return "" if found is None else f"Line {self.source.count(chr(10), 0, found.start()) + 2}: "

    def at(self, *words: str) -> str:
        """Say in which line of the cell one of the words stands first, to begin a message with."""
        lines = self.source.splitlines()
        for word in words:
            whole = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
            for number, line in enumerate(lines, start=2):  # The magic is the first line.
                if whole.search(line) or (word in line and not word.isidentifier()):
                    return f"Line {number}: "
        return ""


def read_dot(source: str) -> DotBody:
    """Read the body, with or without `digraph { }` around it.

    Raises `UserError` that names the line, and the close match of a misspelt attribute.
    """
    _check_brackets(source)
    whole = re.match(r"\s*(?://[^\n]*\n\s*)*(?:strict\s+)?(?:di)?graph\b", source) is not None
    graph = _parsed(source if whole else f"digraph {{{source}\n}}", source)
    if graph.get_type() != "digraph":
        raise UserError("Edges have a direction here: write `digraph`, and `a -> b`.")
    body = DotBody(source)
    _read(graph, body, {}, {})
    return body


def _check_brackets(source: str) -> None:
    """Find what the parser would read otherwise than it is meant: a `}` too many, and `--`."""
    opened: list[str] = []
    for token in _TOKEN.finditer(source):
        where = f"Line {source.count(chr(10), 0, token.start()) + 2}: "
        if token[0] == "{":
            opened.append(where)
        elif token[0] == "}" and not opened:
            raise UserError(f"{where}there is one }} too many.")
        elif token[0] == "}":
            opened.pop()
        if token[0].startswith("--"):
            raise UserError(f"{where}edges have a direction here: write -> for {token[0]}.")
    if opened:
        raise UserError(f"{opened[-1]}this {{ has no }}.")


def _parsed(text: str, source: str) -> Any:
    said = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # It calls its own parser by old names.
        import pydot

        with contextlib.redirect_stdout(said):  # Errors are printed, not raised.
            graphs = pydot.graph_from_dot_data(text)
    if graphs:
        return graphs[0]
    words = said.getvalue().strip().splitlines()
    problem = words[-1] if words else ""
    where = re.search(r"\(line:(\d+), col:(\d+)\)", problem)
    if where is None or not source.strip():
        raise UserError(f"The body is not valid DOT: {problem}")
    number = min(int(where[1]), len(source.splitlines()))
    line = source.splitlines()[number - 1].strip()
    raise UserError(f"Line {number + 1} is not valid DOT: {explain(line)}\n  {line}")


def _read(graph: Any, body: DotBody, nodes: dict[str, str], edges: dict[str, str]) -> None:
    """Add all that stands in a graph, or a part of one, in its order; defaults hold from there on."""
    nodes, edges = dict(nodes), dict(edges)
    parts = (*graph.get_node_list(), *graph.get_edge_list(), *graph.get_subgraph_list())
    for part in sorted(parts, key=lambda part: part.get_sequence()):
        kind = part.obj_dict["type"]
        if kind == "edge":
            _read_edge(part, body, nodes, edges)
        elif kind != "node":
            _read(part, body, nodes, edges)
        elif part.get_name() == "node":
            nodes.update(_attributes(part.get_attributes(), body, _OF_NODES))
        elif part.get_name() == "edge":
            edges.update(_attributes(part.get_attributes(), body, _OF_EDGES))
        elif part.get_name() != "graph":
            known = body.nodes.setdefault(_unquoted(part.get_name()), dict(nodes))
            known.update(_attributes(part.get_attributes(), body, _OF_NODES))


def _read_edge(edge: Any, body: DotBody, nodes: dict[str, str], edges: dict[str, str]) -> None:
    given = {**edges, **_attributes(edge.get_attributes(), body, _OF_EDGES)}
    sources, targets = (list(_ends(point)) for point in edge.obj_dict["points"])
    for name in (*sources, *targets):
        body.nodes.setdefault(name, dict(nodes))
    body.edges.extend(DotEdge(source, target, given) for source in sources for target in targets)


def _ends(point: Any) -> Iterator[str]:
    """Return the nodes that an end of an edge stands for: one, or all of a `{ group }`."""
    if isinstance(point, str):
        quoted = point.startswith('"')
        yield _unquoted(point if quoted else point.partition(":")[0])
        return
    for name in point["nodes"]:
        yield _unquoted(name)
    for groups in point["subgraphs"].values():
        for group in groups:
            yield from _ends(group)


def _attributes(given: Mapping[str, Any], body: DotBody, known: tuple[str, ...]) -> dict[str, str]:
    read: dict[str, str] = {}
    for name, value in given.items():
        if name in known:
            read[name] = _unquoted(str(value))
        elif name not in _LOOKS:
            if name in _OF_NODES:
                problem = f"`{name}` is an attribute of a node, not of an edge: b [{name}=...]"
            elif name in _OF_EDGES:
                problem = f"`{name}` is an attribute of an edge, not of a node: a -> b [{name}=...]"
            else:
                problem = str(unknown_name("attribute", name, known))
            raise UserError(f"{body.at(name)}{problem}")
    return read


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == '"':
        # A backslash at the end of a line goes on in the next one; `\"` is a quote.
        return text[1:-1].replace("\\\n", "").replace('\\"', '"')
    return text
