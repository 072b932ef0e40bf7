"""How far each node of a picture is: pending, running, waiting, done, failed."""

from __future__ import annotations

from typing import Protocol

from nbagents.runnable.sketch import HUMAN
from nbagents.topology import NodeState, Status, Topology

__all__ = ["States"]

_OF_RUNS: dict[str, Status] = {
    "asking": "running",
    "answering": "running",
    "finished": "done",
    "limited": "stopped",
    "failed": "failed",
    "stopped": "stopped",
}
_OF_TOOLS: dict[str, Status] = {
    "writing": "running",
    "running": "running",
    "done": "done",
    "failed": "failed",
    "refused": "stopped",
    "stopped": "stopped",
}


class _Visit(Protocol):
    path: str
    status: str
    waiting: int

    @property
    def is_over(self) -> bool: ...
    def seconds(self, now: float) -> float: ...


class _Use(Protocol):
    status: str
    seconds: float


class States:
    """What the picture of a run shows beside the nodes themselves."""

    def __init__(self) -> None:
        self.taken: dict[tuple[str, str], None] = {}
        """The links along which the run went, by the ids of their ends."""
        self._visits: dict[str, list[_Visit]] = {}
        self._uses: dict[str, list[_Use]] = {}
        self._answered = 0

    def start(self, run: _Visit) -> None:
        """A run of a node began."""
        self._visits.setdefault(run.path, []).append(run)

    def use(self, path: str, tool: _Use) -> None:
        """A tool began to run."""
        self._uses.setdefault(path, []).append(tool)

    def take(self, team: str, source: str, target: str) -> None:
        """The run went from one part of a team to another."""
        self.taken[f"{team}/{source}", f"{team}/{target}"] = None

    def answered(self, asker: str) -> None:
        """A person was asked, and has answered."""
        self._answered += 1
        self.taken[asker, HUMAN] = None

    def of(self, topology: Topology, now: float) -> dict[str, NodeState]:
        """Tell the state of each node; `now` is in seconds since the epoch."""
        root = self._visits.get(topology.nodes[0].id, [])
        over = bool(root) and root[-1].is_over
        states: dict[str, NodeState] = {}
        for node in topology.nodes:
            if visits := self._visits.get(node.id):
                states[node.id] = _visited(visits, now)
            elif uses := self._uses.get(node.id):
                seconds = sum(use.seconds for use in uses)
                states[node.id] = NodeState(_OF_TOOLS[uses[-1].status], len(uses), seconds)
            elif node.id == HUMAN:
                status: Status = "done" if self._answered else "pending"
                waiting = bool(root) and root[-1].waiting and not over
                states[node.id] = NodeState("waiting" if waiting else status, self._answered)
            elif over and node.kind != "tool":
                states[node.id] = NodeState("skipped")
        return states


def _visited(visits: list[_Visit], now: float) -> NodeState:
    under_way = [visit for visit in visits if not visit.is_over]
    status = _OF_RUNS[(under_way or visits)[-1].status]
    if any(visit.waiting for visit in under_way):
        status = "waiting"
    seconds = sum(visit.seconds(now) for visit in visits if visit.is_over)
    return NodeState(status, len(visits), seconds)
