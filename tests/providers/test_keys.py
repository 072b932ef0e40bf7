"""A key that cannot be sent is found before anything is, and is never shown."""

from __future__ import annotations

import pytest

from nbagents import Agent, UserError
from nbagents.providers.anthropic import AnthropicModel
from nbagents.providers.bedrock import BedrockModel
from nbagents.providers.openai import OpenAIModel
from tests.wire.anthropic import AnthropicWire
from tests.wire.bedrock import BedrockWire
from tests.wire.openai import OpenAIWire

KEY = "Pa$$w0rd" + "!2026#x"
UNFIT = {
    f"{KEY}\n": "ends with a newline",
    f"{KEY}\r\n": "ends with a carriage return",
    f" {KEY}": "begins with a space",
    f"\ufeff{KEY}": r"begins with the character zero width no-break space \(U\+FEFF\)",
    f"{KEY}\u200b": r"ends with the character zero width space \(U\+200B\)",
    f"{KEY}\u200bmore": "contains the character zero width space .* as character 16 of 20",
    f"{KEY}\u2019": r"ends with the character right single quotation mark \(U\+2019\)",
    f"{KEY}\x00": r"ends with the character a control character|U\+0000",
    f"{KEY[:6]}\n{KEY[6:]}": "contains a newline, as character 7 of 16",
    f"{KEY}\u0430b": "contains a letter that is not ASCII",
    "\t\n": "is blank",
    **{
        wrapped: "is not only a key: it has quotes"
        for wrapped in (
            f'"{KEY}"',
            f"'{KEY}'",
            f"`{KEY}`",
            f"<{KEY}>",
            f"{KEY},",
            f"{KEY};",
            f"OPENAI_API_KEY={KEY}",
            "$OPENAI_API_KEY",
        )
    },
}


async def refused(model, source: str, problem: str) -> None:
    with pytest.raises(UserError, match=problem) as error:
        await Agent("a", model=model).run("hi")
    assert f"The API key in {source} " in str(error.value)
    assert not error.value.retryable
    assert "w0rd" not in str(error.value)
    assert "2026" not in str(error.value)


@pytest.mark.parametrize(("key", "problem"), UNFIT.items(), ids=map(ascii, UNFIT))
@pytest.mark.parametrize("wire_model", [(OpenAIWire, OpenAIModel), (AnthropicWire, AnthropicModel)])
async def test_an_unfit_key_that_is_passed_in_is_not_sent(wire_model, key, problem):
    wire, model = wire_model
    async with wire([]) as server:
        await refused(model("m", base_url=server.url, api_key=key), "the argument api_key", problem)
    assert server.requests == []


@pytest.mark.parametrize(
    ("wire", "model", "variable"),
    [
        (OpenAIWire, OpenAIModel, "OPENAI_API_KEY"),
        (AnthropicWire, AnthropicModel, "ANTHROPIC_API_KEY"),
        (AnthropicWire, AnthropicModel, "ANTHROPIC_AUTH_TOKEN"),
        (BedrockWire, BedrockModel, "AWS_BEARER_TOKEN_BEDROCK"),
        (BedrockWire, BedrockModel, "AWS_SESSION_TOKEN"),
    ],
)
async def test_an_unfit_key_of_a_variable_is_not_sent(monkeypatch, wire, model, variable):
    async with wire([]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", server.url)
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        monkeypatch.setenv(variable, f"{KEY}\n")
        await refused(model("m"), variable, "ends with a newline")
    assert server.requests == []
