"""The servers themselves: what other tests rely on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.servers import ceph as ceph_server
from tests.servers.endpoint import Endpoint
from tests.servers.front import Faults, Front

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEY = "a b/ü&<😀>+%#~.jpg"


def code_of(client: S3Client, **put: object) -> str:
    """The error code of one PutObject; 'OK', or the name of the exception without an answer."""
    try:
        client.put_object(**{"Bucket": "b", "Key": KEY, "Body": b"x" * 100_000, **put})  # type: ignore[arg-type]
    except ClientError as exc:
        return str(exc.response["Error"]["Code"])
    except BotoCoreError as exc:
        return type(exc).__name__
    return "OK"


@pytest.fixture
def open_client() -> Iterator[Callable[[Endpoint], S3Client]]:
    clients: list[S3Client] = []

    def open_client(endpoint: Endpoint) -> S3Client:
        clients.append(endpoint.client())
        return clients[-1]

    yield open_client
    for client in clients:
        client.close()


def keeps_objects(endpoint: Endpoint, client: S3Client) -> None:
    bucket = endpoint.make_bucket()
    client.put_object(Bucket=bucket, Key=KEY, Body=b"hello")
    assert client.get_object(Bucket=bucket, Key=KEY)["Body"].read() == b"hello"
    assert [found["Key"] for found in client.list_objects_v2(Bucket=bucket)["Contents"]] == [KEY]
    assert code_of(client, Bucket=bucket, Body=b"other", IfNoneMatch="*") == "PreconditionFailed"


def test_moto_keeps_objects(s3: Endpoint, open_client: Callable[[Endpoint], S3Client]) -> None:
    keeps_objects(s3, open_client(s3))


@pytest.mark.ceph
def test_ceph_keeps_objects(ceph: Endpoint, open_client: Callable[[Endpoint], S3Client]) -> None:
    keeps_objects(ceph, open_client(ceph))


@pytest.mark.ceph
def test_ceph_checks_signatures(
    ceph: Endpoint, open_client: Callable[[Endpoint], S3Client]
) -> None:
    wrong = type(ceph)(ceph.url, secret_key="something else")
    assert code_of(open_client(wrong)) == "SignatureDoesNotMatch"


@pytest.mark.ceph
def test_ceph_speaks_tls(open_client: Callable[[Endpoint], S3Client]) -> None:
    with ceph_server.running(tls=True) as endpoint:
        assert endpoint.url.startswith("https:")
        keeps_objects(endpoint, open_client(endpoint))


@pytest.mark.ceph
@pytest.mark.nginx
def test_the_throttle_passes_on_and_counts(
    ceph: Endpoint, front: Callable[..., Front], open_client: Callable[[Endpoint], S3Client]
) -> None:
    throttle = front(upstream=ceph)
    keeps_objects(throttle.endpoint, open_client(throttle.endpoint))
    assert throttle.stats()["by_op"]["PutObject"] == {"200": 1, "412": 1}


@pytest.mark.nginx
@pytest.mark.parametrize("tls", [False, True])
def test_the_sink_drops_bodies_and_counts_them(
    tls: bool, front: Callable[..., Front], open_client: Callable[[Endpoint], S3Client]
) -> None:
    sink = front(tls=tls, md5=True)
    client = open_client(sink.endpoint)
    body = bytes(range(256)) * 1000
    etag = client.put_object(Bucket="b", Key=KEY, Body=body)["ETag"]
    assert etag.strip('"') == hashlib.md5(body).hexdigest()
    upload = client.create_multipart_upload(Bucket="b", Key=KEY)["UploadId"]
    part = {"Bucket": "b", "Key": KEY, "UploadId": upload, "PartNumber": 1, "Body": body}
    done = {"Parts": [{"PartNumber": 1, "ETag": client.upload_part(**part)["ETag"]}]}  # type: ignore[arg-type]
    made = client.complete_multipart_upload(
        Bucket="b",
        Key=KEY,
        UploadId=upload,
        MultipartUpload=done,  # type: ignore[arg-type]
    )
    assert made["ETag"].strip('"').endswith("-1")
    stats = sink.stats()
    assert (stats["objects"], stats["stored_bytes"]) == (2, 2 * len(body))
    sink.reset()
    assert sink.stats()["requests"] == 0


@pytest.mark.nginx
def test_the_sink_refuses_above_the_rate(
    front: Callable[..., Front], open_client: Callable[[Endpoint], S3Client]
) -> None:
    sink = front(faults=Faults(rate=0.01, burst=2, retry_after=3))
    client = open_client(sink.endpoint)
    assert [code_of(client) for _ in range(5)] == ["OK"] * 3 + ["SlowDown"] * 2


@pytest.mark.nginx
@pytest.mark.parametrize("early", [False, True])
def test_the_sink_fails_as_often_as_it_is_told(
    early: bool, front: Callable[..., Front], open_client: Callable[[Endpoint], S3Client]
) -> None:
    sink = front(faults=Faults(fail_percent=30, reset_percent=30, early=early, seed=7))
    client = open_client(sink.endpoint)
    for _ in range(50):
        code_of(client)
    by_status = sink.stats()["by_status"]["PUT"]
    assert sum(by_status.values()) == 50
    assert min(by_status[status] for status in ("200", "444", "500")) >= 5


@pytest.mark.nginx
def test_the_sink_lets_tokens_expire(
    front: Callable[..., Front], open_client: Callable[[Endpoint], S3Client]
) -> None:
    sink = front(faults=Faults(expire_after=0, expire_for=3600))
    assert code_of(open_client(sink.endpoint)) == "ExpiredToken"
