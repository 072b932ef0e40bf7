"""What nbagents does from a terminal: `nbagents`, or `python -m nbagents`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from nbagents.errors import UserError
from nbagents.providers.local import DEFAULT, KNOWN, Progress, check_runtime, fetch
from nbagents.untrusted import clean

_BAR_WIDTH = 30
_CLEAR = "\r\x1b[K"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    parser = argparse.ArgumentParser(prog="nbagents", description="Manage nbagents.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    local = commands.add_parser("local", help="fetch the weights of a local model")
    local.add_argument(
        "model", nargs="?", default=DEFAULT, help=f"{', '.join(KNOWN)} (default: {DEFAULT})"
    )
    local.set_defaults(run=_local)
    doctor = commands.add_parser("doctor", help="say what works here, and what is missing")
    doctor.set_defaults(run=_doctor)
    shared = commands.add_parser(
        "share", help="export a notebook as one HTML page, without secrets"
    )
    shared.add_argument("notebook", metavar="NOTEBOOK", help="the .ipynb file, as it is saved")
    shared.add_argument("--to", metavar="DIR/PATH", help="a folder, or a folder and a name")
    shared.add_argument("--redact", action="store_true", help="replace secrets with [redacted]")
    shared.set_defaults(run=_share)
    played = commands.add_parser("replay", help="run a notebook again from its recorded answers")
    played.add_argument("notebook", metavar="NOTEBOOK", help="the .ipynb file, as it is saved")
    played.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if anything differs"
    )
    played.add_argument("--to", metavar="PATH", help="where to write (NAME.replayed.ipynb)")
    played.add_argument("--run-tools", action="store_true", help="run tools instead of replaying")
    played.set_defaults(run=_replay)
    options = parser.parse_args(argv)
    try:
        return options.run(options) or 0
    except UserError as error:
        sys.stderr.write(f"{_CLEAR if sys.stderr.isatty() else ''}{error}\n")
        return 1
    except KeyboardInterrupt:
        end = "; the next fetch continues from here" if options.run is _local else ""
        sys.stderr.write(f"\nStopped{end}.\n")
        return 130


def _local(options: argparse.Namespace) -> None:
    check_runtime()
    show = bar(sys.stdout) if sys.stdout.isatty() else lines(sys.stdout)
    sys.stdout.write(f"{fetch(options.model, show)}\n")


def _doctor(_options: argparse.Namespace) -> None:
    from nbagents.notebook.doctor import report

    sys.stdout.write(f"{report()}\n")


def _share(options: argparse.Namespace) -> None:
    from nbagents.notebook.share import share

    shared = share(options.notebook, options.to, redact=options.redact)
    sys.stdout.write(f"{clean(str(shared))}\n")


def _replay(options: argparse.Namespace) -> int:
    from nbagents.notebook.replaying import replay, write

    replayed = replay(options.notebook, run_tools=options.run_tools)
    if not options.check:
        written = write(replayed, options.notebook, options.to)
        sys.stdout.write(clean(f"Wrote {written}\n"))
    for line in (*replayed.differences, replayed.hint):
        sys.stderr.write(clean(f"{line}\n") if line else "")
    if not replayed.differences:
        sys.stdout.write("All outputs match.\n")
    return 1 if replayed.differences else 0


def bar(terminal: TextIO) -> Callable[[Progress], None]:
    """Show progress over and over in one line of a terminal."""

    def show(progress: Progress) -> None:
        full = round(_BAR_WIDTH * progress.done / progress.total)
        drawn = "#" * full + "." * (_BAR_WIDTH - full)
        end = "\n" if progress.what == "ready" else ""
        terminal.write(f"{_CLEAR}[{drawn}] {_words(progress)}{end}")
        terminal.flush()

    return show


def lines(log: TextIO) -> Callable[[Progress], None]:
    """Show progress in a line for each tenth, and for each new thing that is done."""
    said: tuple[int, str] | None = None

    def show(progress: Progress) -> None:
        nonlocal said
        step = 10 * progress.done // progress.total, progress.what
        if step != said:
            said = step
            log.write(f"{_words(progress)}\n")
            log.flush()

    return show


def _words(progress: Progress) -> str:
    return f"{progress.done / 1e6:,.0f} of {progress.total / 1e6:,.0f} MB: {progress.what}"


if __name__ == "__main__":
    sys.exit(main())
