"""Text of others as it is shown: nothing in it is obeyed, and what cannot be seen is written out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nbagents.errors import ModelError, UserError
from nbagents.untrusted import clean, exact, fence, one_line, visible

SAMPLES = json.loads(
    (Path(__file__).parents[1] / "labextension/tests/samples/visible.json").read_text("utf-8")
)
"""What the page writes too: labextension/tests/visible.test.ts."""

OBEYED = [
    "\x1b]52;c;cm0gLXJmIH4=\x07",  # fills the clipboard
    "\x1b]0;your bank\x1b\\",  # the title of the window
    "\x1b[2J\x1b[H",  # clears the screen
    "\x1b[1A\x1b[2K",  # writes over the line before
    "\x9b2J\x9d0;title\x9c",  # the same in one byte
    "safe\rrm -rf ~",
    "rm -rf ~\x08\x08\x08\x08",
    "\x1bP+q544e\x1b\\",  # asks the terminal, which answers as if it were typed
]


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample["name"] for sample in SAMPLES])
def test_what_cannot_be_seen_is_written_as_the_page_writes_it(sample: dict[str, str]):
    assert visible(sample["text"]) == sample["shown"]
    assert exact(json.dumps(sample["text"], ensure_ascii=False)) == sample["json"]
    assert json.loads(sample["json"]) == sample["text"]


@pytest.mark.parametrize("text", OBEYED)
def test_nothing_is_left_that_a_terminal_obeys(text: str):
    error = ModelError(f"before {text} after", provider="p")
    shown = [clean(text), one_line(text), visible(text), *error._render_traceback_()]
    shown += [*UserError(text)._render_traceback_(), str(error), str(UserError(text))]
    assert all(char.isprintable() or char == "\n" for char in "".join(shown))
    assert shown[3].startswith("ModelError: p: before")


def test_every_end_of_a_line_is_one():
    assert clean("a\r\nb\rc\u2028d\u2029e\x85f") == "a\nb\nc\nd\ne\nf"
    assert one_line("a\u2028b\t c\n") == "a b c"


def test_two_values_never_look_the_same():
    alike = ["a b", "a\u00a0b", "a\u2009b", "a\u200bb", "ab", "a\u00adb", "a\\u200bb", "a\ufeffb"]
    assert len({exact(json.dumps(value, ensure_ascii=False)) for value in alike}) == len(alike)


@pytest.mark.parametrize("text", ["```", "a\n`````x\nb", "~~~\n```", "\r```\r", "", "`" * 1000])
def test_nothing_in_a_block_of_code_ends_it(text: str):
    first, *inside, last = fence(text, "json").split("\n")
    assert first == f"{last}json"
    assert not any(last in line for line in inside)
