"""The commands of `%nbagents`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell

from nbagents.errors import UserError, unknown_name
from nbagents.models.registry import default_model, resolve_model
from nbagents.notebook.cards import Table
from nbagents.notebook.doctor import report, sessions_place
from nbagents.notebook.session_cards import from_here
from nbagents.sessions.address import store_from

__all__ = ["COMMANDS", "run"]

_HELP = (
    ("%%agent NAME [options]", "define an agent; the body of the cell holds its instructions"),
    ("%ask NAME prompt", "ask it; the rest of the line is the prompt, as you write it"),
    ("%%ask NAME", "the same, with the body of the cell as the prompt"),
    ("%%swarm NAME", "agents that hand over to each other; a line a member"),
    ("%%graph NAME", "a workflow; the body is DOT: a -> b -> {c d}"),
    ("%session [ID]", "record what you ask, and resume after a restart"),
    ("%session list | show | fork NEW | rm ID | resume", "manage sessions"),
    ("%agents", "the agents and teams of this notebook"),
    ("%runs [ID]", "the runs of this kernel"),
    ("%nbagents doctor", "what works here, and what is missing"),
    ("%nbagents config [model=NAME] [sessions=PLACE]", "the settings and where they come from"),
    ("%nbagents local [MODEL]", "fetch the weights of a local model"),
    ("%nbagents share [PATH] [--redact]", "export the notebook as one HTML page, without secrets"),
    ("%nbagents replay [PATH | off]", "answer from what the saved notebook holds, without a model"),
    ("%ask?  %%agent?  %%graph?  %session?", "all the options"),
)
_SETTINGS = {"model": "NAME", "sessions": "file:DIR | s3://BUCKET/PREFIX | memory:"}


def run(shell: InteractiveShell, line: str) -> object:
    """Run one command."""
    name, _, rest = line.strip().partition(" ")
    if not name:
        name = "help"
    if name not in COMMANDS:
        raise unknown_name("command of %nbagents", name, COMMANDS)
    return COMMANDS[name](shell, rest.strip())


def _help(_shell: InteractiveShell, _rest: str) -> Table:
    return Table("", ("", ""), _HELP)


def _doctor(shell: InteractiveShell, _rest: str) -> Table:
    return report(getattr(shell, "kernel", None))


def _config(shell: InteractiveShell, rest: str) -> Table:
    moved = None
    if rest:
        name, _, value = (part.strip() for part in rest.partition("="))
        if name not in _SETTINGS or not value:
            ways = " or ".join(
                f"%nbagents config {name}={form}" for name, form in _SETTINGS.items()
            )
            raise UserError(f"{rest!r} is not a setting. Write {ways}")
        if name == "model":
            resolve_model(value)
        else:
            store_from(value)
        os.environ[f"NBAGENTS_{name.upper()}"] = value
        if name == "sessions":
            moved = shell.magics_manager.registry["SessionMagics"].move()
    chosen = default_model()
    rows = [("model", chosen.name, chosen.reason), ("sessions", *sessions_place())]
    if moved:
        rows.append(moved)
    return Table("", ("setting", "value", "because"), rows)


def _local(shell: InteractiveShell, rest: str) -> None:
    from nbagents.notebook.fetching import fetch_with_bar

    fetch_with_bar(rest or None, in_page=hasattr(shell, "kernel"))


def _share(_shell: InteractiveShell, rest: str) -> Table:
    from nbagents.notebook.share import open_notebook, saved_at, share

    paths, options = _words(rest, "share [PATH] [--redact]")
    path = Path(paths[0]) if paths else open_notebook()
    shared = share(path, redact="--redact" in options)
    rows = [("page", from_here(str(shared.page))), ("notebook", from_here(str(shared.notebook)))]
    rows += [("note", note) for note in (saved_at(path), *shared.notes)]
    return Table("", ("", ""), rows)


def _replay(shell: InteractiveShell, rest: str) -> Table:
    from nbagents.notebook import replaying
    from nbagents.notebook.share import open_notebook, saved_at

    paths, options = _words(rest, "replay [PATH | off] [--run-tools]")
    if replaying.held:
        return Table(
            "", ("", ""), [("replay", "on for the whole notebook; it cannot be turned off here")]
        )
    if paths == ["off"]:
        replaying.end()
        rows = [("replay", "off: models and tools run for real again")]
    else:
        path = Path(paths[0]) if paths else open_notebook()
        count = replaying.begin(path, run_tools="--run-tools" in options)
        runs = "1 recorded run" if count == 1 else f"{count} recorded runs"
        rows = [
            ("replay", f"replaying {runs} from {from_here(str(path))} (free)"),
            ("note", saved_at(path)),
            ("to end it", "%nbagents replay off"),
        ]
    if moved := shell.magics_manager.registry["SessionMagics"].move():
        rows.append((moved[0], f"{moved[1]}: {moved[2]}"))
    return Table("", ("", ""), rows)


def _words(rest: str, usage: str) -> tuple[list[str], set[str]]:
    """Tell at most one path from options. Raises `UserError` for what the usage does not name."""
    words = shlex.split(rest)
    options = {word for word in words if word.startswith("-")}
    paths = [word for word in words if word not in options]
    if len(paths) > 1 or not all(f"[{option}]" in usage for option in options):
        raise UserError(f"{rest!r} is not understood. Write %nbagents {usage}")
    return paths, options


COMMANDS: dict[str, Callable[[InteractiveShell, str], object]] = {
    "config": _config,
    "doctor": _doctor,
    "help": _help,
    "local": _local,
    "replay": _replay,
    "share": _share,
}
