"""Sessions in S3, or in whatever speaks its protocol: one object a record, never rewritten."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import unquote

from nbagents._portal import in_thread
from nbagents.errors import NbAgentsError, SessionCorrupt, SessionError
from nbagents.sessions.base import Durable, check_session_id, conflict, safe_name
from nbagents.sessions.bucket import AT_ONCE, TRIES, Bucket

__all__ = ["S3Store"]

_LOOSE = 32
_RECORD = re.compile(r"(\d{12})\.jsonl")
_COPY = re.compile(r"compact/[^/]+/(\d{12})-(\d{12})\.jsonl")


class _Copy(NamedTuple):
    """A copy of all records from number `first` to number `last`, in one object."""

    first: int
    last: int
    key: str


class _GoneError(Exception):
    """A copy gave way to a longer one after it was listed."""


class S3Store:
    """Keeps each record of a session in `PREFIX/<id>/<number>.jsonl`, and never rewrites it.

    The put that requires the key to be unused is lock and write in one, so an append is one
    request, and there may be any number of writers on any number of machines. So that reading
    takes few requests too, whoever had to read many single records leaves a copy of them in
    `PREFIX/<id>/compact/<etag of record 1>/<first>-<last>.jsonl`.

    `client` is boto3's client for S3; without one, it is made from the usual settings of AWS.
    `put_options` go to each `put_object`: `ServerSideEncryption`, `SSEKMSKeyId`, `ACL` and the
    like, but not `SSECustomerKey`, which reading would need too. Give sessions a prefix of their
    own. It takes the rights to `s3:PutObject`, `s3:GetObject`, `s3:DeleteObject` and
    `s3:ListBucket`, and the extra `s3`, without which the first use raises `UserError`.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        client: Any = None,
        put_options: Mapping[str, Any] | None = None,
        durable: Durable = "turn",
    ) -> None:
        self.bucket = bucket
        self.prefix = f"{prefix.strip('/')}/".lstrip("/")
        self.durable: Durable = durable
        self._s3 = Bucket(bucket, client, put_options or {})

    async def append(self, session_id: str, expected_seq: int, record: bytes) -> int:
        """Add a record after record number `expected_seq`, with one request.

        Raises `SessionConflict` if there is one with that number, unless it is this very record:
        then only the answer was lost. Raises `SessionError` for whatever else S3 says.
        """
        key = self._key(session_id, expected_seq + 1)
        if not await in_thread(lambda: self._s3.put_new(key, record)):
            raise conflict(session_id, self._s3.at(key))
        return expected_seq + 1

    async def read(self, session_id: str, after: int = 0) -> list[bytes]:
        """Return the records behind number `after`.

        Raises `SessionCorrupt` that names the object that is missing or damaged.
        """
        for _ in range(TRIES):
            with suppress(_GoneError):
                return await self._read(session_id, after)
        raise SessionError(f"{self.where(session_id)} changes all the time. Read it again later.")

    async def list(self, prefix: str = "") -> list[str]:
        """Return the ids that begin with a prefix, sorted."""
        folders = await in_thread(lambda: self._s3.folders(self.prefix))
        names = [folder.removeprefix(self.prefix).rstrip("/") for folder in folders]
        ids = [unquote(name) for name in names if safe_name(unquote(name)) == name]
        return sorted(session_id for session_id in ids if session_id.startswith(prefix))

    async def delete(self, session_id: str) -> None:
        """Remove a session: its records and their copies."""
        folder = self._folder(session_id)

        def work() -> None:
            keys = [entry["Key"] for entry in self._s3.objects(folder)]
            ours = (_RECORD, _COPY)
            names = ((key, key.removeprefix(folder)) for key in keys)
            self._s3.delete([key for key, name in names if any(o.fullmatch(name) for o in ours)])

        await in_thread(work)

    def where(self, session_id: str) -> str:
        """Return the address of the session's records."""
        return self._s3.at(self._folder(session_id))

    def _folder(self, session_id: str) -> str:
        return f"{self.prefix}{safe_name(check_session_id(session_id))}/"

    def _key(self, session_id: str, seq: int) -> str:
        return f"{self._folder(session_id)}{seq:012}.jsonl"

    async def _read(self, session_id: str, after: int) -> list[bytes]:
        folder = self._folder(session_id)
        entries = await in_thread(lambda: self._s3.objects(folder, most=_LOOSE + 1))
        numbers, missing = self._numbers(session_id, entries, 0)
        if len(entries) <= _LOOSE:
            few = await self._records(session_id, [seq for seq in numbers if seq > after])
            return self._gapless(few, missing)
        # A session that was deleted and had the same id has another record 1: whoever still read
        # it when it was deleted cannot leave a copy of it to this one.
        first_etag = entries[0]["ETag"].strip('"')
        copies_at = f"{folder}compact/{safe_name(first_etag)}/"
        found = _copies(folder, await in_thread(lambda: self._s3.objects(copies_at)))
        copies = _chain(found)
        copied = copies[-1].last if copies else 0
        start = max(copied, after)
        behind = self._key(session_id, start)
        entries = await in_thread(lambda: self._s3.objects(folder, behind=behind))
        numbers, missing = self._numbers(session_id, entries, start)
        needed = [copy for copy in copies if copy.last > after]
        base = needed[0].first - 1 if needed else start
        lines, loose = await asyncio.gather(
            self._copied(needed), self._records(session_id, numbers)
        )
        lines += loose
        if len(loose) > _LOOSE and start == copied and _are_lines(loose):
            first, last = _merged(needed, numbers)
            body = b"".join(lines[first - base - 1 :])
            old = [copy.key for copy in found if first <= copy.first and copy.last <= last]
            # A copy only saves requests: without the right to write, reading goes on as before.
            with suppress(NbAgentsError):
                key = f"{copies_at}{first:012}-{last:012}.jsonl"
                await in_thread(lambda: self._s3.replace(old, key, body))
        return self._gapless(lines[after - base :], missing)

    async def _records(self, session_id: str, numbers: list[int]) -> list[bytes]:
        keys = [self._key(session_id, seq) for seq in numbers]
        records = await self._get(keys)
        return [self._there(key, record) for key, record in zip(keys, records, strict=True)]

    async def _copied(self, copies: list[_Copy]) -> list[bytes]:
        lines: list[bytes] = []
        done = copies[0].first - 1 if copies else 0
        bodies = await self._get([copy.key for copy in copies])
        for copy, body in zip(copies, bodies, strict=True):
            if body is None:
                raise _GoneError
            part = io.BytesIO(body).readlines()
            if len(part) != copy.last - copy.first + 1:
                raise SessionCorrupt(
                    f"{self._s3.at(copy.key)} is damaged. Delete it: it is only a copy of records."
                )
            lines += part[done - copy.first + 1 :]
            done = copy.last
        return lines

    async def _get(self, keys: list[str]) -> list[bytes | None]:
        slots = asyncio.Semaphore(AT_ONCE)

        async def get(key: str) -> bytes | None:
            async with slots:
                return await in_thread(lambda: self._s3.get(key))

        return await asyncio.gather(*(get(key) for key in keys))

    def _numbers(
        self, session_id: str, entries: list[Any], start: int
    ) -> tuple[list[int], str | None]:
        """Return the numbers of listed records that follow `start` one by one.

        The second value is the key of the first one that is missing though there are later ones.
        """
        folder = self._folder(session_id)
        names = (_RECORD.fullmatch(entry["Key"].removeprefix(folder)) for entry in entries)
        numbers = [int(name[1]) for name in names if name]
        for place, seq in enumerate(numbers):
            if seq != start + place + 1:
                return numbers[:place], self._key(session_id, start + place + 1)
        return numbers, None

    def _gapless(self, records: list[bytes], missing: str | None) -> list[bytes]:
        if missing is not None:
            error = self._missing(missing)
            error.records = records
            raise error
        return records

    def _there(self, key: str, record: bytes | None) -> bytes:
        if record is None:
            raise self._missing(key)
        return record

    def _missing(self, key: str) -> SessionCorrupt:
        return SessionCorrupt(
            f"{self._s3.at(key)} is missing, and there are later records. Put it back (the "
            "bucket may keep versions), or delete the session. What stands before it can be read."
        )


def _copies(folder: str, entries: list[Any]) -> list[_Copy]:
    names = [
        (entry["Key"], _COPY.fullmatch(entry["Key"].removeprefix(folder))) for entry in entries
    ]
    return [_Copy(int(name[1]), int(name[2]), key) for key, name in names if name]


def _chain(copies: list[_Copy]) -> list[_Copy]:
    """Choose the fewest copies that follow each other from record 1 on."""
    chain: list[_Copy] = []
    last = 0
    while longer := [copy for copy in copies if copy.first <= last + 1 and copy.last > last]:
        chain.append(max(longer, key=lambda copy: copy.last))
        last = chain[-1].last
    return chain


def _merged(copies: list[_Copy], numbers: list[int]) -> tuple[int, int]:
    """Decide which records the next copy has: the loose ones and the shorter of the last copies.

    As each copy that stays is more than twice as long as the next, there are only few, and a
    record is copied only a few times.
    """
    first, last = numbers[0], numbers[-1]
    for copy in reversed(copies):
        if copy.last - copy.first + 1 > 2 * (last - first + 1):
            break
        first = copy.first
    return first, last


def _are_lines(records: list[bytes]) -> bool:
    return all(record.find(b"\n") == len(record) - 1 >= 0 for record in records)
