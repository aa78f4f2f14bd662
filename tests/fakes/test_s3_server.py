"""The scripted S3 server: what fault tests rely on. Its client here is boto3."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.fakes.faults import Fault
from tests.fakes.s3_server import FakeS3
from tests.servers.endpoint import Endpoint

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEY = "a b/ü&<😀>+%#~.jpg"
BODY = bytes(range(256)) * 4000


@pytest.fixture
def server() -> Iterator[FakeS3]:
    with FakeS3(keep_bodies=True) as server:
        yield server


@pytest.fixture
def client(server: FakeS3) -> Iterator[S3Client]:
    client = Endpoint(server.url).client()
    yield client
    client.close()


def put(client: S3Client, **more: Any) -> str:
    """Put one object; the error code, 'OK', or the exception's name where no answer came."""
    try:
        client.put_object(**{"Bucket": "b", "Key": KEY, "Body": BODY, **more})
    except ClientError as exc:
        return str(exc.response["Error"]["Code"])
    except BotoCoreError as exc:
        return type(exc).__name__
    return "OK"


def test_it_keeps_objects_with_their_digests(server: FakeS3, client: S3Client) -> None:
    assert put(client, Metadata={"mark": "x"}, ContentType="image/jpeg") == "OK"
    assert server.digests == {f"/b/{KEY}": hashlib.sha256(BODY).hexdigest()}
    head = client.head_object(Bucket="b", Key=KEY)
    assert (head["ContentLength"], head["Metadata"]) == (len(BODY), {"mark": "x"})
    assert client.get_object(Bucket="b", Key=KEY)["Body"].read() == BODY


def test_listings_have_pages_in_key_order(client: S3Client) -> None:
    keys = sorted([f"p/{n}" for n in range(5)] + [f"p/{KEY}"], key=str.encode)
    for key in [*reversed(keys), "q"]:
        put(client, Key=key, Body=b"")
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket="b", Prefix="p/", PaginationConfig={"PageSize": 4}
    )
    assert [found["Key"] for page in pages for found in page["Contents"]] == keys


def test_multipart_uploads_survive_until_they_are_complete(
    server: FakeS3, client: S3Client
) -> None:
    where: dict[str, Any] = {"Bucket": "b", "Key": KEY}
    where["UploadId"] = client.create_multipart_upload(**where)["UploadId"]
    sent = [client.upload_part(**where, PartNumber=n, Body=BODY) for n in (1, 2, 3)]
    listed = client.list_parts(**where, MaxParts=2)
    assert [part["PartNumber"] for part in listed["Parts"]] == [1, 2]
    assert listed["NextPartNumberMarker"] == 2
    assert not server.held
    parts = [{"PartNumber": n, "ETag": part["ETag"]} for n, part in enumerate(sent, 1)]
    client.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})  # type: ignore[typeddict-item]
    assert server.digests[f"/b/{KEY}"] == hashlib.sha256(BODY * 3).hexdigest()
    with pytest.raises(ClientError, match="NoSuchUpload"):
        client.list_parts(**where)


@pytest.mark.parametrize(
    ("conditional_writes", "outcome"),
    [("honoured", "PreconditionFailed"), ("ignored", "OK"), ("refused", "NotImplemented")],
)
def test_a_taken_key_is_answered_as_told(conditional_writes: Any, outcome: str) -> None:
    with FakeS3(conditional_writes=conditional_writes) as server:
        client = Endpoint(server.url).client()
        put(client)
        assert put(client, IfNoneMatch="*") == outcome
        client.close()


def test_a_body_that_is_not_what_was_signed_is_refused(server: FakeS3) -> None:
    request = urllib.request.Request(f"{server.url}/b/k", data=b"other", method="PUT")
    request.add_header("x-amz-content-sha256", hashlib.sha256(b"signed").hexdigest())
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert b"XAmzContentSHA256Mismatch" in caught.value.read()
    caught.value.close()
    assert not server.held


def test_faults_strike_in_the_order_of_the_script(server: FakeS3, client: S3Client) -> None:
    server.script(
        Fault(op="PutObject", status=503, after=1, times=2, retry_after_seconds=1.5),
        Fault(op="PutObject", does="reset"),
        Fault(op="PutObject", status=500, early=True),
    )
    assert [put(client) for _ in range(4)] == [
        "ConnectionClosedError",
        "SlowDown",
        "SlowDown",
        "InternalError",
    ]
    assert put(client) == "OK"
    assert server.count("PutObject", 503) == 2


def test_lost_answers_and_lies_differ_in_what_is_stored(server: FakeS3, client: S3Client) -> None:
    server.script(Fault(does="lose"), Fault(does="lie"))
    assert put(client, Key="lost") == "ConnectionClosedError"
    assert put(client, Key="lied") == "OK"
    assert list(server.held) == ["/b/lost"]


def test_a_fault_may_concern_one_access_key_only(server: FakeS3, client: S3Client) -> None:
    server.script(Fault(status=403, code="ExpiredToken", access_key="old", times=None))
    old = Endpoint(server.url, access_key="old").client()
    assert (put(old), put(client)) == ("ExpiredToken", "OK")
    old.close()


def test_a_held_request_is_answered_after_release(server: FakeS3, client: S3Client) -> None:
    server.script(Fault(op="PutObject", does="hold", times=None))
    sender = threading.Thread(target=put, args=(client,))
    sender.start()
    server.wait_for("PutObject")
    assert (server.in_flight, server.count("PutObject")) == (1, 0)
    server.release()
    sender.join()
    assert server.count("PutObject", 200) == 1


def test_it_runs_as_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "tests.fakes.s3_server", "--faults"]
    faults = json.dumps([{"op": "HeadObject", "status": 503}])
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [*command, faults], stdout=subprocess.PIPE, text=True, cwd=root
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip().removeprefix("endpoint=")
        client = Endpoint(url).client()
        assert put(client) == "OK"
        client.close()
        with urllib.request.urlopen(f"{url}/-/state") as answer:
            state = json.load(answer)
        process.terminate()
    assert state["requests"] == {"PutObject": {"200": 1}}
    assert state["objects"][f"/b/{KEY}"]["digest"] == hashlib.sha256(BODY).hexdigest()
