"""The id of a session: what may be one, and how it is written in a path or a key."""

from __future__ import annotations

import random
import re
from urllib.parse import unquote

import pytest

from nbagents.errors import UserError
from nbagents.sessions.base import check_session_id, safe_name

GOOD = ["a", "two words", "Größe", "中文" * 10, "🙂", "con", ".x", "a.b", "%41", "..a", "x" * 100]
WINDOWS = ["con", "prn.txt", "aux", "nul", "com1", "lpt9.log", "CON", "Nul.x"]


@pytest.mark.parametrize("session_id", GOOD)
def test_printable_text_is_an_id(session_id):
    assert check_session_id(session_id) == session_id


@pytest.mark.parametrize(
    ("session_id", "told"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        (" a", "begins or ends with a space"),
        ("a\n", "begins or ends with a space"),
        ("a\nb", "cannot be printed"),
        ("a\0b", "cannot be printed"),
        ("a\u202eb", "cannot be printed"),
        ("\ud800", "cannot be printed"),
        (".", "looks like a path"),
        ("..", "looks like a path"),
        ("../a", "looks like a path"),
        ("a/b", "looks like a path"),
        ("a\\b", "looks like a path"),
        ("x" * 101, "longer than 100"),
        ("中" * 30, "longer than 100"),
        (None, "no text"),
        (3, "no text"),
    ],
)
def test_anything_else_is_refused_and_told_why(session_id, told):
    with pytest.raises(UserError, match="cannot be the id of a session") as failed:
        check_session_id(session_id)
    assert told in str(failed.value)


def test_the_error_for_a_long_id_is_short():
    with pytest.raises(UserError) as failed:
        check_session_id("x" * 100_000)
    assert len(str(failed.value)) < 200


@pytest.mark.parametrize("session_id", [*GOOD, *WINDOWS, "A", "a+b", "a.", "...", ".."])
def test_a_safe_name_turns_back_into_the_id(session_id):
    assert unquote(safe_name(session_id)) == session_id


def test_any_two_ids_have_different_names_on_any_file_system():
    chars = random.Random(7)
    ids = {"".join(chars.choices("aAbB.%_- cCoOnN1é", k=chars.randint(1, 5))) for _ in range(20000)}
    assert len({safe_name(session_id).casefold().rstrip(". ") for session_id in ids}) == len(ids)


@pytest.mark.parametrize("session_id", [*GOOD, *WINDOWS, "...", "..", "a.", "a/b", "~", "$x"])
def test_a_safe_name_is_a_plain_file_name_everywhere(session_id):
    name = safe_name(session_id)
    assert re.fullmatch(r"[a-z0-9_%A-F-]([a-z0-9_.%A-F-]*[a-z0-9_%A-F-])?", name)
    assert not re.match(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)", name)
