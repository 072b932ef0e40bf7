"""Graphs: workflows whose edges say who comes next, when, and with what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, ClassVar, cast

from nbagents.agents.agent import Agent
from nbagents.context import RunContext
from nbagents.errors import UserError, unknown_name
from nbagents.limits import Limits, check_limits
from nbagents.messages import Message
from nbagents.questions import Question
from nbagents.runnable import Result, Runnable, Sketch
from nbagents.teams.conditions import Condition, fields_of
from nbagents.teams.execution import Execution, Step
from nbagents.teams.plan import Edge, Node, Plan, Way, Works, check_name
from nbagents.teams.steps import Ask, Function
from nbagents.topology import Topology

__all__ = ["Edge", "Graph", "Node"]

_STEPS_PER_NODE = 25


@dataclass(frozen=True, eq=False)
class Graph(Runnable[Any]):
    """Nodes and the ways between them.

    A node starts when it is ready, whatever else still runs. With `join="all"` that is once every
    way to it is settled and one of them was taken; a way that closes a circle starts its target
    again, and arms what lies behind it anew. A node is given the input of the graph and the
    outputs of the nodes that lead to it, by name. The output is that of the last node, or those of
    the last ones, by name.

    Raises `UserError` for names that do not exist, conditions that are none, and nodes that can
    never be reached.
    """

    name: str
    nodes: Mapping[str, Node | Works]
    edges: Sequence[Edge | tuple[str, str] | tuple[str, str, str]]
    """Edges, or shorter: `(source, target)` and `(source, target, when)`."""
    entry: str | Sequence[str] | None = field(default=None, kw_only=True)
    """Where it begins: without it at the nodes that nothing leads to, else at the first node."""
    max_steps: int | None = field(default=None, kw_only=True)
    """How many visits of nodes end a run; 25 for each node, if you do not say."""
    description: str = field(default="", kw_only=True)
    limits: Limits | None = field(default=None, kw_only=True)

    kind: ClassVar[str] = "graph"
    is_retraced: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_name("graph", self.name)
        given = cast("object", self.nodes)
        if not isinstance(given, Mapping):
            raise UserError(
                f"nodes must be a dictionary, {{name: agent or function}}, not {given!r:.60}."
            )
        nodes = {name: _as_node(name, node) for name, node in self.nodes.items()}
        object.__setattr__(self, "nodes", nodes)
        edges = tuple(_as_edge(edge) for edge in self.edges)
        object.__setattr__(self, "edges", edges)
        if not nodes:
            raise UserError(f"The graph {self.name!r} has no nodes.")
        check_limits(self.limits)
        if self.max_steps is not None and self.max_steps < 1:
            raise UserError(f"max_steps={self.max_steps} must be at least 1.")
        _ = self._plan, self._functions
        self._check_shown()

    def __repr__(self) -> str:
        return f"Graph({self.name!r}, {list(self.nodes)})"

    @property
    def is_team(self) -> bool:
        """Tell that there is more than one thing in it."""
        return True

    @cached_property
    def _declared(self) -> list[Edge]:
        return [edge for edge in self.edges if isinstance(edge, Edge)]

    @cached_property
    def _works(self) -> dict[str, Node]:
        return {name: node for name, node in self.nodes.items() if isinstance(node, Node)}

    @cached_property
    def _sources(self) -> dict[str, dict[str, None]]:
        sources: dict[str, dict[str, None]] = {name: {} for name in self._works}
        for edge in self._declared:
            if edge.target in sources:
                sources[edge.target][edge.source] = None
        return sources

    def _check_shown(self) -> None:
        for name, node in self._works.items():
            for shown in node.show:
                is_before = _is_before(name, self._sources, shown)
                if is_before is None:
                    raise unknown_name("node", shown, self._works)
                if not is_before:
                    raise UserError(
                        f"The node {name!r} shows {shown!r}, but nothing leads from there to it. "
                        "Name a node that comes before the question."
                    )

    @cached_property
    def _functions(self) -> dict[str, Function]:
        return {
            name: Function(
                name, node.runs, partial(_is_before, name, self._sources), list(self._sources[name])
            )
            for name, node in self._works.items()
            if not isinstance(node.runs, (Runnable, Question))
        }

    @property
    def note(self) -> str | None:
        """Which functions were redefined after the graph was defined."""
        old = [name for name, each in self._functions.items() if each.is_outdated]
        return f"old version of {', '.join(old)}: define {self.name} again" if old else None

    @cached_property
    def _plan(self) -> Plan:
        names = list(self._works)
        numbers = {name: number for number, name in enumerate(names)}
        ways: list[Way] = []
        for edge in self._declared:
            if edge.on not in {"success", "error"}:
                raise unknown_name("kind of edge", edge.on, ["success", "error"])
            for end in (edge.source, edge.target):
                if end not in numbers:
                    raise unknown_name("node", end, names)
            condition = None if edge.when is None else self._condition(edge)
            source, target = numbers[edge.source], numbers[edge.target]
            ways.append(Way(len(ways), source, target, condition, on_error=edge.on == "error"))
        return Plan(self._works, ways, self._entries(numbers, ways))

    def _condition(self, edge: Edge) -> Condition:
        runs = self._works[edge.source].runs
        kind: Any = None
        if isinstance(runs, Agent):
            kind = cast("Agent[Any]", runs).output_type
        elif isinstance(runs, Question):
            kind = runs.schema
        elif not isinstance(runs, Runnable):
            kind = self._functions[edge.source].returns
        assert edge.when is not None
        try:
            return Condition(edge.when, fields_of(kind))
        except UserError as error:
            message = f"The edge {edge.source} -> {edge.target}: {error}"
            raise UserError(message) from None

    def _entries(self, numbers: Mapping[str, int], ways: Sequence[Way]) -> list[int]:
        if self.entry is not None:
            named = [self.entry] if isinstance(self.entry, str) else list(self.entry)
            for name in named:
                if name not in numbers:
                    raise unknown_name("node", name, numbers)
            return [numbers[name] for name in dict.fromkeys(named)]
        led_to = {way.target for way in ways}
        return [number for number in numbers.values() if number not in led_to] or [0]

    @cached_property
    def _topology(self) -> Topology:
        return super().topology()

    def topology(self) -> Topology:
        """Tell what it is made of, to be drawn."""
        return self._topology

    def sketch(self, sketch: Sketch, id: str, parent: str | None) -> None:
        """Draw the nodes, and the ways between them with their conditions."""
        sketch.add(id, id.rpartition("/")[2], self.kind, parent)
        for name, node in self._works.items():
            inner = f"{id}/{name}"
            runs: Any = node.runs
            if isinstance(runs, Runnable):
                runs.sketch(sketch, inner, id)
            else:
                kind = "human" if isinstance(runs, Question) else "function"
                detail = "" if node.join == "all" else f"join {node.join}"
                sketch.add(inner, name, kind, id, detail)
        for edge, way in zip(self._declared, self._plan.ways, strict=True):
            label = way.condition.label if way.condition else ""
            kind = "error" if way.on_error else "flow"
            sketch.link(f"{id}/{edge.source}", f"{id}/{edge.target}", label, kind)

    @property
    def declared(self) -> dict[str, Any]:
        """Its nodes, where each leads, and what its questions ask."""
        names = list(self._works)
        ways = {
            name: [_told(names[way.target], way) for way in self._plan.out[number]]
            for number, name in enumerate(names)
        }
        questions = {
            name: node.runs.declared
            for name, node in self._works.items()
            if isinstance(node.runs, Question)
        }
        return {"parts": names, "ways": ways, "questions": questions}

    @cached_property
    def _steps(self) -> dict[str, Step]:
        return {name: self._step(name, node) for name, node in self._works.items()}

    def _step(self, name: str, node: Node) -> Step:
        """Make what makes, for each visit of a node, what it runs and the messages it is given."""
        runs = node.runs
        if isinstance(runs, Runnable):
            runnable = cast("Runnable[Any]", runs)
            return lambda given: (runnable, given.messages())
        if isinstance(runs, Question):
            named, used = node.show, self._used_after(name)
            return lambda given: (Ask(name, runs, given, named, used), given.first_messages())
        function = self._functions[name]
        return lambda given: (function.bind(name, given), given.first_messages())

    def _used_after(self, name: str) -> list[str]:
        """List the nodes whose outputs the next nodes after a question use.

        Looks past nodes that use none but the answers: other questions, and what only signs off.
        """
        used: dict[str, None] = {}
        waiting, seen = [name], {name}
        while waiting:
            for target in self._targets(waiting.pop(0)):
                if target in seen:
                    continue
                seen.add(target)
                uses = [each for each in self._uses(target) if self._is_shown(name, each)]
                used.update(dict.fromkeys(uses))
                if not uses:
                    waiting.append(target)
        return list(used)

    def _targets(self, name: str) -> list[str]:
        return [edge.target for edge in self._declared if edge.source == name]

    def _uses(self, name: str) -> list[str]:
        """List the nodes whose outputs a node is given."""
        function = self._functions.get(name)
        if function is None:
            return list(self._sources[name])
        return [*function.takes, *(self._sources[name] if function.takes_all else ())]

    def _is_shown(self, question: str, name: str) -> bool:
        """Tell whether a question shows the output of a node: it comes before, and is not an answer itself."""
        asks = isinstance(self._works[name].runs, Question)
        return not asks and name != question and bool(_is_before(question, self._sources, name))

    async def execute(self, ctx: RunContext, messages: Sequence[Message]) -> Result[Any]:
        """Visit the nodes, each as soon as it is ready."""
        most = self.max_steps or _STEPS_PER_NODE * len(self._works)
        return await Execution(self._plan, self._steps, most).run(ctx, messages)


def _told(target: str, way: Way) -> str:
    when = f" when {way.condition.label}" if way.condition else ""
    return f"{target}{when}{' on error' if way.on_error else ''}"


def _is_before(node: str, sources: Mapping[str, Mapping[str, None]], name: str) -> bool | None:
    """Tell whether a path leads from one node to another; None when there is no such node."""
    if name not in sources:
        return None
    if name in sources[node]:
        return True
    seen, waiting = set(sources[node]), list(sources[node])
    while waiting:
        for source in sources.get(waiting.pop(), ()):
            if source not in seen:
                seen.add(source)
                waiting.append(source)
    return name in seen


def _as_edge(edge: Any) -> Edge:
    match edge:
        case Edge():
            return edge
        case (str(source), str(target)):
            return Edge(source, target)
        case (str(source), str(target), _):
            return Edge(source, target, edge[2])
        case _:
            raise UserError(
                f"An edge is (source, target) or (source, target, when), not {edge!r:.60}."
            )


def _as_node(name: str, node: object) -> Node:
    check_name("node", name)
    if not isinstance(node, Node):
        node = Node(node)  # pyright: ignore[reportArgumentType]  # What it is, is checked here.
    if not isinstance(node.runs, (Runnable, Question)) and not callable(node.runs):
        kind = type(node.runs).__name__
        message = f"The node {name!r} is an agent, a team, a function or a question, not {kind} ({node.runs!r:.60})."
        raise UserError(message)
    retries, timeout = cast("Any", node.retries), cast("Any", node.timeout)
    numbers = (node.join, retries, timeout)
    fitting = isinstance(retries, int) and isinstance(timeout, (int, float, type(None)))
    if not fitting or any(isinstance(number, bool) for number in numbers):
        message = f"join, retries and timeout of the node {name!r} are numbers, not {numbers}."
        raise UserError(message)
    if isinstance(node.join, str) and node.join not in {"all", "any"}:
        raise unknown_name("join", node.join, ["all", "any"])
    if isinstance(node.join, int) and node.join < 1:
        raise UserError(f"join={node.join} of the node {name!r} must be 1 or more.")
    if node.retries < 0 or (node.timeout is not None and node.timeout <= 0):
        raise UserError(f"timeout and retries of the node {name!r} cannot be below 0.")
    if node.on_error not in {"fail", "skip"}:
        raise unknown_name("on_error", node.on_error, ["fail", "skip"])
    if isinstance(node.show, str):
        raise UserError(f"show={node.show!r} must be a list of nodes: show=[{node.show!r}]")
    asks = isinstance(node.runs, Question)  # pyright: ignore[reportUnknownMemberType]
    if node.show and not asks:
        raise UserError(f"Only a question shows the outputs of nodes; {name!r} is not one.")
    return node
