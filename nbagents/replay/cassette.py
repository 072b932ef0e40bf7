"""Replay: what was recorded answers in the place of models, tools and people."""

from __future__ import annotations

import builtins
import contextlib
import contextvars
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic_core import from_json

from nbagents import errors
from nbagents.errors import UserError
from nbagents.events import (
    DurableEvent,
    InputReceived,
    InputRequested,
    MessageFinished,
    RunCancelled,
    RunFailed,
    RunStarted,
    StateChanged,
    ToolFinished,
    ToolStarted,
    was_interrupted,
)
from nbagents.messages import (
    Message,
    ToolCallPart,
)
from nbagents.replay.requests import as_json

__all__ = [
    "Cassette",
    "Played",
    "RecordedError",
    "RecordedStop",
    "ReplayMiss",
    "no_result",
    "play",
    "play_everywhere",
    "playing",
]

T = TypeVar("T")

_PARTS = (
    "its model or settings have changed",
    "its instructions have changed",
    "its tools, or the type of its answer, have changed",
    "its input has changed",
)


class RecordedError(Exception):
    """An error of a run that has ended in the past, raised again where it was raised then.

    It is one of Python's own class, or of ours, where that is known: `except ValueError` hears it.
    """

    def __init__(self, name: str, message: str) -> None:
        Exception.__init__(self, message)
        self.recorded = name

    def __str__(self) -> str:
        return str(self.args[0])

    @classmethod
    def of(cls, name: str, message: str) -> RecordedError:
        """Make it again, from the name of its class."""
        kind = getattr(builtins, name, None) or getattr(errors, name, None)
        if isinstance(kind, type) and issubclass(kind, Exception):
            with contextlib.suppress(TypeError):  # Its memory is laid out in another way.
                return type(name, (cls, kind), {})(name, message)
        return cls(name, message)


class RecordedStop(Exception):
    """A person had stopped the run here; raised only to be turned into that again."""

    def __init__(self, reason: str, partial: Message | None) -> None:
        super().__init__(reason)
        self.partial = partial  # What the model had said until then.


class ReplayMiss(UserError):
    """Something is asked for which no saved run has an answer."""


@dataclass(slots=True)
class _Tape(Generic[T]):
    """What was recorded for one thing that is asked; asked more often, it begins anew."""

    takes: list[T] = field(default_factory=list[Any])
    played: int = 0

    def next(self) -> T:
        take = self.takes[self.played % len(self.takes)]
        self.played += 1
        return take


@dataclass(frozen=True, slots=True)
class Played:
    """A call of a tool that was recorded, and what had happened in it."""

    run_id: str
    begun: int
    """The number of the event with which it began."""
    finished: ToolFinished | None
    """None when it had still waited for a person."""
    changes: tuple[StateChanged, ...]
    """What it had written to the state."""
    inner: tuple[DurableEvent, ...]
    """The questions that it had asked, and the runs that it had opened."""
    stopped: str | None
    """Why the run was stopped in the middle of the call; None when it was not."""


@dataclass(frozen=True, slots=True)
class _Asked:
    agent: str
    request: str
    place: str


class Cassette:
    """The recorded answers of models, tools and people."""

    def __init__(self, *, run_tools: bool = False) -> None:
        """Make an empty one; with `run_tools`, tools are run and not replayed."""
        self.run_tools = run_tools
        self._asked: list[_Asked] = []
        self._messages: dict[tuple[str, str], _Tape[Message | RunFailed | RecordedStop]] = {}
        """By the path of a run, or else the name of its agent, and the request."""
        self._calls: dict[tuple[str, str, bytes], _Tape[Played | None]] = {}
        self._places: dict[tuple[str, int], int] = {}
        """Where each call lies among those like it."""
        self._answers: dict[tuple[str, str], _Tape[InputReceived | None]] = {}
        self._told: dict[str, int] = {}
        """How far each run has been taken in: it may be saved again where it went on."""
        self._models: dict[str, tuple[str | None, str | None]] = {}

    def add(self, events: Sequence[DurableEvent], place: str, *, run_tools: bool = False) -> None:
        """Take in a tree of runs; `place` tells a person where it is saved, such as `cell 3`.

        With `run_tools`, the tools that these runs have called are run and not replayed.
        """
        names, paths = _names(events)
        known = self._told.get(events[0].run_id, 0)
        self._told[events[0].run_id] = max(event.seq for event in events)
        partial: dict[str, Message] = {}
        stop = _why_stopped(events)
        # What code of a cell had answered, it answers again.
        received = [event for event in events if isinstance(event, InputReceived)]
        answers = {event.question_id: event for event in received if event.via != "code"}
        for event in events:
            if event.seq <= known:
                continue
            name = names.get(event.run_id, "")
            if isinstance(event, RunStarted):
                self._models[name] = event.model, event.note
            elif isinstance(event, RunFailed) and event.error == ReplayMiss.__name__:
                continue  # No model said that.
            elif isinstance(event, (MessageFinished, RunFailed, RunCancelled)) and event.request:
                self._asked.append(_Asked(name, event.request, place))
                for who in (paths.get(event.run_id, ""), name):
                    tape = self._messages.setdefault((who, event.request), _Tape())
                    tape.takes.append(_take(event, partial.get(event.run_id), stop))
            elif isinstance(event, MessageFinished):
                partial[event.run_id] = event.message
            elif isinstance(event, InputRequested):
                asked = self._answers.setdefault((event.asker, event.prompt), _Tape())
                asked.takes.append(answers.get(event.question_id))
        for key, played in _calls(events, names):
            takes = self._calls.setdefault(key, _Tape()).takes
            # What had waited in one cell may have ended in another.
            at = self._places.setdefault((played.run_id, played.begun), len(takes))
            takes[at : at + 1] = [None if run_tools and played.stopped is None else played]

    def model(self, name: str) -> tuple[str | None, str | None]:
        """Return which model had answered in the place of this agent, and the note on it."""
        return self._models.get(name, (None, None))

    def message(self, agent: str, path: str, request: str) -> Message:
        """Return what a model had answered, best in the same place of the tree.

        Raises `ReplayMiss` that says what has changed, and what had come instead: `RecordedError`
        or `RecordedStop`.
        """
        tape = self._messages.get((path, request)) or self._messages.get((agent, request))
        if tape is None:
            raise ReplayMiss(self._why(agent, request))
        take = tape.next()
        if isinstance(take, RecordedStop):
            raise take
        if isinstance(take, RunFailed):
            raise RecordedError.of(take.error, take.message)
        return take

    def call(self, agent: str, call: ToolCallPart) -> Played | None:
        """Return what a tool had answered; None when it is to be run.

        Raises `ReplayMiss` when there is no answer.
        """
        if self.run_tools:
            return None
        tape = self._calls.get((agent, call.name, _arguments(call.args)))
        if tape is None:
            raise no_result(agent, call)
        return tape.next()

    def answer(self, asked: InputRequested) -> InputReceived | None:
        """Return what a person had answered; None when nobody had."""
        tape = self._answers.get((asked.asker, asked.prompt))
        return tape.next() if tape else None

    def _why(self, agent: str, request: str) -> str:
        fix = "To call the model again: %nbagents replay off"
        own = [asked for asked in self._asked if asked.agent == agent]
        if not own:
            return f"No recorded answer for {agent}. {fix}"
        parts = request.split("-")

        def unlike(asked: _Asked) -> list[bool]:
            return [a != b for a, b in zip(asked.request.split("-"), parts, strict=True)]

        nearest = min(own, key=lambda asked: sum(unlike(asked)))
        changed = [words for words, is_so in zip(_PARTS, unlike(nearest), strict=True) if is_so]
        told = f"{' and '.join(changed)} since {nearest.place}"
        if changed == [_PARTS[-1]]:
            told += ", or the run was not saved (only the first 100 runs of a cell are saved, and none if it ends with `;`)"
        return f"No recorded answer for {agent}: {told}. {fix}"


def _why_stopped(events: Sequence[DurableEvent]) -> str:
    """Return the reason of the outermost run; those below it were only told to stop."""
    stops = [event for event in events if isinstance(event, RunCancelled)]
    return stops[-1].reason if stops else ""


def no_result(agent: str, call: ToolCallPart) -> ReplayMiss:
    """Make the error of a call that nothing was recorded of."""
    return ReplayMiss(
        f"{agent} calls {call.name}({call.args:.80}), and no result of that is recorded. "
        "To run tools: %nbagents replay --run-tools"
    )


def _take(
    event: MessageFinished | RunFailed | RunCancelled, partial: Message | None, stop: str
) -> Message | RunFailed | RecordedStop:
    if isinstance(event, RunCancelled):
        return RecordedStop(stop, partial)
    return event.message if isinstance(event, MessageFinished) else event


def _names(events: Iterable[DurableEvent]) -> tuple[dict[str, str], dict[str, str]]:
    """Tell the names of runs, and their paths, as `RunContext.path` writes them."""
    names: dict[str, str] = {}
    paths: dict[str, str] = {}
    for event in events:
        if isinstance(event, RunStarted):
            names[event.run_id] = event.name
            above = paths.get(event.parent_id or "", "")
            opener = f":{event.call_id}" if event.call_id else ""
            paths[event.run_id] = f"{above}/{event.node or event.name}{opener}"
    return names, paths


def _arguments(args: str) -> bytes:
    try:
        return as_json(from_json(args or "{}"))
    except ValueError:
        return args.encode()


def _calls(
    events: Sequence[DurableEvent], names: dict[str, str]
) -> Iterator[tuple[tuple[str, str, bytes], Played]]:
    """Tell each call that had come to an end, in the order in which they had begun."""
    begun: dict[tuple[str, str], int] = {}
    stopped = {event.run_id for event in events if isinstance(event, RunCancelled)}
    for index, event in enumerate(events):
        if isinstance(event, ToolStarted):
            begun[event.run_id, event.call_id] = index
        elif isinstance(event, ToolFinished) and (event.run_id, event.call_id) in begun:
            start = begun.pop((event.run_id, event.call_id))
            is_cut = was_interrupted(event.result)
            if not is_cut or event.run_id in stopped:
                started = events[start]
                assert isinstance(started, ToolStarted)
                key = (names[event.run_id], started.name, as_json(started.args))
                inner = tuple(_inside(events[start + 1 : index], started))
                stop = _why_stopped(events) if is_cut else None
                changes = tuple(_changes_before(events, index))
                yield key, Played(event.run_id, started.seq, event, changes, inner, stop)
    for index in begun.values():
        started = events[index]
        assert isinstance(started, ToolStarted)
        inner = tuple(_inside(events[index + 1 :], started))
        if inner and isinstance(inner[-1], InputRequested):
            key = (names[started.run_id], started.name, as_json(started.args))
            yield key, Played(started.run_id, started.seq, None, (), inner, None)


def _inside(events: Iterable[DurableEvent], call: ToolStarted) -> Iterator[DurableEvent]:
    """Find what had happened in a call: its questions, and the runs below it, whole."""
    runs: set[str] = set()
    questions: set[str] = set()
    for event in events:
        if isinstance(event, RunStarted):
            direct = (event.parent_id, event.call_id) == (call.run_id, call.call_id)
            if direct or event.parent_id in runs:
                runs.add(event.run_id)
        own = event.run_id == call.run_id
        if own and isinstance(event, InputRequested) and event.call_id == call.call_id:
            questions.add(event.question_id)
        asks = isinstance(event, (InputRequested, InputReceived)) and event.question_id in questions
        if event.run_id in runs or (own and asks):
            yield event


def _changes_before(events: Sequence[DurableEvent], index: int) -> list[StateChanged]:
    """Find what was written just before a call came to its end."""
    changes: list[StateChanged] = []
    while index and isinstance(change := events[index - 1], StateChanged):
        changes.insert(0, change)
        index -= 1
    return changes


_playing_here = contextvars.ContextVar[Cassette | None]("nbagents_playing", default=None)
_playing_everywhere: list[Cassette] = []


@contextlib.contextmanager
def play(cassette: Cassette) -> Generator[None]:
    """Let a cassette answer what is run in this block: in this thread or task, and below it."""
    token = _playing_here.set(cassette)
    try:
        yield
    finally:
        _playing_here.reset(token)


def play_everywhere(cassette: Cassette | None) -> None:
    """Let a cassette answer everything in this process, as a notebook wants it; None ends that."""
    _playing_everywhere[:] = [cassette] if cassette is not None else []


def playing() -> Cassette | None:
    """Return the cassette that answers here: that of the innermost `play`, else everybody's."""
    return _playing_here.get() or next(iter(_playing_everywhere), None)
