"""Whole runs whose model and tools are hostile, in every form that is saved."""

from __future__ import annotations

import pytest

from nbagents import Agent, Say, ScriptedModel
from nbagents.notebook.live import bundle
from nbagents.notebook.view import RunView
from tests.notebook.test_safe_markdown import assert_harmless, read_by_all

EVIL = "<img src=x onerror=alert(1)>"
OPENINGS = [
    "- item",
    "1. item",
    "> quote",
    "```",
    " ```",
    "~~~~",
    "````\n```",
    "```\ncode\n`````",
    "- ```\n  code",
    "a\rb\rc\r```\rcode\r```",
    "<!--",
    "[x]: /y",
    "- [bad]: javascript:alert(1)",
]
ENDINGS = [
    EVIL,
    f"```\n{EVIL}\n```",
    f"   ```\n{EVIL}\n   ```",
    f"    {EVIL}",
    f"~~~\n{EVIL}\n~~~\n{EVIL}",
    "[click][bad]",
]


async def forms(first: str, last: str) -> dict[str, str]:
    """Draw a run that says `first`, calls a hostile tool, and says `last`."""

    def tell() -> str:
        """Tell."""
        return EVIL

    model = ScriptedModel(Say(text=first, thinking=EVIL, calls=[("tell", {})]), last)
    run = await Agent("a", model=model, tools=[tell]).run("go")
    return bundle(RunView(run.events), 0.0)


@pytest.mark.parametrize("last", ENDINGS)
@pytest.mark.parametrize("first", OPENINGS)
async def test_the_markdown_of_a_run_is_harmless_whatever_stands_before_what(first: str, last: str):
    for html in read_by_all((await forms(first, last))["text/markdown"]):
        assert_harmless(html)


async def test_control_characters_reach_neither_page_nor_terminal():
    drawn = await forms("\x1b[2J\x1b]52;c;aGk=\x07 one\x00", "two \x9b31m\x08")
    assert all("one" in form and "two" in form for form in drawn.values())
    assert not any(c in form for form in drawn.values() for c in "\x1b\x07\x00\x9b\x08\r")


async def test_half_characters_can_be_sent():
    drawn = await forms("half \ud800", "a \udc80 character")
    assert all(form.encode() and "half \ufffd" in form for form in drawn.values())
