"""What a runnable is made of, and its picture: DOT, SVG, Mermaid, an outline, states in colour."""

from nbagents.topology.base import Topology
from nbagents.topology.layout import LayoutUnavailable
from nbagents.topology.look import NodeState, Status
from nbagents.topology.parts import Link, LinkKind, NodeKind, TopologyNode
from nbagents.topology.picture import Picture

__all__ = [
    "LayoutUnavailable",
    "Link",
    "LinkKind",
    "NodeKind",
    "NodeState",
    "Picture",
    "Status",
    "Topology",
    "TopologyNode",
]
