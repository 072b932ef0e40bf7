"""A real S3 API: moto's server in a process of its own, behind a proxy that makes trouble."""

from __future__ import annotations

import atexit
import functools
import http.client
import itertools
import json
import subprocess
import sys
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
from botocore.config import Config

from tests.offline import child_environment

__all__ = ["KEY", "SECRET", "TOKEN", "Proxy", "client_for", "new_bucket", "proxy"]

# Shaped so that nothing but knowing them can keep them out of an error's text.
KEY, SECRET, TOKEN = "test-access-id", "test/secret+word", "test.session.token"

_SERVER = """
import json, sys
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
for line in sys.stdin:
    bucket, objects = json.loads(line)
    for key, text in objects.items():
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(bucket, key, text.encode())
    print("done", flush=True)
"""
_BUCKETS = itertools.count(1)


class Asked(NamedTuple):
    """A request that came by."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]


class Trouble(NamedTuple):
    """What happens to the next request of a method: an answer, or one of the words below.

    `reset` breaks the connection at once, `lost` after the server did its work, `silent` lets the
    client wait, `cut` sends half of the answer.
    """

    method: str
    what: str
    status: int = 0
    key: str = ""


class Proxy(ThreadingHTTPServer):
    """Passes requests on to moto, counts them, and does to them what `troubles` say."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, moto: subprocess.Popen):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.moto = moto
        self.port = int(moto.stdout.readline())
        self.direct_url = f"http://127.0.0.1:{self.port}"
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[Asked] = []
        self.troubles: deque[Trouble] = deque()
        # moto looks whether a key is used and then writes; S3 does both at once.
        self.conditional = threading.Lock()
        self.lock = threading.Lock()
        self.silence = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """A client that went away is not our trouble."""

    def methods(self) -> list[str]:
        """The methods asked for since the last call."""
        with self.lock:
            methods = [asked.method for asked in self.asked]
            self.asked.clear()
        return methods

    def fill(self, bucket: str, objects: dict[str, str]) -> None:
        """Put many objects, past the network."""
        self.moto.stdin.write(json.dumps([bucket, objects]) + "\n")
        self.moto.stdin.flush()
        assert self.moto.stdout.readline() == "done\n"

    def trouble_for(self, asked: Asked) -> Trouble | None:
        with self.lock:
            self.asked.append(asked)
            for trouble in self.troubles:
                if trouble.method == asked.method and trouble.key in asked.path:
                    self.troubles.remove(trouble)
                    return trouble
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, format, *args):
        pass

    def handle_expect_100(self):
        go_on = super().handle_expect_100()
        self.wfile.flush()
        return go_on

    def handle_any(self):
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:  # Whoever asked was killed meanwhile; moto would wait for the rest.
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, unquote(url.path), parse_qs(url.query), headers)
        trouble = self.server.trouble_for(asked)
        if trouble is None or trouble.what in {"lost", "cut"}:
            answer = self.pass_on(body)
        if trouble is None:
            self.send(*answer)
        elif trouble.what in {"reset", "lost"}:
            self.close_connection = True
        elif trouble.what == "silent":
            self.server.silence.wait(20)
            self.close_connection = True
        elif trouble.what == "cut":
            status, given, content = answer
            self.send(status, given, content, sent=len(content) // 2)
            self.close_connection = True
        else:
            text = f"<Error><Code>{trouble.what}</Code><Message>{self.told()}</Message></Error>"
            self.send(trouble.status, [("Content-Type", "application/xml")], text.encode())

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815 - the standard library's names

    def told(self) -> str:
        """A message as a careless server writes it: with all that it was sent."""
        return " ".join(["No.", TOKEN, SECRET, KEY, "\n", *self.headers.values()])

    def pass_on(self, body: bytes):
        if self.headers.get("If-None-Match"):
            with self.server.conditional:
                return self.forward(body)
        return self.forward(body)

    def forward(self, body: bytes):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port)
        try:
            headers = {n: v for n, v in self.headers.items() if n.lower() != "expect"}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def send(self, status: int, headers, content: bytes, sent: int | None = None):
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in {"content-length", "connection", "transfer-encoding"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:sent])
        self.wfile.flush()


@functools.cache
def proxy() -> Proxy:
    """The proxy in front of moto, which is started once."""
    command = [sys.executable, "-c", _SERVER]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=child_environment(),
    )
    atexit.register(process.communicate)  # Its end of file ends the server.
    return Proxy(process)


@functools.cache
def client_for(url: str, attempts: int = 3):
    """A client of boto3 that is quick to give up."""
    config = Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=1,
        read_timeout=1,
        max_pool_connections=16,
    )
    return boto3.Session().client(
        "s3",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        aws_session_token=TOKEN,
        config=config,
    )


def new_bucket() -> str:
    """A bucket that nobody used."""
    bucket = f"bucket-{next(_BUCKETS)}"
    client_for(proxy().url).create_bucket(Bucket=bucket)
    return bucket
