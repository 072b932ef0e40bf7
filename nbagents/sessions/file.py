"""Sessions as files: one log a session, which only grows."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import stat
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from nbagents._portal import off_loop
from nbagents.errors import SessionError
from nbagents.sessions.base import Durable, check_session_id, conflict, safe_name

__all__ = ["FileStore"]

T = TypeVar("T")

_LOG = "log.jsonl"
_BUFFER = 1 << 17
_KNOWN_LOGS = 256
_TRIES = 20
_PATIENCE_SECONDS = 5.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.001, 0.05
# A pipe in the log's place must not hold us up. Windows has neither of the first two, and there
# a file is text unless told otherwise.
_FLAGS = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
)
_ELSEWHERE = "or keep sessions elsewhere: %nbagents config sessions=file:DIR"
_FULL = f"Nothing of the record was kept. Make room, {_ELSEWHERE}"
_RIGHTS = f"Give yourself the right to it, {_ELSEWHERE}"
_IN_THE_WAY = f"Something else stands where a folder should be. Move it away, {_ELSEWHERE}"
_LINK = f"Links are not followed. Put the real thing in its place, {_ELSEWHERE}"
_FIXES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EROFS: _RIGHTS,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.EISDIR: f"Something else stands where the log should be. Move it away, {_ELSEWHERE}",
    errno.ELOOP: _LINK,
    errno.ENOLCK: f"This disk has no locks. Use a local one: {_ELSEWHERE.removeprefix('or ')}",
}


@dataclass(frozen=True, slots=True)
class _Known:
    """A log as this process last saw it."""

    stamp: tuple[int, int, int]
    """Its inode, its length, and when it was changed."""
    seq: int
    last: bytes
    """The hash of its last record: no two are the same."""


class _HeldError(Exception):
    """Another process has the log locked just now."""


class FileStore:
    """Keeps each session in `DIR/<id>/log.jsonl`, for its owner's eyes only.

    The log is written under a lock and flushed to the disk, so that several processes may share
    a folder. A new folder is hidden from git. Links inside of it are not followed.
    """

    def __init__(self, directory: str | os.PathLike[str], durable: Durable = "exact") -> None:
        self.directory = Path(directory).expanduser().absolute()
        self.durable: Durable = durable
        # Saves reading a log again to count its records, and tells when it is another one.
        self._known: dict[str, _Known] = {}

    async def append(self, session_id: str, expected_seq: int, record: bytes) -> int:
        """Add a record after record number `expected_seq`, flushed to the disk.

        A torn record at the end of the log is cut off first. Raises `SessionConflict`, and
        `SessionError` for a disk that is full, a folder that cannot be written and the like.
        """
        path = self._log(session_id)
        return await _patiently(path, lambda: self._append(session_id, path, expected_seq, record))

    async def read(self, session_id: str, after: int = 0) -> list[bytes]:
        """Return the records behind number `after`; the last one may be torn."""
        path = self._log(session_id)
        return (await _patiently(path, lambda: self._read(session_id, path)))[after:]

    async def list(self, prefix: str = "") -> list[str]:
        """Return the ids that begin with a prefix, sorted."""
        return await off_loop(lambda: sorted(self._list(prefix)))

    async def delete(self, session_id: str) -> None:
        """Remove a session: its log, and its folder unless something else lies in it."""
        path = self._log(session_id)
        await _patiently(path, lambda: self._delete(session_id, path))

    def where(self, session_id: str) -> str:
        """Return the path of the log."""
        return str(self._log(session_id))

    def _log(self, session_id: str) -> Path:
        return self.directory / safe_name(check_session_id(session_id)) / _LOG

    def _append(self, session_id: str, path: Path, expected_seq: int, record: bytes) -> int:
        with _errors(path):
            for _ in range(_TRIES):
                with _opened(path, os.O_RDWR | os.O_APPEND) as (log, found):
                    if found is not None:
                        return self._append_to(log, found, session_id, expected_seq, record)
                if expected_seq:
                    raise conflict(session_id, str(path))
                self._create(path)
            raise _busy()

    def _append_to(
        self, log: int, found: os.stat_result, session_id: str, expected_seq: int, record: bytes
    ) -> int:
        known, end = self._known.get(session_id), found.st_size
        if known is None or known.stamp != _stamp(found, end) or known.seq != expected_seq:
            records, end = _records(log)
            seq = len(records) - _is_torn(records)
            if seq != expected_seq or (known and known.seq == seq and not _ends(records, known)):
                raise conflict(session_id, self.where(session_id))
        if end < found.st_size:
            os.ftruncate(log, end)
        _write(log, record, end)
        stamp = _stamp(os.fstat(log), end + len(record))
        self._know(session_id, _Known(stamp, expected_seq + 1, _hash(record)))
        return expected_seq + 1

    def _create(self, path: Path) -> None:
        """Make an empty log, so that it is there after a crash too."""
        try:
            self.directory.mkdir(mode=0o700, parents=True)
            _sync_folder(self.directory.parent)
        except FileExistsError:
            pass
        if not any(self.directory.iterdir()):
            # Not in a folder that was in use, where it would hide the work of others.
            (self.directory / ".gitignore").write_text("*\n")
        path.parent.mkdir(mode=0o700, exist_ok=True)
        # When the session is deleted just now, its folder goes, and the caller tries again.
        with suppress(FileNotFoundError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600))
            _sync_folder(path.parent)
        _sync_folder(self.directory)

    def _read(self, session_id: str, path: Path) -> list[bytes]:
        with _errors(path), _opened(path, os.O_RDONLY) as (log, found):
            if found is None:
                return []
            records, end = _records(log)
        if records and not _is_torn(records):
            known = _Known(_stamp(found, end), len(records), _hash(records[-1]))
            self._know(session_id, known)
        else:
            self._known.pop(session_id, None)
        return records

    def _know(self, session_id: str, known: _Known) -> None:
        self._known.pop(session_id, None)
        self._known[session_id] = known  # The latest is the last one.
        if len(self._known) > _KNOWN_LOGS:
            for oldest in list(self._known)[:-_KNOWN_LOGS]:  # Other threads may do the same.
                self._known.pop(oldest, None)

    def _list(self, prefix: str) -> Iterator[str]:
        with _errors(self.directory), suppress(FileNotFoundError), os.scandir(self.directory) as it:
            for entry in it:
                session_id = unquote(entry.name)
                ours = safe_name(session_id) == entry.name and entry.is_dir(follow_symlinks=False)
                if ours and session_id.startswith(prefix):
                    with suppress(FileNotFoundError, NotADirectoryError):
                        # It is empty if its first record could not be written.
                        if os.lstat(Path(entry.path, _LOG)).st_size:
                            yield session_id

    def _delete(self, session_id: str, path: Path) -> None:
        self._known.pop(session_id, None)
        with _errors(path):
            with _opened(path, os.O_RDWR) as (_, found):
                if found is not None and os.name != "nt":
                    path.unlink()
            if os.name == "nt":  # There an open file cannot be removed.
                path.unlink(missing_ok=True)
            with suppress(OSError):
                path.parent.rmdir()


async def _patiently(path: Path, work: Callable[[], T]) -> T:
    """Do what needs the lock of a log, as soon as it is free; nothing else waits for that.

    Raises `SessionError` when another process holds it for 5 s.
    """
    end, pause = time.monotonic() + _PATIENCE_SECONDS, _FIRST_PAUSE_SECONDS
    while True:
        try:
            return await off_loop(work)
        except _HeldError:
            if time.monotonic() > end:
                raise SessionError(
                    f"Another process has held the lock of {path} for {_PATIENCE_SECONDS:.0f} s: "
                    f"it is stuck, or its disk is. End it, {_ELSEWHERE}"
                ) from None
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _stamp(found: os.stat_result, end: int) -> tuple[int, int, int]:
    return found.st_ino, end, found.st_mtime_ns


def _hash(record: bytes) -> bytes:
    return hashlib.blake2b(record, digest_size=16).digest()


def _ends(records: list[bytes], known: _Known) -> bool:
    """Tell whether the last known record is still where it was."""
    return len(records) >= known.seq and _hash(records[known.seq - 1]) == known.last


@contextmanager
def _opened(path: Path, how: int) -> Generator[tuple[int, os.stat_result | None]]:
    """Open a log and lock it, and tell what was found; that is None where there is no log."""
    for _ in range(_TRIES):
        if path.parent.is_symlink() or (os.name == "nt" and path.is_symlink()):
            raise OSError(errno.ELOOP, "A link stands in the way")
        try:
            log = os.open(path, how | _FLAGS)
        except FileNotFoundError:
            yield -1, None
            return
        try:
            if not stat.S_ISREG(os.fstat(log).st_mode):
                raise OSError(errno.EISDIR, "Not a file")
            _lock(log, shared=how == os.O_RDONLY)
            try:
                found = os.fstat(log)
                if found.st_nlink:
                    yield log, found
                    return
                # It was deleted while this waited for the lock.
            finally:
                # A process that was forked meanwhile would hold the lock on.
                _unlock(log)
        finally:
            os.close(log)
    raise _busy()


if sys.platform == "win32":
    import portalocker

    def _lock(log: int, *, shared: bool) -> None:
        del shared  # There is no such lock without pywin32.
        try:
            portalocker.lock(
                log, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING
            )
        except portalocker.AlreadyLocked as error:
            raise _HeldError from error
        except portalocker.LockException as error:
            raise OSError(errno.ENOLCK, str(error)) from error

    def _unlock(log: int) -> None:
        portalocker.unlock(log)

else:
    import fcntl

    def _lock(log: int, *, shared: bool) -> None:
        try:
            fcntl.flock(log, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _HeldError from None
        except OSError as error:
            raise OSError(errno.ENOLCK, error.strerror) from error

    def _unlock(log: int) -> None:
        fcntl.flock(log, fcntl.LOCK_UN)


def _busy() -> OSError:
    return OSError(errno.EBUSY, "It is deleted again and again")


@contextmanager
def _errors(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        fix = _FIXES.get(error.errno or 0, f"Look at the folder, {_ELSEWHERE}")
        at = error.filename or path
        raise SessionError(f"{error.strerror or error}: {at}. {fix}") from error


def _records(log: int) -> tuple[list[bytes], int]:
    """Return the records, of which the last may be torn, and where the last whole one ends.

    The blank lines that an editor may have left behind them are none.
    """
    with os.fdopen(log, "rb", buffering=_BUFFER, closefd=False) as file:
        lines = file.readlines()
    end = sum(map(len, lines))
    while lines and not lines[-1].strip():
        end -= len(lines.pop())
    if _is_torn(lines):
        end -= len(lines[-1])
    return lines, end


def _is_torn(records: list[bytes]) -> bool:
    return bool(records) and not records[-1].endswith(b"\n")


def _write(log: int, record: bytes, end: int) -> None:
    """Write all of a record behind `end` and flush it to the disk, or leave nothing of it."""
    left = memoryview(record)
    try:
        while left:
            left = left[os.write(log, left) :]
        _sync(log)
    except OSError:
        with suppress(OSError):  # The next one to append cuts it off.
            os.ftruncate(log, end)
        raise


def _sync(file: int) -> None:
    if sys.platform == "darwin":
        # There fsync leaves it in the drive's own memory; some file systems can do no better.
        with suppress(OSError):
            fcntl.fcntl(file, fcntl.F_FULLFSYNC)
            return
    os.fsync(file)


def _sync_folder(folder: Path) -> None:
    """Flush what a folder lists; Windows does that by itself."""
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
