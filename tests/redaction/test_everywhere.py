"""One corpus of keys through everything that writes or shows text."""

from __future__ import annotations

import itertools
import json
import re

import nbformat
import pytest
from nbformat import v4

from nbagents import (
    Agent,
    FileStore,
    ModelError,
    Say,
    ScriptedModel,
    Session,
    ToolError,
    UserError,
    tool,
)
from nbagents.events import MessageFinished, TextDelta, ThinkingDelta, stamp
from nbagents.messages import Message, TextPart
from nbagents.models.retry import RetryPolicy
from nbagents.notebook.document import document_of, write_document
from nbagents.notebook.live import bundle, saved
from nbagents.notebook.outgoing import Outgoing
from nbagents.notebook.share import share
from nbagents.notebook.view import RunView
from nbagents.providers.anthropic import AnthropicModel
from nbagents.providers.openai import OpenAIModel
from nbagents.redaction import MARK, redact
from nbagents.redaction.cleaner import Cleaner
from nbagents.redaction.hints import may_hold_secret
from tests.redaction.corpus import HARMLESS, INNOCENT, KEYS, ORDINARY, mixed
from tests.wire.anthropic import AnthropicWire
from tests.wire.openai import OpenAIWire
from tests.wire.server import Reply

TEXTS = {name: around.format(secret) for name, (secret, around) in KEYS.items()}


def left_of(secret: str, text: str) -> list[str]:
    """Return the pieces of a key that are in a text, without what all keys of its kind have."""
    lines = [line for line in secret.split("\n") if not line.startswith("-----")]
    own = "".join(lines)[-20:] if len(lines) == 1 else lines[1]
    pieces = {own[at : at + 8] for at in range(len(own) - 7)}
    return sorted(piece for piece in pieces if piece in text)


async def leaking_run(secret_text: str, **options):
    """Run an agent in whose question, thoughts, calls, results and answer there is a key."""

    @tool
    def look(query: str) -> dict[str, list[str]]:
        """Look."""
        return {"found": [query, secret_text]}

    model = ScriptedModel(
        Say(thinking=f"Hm: {secret_text}", calls=[("look", {"query": secret_text})]),
        f"It is\n{secret_text}\nindeed.",
    )
    return await Agent("a", model=model, tools=[look]).run(f"Use {secret_text}", **options)


@pytest.mark.parametrize(("secret", "around"), KEYS.values(), ids=KEYS)
async def test_a_key_is_in_no_log_and_no_saved_output(tmp_path, secret, around):
    run = await leaking_run(
        around.format(secret), session=Session("s", store=FileStore(tmp_path / "store"))
    )
    log = (tmp_path / "store" / "s" / "log.jsonl").read_text()
    view = RunView(run.events)
    outputs = json.dumps(saved(view, run, 0.0))
    written = write_document(run, tmp_path / "run.nbagents.json").read_text()
    for text in (log, outputs, written, "".join(bundle(view, 0.0).values())):
        assert MARK in text
        assert left_of(secret, text) == []
    again = await Session("s", store=FileStore(tmp_path / "store")).load()
    assert [event.type for event in again.events] == [event.type for event in run.events]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
@pytest.mark.parametrize(("secret", "around"), KEYS.values(), ids=KEYS)
def test_a_key_that_comes_in_pieces_is_in_no_message_to_the_page(secret, around, size):
    text = f"The first words, then: {around.format(secret)} and some more words at the end.\n"
    outgoing, told = Outgoing(), []
    for seq, at in enumerate(range(0, len(text), size), 1):
        delta = TextDelta(text[at : at + size])
        stamp(delta, "run", seq, 1.0)
        told += outgoing.take([delta])
    done = MessageFinished(Message("assistant", (TextPart(text),)))
    stamp(done, "run", len(text) + 1, 1.0)
    told += outgoing.take([done])
    assert [event.seq for event in told] == sorted({event.seq for event in told})
    streamed = "".join(event.text for event in told if isinstance(event, TextDelta))
    assert streamed.startswith("The first words, then: ")
    assert streamed.endswith(" and some more words at the end.\n")
    assert MARK in streamed
    assert left_of(secret, streamed) == []
    assert told[-1].message.text == redact(text)


def test_a_key_whose_beginning_the_page_has_already_does_not_go_on():
    outgoing = Outgoing([TextDelta("It is ghp_"), TextDelta("a1B2")])
    rest = TextDelta("c3D4" * 8 + " and more. ")
    assert [event.text for event in outgoing.take([rest])] == [f"{MARK} and more. "]


def test_text_without_keys_reaches_the_page_as_it_comes():
    outgoing, told = Outgoing(), []
    words = [
        "One",
        "says",
        "a",
        "word,",
        "and",
        "another,",
        "sk-learn",
        "and",
        "tokens",
        "among",
        "them.",
        "",
    ]
    for seq, word in enumerate(words, 1):
        for kind in (TextDelta, ThinkingDelta):
            delta = kind(f"{word} ")
            stamp(delta, "run", seq, 1.0)
            sent = outgoing.take([delta])
            assert [event.text for event in sent] == [f"{word} "]
            told += sent
    assert len(told) == 2 * len(words)


@pytest.mark.parametrize(("secret", "around"), KEYS.values(), ids=KEYS)
def test_a_key_is_in_no_error(secret, around):
    text = around.format(secret)
    errors = [
        UserError(f"Wrong: {text}"),
        ToolError(text),
        ModelError(text, provider="v", request_id=text),
    ]
    for error in errors:
        shown = f"{error} {error!r} {error._render_traceback_()} {vars(error)}"
        assert MARK in shown
        assert left_of(secret, shown) == []


def in_numbers(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


FORMS = {
    "plain": lambda text: text,
    "twice": lambda text: f"{text}\nand again {text}",
    "an attribute": lambda text: f'<a title="{in_numbers(text)}">x</a>',
    "an attribute in entities": lambda text: (
        f"<i data-x='{''.join(f'&#x{ord(letter):x};' for letter in text)}'>x</i>"
    ),
    "an attribute of a query, twice": lambda text: (
        f'<a href="https://h.io/?q={in_numbers(text)}&r={in_numbers(text)}">x</a>'
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_notebook_with_keys_is_refused_without_a_piece_of_them_and_redacted_whole(tmp_path, form):
    cells = []
    for text in TEXTS.values():
        written = FORMS[form](text)
        html = v4.new_output("display_data", {"text/html": f"<p>{written}</p>"})
        cells.append(v4.new_code_cell(written, outputs=[html]))
    path = tmp_path / "n.ipynb"
    nbformat.write(v4.new_notebook(cells=cells), path)
    with pytest.raises(UserError) as refused:
        share(path)
    told = str(refused.value)
    shared = share(path, redact=True)
    given = [shared.page.read_text(), shared.notebook.read_text(), str(shared)]
    for number, (name, (secret, _)) in enumerate(KEYS.items(), 1):
        assert re.search(rf"cell {number} \(.*\), source: ", told), name
        assert re.search(rf"cell {number} \(.*\), output 1: ", told), name
        coded = in_numbers(secret.splitlines()[-1][-20:])
        for text in (told, *given):
            assert left_of(secret, text) == [], name
            assert coded not in text, name


@pytest.mark.parametrize(("secret", "around"), KEYS.values(), ids=KEYS)
def test_the_quick_look_misses_no_key(secret, around):
    text = f"first\n{around.format(secret)}\tlast"
    for written in (
        text,
        json.dumps(text),
        json.dumps(json.dumps(text)),
        FORMS["an attribute"](text),
    ):
        assert may_hold_secret(written)
        assert left_of(secret, redact(written)) == []


LEFT = {**HARMLESS, **ORDINARY, **{f"innocent {name}": text for name, text in INNOCENT.items()}}


@pytest.mark.parametrize("text", LEFT.values(), ids=LEFT)
async def test_ordinary_text_stays_in_the_log_and_on_the_page(tmp_path, text):
    store = FileStore(tmp_path)
    run = await leaking_run(text, session=Session("s", store=store))
    again = await Session("s", store=store).load()
    assert again.messages("a") == run.messages
    assert MARK not in json.dumps(document_of(run.events))
    assert redact(text) == text


def test_what_a_name_gives_away_is_a_key_in_the_whole_record(tmp_path):
    value = mixed(20)
    assert redact(f"It prints {value}. api_key = '{value}'") == (
        f"It prints {MARK}. api_key = '{MARK}'"
    )


ECHOED = mixed(24)


@pytest.mark.parametrize(
    ("wire", "model"), [(OpenAIWire, OpenAIModel), (AnthropicWire, AnthropicModel)]
)
@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=401, message=f"No such key: {ECHOED}"),
        Reply(status=400, message="Bad", headers={"x-request-id": ECHOED, "request-id": ECHOED}),
        Reply(end="error", message=f"Revoked while you spoke: {ECHOED}"),
        Reply(
            raw=(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
                f"data: {{{ECHOED}\n\n".encode(),
            )
        ),
    ],
    ids=["a refusal", "a request ID", "an error in the stream", "no JSON"],
)
@pytest.mark.parametrize("given", ["a key", "a password", "a parameter"])
async def test_a_key_that_a_server_echoes_is_in_no_error_event_or_output(
    tmp_path, wire, model, reply, given
):
    async with wire([reply]) as server:
        url, key = server.url, "none-needed"
        if given == "a key":
            key = ECHOED
        elif given == "a password":
            url = url.replace("://", f"://user:{ECHOED}@")
        else:
            url = f"{url}?key={ECHOED}"
        agent = Agent(
            "a", model=model("m", base_url=url, api_key=key), retries=RetryPolicy(attempts=1)
        )
        store = FileStore(tmp_path)
        stream = agent.stream("go", session=Session("s", store=store))
        with pytest.raises(ModelError) as failed:
            async with stream:
                _ = [event async for event in stream]
    shown = [str(failed.value), repr(stream.run.events), (tmp_path / "s" / "log.jsonl").read_text()]
    shown += bundle(RunView(stream.run.events), 0.0).values()
    assert ECHOED not in "".join(shown)
    assert (failed.value.__cause__, failed.value.__context__) == (None, None)


def test_a_megabyte_made_to_be_slow_takes_no_longer_than_any(tmp_path):
    import time

    pieces = [
        "sk-", "eyJ-", "eyJa.", "-----BEGIN PRIVATE KEY-----\n", "token:", "token=a1", "api_key='",
        "a:b@", "://a:", "://u:p/", "AKIAQ3EGWLXN7VZR5KTD ", "xoxb-1", "1234567890:", "Bearer ", "key-",
        "<a href='%41", "&#x41;", "sk_a1", "a" * 40 + " AKIAQ3EGWLXN7VZR5KTD", ".abcdef.", "-u a:",
    ]  # fmt: skip
    for piece in pieces:
        text = piece * (1_000_000 // len(piece))
        before = time.process_time()
        Cleaner().text(text)
        assert time.process_time() - before < 20, piece


def test_no_part_of_the_corpus_is_like_another():
    secrets = [secret for secret, _ in KEYS.values()]
    assert all(one not in other for one, other in itertools.permutations(secrets, 2))
