"""Questions as lines to type, where no form can be shown: one field after the other."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import mimetypes
import os
import sys
import threading
from base64 import b64encode
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from nbagents._portal import in_thread
from nbagents.errors import UserError
from nbagents.notebook.forms.fields import LARGEST_FILE, Field, assemble, explain
from nbagents.questions import OpenQuestion
from nbagents.untrusted import visible

__all__ = ["Ask", "answer_by_lines", "ask_kernel", "ask_terminal"]

Ask = Callable[[str, bool], Awaitable[str]]
"""Asks for one line, given what is wanted and whether it is a secret. Raises `EOFError`."""

_POLL_SECONDS = 0.02
_END_OF_INPUT = "\x04"
_YES = {"y", "yes", "true", "1"}
_NO = {"n", "no", "false", "0"}
_HINTS = {
    "date": "YYYY-MM-DD",
    "datetime": "YYYY-MM-DD HH:MM",
    "time": "HH:MM",
    "yesno": "y/n",
    "file": "path of a file",
    "files": "file paths, comma-separated",
    "json": "JSON",
    "lines": "several, comma-separated",
    "choices": "numbers, comma-separated",
}
# There is one line to type into, whatever loops the questions come from.
_taken = threading.Lock()


async def answer_by_lines(question: OpenQuestion, fields: Sequence[Field], ask: Ask) -> None:
    """Ask field by field until the question is answered; what is wrong is asked again.

    Raises `EOFError` when the person ends the input instead.
    """
    async with _one_at_a_time():
        if ask is ask_terminal:
            _forget_typed()
        values: dict[str, Any] = {}
        problems = {"": question.problem}
        wanted = list(fields)
        while question.is_open:
            for field in wanted:
                reason = problems.pop(field.name, "") or problems.pop("", "")
                await _fill(field, values, reason, ask)
            try:
                question.answer(assemble(fields, values), via="stdin", json=True)
            except UserError as error:
                problems = explain(fields, error)
                wanted = [field for field in fields if field.name in problems] or list(fields)


def ask_kernel(kernel: Any) -> Ask:
    """Make what asks through the kernel's own channel for input.

    Unlike `input()` it leaves the loop running, and can be stopped.
    """
    import zmq  # It comes with the kernel: a terminal has none.

    async def ask(prompt: str, secret: bool) -> str:
        session, socket = kernel.session, kernel.stdin_socket
        with contextlib.suppress(zmq.Again):
            while True:  # What was typed too late for an earlier question.
                socket.recv_multipart(zmq.NOBLOCK)
        sys.stdout.flush()
        session.send(
            socket,
            "input_request",
            {"prompt": prompt, "password": secret},
            kernel.get_parent("shell"),
            ident=kernel._parent_ident["shell"],  # noqa: SLF001 - as `input()` of the kernel does
        )
        while True:
            if socket.poll(0):
                _, reply = session.recv(socket)
                if reply is not None:
                    break
            await asyncio.sleep(_POLL_SECONDS)
        value = str(reply["content"]["value"])
        if value == _END_OF_INPUT:
            raise EOFError
        return value

    return ask


def _forget_typed() -> None:
    """Drop what was typed before a question appeared: it was meant for something else."""
    if not sys.stdin.isatty():
        return
    try:
        import termios
    except ModuleNotFoundError:  # Windows.
        import msvcrt

        while msvcrt.kbhit():
            msvcrt.getwch()
    else:
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


async def ask_terminal(prompt: str, secret: bool) -> str:
    """Ask in a terminal; Ctrl-C works meanwhile, and so does the loop."""
    print(prompt, end="", flush=True)  # noqa: T201 - this is the terminal's output
    loop = asyncio.get_running_loop()
    descriptor = sys.stdin.fileno()
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    line: asyncio.Future[str] = loop.create_future()
    typed = ""

    def read() -> None:
        nonlocal typed
        data = os.read(descriptor, 4096)
        typed += decode(data)
        if not line.done() and ("\n" in typed or not data):
            line.set_result(typed)

    with _hidden(descriptor) if secret else contextlib.nullcontext():
        try:
            loop.add_reader(descriptor, read)
        except NotImplementedError:  # Windows.
            return (await in_thread(sys.stdin.readline)).rstrip("\r\n")
        try:
            whole = await line
        finally:
            loop.remove_reader(descriptor)
    if not whole:
        raise EOFError
    return whole.rstrip("\r\n")


@contextlib.contextmanager
def _hidden(descriptor: int) -> Any:
    """Show nothing of what is typed."""
    import termios

    before = termios.tcgetattr(descriptor)
    without = [*before]
    without[3] &= ~termios.ECHO
    termios.tcsetattr(descriptor, termios.TCSADRAIN, without)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
        print(flush=True)  # noqa: T201 - the end of the line was not shown either


@contextlib.asynccontextmanager
async def _one_at_a_time() -> AsyncGenerator[None]:
    while not _taken.acquire(blocking=False):  # noqa: ASYNC110 - it is shared by several loops
        await asyncio.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        _taken.release()


async def _fill(field: Field, values: dict[str, Any], reason: str, ask: Ask) -> None:
    """Ask for one field until what is typed means something."""
    values.pop(field.name, None)
    while True:
        told = f"{visible(reason)}\n" if reason else ""
        typed = await ask(told + _prompt(field), field.kind == "password")
        if not typed and not field.required:
            return
        try:
            values[field.name] = await _understood(field, typed)
        except UserError as error:
            reason = str(error)
        else:
            return


def _prompt(field: Field) -> str:
    hints = [field.help] if field.help else []
    if field.kind == "yesno" and field.labels != ("Yes", "No"):
        hints.append("y: {}, n: {}".format(*field.labels))
    elif hint := _HINTS.get(field.kind):
        hints.append(hint)
    if not field.required and field.kind != "password":
        hints.append("optional" if field.default is None else f"Enter for {field.default}")
    options = "".join(f"{n}. {option}\n" for n, option in enumerate(field.options, 1))
    label = field.label or ("Number" if options else "Answer")
    told = f" ({', '.join(hints)})" if hints else ""
    return visible(f"{options}{label}{told}: ")


async def _understood(field: Field, typed: str) -> Any:
    """Read a line as the form would send it. Raises `UserError` when it means nothing."""
    text = typed.strip()
    match field.kind:
        case "yesno" if text.lower() in _YES | _NO | {label.lower() for label in field.labels}:
            return text.lower() in _YES | {field.labels[0].lower()}
        case "yesno" if text or not field.nullable:
            raise UserError("Please answer y or n.")
        case "choice" if text or not field.nullable:
            return _chosen(field, text)
        case "choices":
            return [_chosen(field, part.strip()) for part in text.split(",") if part.strip()]
        case "file" if text:
            return await in_thread(lambda: _read(text))
        case "files":
            paths = [part.strip() for part in text.split(",") if part.strip()]
            return await in_thread(lambda: [_read(path) for path in paths])
        case "lines":
            return "\n".join(text.split(","))
        case "text" | "long" | "password":
            return typed
    return text


def _chosen(field: Field, text: str) -> Any:
    for option in field.options:
        if str(option) == text:
            return option
    if text.isdecimal() and 1 <= int(text) <= len(field.options):
        return field.options[int(text) - 1]
    raise UserError(f"{text!r:.60} is not among the choices: type its number.")


def _read(path: str) -> dict[str, str]:
    file = Path(path).expanduser()
    if not file.is_file():
        raise UserError(f"There is no file {path!r:.200}.")
    if file.stat().st_size > LARGEST_FILE:
        raise UserError(f"{file.name} is too large: at most {LARGEST_FILE // 1_000_000} MB.")
    media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    data = b64encode(file.read_bytes()).decode()
    return {"name": file.name, "media_type": media_type, "data": data}
