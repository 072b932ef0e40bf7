"""Tracebacks as IPython shows them: the user's own frames, without those of nbagents between."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from nbagents._frames import without_ours
from nbagents._portal import Stopped
from nbagents.errors import NbAgentsError
from nbagents.untrusted import clean

__all__ = ["ShortTracebacks"]

_COLOR = re.compile(r"(\x1b\[[\d;]*m)")


class ShortTracebacks:
    """Leaves our frames out of what a shell shows, until `undo`; `%xmode Verbose` shows them all.

    `%pdb on` opens no debugger inside of nbagents for an error that is one line, nor for Stop.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._printer: Any = shell.InteractiveTB
        self._debugger = self._printer.debugger
        self._printer.debugger = self._debug
        self._original = self._printer.structured_traceback
        self._printer.structured_traceback = self._structured

    def undo(self) -> None:
        """Show everything again."""
        if self._printer.structured_traceback == self._structured:
            del self._printer.structured_traceback
        if self._printer.debugger == self._debug:
            del self._printer.debugger

    def _debug(self, force: bool = False) -> None:
        explained = isinstance(getattr(sys, "last_value", None), (NbAgentsError, Stopped))
        if not (explained and self._shell.call_pdb):
            self._debugger(force)

    def _structured(
        self,
        etype: type[BaseException],
        evalue: BaseException | None = None,
        etb: TracebackType | None = None,
        *args: Any,
        **options: Any,
    ) -> Any:
        if self._printer.mode == "Verbose":
            return _harmless(self._original(etype, evalue, etb, *args, **options))
        whole = [(error, error.__traceback__) for error in _chain(evalue)]
        try:
            for error, frames in whole:
                error.__traceback__ = without_ours(frames)
            return _harmless(self._original(etype, evalue, without_ours(etb), *args, **options))
        finally:
            for error, frames in whole:
                error.__traceback__ = frames


def _harmless(lines: list[str]) -> list[str]:
    """Remove what a terminal obeys from a traceback, whose words may be a server's; colors stay."""
    return ["".join(map(_clean, _COLOR.split(line))) for line in lines]


def _clean(piece: str) -> str:
    return piece if _COLOR.fullmatch(piece) else clean(piece)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Return an error and those that led to it."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__
