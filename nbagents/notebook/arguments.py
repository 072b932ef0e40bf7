"""The grammar of the magics: options first, and all the rest is the prompt, raw."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from IPython.core.error import UsageError

from nbagents.errors import unknown_name

__all__ = ["Parsed", "options_of", "parse"]

# A quoted text, perhaps right behind an option (`--out="list[int]"`), or whatever has no space.
_WORD = re.compile(
    r"""\s*(?:(?P<option>(?:--?[A-Za-z][\w-]*=)?)(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)')|(?P<bare>\S+))"""
)


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

    The prompt begins at `--`, or at the first word after the positional arguments that is no
    option. Raises `UsageError` and `UserError` with the close match.
    """
    known = options_of(magic)
    parser: argparse.ArgumentParser = magic.parser
    wanted = sum(not action.option_strings for action in parser._actions)  # noqa: SLF001
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
    return Parsed(parser.parse_args(words), line[position:].strip())


def _take_option(
    known: dict[str, argparse.Action], words: list[str], line: str, match: re.Match[str], word: str
) -> int:
    """Add an option and its value to the words; return where the line goes on."""
    name, equals, _ = word.partition("=")
    action = known.get(name)
    if action is None:
        error = unknown_name("option", name, (option for option in known if option != "-h"))
        raise UsageError(f"{error} If it belongs to the prompt, put `--` before the prompt.")
    if equals or action.nargs == 0:
        words.append(word)
        return match.end()
    value = _WORD.match(line, match.end())
    if value is None:
        raise UsageError(f"The option {name} needs a value.")
    words.append(f"{name}={_text(value)}")
    return value.end()


def _text(word: re.Match[str]) -> str:
    if word["bare"] is not None:
        return word["bare"]
    return word["option"] + (word["single"] if word["double"] is None else word["double"])
