"""The execution of a graph: which node is ready, and what follows when one has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nbagents.context import RunContext
from nbagents.errors import LimitReached, UserError
from nbagents.events import EdgeTaken
from nbagents.limits import Limits
from nbagents.messages import Message
from nbagents.redaction import redact
from nbagents.replay import RecordedError
from nbagents.runnable import Result, Runnable, call
from nbagents.teams.conditions import Condition, Outcome
from nbagents.teams.plan import Node, Plan, Way
from nbagents.teams.steps import Given

__all__ = ["Execution", "Step"]

Step = Callable[[Given], tuple[Runnable[Any], Sequence[Message]]]
"""Makes what a visit of a node runs, and the messages that it is given."""
_Results = dict[str, Result[Any]]


@dataclass(slots=True)
class _Ready:
    """A node that may start, with the results that lead there."""

    node: int
    results: _Results
    pass_: int
    """How often it had been armed anew."""


@dataclass(slots=True)
class _Ended:
    """How a visit has ended: with a result, by an error that an edge may lead on, or skipped."""

    result: Result[Any] | None
    error: Exception | None = None


class Execution:
    """One run of a graph. All that changes is here, so a graph may run many times at once."""

    def __init__(self, plan: Plan, steps: Mapping[str, Step], max_steps: int) -> None:
        count = len(plan.names)
        self._plan = plan
        self._step_of = [steps[name] for name in plan.names]
        self._max_steps = max_steps
        self._steps = 0
        self._visits = [0] * count
        self._passes = [0] * count
        """How often a node was armed anew; the end of a visit of an earlier pass leads nowhere."""
        self._started = [False] * count
        """Nodes that have run, or were passed over, since they were armed."""
        self._settled = [False] * len(plan.ways)
        self._unsettled = list(plan.awaited)
        self._taken: list[dict[int, Result[Any]]] = [{} for _ in range(count)]
        self._results: dict[int, Result[Any]] = {}
        """Results of the last pass of each node."""
        self._went = [False] * len(plan.ways)
        self._waiting: list[asyncio.Future[None]] = []
        """Visits that ended earlier than the record has it."""

    async def run(self, ctx: RunContext, messages: Sequence[Message]) -> Result[Any]:
        """Visit nodes until none is ready any more."""
        self._ctx = ctx
        self._original = tuple(messages)
        for entry in self._plan.entries:
            self._started[entry] = True
        failure: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as self._group:
                for entry in self._plan.entries:
                    self._launch(self._ready(entry))
        except BaseExceptionGroup as failures:
            failure = failures.exceptions[0]
        if failure is not None:  # Raised here, it keeps its own causes and not the group as one.
            raise failure
        return self._outcome()

    def _outcome(self) -> Result[Any]:
        """Return the result of the node from which nothing went on, or those of them all by name."""
        names, out = self._plan.names, self._plan.out
        last = {
            names[node]: self._results[node]
            for node in sorted(self._results)
            if not any(self._went[way.number] and self._counts(way.target) for way in out[node])
        }
        if len(last) == 1:
            return next(iter(last.values()))
        files = tuple(file for result in last.values() for file in result.files)
        return Result({name: each.output for name, each in last.items()} or None, files)

    def _counts(self, node: int) -> bool:
        """Tell whether a node has a result, or its failure has led on."""
        ways = self._plan.out[node]
        return node in self._results or any(self._went[way.number] for way in ways)

    def _launch(self, ready: _Ready) -> None:
        self._begin(ready.node)
        self._group.create_task(self._follow(ready))

    def _begin(self, node: int) -> None:
        self._steps += 1
        if self._steps > self._max_steps:
            fix = "Raise it with Graph(..., max_steps=...)."
            raise LimitReached("max_steps", self._max_steps, fix=fix)
        self._visits[node] += 1

    async def _follow(self, here: _Ready) -> None:
        """Visit a node and go on along its ways: the first here, the others in tasks of their own."""
        while True:
            visits = self._visits[here.node]
            ended = await self._visit(here.node, here.results)
            ready = await self._leave(here, ended, visits)
            if not ready:
                return
            here = ready[0]
            self._begin(here.node)
            for other in ready[1:]:
                self._launch(other)

    async def _visit(self, node: int, results: _Results) -> _Ended:
        name, declared = self._plan.names[node], self._plan.nodes[node]
        given = Given(self._original, results, self._result_of)
        attempts = 0
        while True:
            attempts += 1
            runnable, messages = self._step_of[node](given)
            try:
                limits = None if declared.timeout is None else self._limits(declared, runnable)
                return _Ended(await call(self._ctx, runnable, messages, node=name, limits=limits))
            except Exception as error:
                if isinstance(error, LimitReached):
                    self._ctx.check_limits(0)  # A limit of the graph, or above, ends it.
                if attempts <= declared.retries and not isinstance(error, UserError):
                    continue
                named = _named(error, name, declared)
                kind = named.recorded if isinstance(named, RecordedError) else type(named).__name__
                if any(way.on_error for way in self._plan.out[node]):
                    return _Ended(Result(redact(f"{kind}: {named}")), named)
                if declared.on_error == "skip":
                    return _Ended(None)
                if named is error:
                    raise
                raise named from None

    def _result_of(self, name: str) -> Result[Any] | None:
        number = self._plan.numbers.get(name)
        return None if number is None else self._results.get(number)

    def _limits(self, node: Node, runnable: Runnable[Any]) -> Limits:
        """Make the limits of a visit that has a time of its own."""
        assert node.timeout is not None
        own = runnable.limits or self._ctx.limits
        shorter = runnable.limits is not None and (own.seconds or node.timeout) < node.timeout
        return own if shorter else replace(own, seconds=node.timeout)

    async def _leave(self, here: _Ready, ended: _Ended, visits: int) -> list[_Ready]:
        """Settle the ways out of a node; return the nodes that are ready by that."""
        node, out = here.node, self._plan.out[here.node]
        plain = self._plan.is_plain[node] and ended.result is not None
        recorded = await self._recorded_ways(here) if self._ctx.past and out else None
        if here.pass_ != self._passes[node]:
            return []
        if recorded is not None:
            taken = recorded
        else:
            taken = out if plain else await self._taken_ways(node, ended, visits)
        if ended.error is not None and not taken:
            if self._plan.nodes[node].on_error == "fail":
                raise ended.error
            ended = _Ended(None)
        if here.pass_ != self._passes[node]:  # A condition took its time.
            return []
        if recorded is None and out:
            self._report(node, taken)
        for way in taken:
            self._went[way.number] = True
        if ended.error is None and ended.result is not None:
            self._results[node] = ended.result
        ready: list[_Ready] = []
        if plain:
            for way in taken:
                self._settle(way, ended.result, ready)
        else:
            self._settle_some(node, taken, ended.result, ready)
        return ready

    def _report(self, node: int, taken: Sequence[Way]) -> None:
        names = self._plan.names
        targets = [names[way.target] for way in taken] or [None]
        for target in targets:
            self._ctx.record_event(EdgeTaken(names[node], target))

    async def _recorded_ways(self, here: _Ready) -> list[Way] | None:
        """Return the ways that were taken when the node was left in the past.

        Nodes are left in the order of the record. One that the record does not know to be left,
        and a visit that leads nowhere, go on when all of that is done.
        """
        assert self._ctx.past is not None
        departures, names = self._ctx.past.departures, self._plan.names
        name = names[here.node]
        while departures and (departures[0][0] != name or here.pass_ != self._passes[here.node]):
            news = asyncio.get_running_loop().create_future()
            self._waiting.append(news)
            await news
        if not departures:
            return None
        _, targets = departures.popleft()
        for news in self._waiting:
            if not news.done():
                news.set_result(None)
        self._waiting.clear()
        return [way for way in self._plan.out[here.node] if names[way.target] in targets]

    def _settle_some(
        self, node: int, taken: list[Way], result: Result[Any] | None, ready: list[_Ready]
    ) -> None:
        """Settle the ways out of a node that are taken, and those that are not."""
        back = [way for way in taken if way.closes_circle]
        numbers = {way.number for way in taken}
        for way in self._plan.out[node]:
            # What is about to be armed anew is not passed over before.
            if not way.closes_circle and (way.number in numbers or not back):
                self._settle(way, result if way.number in numbers else None, ready)
        for way in back:
            assert result is not None
            self._arm(way.target)
            self._started[way.target] = True
            self._taken[way.target][way.number] = result
            ready.append(self._ready(way.target))

    async def _taken_ways(self, node: int, ended: _Ended, visits: int) -> list[Way]:
        taken: list[Way] = []
        for way in self._plan.out[node]:
            if ended.result is None or way.on_error is not (ended.error is not None):
                continue
            try:
                if way.condition is None or await self._holds(way.condition, ended.result, visits):
                    taken.append(way)
            except UserError as error:
                names = self._plan.names
                message = f"The edge {names[way.source]} -> {names[way.target]}: {error}"
                raise UserError(message) from error.__cause__
        return taken

    async def _holds(self, condition: Condition, result: Result[Any], visits: int) -> bool:
        outcome = Outcome(result, self._ctx.state, visits)
        if condition.is_expression:
            return await condition.holds(outcome)
        self._ctx.count(1, 0)  # The graph does not stand still while it makes up its mind.
        try:
            return await condition.holds(outcome)
        finally:
            self._ctx.count(-1, 0)

    def _settle(self, first: Way, given: Result[Any] | None, ready: list[_Ready]) -> None:
        """Settle a way, and all the ways behind a node that is passed over by that."""
        waiting: list[tuple[Way, Result[Any] | None]] = [(first, given)]
        for way, result in waiting:  # It grows while it is read.
            target = way.target
            self._settled[way.number] = True
            self._unsettled[target] -= 1
            if result is not None:
                self._taken[target][way.number] = result
            if self._started[target]:
                continue
            join = self._plan.nodes[target].join
            needed = join if isinstance(join, int) else 1
            enough = len(self._taken[target]) >= needed
            if enough and (join != "all" or not self._unsettled[target]):
                self._started[target] = True
                ready.append(self._ready(target))
            elif not self._unsettled[target]:
                self._started[target] = True
                onward = (way for way in self._plan.out[target] if not way.closes_circle)
                waiting.extend((way, None) for way in onward)

    def _ready(self, node: int) -> _Ready:
        """Make a visit of a node, with the results that lead there in the order of its edges."""
        taken, names = self._taken[node], self._plan.names
        if len(taken) == 1:
            [(number, result)] = taken.items()
            return _Ready(node, {names[self._plan.ways[number].source]: result}, self._passes[node])
        results = {
            names[way.source]: taken[way.number]
            for way in self._plan.into[node]
            if way.number in taken
        }
        return _Ready(node, results, self._passes[node])

    def _arm(self, start: int) -> None:
        """Arm a node and all that lies behind it anew; what came from elsewhere stays settled."""
        region = self._plan.behind(start)
        for node in region:
            self._passes[node] += 1
            self._started[node] = False
            self._results.pop(node, None)
            for way in self._plan.out[node]:
                self._went[way.number] = False
                self._taken[way.target].pop(way.number, None)
                if self._settled[way.number]:
                    self._settled[way.number] = False
                    self._unsettled[way.target] += 1


def _named(error: Exception, name: str, node: Node) -> Exception:
    """Name the node: in a limit that is its own, and beneath any other error."""
    if isinstance(error, LimitReached) and error.limit == "seconds" and error.value == node.timeout:
        fix = "Raise it with Node(..., timeout=...)."
        return LimitReached(f"timeout of {name}", f"{node.timeout} s", fix=fix)
    note = f"Raised by the node {name!r}."
    if note not in getattr(error, "__notes__", ()):  # One object may be raised several times.
        error.add_note(note)
    return error
