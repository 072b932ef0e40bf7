"""Errors say who must act, and never a key."""

from __future__ import annotations

import pytest

from nbagents import (
    Agent,
    Cancelled,
    ContextOverflow,
    LimitReached,
    ModelError,
    NbAgentsError,
    OutputError,
    ScriptedModel,
    ToolError,
    ToolRetry,
    UserError,
)
from nbagents.errors import unknown_name
from nbagents.redaction import redact, remember


@pytest.mark.parametrize(
    "key",
    [
        "sk-proj-4f9aBc7d2e1f",
        "sk_live_4f9aBc7d2e1f",
        "sk-ant-api03-4f9aBc7d2e1f",
        "sk-abcd********wxyz",
        "gsk_4f9aBc7d2e1f",
        "hf_4f9aBc7d2e1f",
        "ghp_4f9aBc7d2e1f",
        "glpat-4f9aBc7d2e1f",
        "xoxb-123456789-abcdef",
        "AKIA" + "Q3EGWLXN7VZR5KTD",
        "ASIA" + "Q3EGWLXN7VZR5KTD",
    ],
)
def test_a_string_in_the_shape_of_a_known_key_is_redacted(key):
    assert redact(f"bad key '{key}', try again") == "bad key '[redacted]', try again"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_what_follows_bearer_is_redacted(scheme):
    assert redact(f"Authorization: {scheme} abc.DEF-123/4+5==") == (
        f"Authorization: {scheme} [redacted]"
    )


@pytest.mark.parametrize(
    "words",
    [
        "from huggingface_hub import hf_hub_download",
        "column pk_customer_id does not exist",
        "a desk-bound writer, risk_free",
        "the bearer of bad news",
        "AKIA is a prefix",
    ],
)
def test_ordinary_words_that_look_a_little_like_a_key_are_left_alone(words):
    assert redact(words) == words


@pytest.mark.parametrize(
    "name",
    ["SOME_API_KEY", "some_token", "MY_SECRET", "DB_PASSWORD", "AWS_BEARER_TOKEN_BEDROCK"],
)
def test_the_value_of_a_variable_named_like_a_key_is_redacted(monkeypatch, name):
    monkeypatch.setenv(name, "correct horse battery")
    assert redact("I used correct horse battery.") == "I used [redacted]."


def test_a_short_value_is_no_key(monkeypatch):
    monkeypatch.setenv("API_KEY", "none")
    assert redact("there is none") == "there is none"


def test_a_key_that_holds_another_key_is_redacted_whole(monkeypatch):
    monkeypatch.setenv("A_KEY", "longenough")
    monkeypatch.setenv("B_KEY", "longenough-and-longer")
    assert redact("<longenough-and-longer>") == "<[redacted]>"


def test_a_secret_that_code_was_given_is_redacted_and_a_word_that_stands_for_one_is_not():
    remember("open-sesame", "not-needed", "short", None)
    assert redact("url?code=open-sesame") == "url?code=[redacted]"
    assert redact("not-needed, and short") == "not-needed, and short"


def test_a_model_error_says_vendor_status_and_request_and_no_key():
    error = ModelError(
        "Incorrect API key provided: sk-abcdef123456",
        provider="openai",
        status=401,
        request_id="req_7",
    )
    assert str(error) == (
        "openai (HTTP 401): Incorrect API key provided: [redacted] [request req_7]"
    )
    assert str(ModelError("silence", provider="local")) == "local: silence"


async def test_no_key_stands_in_the_event_of_a_failed_run(monkeypatch):
    monkeypatch.setenv("MY_VENDOR_KEY", "not-for-your-eyes")
    agent = Agent("a", model=ScriptedModel(ValueError("rejected: not-for-your-eyes")))
    async with agent.stream("hi") as stream:
        with pytest.raises(ValueError, match="rejected"):
            _ = [event async for event in stream]
    assert stream.run.reason == "rejected: [redacted]"


def test_an_unknown_name_comes_with_the_closest_one_whatever_its_case():
    error = unknown_name("agent", "wirter", ["critic", "Writer"])
    assert isinstance(error, UserError)
    assert str(error) == "There is no agent 'wirter'. Did you mean 'Writer'? Known: Writer, critic."


def test_an_unknown_name_like_no_other_comes_with_a_short_list():
    names = [f"name{number:02}" for number in range(30)]
    message = str(unknown_name("tool", "zzz", names))
    assert message.startswith("There is no tool 'zzz'. Known: name00, name01,")
    assert message.endswith("name11, ....")
    assert str(unknown_name("tool", "zzz", [])) == "There is no tool 'zzz'."


def test_every_error_is_ours_and_stands_where_the_tree_says():
    bases = {
        UserError: NbAgentsError,
        ModelError: NbAgentsError,
        ContextOverflow: ModelError,
        ToolError: NbAgentsError,
        ToolRetry: ToolError,
        OutputError: NbAgentsError,
        LimitReached: NbAgentsError,
        Cancelled: NbAgentsError,
    }
    assert {error: error.__bases__ for error in bases} == {
        error: (base,) for error, base in bases.items()
    }


def test_a_limit_says_which_one_and_how_to_raise_it():
    error = LimitReached("turns", 25)
    assert (error.limit, error.value) == ("turns", 25)
    assert str(error) == (
        "The run reached its limit of turns=25. Raise it with limits=Limits(turns=...)."
    )
