"""The form of one question on the page, and the messages between the two."""

from __future__ import annotations

import asyncio
import contextlib
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import anywidget
import traitlets

from nbagents.errors import UserError
from nbagents.notebook.forms.fields import LARGEST_FILE, Field, assemble, decision, explain
from nbagents.notebook.forms.tap import Tap
from nbagents.notebook.safe_markdown import to_html
from nbagents.notebook.values import QuestionText
from nbagents.questions import OpenQuestion
from nbagents.untrusted import visible

__all__ = ["Form", "FormWidget", "Outcome"]

Outcome = Literal["answered", "later", "closed"]

_READY_SECONDS = 3.0
_HERE = Path(__file__).parent
_IMPORT = re.compile(r'^import .* from "\./.*";\n', re.MULTILINE)


class FormWidget(anywidget.AnyWidget):
    """What the page draws; all that it has to tell comes in custom messages.

    Values that a widget synchronises one by one get lost while a cell awaits (ipykernel 7.4).
    """

    # A widget is one module.
    _esm = "".join(
        _IMPORT.sub("", (_HERE / name).read_text("utf-8"))
        for name in ("press.js", "visible.js", "controls.js", "form.js")
    )
    _css = (_HERE / "form.css").read_text("utf-8")
    spec = traitlets.Dict().tag(sync=True)


class Form:
    """One question as a form, from its first drawing to `close`."""

    def __init__(self, question: OpenQuestion, fields: Sequence[Field], tap: Tap) -> None:
        self._question = question
        self._fields = fields
        self._tap = tap
        self._files: dict[str, list[str]] = {}
        self._inbox: asyncio.Queue[Any] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self.widget = FormWidget(spec=_spec(question, fields))
        self.widget.on_msg(lambda _widget, content, _buffers: self._deliver(content))
        tap.listen(self.widget.model_id, self._deliver)

    @property
    def view(self) -> dict[str, Any]:
        """The bundle that shows it."""
        bundle: Any = self.widget._repr_mimebundle_()
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        return {mime: value for mime, value in data.items() if not mime.startswith("text/")}

    async def attend(self) -> Outcome | None:
        """Wait until it has been answered, or the person does not want to answer now.

        None means that no page has drawn it within 3 s.
        """
        pump = asyncio.create_task(self._tap.pump()) if self._tap.must_pump else None
        seen = False
        try:
            while True:
                try:
                    async with asyncio.timeout(None if seen else _READY_SECONDS):
                        message = await self._inbox.get()
                except TimeoutError:
                    if self._inbox.empty():
                        return None
                    continue  # It is this loop that was late.
                match message:
                    case {"kind": "ready"}:
                        seen = True
                        self.widget.send({"kind": "ack"})
                    case {"kind": "piece", "file": str(file), "text": str(text)}:
                        self._files.setdefault(file, []).append(text)
                    case {"kind": "submit", "nonce": nonce, "values": dict(values)}:
                        if self._submit(nonce, values):
                            return "answered"
                    case {"kind": "later" | "closed" as kind}:
                        return kind
        finally:
            if pump is not None:
                pump.cancel()

    def end(self) -> None:
        """Tell the page that the question is over, so that it does not wonder when it vanishes."""
        self.widget.send({"kind": "done"})

    def close(self) -> None:
        """Take it out of the kernel and out of the page."""
        self._tap.forget(self.widget.model_id)
        self.widget.layout.close()
        self.widget.close()

    def _deliver(self, content: Any) -> None:
        """Bring a message into the loop that waits, from any thread."""
        with contextlib.suppress(RuntimeError):  # That loop is closed.
            self._loop.call_soon_threadsafe(self._inbox.put_nowait, content)

    def _submit(self, nonce: Any, values: Mapping[str, Any]) -> bool:
        """Answer the question, or tell the page what is wrong."""
        try:
            filled = {name: self._with_files(value) for name, value in values.items()}
            text = assemble(self._fields, filled)
            self._question.answer(text, via="form", json=True)
        except UserError as error:
            problems = explain(self._fields, error)
            self.widget.send({"kind": "problem", "nonce": nonce, "problems": problems})
            return False
        return True

    def _with_files(self, value: Any) -> Any:
        """Put the pieces of the files into the place of their names."""
        match value:
            case [*values] if any(isinstance(one, dict) for one in values):
                return [self._with_files(one) for one in values]
            case {"pieces": str(file), "name": name, "media_type": media_type}:
                data = "".join(self._files.get(file, ()))
                if len(data) > LARGEST_FILE * 4 / 3 + 4:
                    most = f"{LARGEST_FILE // 1_000_000} MB"
                    raise UserError(f"{name} is too large: a form takes files up to {most}.")
                return {"name": name, "media_type": media_type, "data": data}
        return value


def _spec(question: OpenQuestion, fields: Sequence[Field]) -> dict[str, Any]:
    """Say all that the page has to know."""
    asked = question.asked
    text = QuestionText.of(asked.asker, asked.prompt, asked.reason, asked.details)
    chosen = decision(fields)
    return {
        "id": uuid.uuid4().hex,
        "asker": text.asker,
        "prompt": visible(to_html(text.prompt)),
        "reason": text.reason,
        "details": text.details,
        "fields": [asdict(field) for field in fields],
        "decision": None if chosen is None else chosen.name,
        "problem": visible(question.problem),
        "largest_file": LARGEST_FILE,
    }
