"""Topology: the nodes and links of a runnable, and every form in which they can be shown."""

from __future__ import annotations

import base64
import html
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbagents.errors import UserError
from nbagents.topology import sources
from nbagents.topology.layout import LayoutUnavailable
from nbagents.topology.parts import Diagram
from nbagents.topology.picture import Picture
from nbagents.untrusted import fence, one_line

__all__ = ["Topology"]


@dataclass(frozen=True, slots=True)
class Topology(Diagram):
    """The nodes and links of a runnable.

    A node that is the parent of others is a team, drawn as a frame around them; links may begin and
    end at it. Raises `UserError` when an id is used twice, or a parent or an end of a link is no node.
    """

    @property
    def dot(self) -> str:
        """DOT source that any Graphviz draws; the ids are the names of its nodes."""
        return sources.dot(self)

    @property
    def svg(self) -> str:
        """The picture, before anything has run.

        Raises `LayoutUnavailable` when there is no Graphviz.
        """
        return Picture(self).svg()

    @property
    def mermaid(self) -> str:
        """A Mermaid flowchart, which GitHub and JupyterLab draw in Markdown."""
        return sources.mermaid(self)

    @property
    def outline(self) -> str:
        """The tree in plain text: a line a node with its kind, and where it leads."""
        return sources.outline(self)

    def save(self, path: str | Path) -> Path:
        """Write the topology in the form that the suffix names: .svg, .dot, .gv, .mmd or .md.

        A .md file holds the Mermaid flowchart and the outline. Returns the path. Raises `UserError`
        on another suffix and `LayoutUnavailable` when there is no Graphviz for a .svg.
        """
        path = Path(path)
        match path.suffix.lower():
            case ".svg":
                text = self.svg
            case ".dot" | ".gv":
                text = self.dot
            case ".mmd":
                text = self.mermaid
            case ".md":
                text = f"{fence(self.mermaid, 'mermaid')}\n\n{fence(self.outline)}\n"
            case other:
                raise UserError(
                    f"A topology cannot be saved as {other or 'a file without suffix'!r}. "
                    "Use .svg, .dot, .gv, .mmd or .md."
                )
        path.write_text(text, encoding="utf-8")
        return path

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, Any]:
        """Be a picture where one can be shown, and an outline elsewhere."""
        del include, exclude  # IPython filters by itself.
        bundle = {"text/plain": self.outline, "text/vnd.graphviz": self.dot}
        try:
            svg = self.svg
        except LayoutUnavailable:
            return bundle
        return {"text/html": image(svg, f"The topology of {self.name}"), **bundle}


_IN_THE_DARK = (
    "><style>@media(prefers-color-scheme:dark){svg{filter:invert(.92) hue-rotate(180deg)}}</style>"
)
"""Opens an SVG, and turns its light colors into dark ones of the same hue on a dark page."""


def image(svg: str, alt: str) -> str:
    """Return HTML that shows an SVG everywhere, in a notebook that is not trusted too.

    JupyterLab and GitHub take away <svg> from saved HTML, but not an <img> with a data URI.
    """
    data = base64.b64encode(svg.replace(">", _IN_THE_DARK, 1).encode()).decode()
    alt = html.escape(one_line(alt))
    # It is not shrunk: its words would be too small to read.
    picture = f'<img src="data:image/svg+xml;base64,{data}" alt="{alt}" style="max-width:none">'
    return f'<div style="overflow-x:auto">{picture}</div>'
