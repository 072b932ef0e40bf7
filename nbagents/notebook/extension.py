"""What `%load_ext nbagents` adds to a shell, and `%unload_ext` takes away."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from nbagents import questions
from nbagents._frames import is_ours
from nbagents._portal import portal
from nbagents.errors import UserError
from nbagents.notebook.bridge import Bridge
from nbagents.notebook.cards import OF_THE_MOMENT
from nbagents.notebook.completion import complete
from nbagents.notebook.forms.human import NotebookHuman
from nbagents.notebook.forms.tap import Tap
from nbagents.notebook.live import show_run
from nbagents.notebook.magics import AgentMagics
from nbagents.notebook.place import Clearing
from nbagents.notebook.rewrite import Rewriter
from nbagents.notebook.session_cards import diff_bundle, session_bundle
from nbagents.notebook.session_magics import SessionMagics
from nbagents.notebook.stop import CellStop, why_stopped
from nbagents.notebook.team_magics import TeamMagics
from nbagents.notebook.tracebacks import ShortTracebacks
from nbagents.notebook.unseen import Unseen
from nbagents.notebook.wakeup import Wakeup
from nbagents.questions import OpenQuestion
from nbagents.runnable import Run, look_on
from nbagents.sessions.diff import Diff
from nbagents.sessions.session import Session

__all__ = ["Extension", "load", "unload"]

_MAGICS = (AgentMagics, TeamMagics, SessionMagics)
_AWAITED = {
    name: f"get_ipython().magics_manager.registry[{magics.__name__!r}].awaited"
    for name, magics in (("ask", AgentMagics), ("session", SessionMagics))
}
_NAMES = ("agent", "ask", "agents", "graph", "nbagents", "runs", "session", "swarm")


class Extension:
    """All of it, undone by `remove`."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._magics = AgentMagics(shell)
        teams = TeamMagics(shell, self._magics.namespace)
        sessions = SessionMagics(shell, self._magics)
        shell.register_magics(self._magics, teams, sessions)
        self._rewriter = Rewriter(shell, _AWAITED)
        shell.display_formatter.ipython_display_formatter.for_type(Run, self._show_run)
        bundles = shell.display_formatter.mimebundle_formatter
        bundles.for_type(Session, lambda session: (session_bundle(session), OF_THE_MOMENT))
        bundles.for_type(Diff, lambda diff: (diff_bundle(diff), OF_THE_MOMENT))
        shell.events.register("pre_run_cell", self._forget_shown)
        portal().why_stopped = why_stopped
        self._wakeup: Wakeup | None = None
        self._wake_at_signals(None)
        shell.events.register("pre_run_cell", self._wake_at_signals)
        self._tracebacks = ShortTracebacks(shell)
        self._cell_stop = CellStop()
        shell.events.register("pre_run_cell", self._cell_stop.begin)
        shell.events.register("post_run_cell", self._cell_stop.end)
        self._matcher = complete(self._magics, sessions)
        shell.Completer.custom_matchers.insert(0, self._matcher)
        if not shell.custom_exceptions:
            shell.set_custom_exc((asyncio.CancelledError,), _show_cancelled)
        kernel = getattr(shell, "kernel", None)
        self._clearing = Clearing(shell) if kernel is not None else None
        self._tap = Tap(kernel) if kernel is not None else None
        self._bridge = self._lay_bridge(kernel)
        self._unseen = Unseen(shell, self._magics, self._bridge)
        look_on(self._unseen)
        if kernel is not None:
            shell.events.register("post_run_cell", self._save)
        questions.meet(NotebookHuman(kernel, self._tap, self._asked, self._has_panel))

    def remove(self) -> None:
        """Undo everything."""
        shell = self._shell
        if shell.custom_exceptions == (asyncio.CancelledError,):
            shell.set_custom_exc((), None)
        questions.meet(None)
        look_on(None)
        if self._bridge is not None:
            shell.events.unregister("post_run_cell", self._save)
            shell.events.unregister("post_run_cell", self._tell)
            self._bridge.remove()
        if self._clearing is not None:
            self._clearing.remove()
        if self._tap is not None:
            self._tap.remove()
        if self._wakeup is not None:
            self._wakeup.remove()
        self._tracebacks.undo()
        shell.Completer.custom_matchers.remove(self._matcher)
        shell.events.unregister("pre_run_cell", self._forget_shown)
        shell.events.unregister("pre_run_cell", self._wake_at_signals)
        shell.events.unregister("pre_run_cell", self._cell_stop.begin)
        shell.events.unregister("post_run_cell", self._cell_stop.end)
        self._cell_stop.end(None)
        shell.display_formatter.ipython_display_formatter.pop(Run, None)
        for kind in (Session, Diff):
            shell.display_formatter.mimebundle_formatter.pop(kind, None)
        self._rewriter.undo()
        for kind in shell.magics_manager.magics.values():
            for name in _NAMES:
                kind.pop(name, None)
        for magics in _MAGICS:
            shell.magics_manager.registry.pop(magics.__name__, None)

    def _wake_at_signals(self, _info: object) -> None:
        """Start as soon as there is a loop: a configuration file is loaded before it."""
        if self._wakeup is None and hasattr(self._shell, "kernel") and Wakeup.possible():
            self._wakeup = Wakeup()

    def _lay_bridge(self, kernel: Any) -> Bridge | None:
        if self._tap is None:
            return None
        bridge = Bridge(kernel, self._magics, self._tap)
        self._magics.beside = bridge.feed
        self._shell.events.register("post_run_cell", self._tell)
        return bridge

    def _asked(self, question: OpenQuestion) -> None:
        if self._bridge is not None:
            self._bridge.asked(question)

    def _has_panel(self) -> bool:
        return self._bridge is not None and self._bridge.is_heard

    def _tell(self, _result: object) -> None:
        """Tell the panel of agents and sessions that a cell has made."""
        if self._bridge is not None:
            self._bridge.changed()

    def _save(self, _result: object) -> None:
        """Save what has run in a cell unseen."""
        self._unseen.save()

    def _forget_shown(self, _info: object) -> None:
        self._magics.shown.clear()
        self._magics.drawn.clear()

    def _show_run(self, run: Run[Any]) -> None:
        """Draw a run, unless its own cell has just done so."""
        if run.events and run.run_id not in self._magics.shown:
            self._magics.drawn.add(run.run_id)
            show_run(run)


def _show_cancelled(
    shell: InteractiveShell,
    kind: type[BaseException],
    error: BaseException,
    traceback: TracebackType,
    tb_offset: int | None = None,
) -> None:
    """Show a run that was stopped while it was awaited plainly as one line."""
    frames: TracebackType | None = traceback
    while frames is not None:
        if is_ours(frames):
            shell._showtraceback(kind, error, ["Stopped by you"])  # noqa: SLF001 - as errors that draw themselves
            return
        frames = frames.tb_next
    shell.showtraceback((kind, error, traceback), tb_offset=tb_offset)


_loaded: dict[int, Extension] = {}


def _check_kernel(kernel: Any) -> None:
    """Raise `UserError`, before anything is added, on a kernel that does not work as ipykernel does."""
    if kernel is None or not hasattr(kernel, "get_parent"):
        return
    try:
        kernel.get_parent("shell")
    except TypeError:
        message = "The magics of nbagents need ipykernel, and this notebook runs on another kernel. Choose the kernel 'Python 3 (ipykernel)', and load nbagents again. Without the magics, agents run here too: agent('...').output"
        raise UserError(message) from None


def load(shell: Any) -> None:
    """Add everything to the shell, once. Raises `UserError` on a kernel that it does not know."""
    if id(shell) not in _loaded:
        _check_kernel(getattr(shell, "kernel", None))
        _loaded[id(shell)] = Extension(shell)


def unload(shell: Any) -> None:
    """Take everything away again."""
    extension = _loaded.pop(id(shell), None)
    if extension is not None:
        extension.remove()
