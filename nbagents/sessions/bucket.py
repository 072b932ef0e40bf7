"""What is asked of S3, and what is said when it does not answer as it should."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from nbagents._optional import require
from nbagents.errors import SessionError
from nbagents.redaction import remember_credentials

__all__ = ["AT_ONCE", "TRIES", "Bucket"]

# More would be faster, but as each keeps Python busy in between, the loop would wait.
AT_ONCE = 8
TRIES = 5
_BATCH = 1000
_CONNECT_SECONDS = 5
_READ_SECONDS = 30

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


class Bucket:
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
            for _ in range(TRIES):
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
            for left in reversed(range(TRIES)):
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
        cause = message.rstrip(".")
        fix = next((_FIXES[code] for code in codes if code in _FIXES), "Its code tells more.")
        return SessionError(f"{self.at(key)}: {cause} ({codes[0]}). {fix}")

    def _ready(self) -> Any:
        with self._lock:
            if self._client is None:
                config = require("botocore.config", "s3").Config(
                    connect_timeout=_CONNECT_SECONDS,
                    read_timeout=_READ_SECONDS,
                    max_pool_connections=AT_ONCE,
                    retries={"mode": "standard", "total_max_attempts": TRIES},
                )
                self._client = require("boto3", "s3").Session().client("s3", config=config)
            remember_credentials(self._client)  # Each time, as they may be temporary.
            return self._client
