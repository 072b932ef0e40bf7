"""Addresses that cannot work say so at once: schemes, endings, proxies, certificates."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from nbagents import Agent, ModelError, RetryPolicy, UserError
from nbagents.providers.anthropic import AnthropicModel
from nbagents.providers.bedrock import BedrockModel
from nbagents.providers.openai import OpenAIModel
from tests.contract.vendors import ask
from tests.wire.anthropic import AnthropicWire
from tests.wire.chat import Bare, openai
from tests.wire.openai import OpenAIWire
from tests.wire.server import Reply, reply

QUICK = RetryPolicy(first=0.001)


@pytest.mark.parametrize(
    ("url", "better"),
    [
        ("localhost:8000/v1", "http://localhost:8000/v1"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("gpu-box:8000/v1", "http://gpu-box:8000/v1"),
        ("[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("api.example.com/v1", "https://api.example.com/v1"),
        ("//api.example.com/v1", "https://api.example.com/v1"),
        ("ftp://example.com", "such as 'http://localhost:8000/v1'"),
        ("http:///v1", "such as 'http://localhost:8000/v1'"),
        ("http://localhost:port/v1", "not a valid address"),
        ("http://localhost:8000/v1/chat/completions", "Write 'http://localhost:8000/v1'"),
    ],
)
def test_an_address_that_cannot_work_is_refused_with_a_better_one(url, better, monkeypatch):
    with pytest.raises(UserError, match="base_url") as raised:
        OpenAIModel("m", base_url=url)
    assert better in str(raised.value)
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    with pytest.raises(UserError, match="OPENAI_BASE_URL"):
        OpenAIModel("m")


@pytest.mark.parametrize("ending", ["/v1", "/v1/", "/v1/messages"])
def test_anthropics_address_has_no_version(ending):
    with pytest.raises(UserError, match=r"Write 'http://localhost:4000'\."):
        AnthropicModel("m", base_url=f"http://localhost:4000{ending}")


def test_bedrocks_endpoint_needs_a_scheme():
    with pytest.raises(UserError, match=r"endpoint_url.*no scheme"):
        BedrockModel("m", endpoint_url="vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com")


def test_no_password_of_an_address_is_told():
    with pytest.raises(UserError) as raised:
        OpenAIModel("m", base_url="https://user:pa55word99@example.com/v1/chat/completions")
    assert "pa55word99" not in str(raised.value)


@pytest.mark.parametrize(("path", "hinted"), [("", True), ("/v1", False), ("/api/v3/x", False)])
async def test_an_address_without_its_version_is_suspected(path, hinted):
    class Lost(Bare):
        def complaint(self, request):
            return Reply(status=404, message="Not Found")

    async with Lost([]) as server:
        model = OpenAIModel("m", base_url=server.url + path, api_key="k")
        with pytest.raises(ModelError, match="Not Found") as raised:
            await ask(model)
    assert ("may lack '/v1'" in str(raised.value)) == hinted


# Proxies


@pytest.mark.parametrize("variable", ["ALL_PROXY", "https_proxy", "HTTP_PROXY"])
async def test_a_host_that_needs_no_proxy_is_reached_whatever_the_proxy(variable, monkeypatch):
    monkeypatch.setenv(variable, "socks5://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    async with OpenAIWire([reply("ok")]) as server:
        assert (await ask(openai(server))).text == "ok"
    async with AnthropicWire([reply("ok")]) as server:
        model = AnthropicModel("m", base_url=server.url, api_key="k")
        assert (await ask(model)).text == "ok"


@pytest.mark.parametrize(
    ("proxy", "words"),
    [("socks5://127.0.0.1:9", "SOCKS proxy.*socksio"), ("sock://127.0.0.1:9", "'sock://'")],
)
async def test_a_proxy_that_cannot_be_used_is_named(proxy, words, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", proxy)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for model in (
        OpenAIModel("m", base_url="http://models.example/v1", api_key="k"),
        AnthropicModel("m", base_url="http://models.example", api_key="k"),
    ):
        with pytest.raises(UserError, match=f"ALL_PROXY names .*{words}.*NO_PROXY"):
            await ask(model)


# Certificates


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """Make a certificate that nobody trusts."""
    folder = tmp_path_factory.mktemp("tls")
    both = folder / "both.pem"
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    both.write_text(key.read_text() + cert.read_text())
    return both


@asynccontextmanager
async def plain_server():
    async def complain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(complain, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def tls_server(certificate: Path):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("make", "variable"),
    [
        (lambda url: OpenAIModel("m", base_url=f"{url}/v1", api_key="k"), "SSL_CERT_FILE"),
        (lambda url: AnthropicModel("m", base_url=url, api_key="k"), "SSL_CERT_FILE"),
        (
            lambda url: BedrockModel("m", region="us-east-1", endpoint_url=url),
            "AWS_CA_BUNDLE",
        ),
    ],
)
async def test_a_certificate_that_is_not_trusted_is_told_at_once(
    make, variable, certificate, monkeypatch
):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test-secret")
    async with tls_server(certificate) as port:
        agent = Agent("a", model=make(f"https://127.0.0.1:{port}"), retries=QUICK)
        with pytest.raises(
            ModelError, match=f"certificate of .*is not trusted.*{variable}"
        ) as raised:
            await agent.run("go")
    assert not raised.value.retryable


@pytest.mark.parametrize("bedrock", [False, True])
async def test_a_server_without_tls_is_told_at_once(bedrock, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test-secret")
    async with plain_server() as port:
        url = f"https://127.0.0.1:{port}"
        model = (
            BedrockModel("m", region="us-east-1", endpoint_url=url)
            if bedrock
            else OpenAIModel("m", base_url=url, api_key="k")
        )
        with pytest.raises(ModelError, match=r"does not speak TLS\. Write 'http://'") as raised:
            await ask(model)
    assert not raised.value.retryable
