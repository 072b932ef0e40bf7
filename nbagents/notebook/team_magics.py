"""The magics that define teams: `%%swarm` and `%%graph`."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, cell_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display

from nbagents.errors import UserError, did_you_mean, unknown_name
from nbagents.notebook.arguments import names, parse
from nbagents.notebook.dot import DotBody, DotEdge, read_dot
from nbagents.notebook.dot_errors import wrong_arrow
from nbagents.notebook.magics import takes_one_name
from nbagents.notebook.namespace import Namespace, kind_of
from nbagents.notebook.prompts import expand
from nbagents.questions import Question
from nbagents.runnable import Runnable
from nbagents.runnable.sketch import HUMAN
from nbagents.teams.graph import Edge, Graph, Node
from nbagents.teams.swarm import Swarm

__all__ = ["TeamMagics"]


Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class _Member:
    line: str
    variable: str
    runnable: Runnable[Any]
    purpose: str
    targets: list[str] | None

    @property
    def name(self) -> str:
        return self.runnable.name


_MEMBER = re.compile(
    r"\s*(?P<name>[^:\s>-][^:\s]*?)\s*(?::(?P<purpose>.*?))?(?:->(?P<targets>.*))?\Z"
)


@magics_class
class TeamMagics(Magics):
    """The magics that put agents together."""

    def __init__(self, shell: InteractiveShell, namespace: Namespace) -> None:
        super().__init__(shell)
        self._namespace = namespace

    @no_var_expand
    @magic_arguments()
    @argument("name", help="Name of the swarm, and of the variable that will hold it.")
    @argument("--start", help="The member who starts; by default the first one.")
    @argument("--max-handoffs", type=int, help="The most handoffs in one run.")
    @cell_magic
    def swarm(self, line: str, cell: str) -> None:
        """Define a swarm: agents that hand over to each other. One member a line.

        `writer: drafts the text -> critic, human` says what the member is for, and to whom it may
        hand over: without `->` to everybody, with nothing after `->` to nobody. `human` is you.
        """
        options, rest = parse(TeamMagics.swarm, expand(line, self._namespace.variables))
        takes_one_name("swarm", rest)
        self._namespace.check_free(options.name, Swarm)
        members = [self._member(number, text) for number, text in _lines(cell)]
        for number, member in enumerate(members):
            if member.name in (earlier.name for earlier in members[:number]):
                raise UserError(f"{member.line}{member.name!r} is a member already.")
        # A member is known by its variable and by the agent's own name.
        known = {member.name: member.name for member in members} | {HUMAN: HUMAN}
        known |= {member.variable: member.name for member in members}
        for member in members:
            for target in member.targets or ():
                if target not in known:
                    raise UserError(f"{member.line}{unknown_name('member', target, known)}")
        given = {} if options.max_handoffs is None else {"max_handoffs": options.max_handoffs}
        swarm = Swarm(
            options.name,
            [member.runnable for member in members],
            start=known.get(options.start, options.start),
            hands_off_to={
                m.name: [known[target] for target in m.targets]
                for m in members
                if m.targets is not None
            },
            purposes={m.name: m.purpose for m in members if m.purpose},
            **given,
        )
        self._namespace.define(options.name, swarm)
        display(swarm.topology())

    def _member(self, number: int, text: str) -> _Member:
        line = f"Line {number}: "
        match = _MEMBER.match(text)
        if match is None:
            arrow = f"write -> for {found}; " if (found := wrong_arrow(text)) else ""
            message = f"{line}{arrow}write one member a line: its name, what it is for, and to whom it may hand over: `writer: drafts -> critic`."
            raise UserError(message)
        with _pointing(line):
            runnable = self._namespace.runnable(match["name"])
        targets = None if match["targets"] is None else names(match["targets"])
        purpose = (match["purpose"] or "").strip()
        self._check_arrow(line, match["name"], purpose)
        return _Member(line, match["name"], runnable, purpose, targets)

    def _check_arrow(self, line: str, name: str, purpose: str) -> None:
        """Raise `UserError` for `=> critic` and its like at the end of what a member is for."""
        arrow = wrong_arrow(purpose)
        if arrow is None:
            return
        before, _, after = purpose.partition(arrow)
        known = [*self._namespace.runnables(), HUMAN]
        if any(target in known or did_you_mean(target, known) for target in names(after)):
            member = f"{name}: {before.strip()}" if before.strip() else name
            raise UserError(f"{line}write -> for {arrow}: `{member} -> {after.strip()}`")

    @no_var_expand
    @magic_arguments()
    @argument("name", help="Name of the graph, and of the variable that will hold it.")
    @argument(
        "--entry",
        type=names,
        help="Entry nodes, comma-separated; by default those without a way to them.",
    )
    @argument("--max-steps", type=int, help="The most visits of nodes in one run.")
    @cell_magic
    def graph(self, line: str, cell: str) -> None:
        """Define a workflow; the body is DOT: `draft -> check -> {publish log}`.

        A node is the agent, team or function of its name, or says so: `[agent=writer]`,
        `[py=function]`, `[ask="Publish it?", out=bool, show=draft]`; more: `join=any`, `timeout=30`,
        `retries=2`, `on_error=skip`. A question shows what the next node takes, or the nodes that
        `show` names. An edge may have a condition over `output`, `text`, `state` and `visits`:
        `check -> draft [when="visits < 3"]`; `[on=error]` is the way of a failure.
        """
        options, rest = parse(TeamMagics.graph, expand(line, self._namespace.variables))
        takes_one_name("graph", rest)
        self._namespace.check_free(options.name, Graph)
        body = read_dot(cell)
        if not body.nodes:
            raise UserError("The body names no nodes. Write edges: draft -> check -> publish")
        nodes = {name: self._node(body, name, given) for name, given in body.nodes.items()}
        try:
            graph = Graph(
                options.name,
                nodes,
                [_edge(body, edge) for edge in body.edges],
                entry=options.entry or None,
                max_steps=options.max_steps,
            )
        except UserError as error:
            raise UserError(f"{_line_of(body, str(error))}{error}") from None
        self._namespace.define(options.name, graph)
        display(graph.topology())

    def _node(self, body: DotBody, name: str, given: dict[str, str]) -> Node:
        named = [kind for kind in ("agent", "py", "ask") if kind in given]
        if len(named) > 1:
            raise UserError(f"{body.at(name)}The node {name!r} is one of {' and '.join(named)}.")
        if "out" in given and "ask" not in given:
            where = body.at_attribute("out", given["out"])
            raise UserError(f"{where}`out` is the type of the answer to an `ask`.")
        where = body.at_attribute(named[0], given[named[0]]) if named else body.at(name)
        with _pointing(where):
            runs = self._runs(name, given)
        numbers: dict[str, Any] = {}
        for attribute, read in _OF_NODES.items():
            if attribute in given:
                with _pointing(body.at_attribute(attribute, given[attribute])):
                    numbers[attribute] = read(attribute, given[attribute])
        return Node(runs, **numbers)

    def _runs(self, name: str, given: dict[str, str]) -> Any:
        namespace = self._namespace
        if "agent" in given:
            return namespace.runnable(given["agent"])
        if "py" in given:
            return namespace.function(given["py"])
        if "ask" in given:
            return Question(given["ask"], namespace.type(given.get("out")))
        value = namespace.variables.get(name)
        if isinstance(value, Runnable) or (callable(value) and not isinstance(value, type)):
            return value
        if name == HUMAN:
            return Question("What do you say?")
        if value is not None:
            raise UserError(f"{name!r} is {kind_of(value)}, not an agent or a function.")
        known = (*namespace.runnables(), *namespace.functions())
        raise unknown_name("agent or function", name, known)


def _edge(body: DotBody, edge: DotEdge) -> Edge:
    on = edge.attributes.get("on", "success")
    if on not in {"success", "error"}:
        raise UserError(
            f"{body.at_attribute('on', on)}{unknown_name('kind of edge', on, ('success', 'error'))}"
        )
    return Edge(edge.source, edge.target, edge.attributes.get("when"), on=on)  # pyright: ignore[reportArgumentType]


def _lines(cell: str) -> Iterator[tuple[int, str]]:
    """Return the lines that say something, numbered as in the cell."""
    for number, text in enumerate(cell.splitlines(), start=2):  # The magic is the first line.
        said = text.partition("#")[0].strip()
        if said:
            yield number, said


@contextmanager
def _pointing(where: str) -> Generator[None]:
    """Say in which line an error is."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{where}{error}") from None


def _join(_name: str, text: str) -> str | int:
    if text.isdecimal():
        return int(text)
    if text in {"all", "any"}:
        return text
    raise unknown_name("join", text, ("all", "any", "a number"))


def _on_error(_name: str, text: str) -> str:
    if text in {"fail", "skip"}:
        return text
    raise unknown_name("on_error", text, ("fail", "skip"))


def _seconds(name: str, text: str) -> float:
    return _number(name, text, float)


def _count(name: str, text: str) -> int:
    return _number(name, text, int)


def _number(name: str, text: str, kind: type[Number]) -> Number:
    try:
        return kind(text)
    except ValueError:
        raise UserError(f"{name} must be a number, not {text!r}.") from None


_OF_NODES: dict[str, Callable[[str, str], Any]] = {
    "join": _join,
    "timeout": _seconds,
    "retries": _count,
    "on_error": _on_error,
    "show": lambda _name, text: tuple(names(text)),
}


def _line_of(body: DotBody, message: str) -> str:
    """Find the line that a message about the whole graph is about."""
    for edge in body.edges:
        if message.startswith(f"The edge {edge.source} -> {edge.target}:"):
            when = edge.attributes.get("when", "")
            return body.at_attribute("when", when) or body.at(edge.target)
    named = [name for name in re.findall(r"'([^']*)'", message) if name in body.nodes]
    return body.at(*reversed(named))
