"""The grammar of the magics: options first, and all the rest is the prompt, raw."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from IPython.core.error import UsageError

from nbagents.errors import unknown_name

__all__ = ["Parsed", "names", "options_of", "parse"]

# A quoted text, perhaps right behind an option (`--out="list[int]"`), or whatever has no space.
_WORD = re.compile(
    r"""\s*(?:(?P<option>(?:--?[A-Za-z][\w-]*=)?)(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)')|(?P<bare>\S+))"""
)


_NUMBERS: dict[Any, str] = {int: "a whole number", float: "a number"}
_OF_CELLS = ("agent", "graph", "swarm")


def names(listed: str | None) -> list[str]:
    """Split what is listed with commas; as the `type` of an option, spaces may follow the commas."""
    return [name.strip() for name in (listed or "").split(",") if name.strip()]


class Parsed(NamedTuple):
    """A magic's line, understood."""

    options: argparse.Namespace
    prompt: str
    """What follows the options, untouched."""


def options_of(magic: Callable[..., Any]) -> dict[str, argparse.Action]:
    """Return the options of a magic by their names, `-m` and `--model` alike."""
    parser: argparse.ArgumentParser = magic.parser
    return dict(parser._option_string_actions)  # noqa: SLF001 - argparse has no public list


def parse(magic: Callable[..., Any], line: str) -> Parsed:
    """Split a line into options and prompt; only options are read as words.

    The prompt begins at `--`, or at the first word after the positional arguments that is not an
    option. Raises `UsageError` with the close match.
    """
    known = options_of(magic)
    parser: argparse.ArgumentParser = magic.parser
    positional = [action for action in parser._actions if not action.option_strings]  # noqa: SLF001
    wanted = len(positional)
    words: list[str] = []
    position = 0
    while match := _WORD.match(line, position):
        word = _text(match)
        quoted = match["bare"] is None and not match["option"]
        if word == "--" and not quoted:
            position = match.end()
            break
        if not quoted and re.match(r"--?[A-Za-z]", word):
            position = _take_option(known, words, line, match, word)
        elif wanted:
            words.append(word)
            wanted -= 1
            position = match.end()
        else:
            break
    missing = positional[len(positional) - wanted :]
    if missing and missing[0].nargs is None:
        sign = "%%" if magic.__name__ in _OF_CELLS else "%"
        usage = f"{sign}{magic.__name__} {missing[0].dest.upper()}"
        raise UsageError(f"{sign}{magic.__name__} needs a {missing[0].dest}: {usage} ...")
    return Parsed(parser.parse_args(words), line[position:].strip())


def _take_option(
    known: dict[str, argparse.Action], words: list[str], line: str, match: re.Match[str], word: str
) -> int:
    """Add an option and its value to the words; return where the rest of the line begins."""
    name, equals, value = word.partition("=")
    action = known.get(name)
    if action is None:
        error = unknown_name("option", name, (option for option in known if option != "-h"))
        raise UsageError(f"{error} If it belongs to the prompt, put `--` before the prompt.")
    if action.nargs == 0:
        if equals:
            raise UsageError(f"The option {name} takes no value.")
        words.append(word)
        return match.end()
    if not equals:
        match = _WORD.match(line, match.end())
        if match is None:
            raise UsageError(f"The option {name} needs a value.")
        value = _text(match)
    end = match.end()
    if action.type is names:
        value, end = _whole_list(line, value, end)
        if not names(value):
            raise UsageError(f"{name} names nothing. List names with commas, or leave it out.")
    elif action.type in _NUMBERS:
        _check_number(name, value, action.type)
    words.append(f"{name}={value}")
    return end


def _whole_list(line: str, value: str, end: int) -> tuple[str, int]:
    """Read on after a comma: `--tools a, b` lists both, and so does `--tools a ,b`."""
    while more := _WORD.match(line, end):
        word = _text(more)
        if word.startswith("-") or not (value.rstrip().endswith(",") or word.startswith(",")):
            break
        value, end = f"{value} {word}", more.end()
    return value, end


def _check_number(option: str, value: str, kind: Callable[[str], object]) -> None:
    try:
        kind(value)
    except ValueError:
        raise UsageError(f"{option} must be {_NUMBERS[kind]}, not {value!r}.") from None


def _text(word: re.Match[str]) -> str:
    if word["bare"] is not None:
        return word["bare"]
    return word["option"] + (word["single"] if word["double"] is None else word["double"])
