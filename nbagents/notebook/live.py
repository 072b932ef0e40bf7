"""Live output: one display a run, made in the calling cell and only updated afterwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Protocol

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display

from nbagents.errors import Cancelled
from nbagents.events import (
    Event,
    HandedOff,
    InputRequested,
    MessageFinished,
    RunFinished,
    RunResumed,
    RunStarted,
    TextDelta,
    ThinkingDelta,
    ToolFinished,
    ToolStarted,
)
from nbagents.notebook.document import document_of, placeholder
from nbagents.notebook.html import draw_html
from nbagents.notebook.pictures import LivePicture, picture_bundle
from nbagents.notebook.place import Place, request_of
from nbagents.notebook.text import draw_markdown, draw_plain, header
from nbagents.notebook.values import pretty
from nbagents.notebook.view import RunView
from nbagents.notebook.wire import RUN_MIME
from nbagents.redaction import redact
from nbagents.runnable import Run, RunStream
from nbagents.topology import Topology
from nbagents.untrusted import clean

__all__ = [
    "Canvas",
    "NotebookCanvas",
    "QuietCanvas",
    "TerminalCanvas",
    "bundle",
    "canvas_for",
    "saved",
    "show_run",
    "watch",
]

_FRAME_SECONDS = 0.1
_TICK_SECONDS = 1.0
_PAUSE_SECONDS = 0.5
# A frame holds the whole text, so frames must get rarer as the text gets longer: what is sent in
# all grows with what is shown, except for one frame after each long wait.
_BYTES_PER_CHARACTER = 22
_SHOWN_OF_TOOL = 200
_FREE_BYTES = 24_000
_LONGEST_WAIT_SECONDS = 6.0
_MESSAGE_BYTES = 800


def bundle(view: RunView, now: float | None = None) -> dict[str, str]:
    """Draw the view in every form that can be read without more."""
    now = view.now if now is None else now
    return {
        "text/html": clean(draw_html(view, now)),
        "text/markdown": clean(draw_markdown(view, now)),
        "text/plain": clean(draw_plain(view, now)),
    }


def saved(view: RunView, run: Run[Any], now: float | None = None) -> dict[str, Any]:
    """Draw the view in every form that a saved notebook should hold."""
    document = document_of(run.events, picture=view.picture, ending=view.ending)
    return {**bundle(view, now), RUN_MIME: document}


class Canvas(Protocol):
    """Where a run is drawn while it runs."""

    def start(self, view: RunView) -> None:
        """Take the place in the output, in the cell that calls."""
        ...

    def touch(self, event: Event) -> None:
        """Draw soon: the view has changed by this event."""
        ...

    async def finish(self, run: Run[Any]) -> None:
        """Draw the last frame."""
        ...

    def draw_again(self) -> None:
        """Draw the last frame once more: the page has missed it."""
        ...


class QuietCanvas:
    """Draws nothing."""

    def start(self, view: RunView) -> None:
        """Do nothing."""

    def touch(self, event: Event) -> None:
        """Do nothing."""

    async def finish(self, run: Run[Any]) -> None:
        """Do nothing."""

    def draw_again(self) -> None:
        """Do nothing."""


class NotebookCanvas:
    """Draws frames into one output of the cell.

    A live frame has one form: HTML for eyes, plain text where nobody can answer and so nobody
    watches (nbclient, papermill). The last frame has them all.
    """

    def __init__(self, mime: str) -> None:
        self._mime = mime
        self._view: RunView | None = None
        self._run: Run[Any] | None = None
        self._place: Place | None = None
        self._picture: LivePicture | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ticks = False
        """The timer only moves the clock on, so whatever happens need not wait for it."""
        self._last_frame = ""
        self._drawn_at = 0.0
        self._touched_at = 0.0
        self._sent = 0
        self._shown = 0
        self._retold = 0
        """Characters of the messages that have come whole; nobody streams what is past."""

    def start(self, view: RunView) -> None:
        """Take the places; whatever comes later is an update of them."""
        self._view = view
        if view.topology is not None:
            self._picture = LivePicture(view, view.topology, live=self._mime == "text/html")
        self._place = Place({"text/plain": ""})

    def touch(self, event: Event) -> None:
        """Draw at once if the last frame is old enough, else when it is."""
        if self._place is None or not self._place.is_live:
            return
        if isinstance(event, (TextDelta, ThinkingDelta)):
            self._shown += len(event.text)
        else:
            if isinstance(event, (ToolStarted, ToolFinished, RunStarted, InputRequested)):
                self._shown += _SHOWN_OF_TOOL
            elif isinstance(event, MessageFinished):
                self._retold += len(event.message.text)
            elif isinstance(event, RunResumed):
                self._shown += self._retold
                self._retold = 0
            if self._picture is not None:
                self._picture.touch(event)
        self._touched_at = time.monotonic()
        if self._timer is not None and self._ticks:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._ticks = False
            wait = self._drawn_at + _FRAME_SECONDS - self._touched_at
            self._timer = asyncio.get_running_loop().call_later(max(0.0, wait), self._draw)

    async def finish(self, run: Run[Any]) -> None:
        """Draw everything once more, in every form."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._run = run
        view, place = self._view, self._place
        assert view is not None
        assert place is not None
        stands = place.stands
        if view.root is None:
            place.update({"text/plain": "", "text/html": ""})
        elif stands:
            place.end(saved(view, run))
        if self._picture is not None:
            had_picture = view.picture is not None
            await self._picture.finish()
            if view.picture is not None and not had_picture:  # A large one was still laid out.
                self.draw_again()
        if view.root is not None and not stands:  # After the picture, as in other cells.
            place.end(saved(view, run))

    def draw_again(self) -> None:
        """Draw everything once more, in every form."""
        assert self._view is not None
        assert self._run is not None
        assert self._place is not None
        self._place.update(saved(self._view, self._run))
        if self._picture is not None:
            self._picture.draw_again()

    def _frame(self) -> str:
        assert self._view is not None
        if self._mime == "text/html":
            return draw_html(self._view, self._view.now, whole=False)
        return draw_plain(self._view, self._view.now)

    def _draw(self) -> None:
        """Draw a frame, unless it would cost too much; then wait for a pause in the stream."""
        assert self._view is not None
        assert self._place is not None
        self._ticks = False
        loop = asyncio.get_running_loop()
        now = time.monotonic()
        frame = clean(self._frame())
        size = len(frame.encode()) + _MESSAGE_BYTES
        budget = _FREE_BYTES + _BYTES_PER_CHARACTER * self._shown
        if now - self._touched_at >= _PAUSE_SECONDS:
            budget *= 1.25
        if self._sent + size > budget and now - self._drawn_at < _LONGEST_WAIT_SECONDS:
            self._timer = loop.call_later(_PAUSE_SECONDS, self._draw)
            return
        if frame != self._last_frame:
            shown: dict[str, Any] = {self._mime: frame}
            if self._mime == "text/html" and self._view.root is not None:
                shown[RUN_MIME] = placeholder(self._view.root.run_id)
            self._place.show(shown)
            self._sent += size
            self._last_frame, self._drawn_at = frame, now
        root = self._view.root
        asking = root is not None and not root.is_over and root.status == "asking"
        quiet = asking and not root.waiting
        self._ticks = quiet
        self._timer = loop.call_later(_TICK_SECONDS, self._draw) if quiet else None


class TerminalCanvas:
    """Prints what arrives, for an IPython terminal, where nothing can be drawn over."""

    def __init__(self) -> None:
        self._view: RunView | None = None
        self._names: dict[str, str] = {}
        self._functions: set[str] = set()
        self._streamed: set[str] = set()
        self._speaker = ""
        self._fresh_line = True

    def start(self, view: RunView) -> None:
        """Remember the view for the closing line."""
        self._view = view

    def touch(self, event: Event) -> None:
        """Print text as it comes, and a line for each tool and each member of a team."""
        match event:
            case RunStarted(name=name, kind=kind, node=node):
                self._names[event.run_id] = node or name
                self._speaker = self._speaker or event.run_id
                if kind == "function":
                    self._functions.add(event.run_id)
            case RunFinished(output=output) if event.run_id in self._functions:
                text = output if isinstance(output, str) else pretty(output)
                self._print(f"[{self._names[event.run_id]}] {text}\n", own_line=True)
            case HandedOff(source=source, target=target, reason=reason):
                self._print(f"[{source} hands over to {target}: {reason}]\n", own_line=True)
            case TextDelta(text=text):
                self._streamed.add(event.run_id)
                self._say(event.run_id, redact(text))
            case MessageFinished(message=message) if message.text:
                if event.run_id not in self._streamed:  # It was said before the run was cut off.
                    self._say(event.run_id, message.text)
                self._streamed.discard(event.run_id)
            case RunResumed(note=note) if event.run_id == next(iter(self._names)):
                self._print(f"[continued] {note}".rstrip() + "\n", own_line=True)
            case ToolStarted(name=name):
                self._print(f"[{name}…]\n", own_line=True)
            case ToolFinished(result=result) if result.is_error:
                self._print(f"[{result.name} failed: {result.text}]\n", own_line=True)
            case _:
                return

    async def finish(self, run: Run[Any]) -> None:
        """Print the header as the last line."""
        del run
        if self._view is not None and self._view.root is not None:
            self._print(f"[{header(self._view.root, self._view.now)}]\n", own_line=True)
            if self._view.ending:
                self._print(f"{self._view.ending}\n")

    def draw_again(self) -> None:
        """Do nothing: what is printed stays."""

    def _say(self, run_id: str, text: str) -> None:
        if run_id != self._speaker:  # Members may speak at once.
            self._speaker = run_id
            self._print(f"[{self._names[run_id]}] ", own_line=True)
        self._print(text)

    def _print(self, text: str, *, own_line: bool = False) -> None:
        if own_line and not self._fresh_line:
            text = f"\n{text}"
        text = clean(text)
        print(text, end="", flush=True)  # noqa: T201 - this is the terminal's output
        self._fresh_line = text.endswith("\n")


def canvas_for(shell: InteractiveShell, *, quiet: bool) -> Canvas:
    """Choose how a run is drawn in this shell."""
    if quiet:
        return QuietCanvas()
    if getattr(shell, "kernel", None) is None:
        return TerminalCanvas()
    watched = request_of(shell).get("content", {}).get("allow_stdin", True)
    return NotebookCanvas("text/html" if watched else "text/plain")


async def watch(
    stream: RunStream[Any], canvases: Sequence[Canvas], topology: Topology | None = None
) -> Run[Any]:
    """Run, draw, and return the run; of a team, draw the topology too.

    Raises what the run raised, and `Cancelled` if a tool has ended it, after its last frame.
    """
    view = RunView()
    view.topology = topology
    for canvas in canvases:
        canvas.start(view)  # At once: later another cell may be the one that runs.
    try:
        async with stream:
            async for event in stream:
                shown = view.apply(event)
                for canvas in canvases:
                    canvas.touch(shown)
    finally:
        for event in stream.rest():
            shown = view.apply(event)
            for canvas in canvases:
                canvas.touch(shown)
        view.ending = how_to_go_on(stream.run)
        for canvas in canvases:
            await canvas.finish(stream.run)
    run = stream.run
    if run.status == "cancelled":
        raise Cancelled(run.reason)
    return run


def how_to_go_on(run: Run[Any]) -> str:
    """Say how a run that waits is resumed in the next cell, where `_` is the run."""
    told = " ".join([*run.problems, run.how_to_go_on.replace("await run.", "await _.")])
    return redact(told.strip())


def show_run(run: Run[Any]) -> None:
    """Draw a run that is not being watched."""
    view = RunView(run.events)
    view.ending = how_to_go_on(run)
    now = run.events[-1].at
    if view.topology is not None:
        display(picture_bundle(view, view.topology, now), raw=True)
    display(saved(view, run, now), raw=True)
