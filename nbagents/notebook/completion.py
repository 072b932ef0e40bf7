"""Completion inside our magics: options, agents, models, tools."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)

from nbagents.models.registry import VENDORS
from nbagents.notebook.arguments import options_of
from nbagents.notebook.commands import COMMANDS
from nbagents.notebook.magics import AgentMagics
from nbagents.notebook.session_magics import VERBS, SessionMagics
from nbagents.notebook.team_magics import TeamMagics
from nbagents.tools.base import Tool

__all__ = ["complete"]

_MAGIC = re.compile(
    r"^\s*(?:[A-Za-z_]\w*\s*=\s*)?%{1,2}(agent|ask|graph|nbagents|session|swarm)\s(.*)$"
)
_VALUED = re.compile(r"(?:^|\s)(--?[A-Za-z][\w-]*)(?:\s+|=)(\S*)$")


def complete(
    magics: AgentMagics, sessions: SessionMagics
) -> Callable[[CompletionContext], SimpleMatcherResult]:
    """Make the matcher for IPython's completer."""

    @context_matcher(identifier="nbagents")
    def matcher(context: CompletionContext) -> SimpleMatcherResult:
        line = _MAGIC.match(context.line_with_cursor[: context.cursor_position])
        if line is None:
            return SimpleMatcherResult(completions=[])
        before = line[2]
        word = re.split(r"[\s,=]", before)[-1]
        if line[1] == "session":
            known = _of_sessions(magics, sessions, before)
        else:
            known = _candidates(magics, line[1], before)
        found = [name for name in known if name.startswith(word)]
        token = context.token
        # IPython replaces its own idea of the last word, which may begin later than ours.
        skip = len(word) - len(token) if token and word.endswith(token) else 0
        completions = [SimpleCompletion(text=name[max(0, skip) :], type="magic") for name in found]
        return SimpleMatcherResult(
            completions=completions,
            suppress=bool(found),
            matched_fragment=word[max(0, skip) :],
        )

    return matcher


def _candidates(magics: AgentMagics, magic: str, before: str) -> Iterable[str]:
    if magic == "nbagents":
        return COMMANDS if " " not in before.lstrip() else ()
    if valued := _VALUED.search(before):
        return _values(magics, valued[1])
    word = before.rpartition(" ")[2]
    if word.startswith("-"):
        holder = TeamMagics if magic in {"graph", "swarm"} else AgentMagics
        known = options_of(getattr(holder, magic))
        return sorted(name for name in known if name not in {"-h", "--help"})
    return sorted(magics.namespace.runnables()) if magic == "ask" and before.count(" ") == 0 else ()


def _of_sessions(magics: AgentMagics, sessions: SessionMagics, before: str) -> Iterable[str]:
    verb, *rest = before.split(" ")
    if not rest:
        return sorted((*VERBS, *sessions.ids()))
    match verb:
        case "resume":
            return sorted(runnable.name for runnable in magics.namespace.runnables().values())
        case "fork" | "list" | "rm" | "show" if len(rest) == 1:
            return sessions.ids()
    return ()


def _values(magics: AgentMagics, option: str) -> Iterable[str]:
    match option:
        case "-m" | "--model":
            return [f"{prefix}:{vendor.default}" for prefix, vendor in VENDORS.items()]
        case "-t" | "--tools":
            return sorted(
                name for name, value in magics.namespace.variables.items() if _is_tool(name, value)
            )
        case "--uses":
            return sorted(magics.namespace.runnables())
        case "--out":
            return sorted(
                name
                for name, value in magics.namespace.variables.items()
                if isinstance(value, type) and not name.startswith("_")
            )
    return ()


def _is_tool(name: str, value: Any) -> bool:
    if name.startswith("_"):
        return False
    mine = getattr(value, "__module__", None) == "__main__"
    return isinstance(value, Tool) or (callable(value) and mine and not isinstance(value, type))
