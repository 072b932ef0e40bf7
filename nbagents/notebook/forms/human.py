"""The person before the notebook: asked by a form in the cell, or else by lines to type."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from IPython.core.getipython import get_ipython

from nbagents.notebook.cards import OF_THE_MOMENT
from nbagents.notebook.forms.fields import Field, fields_of
from nbagents.notebook.forms.frozen import Ending, draw
from nbagents.notebook.forms.stdin import answer_by_lines, ask_kernel, ask_terminal
from nbagents.notebook.forms.tap import Tap
from nbagents.notebook.place import Place, is_console, request_of
from nbagents.questions import OpenQuestion

__all__ = ["NotebookHuman"]

_log = logging.getLogger(__name__)


class NotebookHuman:
    """Brings questions before whoever looks at the cell that asks."""

    def __init__(
        self,
        kernel: Any,
        tap: Tap | None,
        told: Callable[[OpenQuestion], None],
        has_panel: Callable[[], bool],
    ) -> None:
        """Ask on a kernel's page, or in the terminal where there is none.

        `told` hears of each question too, when it is asked and when it is over; `has_panel` tells
        whether a page lists questions beside the notebook.
        """
        self._kernel = kernel
        self._tap = tap
        self._told = told
        self._has_panel = has_panel

    async def attend(self, question: OpenQuestion) -> None:
        """Show the question until it is over, the person puts it off, or nobody can be asked."""
        self._told(question)
        fields = fields_of(question.asked.schema)
        try:
            if self._kernel is None:
                await _in_terminal(question, fields)
            elif self._is_watched():
                await self._in_cell(question, fields)
        finally:
            self._told(question)

    def _is_watched(self) -> bool:
        """Tell whether somebody can answer: nbclient and papermill say that nobody can."""
        return request_of(get_ipython()).get("content", {}).get("allow_stdin", True)

    async def _in_cell(self, question: OpenQuestion, fields: Sequence[Field]) -> None:
        """Ask, and leave in the output of the cell what has become of the question."""
        place = _Place(question, fields)
        answered = asyncio.create_task(question.answered())
        form: Any = None
        ending: Ending = "stopped"
        try:
            with _not_in_the_way():
                form = None if place.is_console else self._form(question, fields)
            ending = await self._ask(place, form)
        finally:
            if answered.done() and not answered.cancelled() and answered.exception() is None:
                ending = "answered"
            answered.cancel()
            with _not_in_the_way():
                if form is not None:
                    form.end()
                place.show(ending)
                if form is not None:
                    form.close()

    def _form(self, question: OpenQuestion, fields: Sequence[Field]) -> Any:
        # It brings ipywidgets along, which only a question needs.
        from nbagents.notebook.forms.widget import Form

        assert self._tap is not None
        return Form(question, fields, self._tap)

    async def _ask(self, place: _Place, form: Any) -> Ending:
        """Ask in the best way that works here."""
        with _not_in_the_way():
            if form is not None:
                place.show("open", form.view)
                outcome: Ending | None = await form.attend()
                if outcome is not None:
                    return outcome
                form.end()
            place.show("open")
        if not place.is_of_cell:  # A callback has no prompt: a page shows that of a cell alone.
            if not self._has_panel():
                return "later"
            await place.question.answered()
            return "answered"
        with _not_in_the_way(), contextlib.suppress(EOFError):
            await answer_by_lines(place.question, place.fields, ask_kernel(self._kernel))
            return "answered"
        return "later"


class _Place:
    """How the question stands, where the code that asks shows things."""

    def __init__(self, question: OpenQuestion, fields: Sequence[Field]) -> None:
        self.question = question
        self.fields = fields
        self.is_console = is_console(get_ipython())
        request = request_of(get_ipython()).get("header", {})
        self.is_of_cell = request.get("msg_type", "execute_request") == "execute_request"
        self._place: Place | None = None
        with _not_in_the_way():
            self._place = Place(draw(question, fields, "open"), OF_THE_MOMENT)

    def show(self, ending: Ending, view: Mapping[str, Any] | None = None) -> None:
        """Draw how the question stands, with the live view beside it."""
        # What was typed into a console stands there already.
        if self._place is not None and (ending == "open" or not self.is_console):
            self._place.end({**draw(self.question, self.fields, ending), **(view or {})})


async def _in_terminal(question: OpenQuestion, fields: Sequence[Field]) -> None:
    if not sys.stdin.isatty():
        return
    print(draw(question, fields, "open")["text/plain"])  # noqa: T201 - the terminal's output
    with contextlib.suppress(EOFError):
        await answer_by_lines(question, fields, ask_terminal)


@contextlib.contextmanager
def _not_in_the_way() -> Generator[None]:
    """Go on when something cannot be shown: the run matters more, and there is another way."""
    try:
        yield
    except Exception:  # noqa: BLE001 - whatever a page, a socket or a library does
        _log.exception("A question could not be shown as it should be")
