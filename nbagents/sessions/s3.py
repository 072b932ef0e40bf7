"""Sessions in S3, or in whatever speaks its protocol: one object a record, never rewritten."""

from __future__ import annotations

import asyncio
import io
import re
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from urllib.parse import unquote

from nbagents._optional import require
from nbagents._portal import in_thread
from nbagents.errors import NbAgentsError, SessionCorrupt, SessionError, redact
from nbagents.sessions.base import Durable, check_session_id, conflict, safe_name

__all__ = ["S3Store"]

_LOOSE = 32
# More would be faster, but as each keeps Python busy in between, the loop would wait.
_AT_ONCE = 8
_TRIES = 5
_BATCH = 1000
_CONNECT_SECONDS = 5
_READ_SECONDS = 30
_RECORD = re.compile(r"(\d{12})\.jsonl")
_COPY = re.compile(r"compact/[^/]+/(\d{12})-(\d{12})\.jsonl")

_CREDENTIALS = "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, anew."
_REGION = "Set AWS_REGION to the region of the bucket."
_BUSY = "It was asked several times. Run it again later."
_UNREACHED = "Look at your network, and at AWS_ENDPOINT_URL_S3 if you have set it."
# What is wrong, by its code or the name of botocore's class, and what to do about it.
_FIXES = {
    "NoSuchBucket": "Create the bucket, or name another: "
    "%nbagents config sessions=s3://BUCKET/PREFIX",
    "AccessDenied": "Allow s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket on it.",
    "InvalidAccessKeyId": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "ExpiredToken": _CREDENTIALS,
    "InvalidToken": _CREDENTIALS,
    "NoCredentialsError": _CREDENTIALS,
    "PartialCredentialsError": _CREDENTIALS,
    "CredentialRetrievalError": _CREDENTIALS,
    "TokenRetrievalError": _CREDENTIALS,
    "ProfileNotFound": _CREDENTIALS,
    "RequestTimeTooSkewed": "Set the clock of this machine.",
    "NoRegionError": _REGION,
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "SlowDown": _BUSY,
    "ServiceUnavailable": _BUSY,
    "InternalError": _BUSY,
    "RequestTimeout": _BUSY,
    "500": _BUSY,
    "503": _BUSY,
    "HTTPClientError": _UNREACHED,
    "ConnectionError": _UNREACHED,
    "ParamValidationError": "Correct the name of the bucket, or put_options.",
}


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
        self._s3 = _Bucket(bucket, client, put_options or {})

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
        for _ in range(_TRIES):
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
        numbers = self._numbers(session_id, entries, 0)
        if len(numbers) <= _LOOSE:
            return await self._records(session_id, [seq for seq in numbers if seq > after])
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
        numbers = self._numbers(session_id, entries, start)
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
        return lines[after - base :]

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
        slots = asyncio.Semaphore(_AT_ONCE)

        async def get(key: str) -> bytes | None:
            async with slots:
                return await in_thread(lambda: self._s3.get(key))

        return await asyncio.gather(*(get(key) for key in keys))

    def _numbers(self, session_id: str, entries: list[Any], start: int) -> list[int]:
        """Return the numbers of listed records, which have to follow `start` one by one."""
        folder = self._folder(session_id)
        names = (_RECORD.fullmatch(entry["Key"].removeprefix(folder)) for entry in entries)
        numbers = [int(name[1]) for name in names if name]
        for expected, seq in enumerate(numbers, start + 1):
            if seq != expected:
                self._there(self._key(session_id, expected), None)
        return numbers

    def _there(self, key: str, record: bytes | None) -> bytes:
        if record is None:
            raise SessionCorrupt(
                f"{self._s3.at(key)} is missing, and there are later records. Put it back (the "
                "bucket may keep versions), or delete the session."
            )
        return record


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


class _Bucket:
    """What is asked of S3. All of it blocks, and raises `SessionError`."""

    def __init__(self, name: str, client: Any, put_options: Mapping[str, Any]) -> None:
        self._name = name
        self._client = client
        self._put_options = dict(put_options)
        self._lock = threading.Lock()

    def at(self, key: str) -> str:
        """Return the address of a key."""
        return f"s3://{self._name}/{key}"

    def put_new(self, key: str, body: bytes) -> bool:
        """Put an object under a key that nobody uses; return whether it is there now."""
        with self._asked(key) as client:
            for _ in range(_TRIES):
                try:
                    self._put(client, key, Body=body, IfNoneMatch="*")
                except client.exceptions.ClientError as error:
                    code = error.response["Error"]["Code"]
                    if code == "PreconditionFailed":
                        break
                    if code != "ConditionalRequestConflict":
                        raise
                else:
                    return True
        # It may be ours: botocore asks again when the answer to the first put was lost.
        return self.get(key) == body

    def replace(self, old: list[str], key: str, body: bytes) -> None:
        """Put an object that stands for others, and delete those."""
        with self._asked(key) as client:
            self._put(client, key, Body=body)
        self.delete([name for name in old if name != key])

    def get(self, key: str) -> bytes | None:
        """Return an object, or None if there is none."""
        with self._asked(key) as client:
            for left in reversed(range(_TRIES)):
                try:
                    answer = client.get_object(Bucket=self._name, Key=key)
                except client.exceptions.NoSuchKey:
                    return None
                try:
                    return answer["Body"].read()
                except require("botocore.exceptions", "s3").BotoCoreError:
                    if not left:  # botocore only asks again as long as no answer has begun.
                        raise
        return None

    def objects(self, folder: str, *, behind: str = "", most: int = 0) -> list[Any]:
        """List the objects of a folder, each with `Key` and `ETag`, in the order of their keys.

        Only those behind the key `behind`; the first `most` of them, or all.
        """
        with self._asked(folder) as client:
            if most:
                call = client.list_objects_v2
                return call(Bucket=self._name, Prefix=folder, MaxKeys=most).get("Contents", [])
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=self._name, Prefix=folder, StartAfter=behind
            )
            return [entry for page in pages for entry in page.get("Contents", [])]

    def folders(self, folder: str) -> list[str]:
        """List the folders in a folder."""
        with self._asked(folder) as client:
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=self._name, Prefix=folder, Delimiter="/"
            )
            return [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", [])]

    def delete(self, keys: list[str]) -> None:
        """Delete objects."""
        for start in range(0, len(keys), _BATCH):
            batch = keys[start : start + _BATCH]
            with self._asked(batch[0]) as client:
                objects = {"Objects": [{"Key": key} for key in batch], "Quiet": True}
                answer = client.delete_objects(Bucket=self._name, Delete=objects)
            for error in answer.get("Errors", []):
                raise self._explained(error["Key"], [error["Code"]], error.get("Message", ""))

    def _put(self, client: Any, key: str, **more: Any) -> None:
        client.put_object(**{**self._put_options, "Bucket": self._name, "Key": key, **more})

    @contextmanager
    def _asked(self, key: str) -> Generator[Any]:
        """Give the client, and explain what it raises."""
        exceptions = require("botocore.exceptions", "s3")
        try:
            yield self._ready()
        except exceptions.ClientError as error:
            about: dict[str, str] = error.response.get("Error", {})
            # A wrong signature may be answered with all that was signed, line by line.
            codes, message = [about.get("Code", "?")], about.get("Message", "").partition("\n")[0]
            raise self._explained(key, codes, message) from None
        except exceptions.BotoCoreError as error:
            codes = [kind.__name__ for kind in type(error).__mro__]
            raise self._explained(key, codes, " ".join(str(error).split())) from None

    def _explained(self, key: str, codes: list[str], message: str) -> SessionError:
        """Make the error for what went wrong: its code, then broader ones, and its message."""
        signer = getattr(self._client, "_request_signer", None)
        known = getattr(signer, "_credentials", None)
        secrets = [getattr(known, part, None) for part in ("secret_key", "token", "access_key")]
        cause = redact(message.rstrip("."), *secrets)
        fix = next((_FIXES[code] for code in codes if code in _FIXES), "Its code tells more.")
        return SessionError(f"{self.at(key)}: {cause} ({codes[0]}). {fix}")

    def _ready(self) -> Any:
        with self._lock:
            if self._client is None:
                config = require("botocore.config", "s3").Config(
                    connect_timeout=_CONNECT_SECONDS,
                    read_timeout=_READ_SECONDS,
                    max_pool_connections=_AT_ONCE,
                    retries={"mode": "standard", "total_max_attempts": _TRIES},
                )
                self._client = require("boto3", "s3").Session().client("s3", config=config)
            return self._client
