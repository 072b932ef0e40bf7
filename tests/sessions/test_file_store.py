"""Sessions as files: whose they are, what a crash leaves behind, and what a bad disk says."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from nbagents.errors import SessionConflict, SessionError, UserError
from nbagents.sessions.file import FileStore
from tests.offline import child_environment

ROOT = Path(__file__).parents[2]


def line(number: int) -> bytes:
    return b'{"n":%d}\n' % number


def start(code: str, *args: object) -> subprocess.Popen:
    head = "import asyncio, json, os, sys\nfrom nbagents.sessions.file import FileStore\n"
    head += "from nbagents.errors import SessionConflict, SessionError\n"
    return subprocess.Popen(
        [sys.executable, "-c", head + textwrap.dedent(code), *map(str, args)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=child_environment(),
    )


def output_of(code: str, *args: object) -> str:
    process = start(code, *args)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "sessions"


@pytest.fixture
def store(folder):
    return FileStore(folder)


@pytest.fixture
async def log(store, folder):
    """The log of a session with three records."""
    for number in range(3):
        await store.append("work", number, line(number))
    return folder / "work" / "log.jsonl"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_session_is_one_file_that_only_its_owner_reads(store, folder, log):
    before = os.umask(0)
    try:
        await store.append("open", 0, line(0))
    finally:
        os.umask(before)
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert files == [".gitignore", "open/log.jsonl", "work/log.jsonl"]
    assert log.read_bytes() == line(0) + line(1) + line(2)
    assert {mode(path) for path in folder.glob("*/*")} == {0o600}
    assert [mode(path) for path in (folder, folder / "work", folder / "open")] == [0o700] * 3


def test_git_does_not_see_a_new_folder(store, log, tmp_path):
    for command in (["init", "-q"], ["status", "--porcelain", "--untracked-files=all"]):
        done = subprocess.run(
            ["git", *command], cwd=tmp_path, capture_output=True, text=True, check=True
        )
    assert done.stdout == ""


async def test_a_folder_that_was_in_use_is_not_hidden_from_git(folder):
    folder.mkdir()
    (folder / "notebook.ipynb").write_text("{}")
    await FileStore(folder).append("work", 0, line(0))
    assert not (folder / ".gitignore").exists()


async def test_reading_and_conflicts_make_no_files(store, folder):
    assert await store.read("work") == []
    assert await store.list() == []
    await store.delete("work")
    with pytest.raises(SessionConflict):
        await store.append("work", 1, line(1))
    assert not folder.exists()


async def test_a_conflict_names_the_session_its_log_and_a_way_out(store, log):
    with pytest.raises(SessionConflict) as failed:
        await store.append("work", 2, line(9))
    assert str(failed.value) == (
        f"Somebody else wrote to session 'work' ({log}) meanwhile; nothing is overwritten. "
        "Run again to go on from there, or branch off: %session fork NEW"
    )


@pytest.mark.parametrize("torn", [b"{", b'{"half":', b'{"whole":1}', b"x" * 3_000_000])
@pytest.mark.parametrize("known", [True, False])
async def test_a_torn_record_is_read_without_a_newline_and_replaced(store, log, torn, known):
    with log.open("ab") as file:
        file.write(torn)
    store = store if known else FileStore(log.parents[1])
    assert await store.read("work") == [line(0), line(1), line(2), torn]
    with pytest.raises(SessionConflict):
        await store.append("work", 4, line(4))
    assert log.read_bytes().endswith(torn)
    assert await store.append("work", 3, line(3)) == 4
    assert log.read_bytes() == b"".join(line(number) for number in range(4))


async def test_a_log_that_was_cut_short_goes_on_where_it_ends(store, log):
    os.truncate(log, len(line(0)) + 3)
    with pytest.raises(SessionConflict):
        await store.append("work", 3, line(3))
    assert await store.read("work") == [line(0), line(1)[:3]]
    assert await store.append("work", 1, line(7)) == 2
    assert await store.read("work") == [line(0), line(7)]


async def test_a_log_that_was_replaced_is_counted_again(store, log):
    other = log.with_name("other")
    other.write_bytes(b'{"n":0000000}\n{"n":0000000}\n'[: log.stat().st_size - 1] + b"\n")
    assert other.stat().st_size == log.stat().st_size
    other.replace(log)
    with pytest.raises(SessionConflict):
        await store.append("work", 3, line(3))


async def test_what_is_not_ours_survives_deleting(store, log):
    note = log.with_name("note.txt")
    note.write_text("mine")
    await store.delete("work")
    assert [path.name for path in log.parent.iterdir()] == ["note.txt"]
    assert await store.list() == []


async def test_folders_that_are_no_sessions_are_not_listed(store, folder, log, tmp_path):
    for name in ("Other", "%zz", "empty", ".git"):
        (folder / name).mkdir()
    (folder / "Other" / "log.jsonl").write_bytes(line(0))
    (folder / ".git" / "log.jsonl").write_bytes(line(0))
    (folder / "file").write_text("x")
    (folder / "linked").symlink_to(log.parent)
    assert await store.list() == ["work"]


@pytest.mark.parametrize("what", ["folder", "log", "log that is missing"])
async def test_a_link_is_not_followed(store, folder, tmp_path, what):
    outside = tmp_path / "outside"
    outside.mkdir()
    if what != "log that is missing":
        (outside / "log.jsonl").write_bytes(line(0))
    await store.append("other", 0, line(0))
    if what == "folder":
        (folder / "work").symlink_to(outside)
    else:
        (folder / "work").mkdir()
        (folder / "work" / "log.jsonl").symlink_to(outside / "log.jsonl")
    before = [(path.name, path.read_bytes()) for path in outside.iterdir()]
    for call in (
        store.append("work", 0, line(0)),
        store.append("work", 1, line(1)),
        store.read("work"),
        store.delete("work"),
    ):
        with pytest.raises(SessionError, match="Links are not followed"):
            await call
    assert [(path.name, path.read_bytes()) for path in outside.iterdir()] == before


@pytest.mark.parametrize("session_id", ["", ".", "..", "../../etc", "a/b", "a\0b"])
async def test_no_id_leads_out_of_the_folder(store, session_id):
    for call in (
        lambda: store.append(session_id, 0, line(0)),
        lambda: store.read(session_id),
        lambda: store.delete(session_id),
    ):
        with pytest.raises(UserError, match="cannot be the id of a session"):
            await call()


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("sessions", "Something else stands where a folder should be"),
        ("sessions/work", "Something else stands where a folder should be"),
        ("sessions/work/log.jsonl", "Something else stands where the log should be"),
    ],
)
async def test_what_stands_in_the_way_is_named(store, tmp_path, place, told):
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name == "log.jsonl":
        path.mkdir()
    else:
        path.write_text("x")
    for call in (store.append("work", 0, line(0)), store.read("work")):
        with pytest.raises(SessionError) as failed:
            await call
        assert told in str(failed.value)
        assert str(tmp_path / "sessions") in str(failed.value)
        assert "%nbagents config sessions=file:DIR" in str(failed.value)


async def test_a_pipe_in_place_of_the_log_holds_nothing_up(store, folder, log):
    log.unlink()
    os.mkfifo(log)
    for call in (store.append("work", 0, line(0)), store.read("work")):
        with pytest.raises(SessionError, match="Something else stands where the log should be"):
            await asyncio.wait_for(call, 10)


def test_a_folder_that_may_not_be_written_is_named():
    # The rights of a folder do not bind root, so another user tries; where root's home is closed,
    # that one could import nothing any more.
    code = """
    folder = sys.argv[1]
    async def main():
        store = FileStore(folder + "/sessions")
        for seq in range(2):
            await store.append("work", seq, b"{}\\n")
        os.chmod(folder + "/sessions/work/log.jsonl", 0o444)
        os.chmod(folder + "/sessions", 0o555)
        for name in ("work", "new"):
            try:
                await store.append(name, 2 if name == "work" else 0, b"{}\\n")
            except SessionError as error:
                print(error)
        print(len(await FileStore(folder + "/sessions").read("work")))
    if os.getuid() == 0:
        os.chown(folder, 65534, 65534)
        os.setgid(65534)
        os.setuid(65534)
    asyncio.run(main())
    """
    # pytest's own folder is closed to other users.
    with tempfile.TemporaryDirectory() as folder:
        log, new, count = output_of(code, folder).splitlines()
        assert log.startswith(f"Permission denied: {folder}/sessions/work/log.jsonl. Give yourself")
        assert new.startswith(f"Permission denied: {folder}/sessions/new. Give yourself")
        assert count == "2"


@pytest.mark.parametrize("size", [50_000, 5_000_000])
def test_a_disk_that_is_full_keeps_all_that_was_there(folder, size):
    code = """
    import resource
    size = int(sys.argv[2])
    record = b'{"x":"' + b"x" * (size - 9) + b'"}\\n'
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(2.5 * size), resource.RLIM_INFINITY))
    async def main():
        store = FileStore(sys.argv[1])
        assert [await store.append("full", seq, record) for seq in range(2)] == [1, 2]
        for name, seq in (("full", 2), ("full", 2), ("new", 0)):
            try:
                await store.append(name, seq, record * (1 if seq else 3))
            except SessionError as error:
                print(error)
        assert await store.read("full") == [record] * 2
        assert await store.list() == ["full"]
        assert await store.append("full", 2, b"{}\\n") == 3
    asyncio.run(main())
    """
    told = output_of(code, folder, size).splitlines()
    assert [text.partition(": ")[2].partition(". ")[0] for text in told] == [
        f"{folder}/full/log.jsonl",
        f"{folder}/full/log.jsonl",
        f"{folder}/new/log.jsonl",
    ]
    assert all("Nothing of the record was kept. Make room" in text for text in told)
    assert (folder / "full" / "log.jsonl").stat().st_size == 2 * size + 3


RACE = """
folder, name = sys.argv[1:]
async def main():
    store = FileStore(folder)
    print("ready", flush=True)
    sys.stdin.readline()
    seq, won = 0, []
    while len(won) < 40:
        try:
            seq = await store.append("work", seq, json.dumps([name, len(won)]).encode() + b"\\n")
            won.append(seq)
        except SessionConflict:
            seq = len(await store.read("work"))
    print(json.dumps(won))
asyncio.run(main())
"""


async def test_processes_that_race_overwrite_nothing(store, folder):
    racers = [start(RACE, folder, name) for name in "abc"]
    assert [racer.stdout.readline() for racer in racers] == ["ready\n"] * 3
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    outs = [racer.communicate(timeout=60) for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * 3, outs
    won = [[int(seq) for seq in out.strip()[1:-1].split(",")] for out, _ in outs]
    assert sorted(seq for seqs in won for seq in seqs) == list(range(1, 121))
    records = await store.read("work")
    for name, seqs in zip("abc", won, strict=True):
        assert [records[seq - 1] for seq in seqs] == [
            b'["%s", %d]\n' % (name.encode(), number) for number in range(40)
        ]


ENDLESS = """
async def main():
    store = FileStore(sys.argv[1])
    seq = len([one for one in await store.read("work") if one.endswith(b"\\n")])
    while True:
        record = json.dumps([seq, "x" * 300_000]).encode() + b"\\n"
        seq = await store.append("work", seq, record)
        print(seq, flush=True)
asyncio.run(main())
"""


async def test_what_was_acknowledged_survives_kill_9(store, folder):
    told = 0
    for after in range(2, 8):
        process = start(ENDLESS, folder)
        for _ in range(after):
            told = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate(timeout=60)
        *whole, _ = rest.split("\n")  # The kill may have cut the last line.
        told = int(whole[-1]) if whole else told
        records = [one for one in await store.read("work") if one.endswith(b"\n")]
        assert len(records) - told in {0, 1}
        assert [int(one[1 : one.index(b",")]) for one in records] == list(range(len(records)))
    assert await store.append("work", len(records), line(0)) == len(records) + 1


async def test_deleting_while_others_write_loses_nothing_that_comes_after(store, folder):
    async def write(own: FileStore) -> None:
        for _ in range(20):
            seq = len(await own.read("work"))
            try:
                await own.append("work", seq, line(seq))
            except SessionConflict:
                continue

    stores = [FileStore(folder) for _ in range(4)]
    await asyncio.gather(*map(write, stores), *(store.delete("work") for _ in range(10)))
    records = await store.read("work")
    assert records == [line(number) for number in range(len(records))]
    assert await store.append("work", len(records), line(0)) == len(records) + 1


async def test_it_remembers_the_latest_sessions_only(tmp_path: Path):
    store = FileStore(tmp_path)
    for number in range(300):
        await store.append(f"s{number}", 0, b"one\n")
    held = [value for value in vars(store).values() if isinstance(value, dict)]
    assert held
    assert all(len(value) <= 256 for value in held)
    assert await store.append("s0", 1, b"two\n") == 2
    with pytest.raises(SessionConflict):
        await store.append("s1", 0, b"two\n")
