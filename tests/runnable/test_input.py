"""What a run may be given."""

from __future__ import annotations

from collections import Counter

import pytest

from nbagents import Agent, FilePart, Message, ScriptedModel, TextPart, UserError
from nbagents.messages import user_message
from nbagents.runnable import conversation

PDF = FilePart("application/pdf", b"%PDF")
ANSWER = Message("assistant", (TextPart("Hello."),))


def test_a_text_is_one_message():
    assert conversation("hi") == (user_message("hi"),)
    assert conversation(TextPart("hi")) == (user_message("hi"),)


def test_a_file_is_one_message():
    assert conversation(PDF) == (Message("user", (PDF,)),)


def test_texts_and_files_side_by_side_are_one_message():
    assert conversation(["Read", PDF, TextPart("please")]) == (user_message("Read", PDF, "please"),)


def test_messages_are_a_conversation_and_loose_parts_are_put_between_them():
    first = user_message("hi")
    assert conversation(ANSWER) == (ANSWER,)
    assert conversation([first, ANSWER, "Read", PDF, ANSWER, "so?"]) == (
        first,
        ANSWER,
        user_message("Read", PDF),
        ANSWER,
        user_message("so?"),
    )


@pytest.mark.parametrize(
    "value",
    [7, None, {"a": 1}, Counter("a"), b"bytes", {"a"}, [7], ["hi", None]],
    ids=repr,
)
def test_anything_else_is_refused_instead_of_being_guessed_at(value):
    with pytest.raises(UserError, match="A run is given text, files or messages, not"):
        conversation(value)


async def test_nothing_at_all_is_refused():
    model = ScriptedModel()
    with pytest.raises(UserError, match="A run is given text, files or messages, not nothing"):
        await Agent("a", model=model).run([])
