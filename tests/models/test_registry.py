"""From a model's name to the model, and the choice when none is named."""

from __future__ import annotations

import pytest

from nbagents import Agent, ScriptedModel, UserError, default_model, resolve_model

KEYS = ["NBAGENTS_MODEL", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AWS_BEARER_TOKEN_BEDROCK"]


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)


def test_without_any_key_it_is_the_local_model():
    assert default_model() == ("local:qwen2.5-coder-0.5b", "no vendor's key is set")


@pytest.mark.parametrize(
    ("present", "vendor", "reason"),
    [
        (KEYS[3:], "bedrock", "AWS_BEARER_TOKEN_BEDROCK is set"),
        (KEYS[2:], "anthropic", "ANTHROPIC_API_KEY is set"),
        (KEYS[1:], "openai", "OPENAI_API_KEY is set"),
    ],
)
def test_the_first_vendor_whose_key_is_set_is_the_default(monkeypatch, present, vendor, reason):
    for name in present:
        monkeypatch.setenv(name, "a-key")
    chosen = default_model()
    assert (chosen.name.partition(":")[0], chosen.reason) == (vendor, reason)


def test_a_model_that_is_named_in_the_environment_comes_before_every_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "a-key")
    monkeypatch.setenv("NBAGENTS_MODEL", "anthropic:claude-x")
    assert default_model() == ("anthropic:claude-x", "NBAGENTS_MODEL is set")


def test_a_key_that_is_empty_is_not_set(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "")
    monkeypatch.setenv("NBAGENTS_MODEL", "")
    assert default_model().name.startswith("local:")


def test_no_reason_holds_a_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-4f9aBc7d2e1f")
    assert "sk-4f9" not in " ".join(default_model())


def test_the_same_name_is_the_same_object(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "a-key")
    monkeypatch.setenv("NBAGENTS_MODEL", "openai:gpt-x")
    model = resolve_model("openai:gpt-x")
    assert model.name == "openai:gpt-x"
    assert resolve_model("openai:gpt-x") is model
    assert resolve_model(None) is model
    assert Agent("a").model_name == "openai:gpt-x"


def test_a_vendor_alone_means_its_default(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "a-key")
    assert resolve_model("openai").name == "openai:gpt-5.4-mini"


def test_a_model_of_your_own_is_taken_as_it_is():
    model = ScriptedModel("hi")
    assert resolve_model(model) is model


def test_an_unknown_vendor_is_named_with_the_closest_one():
    with pytest.raises(
        UserError, match=r"no model provider 'opnai'. Did you mean 'openai'\? Known"
    ):
        resolve_model("opnai:gpt-5")


def test_a_model_without_its_vendor_is_told_how_to_name_one():
    with pytest.raises(UserError, match=r"named 'provider:model', such as 'openai:gpt-5'. Got 'gp"):
        resolve_model("gpt-5")


def test_a_corrected_key_makes_another_model(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    wrong = resolve_model("openai:gpt")
    assert resolve_model("openai:gpt") is wrong
    monkeypatch.setenv("OPENAI_API_KEY", "right")
    assert resolve_model("openai:gpt") is not wrong
