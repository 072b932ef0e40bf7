"""Why a line is not valid DOT, explained to the author of a workflow."""

from __future__ import annotations

import re

__all__ = ["explain", "wrong_arrow"]

# Dashes of other lengths are what text editors make of `--`.
_ARROW = re.compile(r"<?[=-]+\s*>|[\u2192\u21d2\u27f6]|[\u2013\u2014]+\s*>|~>")
_CURLY_QUOTES = "\u2018\u2019\u201c\u201d\u201e'"
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"')
_ATTRIBUTES = re.compile(r"\[[^\]]*\]?")
# `name=value` in brackets, with a value that has no quotes.
_BARE_VALUE = re.compile(r"[\[,;\s](\w+)\s*=\s*(?![\s\"<])([^\],;\"]*)")
_PLAIN_VALUE = re.compile(r"-?(?:\w+|\d*\.\d+)\s*\Z")
_KEYWORDS = {"digraph", "graph"}


def wrong_arrow(text: str) -> str | None:
    """Find an arrow that is not written `->`: `=>`, `-->`, `- >`, or a single character."""
    return next((found[0] for found in _ARROW.finditer(text) if found[0] != "->"), None)


def explain(line: str) -> str:
    """Say what is wrong with a line that the parser refuses, and how to write it."""
    bare = _QUOTED.sub('""', line).strip()
    outside = _ATTRIBUTES.sub("", bare)
    return (
        _of_quotes(bare)
        or _of_arrows(outside)
        or _of_values(bare)
        or _of_ends(outside)
        or _of_names(bare, outside)
        or "write edges, such as: draft -> check -> publish"
    )


def _of_quotes(bare: str) -> str | None:
    if bare.count('"') % 2:
        return 'a quotation mark is missing: text begins and ends with ".'
    return None


def _of_arrows(outside: str) -> str | None:
    if arrow := wrong_arrow(outside):
        return f"write -> for {arrow}."
    if "<-" in outside:
        return "edges point from left to right: write b -> a for a <- b."
    if found := re.search(r"(\w+)\s+-\s+(\w+)", outside):
        return f"write {found[1]} -> {found[2]}."
    return None


def _of_values(bare: str) -> str | None:
    for value in _BARE_VALUE.finditer(bare):
        if not _PLAIN_VALUE.match(value[2]):
            name, text = value[1], value[2].strip().strip(_CURLY_QUOTES)
            return f'put the value of `{name}` in quotation marks: {name}="{text}".'
    if bare.count("[") != bare.count("]"):
        return "a [ or a ] is missing around the attributes."
    return None


def _of_ends(outside: str) -> str | None:
    if re.search(r"->\s*(?:;|\Z|\})", outside):
        return "`->` needs a node after it."
    if re.match(r"\s*->|.*->\s*->", outside):
        return "`->` needs a node on both sides."
    return None


def _of_names(bare: str, outside: str) -> str | None:
    if several := re.search(r"[\w.]+(?:\s*,\s*[\w.]+)+", outside):
        listed = " ".join(re.findall(r"[\w.]+", several[0]))
        return f"put several nodes in braces, without commas: {{{listed}}}."
    if found := re.search(r"\w*[^\w\s;,{}>\"\[\]=-]\w*|\w+(?:-\w+)+", bare):
        return (
            f'put a name that has more than letters, digits and _ in quotation marks: "{found[0]}".'
        )
    if found := next((word for word in re.findall(r"\w+", outside) if word in _KEYWORDS), None):
        return f"`{found}` is a keyword of DOT; give the node another name."
    return None
