"""Sessions in S3: what is asked of it, what a bad network does, and what its errors tell."""

from __future__ import annotations

import asyncio

import pytest

from nbagents.errors import SessionConflict, SessionCorrupt, SessionError
from nbagents.sessions.s3 import S3Store
from tests.sessions.s3_server import KEY, SECRET, TOKEN, Trouble, client_for, new_bucket, proxy

SECRETS = (KEY, SECRET, TOKEN, "Signature=", "AWS4-HMAC")


def line(number: int) -> bytes:
    return b'{"n":%d}\n' % number


def lines(count: int, start: int = 0) -> list[bytes]:
    return [line(number) for number in range(start, count)]


@pytest.fixture
def s3():
    found = proxy()
    found.troubles.clear()
    found.methods()
    return found


@pytest.fixture
def client(s3):
    return client_for(s3.url)


@pytest.fixture
def bucket(s3):
    bucket = new_bucket()
    s3.methods()
    return bucket


@pytest.fixture
def store(bucket, client):
    return S3Store(bucket, "some/where", client=client)


@pytest.fixture
def put(bucket, s3):
    """Puts records of a session past the network."""

    def put(session_id: str, start: int, end: int):
        folder = f"some/where/{session_id}/"
        names = {number: f"{folder}{number + 1:012}.jsonl" for number in range(start, end)}
        s3.fill(bucket, {name: line(number).decode() for number, name in names.items()})

    return put


def keys(bucket, client, folder="") -> list[str]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder)
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


async def failure(call, kind=SessionError) -> str:
    with pytest.raises(kind) as failed:
        await call
    assert failed.value.__cause__ is None
    assert not [secret for secret in SECRETS if secret in str(failed.value)]
    return str(failed.value)


# What is asked of S3


async def test_an_append_is_one_request(store, s3):
    for number in range(5):
        await store.append("work", number, line(number))
    assert s3.methods() == ["PUT"] * 5


async def test_a_record_is_an_object_of_its_own(store, bucket, client):
    for number in range(2):
        await store.append("My work", number, line(number))
    assert keys(bucket, client) == [
        "some/where/%4Dy%20work/000000000001.jsonl",
        "some/where/%4Dy%20work/000000000002.jsonl",
    ]
    assert store.where("My work") == f"s3://{bucket}/some/where/%4Dy%20work/"
    assert await S3Store(bucket, client=client).read("some") == []
    assert await store.list() == ["My work"]


async def test_a_short_session_is_listed_once_and_read(store, s3, put):
    put("work", 0, 10)
    s3.methods()
    assert await store.read("work") == lines(10)
    assert s3.methods() == ["GET"] * 11
    assert await store.read("work", after=8) == lines(10, 8)
    assert s3.methods() == ["GET"] * 3
    assert await store.read("never") == []
    assert s3.methods() == ["GET"]


async def test_a_thousand_records_are_read_with_few_requests_once_they_were_read(
    store, s3, put, bucket
):
    put("work", 0, 1000)
    first = S3Store(bucket, "some/where", client=client_for(s3.direct_url))
    assert await first.read("work") == lines(1000)
    assert await store.read("work") == lines(1000)
    assert s3.methods() == ["GET"] * 4
    put("work", 1000, 1006)
    s3.methods()
    assert await store.read("work") == lines(1006)
    assert len(s3.methods()) == 10
    assert await store.read("work", after=1000) == lines(1006, 1000)


async def test_copies_stay_few_however_often_they_are_made(store, s3, put, bucket, client):
    for count in range(40, 440, 40):
        put("work", count - 40, count)
        s3.methods()
        assert await store.read("work") == lines(count)
        asked = s3.methods()
        # One put makes a copy, one post deletes what it stands for.
        assert asked.count("PUT") == 1
        assert asked.count("GET") <= 3 + 40 + 3
    copies = [key for key in keys(bucket, client) if "compact" in key]
    assert 1 <= len(copies) <= 3
    assert len(keys(bucket, client)) == 400 + len(copies)
    s3.methods()
    for after in (0, 1, 39, 40, 200, 399, 400, 500):
        assert await store.read("work", after) == lines(400, after)


async def test_originals_are_kept_so_a_late_writer_still_collides(store, put, bucket, client):
    put("work", 0, 40)
    await store.read("work")
    late = S3Store(bucket, "some/where", client=client)
    for seq in (0, 20, 39):
        told = await failure(late.append("work", seq, line(99)), SessionConflict)
        assert f"s3://{bucket}/some/where/work/{seq + 1:012}.jsonl" in told
        assert "%session fork NEW" in told
    assert await late.append("work", 40, line(40)) == 41
    assert await store.read("work") == lines(41)


async def test_a_copy_that_cannot_be_made_does_not_fail_the_read(store, s3, put, bucket, client):
    put("work", 0, 40)
    s3.troubles.append(Trouble("PUT", "AccessDenied", 403, key="compact"))
    assert await store.read("work") == lines(40)
    assert [key for key in keys(bucket, client) if "compact" in key] == []


async def test_a_copy_that_was_replaced_meanwhile_is_looked_for_again(store, s3, put):
    put("work", 0, 40)
    await store.read("work")
    s3.troubles.append(Trouble("GET", "NoSuchKey", 404, key="/compact/"))
    assert await store.read("work") == lines(40)


async def test_a_copy_of_a_deleted_session_is_not_taken_for_the_new_one(store, put, bucket, client):
    put("work", 0, 40)
    await store.read("work")
    (copy,) = [key for key in keys(bucket, client) if "compact" in key]
    body = client.get_object(Bucket=bucket, Key=copy)["Body"].read()
    await store.delete("work")
    assert keys(bucket, client) == []
    fresh = lines(140, 100)
    for number, record in enumerate(fresh[:35]):
        await store.append("work", number, record)
    # A reader of the old session is late with its copy.
    client.put_object(Bucket=bucket, Key=copy, Body=body)
    assert await store.read("work") == fresh[:35]
    for number, record in enumerate(fresh[35:], 35):
        await store.append("work", number, record)
    assert await store.read("work") == fresh


async def test_two_readers_at_once_leave_copies_that_agree(store, put, bucket, client):
    put("work", 0, 50)
    other = S3Store(bucket, "some/where", client=client)
    for count in (50, 100, 150):
        put("work", count - 50, count)
        both = await asyncio.gather(store.read("work"), other.read("work"), store.read("work", 3))
        assert both == [lines(count), lines(count), lines(count, 3)]
    assert await other.read("work") == lines(150)


async def test_what_is_not_ours_survives_deleting(store, put, bucket, client):
    put("work", 0, 40)
    await store.read("work")
    client.put_object(Bucket=bucket, Key="some/where/work/note.txt", Body=b"mine")
    client.put_object(Bucket=bucket, Key="some/where/works/000000000001.jsonl", Body=line(0))
    await store.delete("work")
    assert keys(bucket, client) == [
        "some/where/work/note.txt",
        "some/where/works/000000000001.jsonl",
    ]


async def test_encryption_and_rights_pass_through(bucket, client, s3, put):
    options = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key/7", "ACL": "private"}
    store = S3Store(bucket, "some/where", client=client, put_options=options)
    put("work", 0, 40)
    s3.methods()
    await store.append("work", 40, line(40))
    await store.read("work")
    puts = [asked for asked in s3.asked if asked.method == "PUT"]
    assert [asked.headers.get("if-none-match") for asked in puts] == ["*", None]
    for asked in puts:
        assert asked.headers["x-amz-server-side-encryption"] == "aws:kms"
        assert asked.headers["x-amz-server-side-encryption-aws-kms-key-id"] == "key/7"
        assert asked.headers["x-amz-acl"] == "private"


async def test_the_usual_settings_of_aws_are_enough(bucket, s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    store = S3Store(bucket)
    done = await asyncio.gather(*(store.append(f"s{n}", 0, line(n)) for n in range(10)))
    assert done == [1] * 10
    assert len(await store.list()) == 10


# A bad network


@pytest.mark.parametrize(
    "trouble",
    [("InternalError", 500), ("ServiceUnavailable", 503), ("reset", 0), ("silent", 0)],
    ids=str,
)
async def test_a_put_is_asked_again(store, s3, trouble):
    s3.troubles.append(Trouble("PUT", *trouble))
    assert await store.append("work", 0, line(0)) == 1
    assert s3.methods() == ["PUT", "PUT"]
    assert await store.read("work") == [line(0)]


async def test_a_busy_s3_is_asked_again(store, s3):
    s3.troubles.append(Trouble("PUT", "SlowDown", 503))
    assert await store.append("work", 0, line(0)) == 1
    assert s3.methods() == ["PUT", "PUT"]


async def test_a_put_whose_answer_was_lost_is_recognised(store, s3):
    s3.troubles.append(Trouble("PUT", "lost"))
    assert await store.append("work", 0, line(0)) == 1
    assert s3.methods() == ["PUT", "PUT", "GET"]
    assert await store.append("work", 1, line(1)) == 2
    assert await store.read("work") == lines(2)


async def test_a_lost_answer_does_not_hide_a_conflict(store, s3):
    await store.append("work", 0, line(0))
    s3.troubles.append(Trouble("PUT", "lost"))
    await failure(store.append("work", 0, line(9)), SessionConflict)
    assert await store.read("work") == [line(0)]


async def test_a_put_that_met_another_one_is_put_again(store, s3):
    s3.troubles.append(Trouble("PUT", "ConditionalRequestConflict", 409))
    assert await store.append("work", 0, line(0)) == 1
    s3.troubles.extend([Trouble("PUT", "ConditionalRequestConflict", 409)] * 5)
    await failure(store.append("work", 1, line(1)), SessionConflict)
    assert await store.append("work", 1, line(1)) == 2
    assert await store.read("work") == lines(2)


@pytest.mark.parametrize("what", ["cut", "reset", "lost"])
async def test_a_get_that_breaks_is_asked_again(store, s3, put, what):
    put("work", 0, 3)
    s3.troubles.append(Trouble("GET", what, key="000000000002"))
    assert await store.read("work") == lines(3)


async def test_when_s3_stays_busy_the_error_says_so(bucket, s3):
    store = S3Store(bucket, client=client_for(s3.url, 2))
    at = store.where("work")
    s3.troubles.extend([Trouble("PUT", "SlowDown", 503)] * 2)
    told = await failure(store.append("work", 0, line(0)))
    assert told.startswith(f"{at}000000000001.jsonl: No. ")
    assert told.endswith("(SlowDown). It was asked several times. Run it again later.")


async def test_a_record_that_is_missing_is_named(store, s3, put, bucket, client):
    put("work", 0, 70)
    client.delete_object(Bucket=bucket, Key="some/where/work/000000000050.jsonl")
    told = await failure(store.read("work"), SessionCorrupt)
    assert f"s3://{bucket}/some/where/work/000000000050.jsonl is missing" in told
    with pytest.raises(SessionCorrupt) as caught:
        await store.read("work", 10)
    assert caught.value.records == lines(49, 10)
    client.delete_object(Bucket=bucket, Key="some/where/work/000000000001.jsonl")
    told = await failure(store.read("work"), SessionCorrupt)
    assert f"s3://{bucket}/some/where/work/000000000001.jsonl is missing" in told


async def test_a_damaged_copy_is_named(store, put, bucket, client):
    put("work", 0, 40)
    await store.read("work")
    (copy,) = [key for key in keys(bucket, client) if "compact" in key]
    client.put_object(Bucket=bucket, Key=copy, Body=b"{}\n")
    told = await failure(store.read("work"), SessionCorrupt)
    assert told == f"s3://{bucket}/{copy} is damaged. Delete it: it is only a copy of records."
    client.delete_object(Bucket=bucket, Key=copy)
    assert await store.read("work") == lines(40)


@pytest.mark.parametrize(
    ("code", "status", "fix"),
    [
        ("AccessDenied", 403, "Allow s3:PutObject"),
        ("InvalidAccessKeyId", 403, "Set AWS_PROFILE"),
        ("SignatureDoesNotMatch", 403, "Set AWS_PROFILE"),
        ("ExpiredToken", 400, "Set AWS_PROFILE"),
        ("RequestTimeTooSkewed", 403, "Set the clock"),
        ("AuthorizationHeaderMalformed", 400, "Set AWS_REGION"),
        ("SomethingNew", 400, "Its code tells more"),
    ],
)
async def test_a_refusal_says_what_to_do_and_tells_no_secret(store, s3, bucket, code, status, fix):
    for method, call in (
        ("PUT", lambda: store.append("work", 0, line(0))),
        ("GET", lambda: store.read("work")),
        ("GET", store.list),
    ):
        # botocore asks once more with another region if that may help.
        s3.troubles.extend([Trouble(method, code, status)] * 2)
        told = await failure(call())
        s3.troubles.clear()
        assert told.startswith(f"s3://{bucket}/some/where/")
        assert f"({code}). {fix}" in told
        assert "[redacted]" in told


async def test_a_refused_deletion_says_what_to_do(store, s3, put, bucket):
    put("work", 0, 2)
    s3.troubles.append(Trouble("POST", "AccessDenied", 403))
    told = await failure(store.delete("work"))
    assert "s3:DeleteObject" in told
    assert await store.read("work") == lines(2)


async def test_a_bucket_that_is_missing_is_named(client):
    store = S3Store("no-such-bucket", client=client)
    for call in (
        store.append("work", 0, line(0)),
        store.read("work"),
        store.list(),
        store.delete("work"),
    ):
        told = await failure(call)
        assert told.startswith("s3://no-such-bucket/")
        assert "Create the bucket, or name another" in told


async def test_no_answer_at_all_says_where_to_look(bucket):
    store = S3Store(bucket, client=client_for("http://127.0.0.1:9", 1))
    told = await failure(store.read("work"))
    assert "(EndpointConnectionError). Look at your network" in told


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "(NoCredentialsError). Set AWS_PROFILE"),
        ({"AWS_ACCESS_KEY_ID": KEY}, "(PartialCredentialsError). Set AWS_PROFILE"),
        ({"AWS_PROFILE": "nobody"}, "(ProfileNotFound). Set AWS_PROFILE"),
    ],
    ids=str,
)
async def test_missing_credentials_say_what_to_set(
    s3, bucket, monkeypatch, tmp_path, settings, told
):
    files = {
        name: str(tmp_path / "none") for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
    }
    for name, value in (files | settings | {"AWS_ENDPOINT_URL_S3": s3.url}).items():
        monkeypatch.setenv(name, value)
    assert told in await failure(S3Store(bucket).append("work", 0, line(0)))


@pytest.mark.parametrize(
    ("name", "options", "cause"),
    [
        ("not a bucket", {}, 'Invalid bucket name "not a bucket"'),
        ("bucket", {"Encryption": "AES256"}, 'Unknown parameter in input: "Encryption"'),
    ],
)
async def test_what_s3_cannot_be_asked_is_told_before(client, name, options, cause):
    store = S3Store(name, client=client, put_options=options)
    told = await failure(store.append("work", 0, line(0)))
    assert cause in told
    assert "(ParamValidationError). Correct the name of the bucket, or put_options." in told
