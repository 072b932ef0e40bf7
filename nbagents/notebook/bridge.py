"""The line to the panel of the page: what runs and waits here, and what a person wants of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Protocol

from pydantic import ValidationError
from pydantic_core import from_json

from nbagents._portal import background_loop
from nbagents.errors import NbAgentsError, UserError
from nbagents.events import (
    Event,
    InputReceived,
    InputRequested,
    MessageFinished,
    RunStarted,
    is_durable,
)
from nbagents.notebook.cards import model_of, parts_of
from nbagents.notebook.document import document_of, joined
from nbagents.notebook.forms.tap import Tap
from nbagents.notebook.magics import AgentMagics
from nbagents.notebook.outgoing import Outgoing
from nbagents.notebook.values import QuestionText
from nbagents.notebook.view import RunView
from nbagents.notebook.wire import (
    AgentRow,
    Answer,
    Events,
    FromPage,
    Hello,
    QuestionRow,
    Refused,
    RunRow,
    SessionRow,
    State,
    Stop,
    Watch,
    codec,
)
from nbagents.questions import OpenQuestion
from nbagents.redaction import redact
from nbagents.runnable import Run, RunStream
from nbagents.sessions.address import default_store
from nbagents.sessions.records import encode

__all__ = ["Bridge", "Feed", "UnderWay", "row_of"]

_log = logging.getLogger(__name__)

_TARGET, _CONTROL = "nbagents", "nbagents.control"
_STATE_SECONDS = 0.05
_EVENTS_SECONDS = 0.1
_KEPT_RUNS = 50


class UnderWay(Protocol):
    """A run that has not ended, as the panel knows it."""

    @property
    def row(self) -> RunRow:
        """The run as the panel lists it."""
        ...

    @property
    def runs(self) -> Collection[str]:
        """The run and those below it."""
        ...

    def stop(self) -> None:
        """End the run; from any thread."""
        ...


class Bridge:
    """Tells pages what is here, and does what they ask, until `remove`.

    There are two comms: the kernel opens the one on which it speaks, `nbagents`, and each page
    answers by opening another one, `nbagents.control`, on which it speaks, in the way of widgets:
    `{"method": "custom", "content": message}`. A kernel that answered on the page's own comm would
    hear it only between cells (ipykernel 7.4).
    """

    def __init__(self, kernel: Any, magics: AgentMagics, tap: Tap) -> None:
        from comm import create_comm, get_comm_manager

        self._magics = magics
        self._tap = tap
        self._under_way: dict[str, UnderWay] = {}
        self._rows: deque[RunRow] = deque(maxlen=_KEPT_RUNS)
        self._questions: dict[tuple[str, str], OpenQuestion] = {}
        self._sessions: list[str] = []
        self._told: dict[str, Any] = {}
        self._is_due = False
        self._pump: asyncio.Task[None] | None = None
        self._pages: set[str] = set()
        self._manager = get_comm_manager()
        self._manager.register_target(_CONTROL, self._meet)
        request = kernel.get_parent("shell") if hasattr(kernel, "get_parent") else None
        # Without a person there is no page, and nbclient complains of comms that it does not know.
        watched = (request or {}).get("content", {}).get("allow_stdin", True)
        self._comm: Any = None
        if watched:
            self._told = _plain(self._state())
            tap.admit(_CONTROL, self._greet, self._forget)
            self._comm = create_comm(target_name=_TARGET, data=self._told)
            tap.keep(self._comm.comm_id)  # A page that does not know it closes it.

    def remove(self) -> None:
        """Hang up."""
        self._manager.unregister_target(_CONTROL, self._meet)
        for page in list(self._pages):
            self._forget(page)
        if self._comm is not None:
            self._comm.close()
            self._comm = None

    @property
    def is_heard(self) -> bool:
        """True when there is a page that listens."""
        return self._comm is not None and bool(self._pages)

    def say(self, message: dict[str, Any]) -> None:
        """Send a message to all pages; from any thread."""
        if self._comm is not None:
            self._comm.send(message)

    def changed(self) -> None:
        """Send the state soon, if it is not what was sent last; from any thread."""
        if self.is_heard and not self._is_due:
            self._is_due = True
            loop = background_loop()
            loop.call_soon_threadsafe(loop.call_later, _STATE_SECONDS, self._tell)

    def feed(self, stream: RunStream[Any]) -> Feed:
        """Make the canvas that draws a run in the pages that listen."""
        return Feed(self, stream)

    def begin(self, run_id: str, run: UnderWay) -> None:
        """A run began."""
        self._under_way[run_id] = run
        if self._pump is None and self._tap.must_pump:
            self._pump = asyncio.create_task(self._tap.pump())
        self.changed()

    def end(self, run: Run[Any], cell: str | None = None) -> None:
        """A run is over, or waits."""
        self.forget(run.run_id)
        for row in [row for row in self._rows if row.run_id == run.run_id]:  # It went on.
            self._rows.remove(row)
        self._rows.appendleft(row_of(run, cell))
        self.changed()

    def forget(self, run_id: str) -> None:
        """A run is over, or could not begin."""
        self._under_way.pop(run_id, None)
        if self._pump is not None and not self._under_way:
            self._pump.get_loop().call_soon_threadsafe(self._pump.cancel)
            self._pump = None
        self.changed()

    def asked(self, question: OpenQuestion) -> None:
        """A person is to answer a question, or need not any more."""
        inner = question.asked.run_id
        under_way = list(self._under_way.items())
        root = next((root for root, run in under_way if inner in run.runs), inner)
        self._questions[root, question.id] = question
        self.changed()

    def _state(self) -> State:
        agents = tuple(
            AgentRow(name, runnable.kind, model_of(runnable) or None, ", ".join(parts_of(runnable)))
            for name, runnable in self._magics.namespace.runnables().items()
        )
        chosen = self._magics.session.id if self._magics.session else None
        known = dict.fromkeys([*([chosen] if chosen else []), *self._sessions])
        waiting = {key: q for key, q in list(self._questions.items()) if q.is_open}
        under_way = [run.row for run in list(self._under_way.values())[:_KEPT_RUNS] if run.runs]
        return State(
            agents,
            tuple(SessionRow(name, name == chosen) for name in known),
            (*under_way, *self._rows),
            tuple(_row_of(root, question) for (root, _), question in waiting.items()),
        )

    def _tell(self) -> None:
        self._is_due = False
        state = _plain(self._state())
        if state != self._told and self._comm is not None:
            self._told = state
            self._comm.send(state)

    def _meet(self, comm: Any, message: Mapping[str, Any]) -> None:
        """Take a page's own comm, on which nothing is ever sent, where the tap takes nothing."""
        del message
        self._greet(comm.comm_id)
        comm.on_msg(lambda message: self._hear(message["content"]["data"].get("content")))
        comm.on_close(lambda _: self._forget(comm.comm_id))

    def _greet(self, page: str) -> None:
        self._pages.add(page)
        self._tap.listen(page, self._hear)

    def _forget(self, page: str) -> None:
        self._pages.discard(page)
        self._tap.forget(page)

    def _hear(self, content: Any) -> None:
        """Do what a page asks; in whatever thread reads its messages."""
        try:
            message: FromPage = codec(FromPage).validate_python(content)
        except ValidationError as error:
            _log.warning("The page sent an unknown message: %s", redact(str(error)))
            return
        match message:
            case Hello():
                self._told = {}
                asyncio.run_coroutine_threadsafe(self._look_up(), background_loop())
            case Watch(run_id=run_id) if isinstance(feed := self._under_way.get(run_id), Feed):
                self.say(feed.document())
            case Watch(run_id=run_id) if canvas := self._magics.canvases.get(run_id):
                # It has ended while the page was loaded anew, which has missed its last frame.
                background_loop().call_soon_threadsafe(canvas.draw_again)
            case Stop(run_id=run_id) if run := self._under_way.get(run_id):
                run.stop()
            case Answer():
                self._answer(message)
            case _:
                pass

    def _answer(self, message: Answer) -> None:
        found = self._questions.get((message.run_id, message.question_id))
        problem = "Nobody waits for this answer any more."
        try:
            if found is not None:
                found.answer(json.dumps(message.answer), via="form", json=True)
                problem = ""
        except UserError as error:
            problem = str(error)
        if problem:
            self.say(_plain(Refused(message.run_id, message.question_id, problem)))
        self.changed()

    async def _look_up(self) -> None:
        """Tell a page that has come what there is, the sessions of the store too."""
        self._tell()
        with contextlib.suppress(NbAgentsError, OSError):
            self._sessions = await default_store().list()
        self._tell()


class Feed:
    """Draws one run in the pages that listen: what has happened is sent, and drawn there."""

    def __init__(self, bridge: Bridge, stream: RunStream[Any]) -> None:
        self.runs: set[str] = set()
        """The run and those below it."""
        self._bridge = bridge
        self._stream = stream
        self._view = RunView()
        self._loop = asyncio.get_running_loop()
        self._new: list[Event] = []
        self._outgoing = Outgoing()
        self._open: dict[str, list[Event]] = {}
        """What passes of messages that are not finished, by run."""
        self._has_picture = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def row(self) -> RunRow:
        """The run as the panel lists it: it goes on while its questions are open."""
        return replace(row_of(self._stream.run), status="running", seconds=None)

    def start(self, view: RunView) -> None:
        """Remember the view, which knows the picture."""
        self._view = view

    def touch(self, event: Event) -> None:
        """Send the event soon."""
        if event.run_id not in self.runs:
            if not self.runs:
                self._bridge.begin(event.run_id, self)
            self.runs.add(event.run_id)
        if not is_durable(event):
            self._open.setdefault(event.run_id, []).append(event)
        elif isinstance(event, MessageFinished):
            self._open.pop(event.run_id, None)
        elif isinstance(event, (InputRequested, InputReceived)):
            self._bridge.changed()
        self._new.append(event)
        if self._timer is None:
            self._timer = self._loop.call_later(_EVENTS_SECONDS, self._send)

    def draw_again(self) -> None:
        """Do nothing: the output of the cell is drawn again."""

    async def finish(self, run: Run[Any]) -> None:
        """Send what is left; the output of the cell says it all once more."""
        if self._timer is not None:
            self._timer.cancel()
        self._send()
        if run.events:
            self._bridge.end(run)

    def document(self) -> dict[str, Any]:
        """Return the message that tells all that has happened so far."""
        self._new = []  # They are in the document, and must not be sent after it.
        passing = [event for open_ in list(self._open.values()) for event in joined(open_)]
        self._outgoing = Outgoing(passing)
        events = sorted([*self._stream.run.events, *passing], key=lambda event: event.seq)
        told = document_of(events, picture=self._view.picture, live=True)
        return {"type": "document", "document": told}

    def stop(self) -> None:
        """End the run; from any thread."""
        with contextlib.suppress(RuntimeError):  # Its loop is closed.
            self._loop.call_soon_threadsafe(self._stream.cancel, "Stopped by you")

    def _send(self) -> None:
        self._timer = None
        new, self._new = self._new, []
        if not new or not self._bridge.is_heard:
            return
        if self._view.picture is not None and not self._has_picture:
            self._has_picture = True
            self._bridge.say(self.document())
        else:
            events = self._outgoing.take(new)
            if events:
                self._bridge.say(_plain(Events(self._stream.run.run_id, tuple(events))))


def _plain(message: Any) -> dict[str, Any]:
    return codec(type(message)).dump_python(message, mode="json", exclude_none=True, fallback=repr)


def row_of(run: Run[Any], cell: str | None = None) -> RunRow:
    """Return a run as the panel lists it."""
    start, usage = run.events[0], run.usage
    assert isinstance(start, RunStarted)
    return RunRow(
        run_id=run.run_id,
        name=start.name,
        kind=start.kind,
        status=run.status,
        started=start.at,
        seconds=None if run.status == "running" else run.seconds,
        tokens=usage.total_tokens,
        cost=None if usage.cost is None else str(usage.cost),
        cell=cell,
    )


def _row_of(root: str, question: OpenQuestion) -> QuestionRow:
    # As the log has it: without keys.
    asked = from_json(encode([(question.asked, None)]))["events"][0]
    return QuestionRow(
        run_id=root,
        question_id=question.id,
        schema=asked["schema"],
        **QuestionText.of(*(asked.get(name) for name in QuestionText._fields))._asdict(),
    )
