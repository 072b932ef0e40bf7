"""What is special of OpenAI's module: who is sent the key of the environment."""

from __future__ import annotations

import pytest

from nbagents import Agent, ModelError, RetryPolicy
from nbagents.providers.openai import OpenAIModel
from tests.wire.openai import OpenAIWire
from tests.wire.server import Reply, reply

KEY = "sk-of-the-environment"


async def test_a_server_without_tls_is_not_sent_the_key_of_the_environment(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    async with OpenAIWire([reply("Hi")]) as server:
        await Agent("a", model=OpenAIModel("m", base_url=server.url)).run("go")
    assert KEY not in str(server.requests[0].headers)


async def test_a_server_that_the_environment_names_is_sent_its_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    async with OpenAIWire([reply("Hi")]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        await Agent("a", model=OpenAIModel("m")).run("go")
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "data", [b"5", b'{"choices": [{"delta": {"content": 5}}]}', b'{"choices": [7]}']
)
async def test_an_event_of_an_unknown_form_is_the_servers_fault(data: bytes):
    async with OpenAIWire([Reply(raw=(b"data: " + data + b"\n\n",))]) as server:
        model = OpenAIModel("m", base_url=server.url, api_key="k")
        with pytest.raises(ModelError, match="unknown form"):
            await Agent("a", model=model).run("go")


async def test_neither_a_password_in_the_url_nor_a_key_in_the_requests_id_is_told():
    model = OpenAIModel("m", base_url="http://user:pa55word99@127.0.0.1:9/v1", api_key="k")
    with pytest.raises(ModelError, match=r"127\.0\.0\.1:9") as caught:
        await Agent("a", model=model, retries=RetryPolicy(attempts=1)).run("go")
    assert "pa55word99" not in str(caught.value)
    error = ModelError("no", provider="p", request_id="sk-abcdef123456")
    assert "sk-abcdef123456" not in f"{error} {error.request_id}"
