"""Where something is shown: one output that is made once, and then updated where a page can do that."""

from __future__ import annotations

import contextvars
import sys
import threading
from collections.abc import Mapping
from typing import Any
from weakref import WeakSet

from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.getipython import get_ipython
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display

__all__ = ["Clearing", "Place", "is_captured", "is_console", "request_of"]

_places = WeakSet["Place"]()
_lock = threading.Lock()  # Runs begin in several threads.


class Place:
    """One output, in the cell that makes it.

    It is updated wherever a page shows it. What a widget or `%%capture` takes, and what a console
    prints, cannot be updated: there, only the end is shown.
    """

    def __init__(self, first: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> None:
        """Show `first`, if it can be updated."""
        shell = get_ipython()
        self.is_live = not is_captured(shell) and not is_console(shell)
        self.request_id = _id_of(request_of(shell))
        self._metadata = dict(metadata or {})
        # It may be shown again from another thread, or while another cell runs.
        self._context = contextvars.copy_context()
        self._handle: Any = None
        if self.is_live:
            self._show(first)
            with _lock:
                _places.add(self)

    @property
    def stands(self) -> bool:
        """True while there is an output to update."""
        return self._handle is not None

    def show(self, data: Mapping[str, Any]) -> None:
        """Draw a frame; an output that was cleared is displayed again."""
        if not self.is_live:
            return
        if self._handle is None:
            self._show(data)
        else:
            self.update(data)

    def end(self, data: Mapping[str, Any]) -> None:
        """Draw the final state, once."""
        if self.is_live:
            self.show(data)
        else:
            self._context.copy().run(display, dict(data), raw=True, metadata=self._metadata)

    def update(self, data: Mapping[str, Any]) -> None:
        """Draw it if it is still there."""
        if self._handle is not None:
            self._handle.update(dict(data), raw=True, metadata=self._metadata)

    def clear(self) -> None:
        """Note that the output was cleared."""
        self._handle = None

    def _show(self, data: Mapping[str, Any]) -> None:
        self._handle = self._context.copy().run(
            display, dict(data), raw=True, display_id=True, metadata=self._metadata
        )


class Clearing:
    """Watches `clear_output()` until `remove`: an output that was cleared cannot be updated."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._publisher: Any = shell.display_pub
        self._clear = self._publisher.clear_output
        self._publisher.clear_output = self._on_clear

    def remove(self) -> None:
        """Stop watching."""
        if self._publisher.clear_output == self._on_clear:
            self._publisher.clear_output = self._clear

    def _on_clear(self, wait: bool = False) -> None:
        self._clear(wait)
        if is_captured(self._shell):
            return
        request = _id_of(request_of(self._shell))
        with _lock:
            cleared = [place for place in _places if place.request_id == request]
        for place in cleared:
            place.clear()


def request_of(shell: Any) -> dict[str, Any]:
    """Return the message on whose behalf this code runs."""
    kernel = getattr(shell, "kernel", None)
    known = hasattr(kernel, "get_parent")
    return (kernel.get_parent("shell") if known else None) or {}


def is_captured(shell: Any) -> bool:
    """Tell whether an `Output` widget or `%%capture` takes what is displayed now."""
    if isinstance(getattr(shell, "display_pub", None), CapturingDisplayPublisher):
        return True
    widgets = sys.modules.get("ipywidgets")
    request = _id_of(request_of(shell))
    if widgets is None or not request:
        return False
    known: Any = getattr(sys.modules["ipywidgets.widgets.widget"], "_instances", None)
    known = widgets.Widget.widgets if known is None else known  # ipywidgets 7.
    return any(
        isinstance(widget, widgets.Output) and widget.msg_id == request
        for widget in list(known.values())
    )


def is_console(shell: Any) -> bool:
    """Tell whether a console asks: `jupyter console`, qtconsole, Spyder.

    They print each output once. Their messages have the ids of jupyter_client, and come from no
    cell; so do those of nbclient and papermill, which keep outputs up to date but cannot answer.
    """
    request = request_of(shell)
    header, content = request.get("header", {}), request.get("content", {})
    return (
        header.get("msg_type") == "execute_request"
        and str(header.get("msg_id")).startswith(f"{header.get('session')}_")
        and "cellId" not in request.get("metadata", {})
        and content.get("allow_stdin", True)
    )


def _id_of(request: Mapping[str, Any]) -> str:
    return str(request.get("header", {}).get("msg_id", ""))
