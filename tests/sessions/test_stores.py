"""Every store keeps the same contract: ours, and the one that the docs show."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from nbagents.errors import UserError
from nbagents.sessions.address import store_from
from nbagents.sessions.file import FileStore
from nbagents.sessions.memory import MemoryStore
from nbagents.sessions.s3 import S3Store
from nbagents.testing import SessionStoreContract
from tests.sessions.s3_server import client_for, new_bucket, proxy

PAGE = Path(__file__).parents[2] / "docs" / "session-stores.md"


class TestMemoryStore(SessionStoreContract):
    @pytest.fixture(autouse=True)
    def place(self):
        self.store = MemoryStore()

    async def make_store(self):
        return self.store


class TestFileStore(SessionStoreContract):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path):
        self.path = tmp_path / "sessions"

    async def make_store(self):
        return FileStore(self.path)


class TestS3Store(SessionStoreContract):
    @pytest.fixture(autouse=True)
    def place(self):
        self.bucket = new_bucket()

    async def make_store(self):
        return S3Store(self.bucket, "some/where", client=client_for(proxy().url))


def code_of_the_page() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def run_the_page() -> dict[str, object]:
    names: dict[str, object] = {"__name__": __name__}
    for code in code_of_the_page():
        exec(compile(code, PAGE, "exec"), names)
    return names


TestSQLiteStoreOfTheDocs = run_the_page()["TestSQLiteStore"]


class _StoreThatBlocks(MemoryStore):
    async def append(self, session_id, expected_seq, record):
        time.sleep(0.05)  # noqa: ASYNC251 - that is what is wrong with it
        return await super().append(session_id, expected_seq, record)


class _StoreThatOverwrites(MemoryStore):
    async def append(self, session_id, expected_seq, record):
        kept = self._sessions.setdefault(session_id, [])
        kept[expected_seq:] = [record]
        return len(kept)


@pytest.mark.parametrize(
    ("bad", "test"),
    [
        (_StoreThatBlocks, "test_the_loop_goes_on_while_the_store_works"),
        (_StoreThatOverwrites, "test_whoever_comes_too_late_is_told_and_changes_nothing"),
        (_StoreThatOverwrites, "test_of_many_that_race_for_a_number_exactly_one_wins"),
    ],
)
async def test_the_contract_finds_a_store_that_breaks_it(bad, test):
    class Contract(SessionStoreContract):
        store = bad()

        async def make_store(self):
            return self.store

    with pytest.raises(AssertionError):
        await getattr(Contract(), test)()


def test_an_address_is_a_store(tmp_path):
    file, s3, memory = (
        store_from(f"file:{tmp_path}"),
        store_from("s3://bucket/a/prefix/"),
        store_from("memory:"),
    )
    assert (type(file), file.where("Work")) == (
        FileStore,
        str(tmp_path / "%57ork" / "log.jsonl"),
    )
    assert (type(s3), s3.where("work")) == (S3Store, "s3://bucket/a/prefix/work/")
    assert (type(memory), memory.where("work")) == (MemoryStore, "memory:work")
    assert store_from("s3://bucket").where("work") == "s3://bucket/work/"
    assert [store.durable for store in (file, s3, memory)] == ["exact", "turn", "exact"]


def test_a_folder_is_fixed_when_the_store_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    here, at_home = store_from("file:logs"), store_from("file:~/logs")
    monkeypatch.chdir("/")
    assert here.where("a") == str(tmp_path / "logs/a/log.jsonl")
    assert at_home.where("a") == str(tmp_path / "home/logs/a/log.jsonl")


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("flie:/tmp", "Did you mean 'file'?"),
        ("redis://host", "Known: file, memory, s3"),
        ("/some/where", "Write one of: file:DIR, s3://BUCKET/PREFIX, memory:"),
        ("", "Write one of"),
        ("file:", "write file:DIR"),
        ("file://host/dir", "write file:DIR"),
        ("s3:bucket", "write s3://BUCKET/PREFIX"),
        ("s3:///prefix", "write s3://BUCKET/PREFIX"),
        ("memory:x", "write memory:"),
    ],
)
def test_an_address_that_is_none_is_told_with_the_right_form(address, told):
    with pytest.raises(UserError) as failed:
        store_from(address)
    assert told in str(failed.value)
