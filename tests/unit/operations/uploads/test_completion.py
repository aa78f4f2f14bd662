"""What a completion finds at a bucket, and what it makes of it."""

from __future__ import annotations

from hashlib import sha256

import pytest

from bulkup.clock import SystemClock
from bulkup.errors import KeyTaken, ObjectMissing, SourceChanged, UsageError
from bulkup.manifest.uploads.rows import StoredUpload
from tests.fakes.faults import Fault

BODY = b"\xff\xd8\xff\xe0 a photo" * 100
OTHER = BODY[::-1]


def keys(s3):
    return sorted(path.removeprefix("/bucket/p/") for path in s3.held)


def spare(body, name="a"):
    return f"{name}~{sha256(body).hexdigest()[:8]}.jpg"


async def test_an_upload_is_recorded_as_a_push_would(clients):
    s3, client = clients
    done = await client.upload(BODY, path="2026/a.jpg")
    assert done == StoredUpload("p/2026/a.jpg", is_duplicate=False)
    assert keys(s3) == ["2026/a.jpg"]
    assert s3.held["/bucket/p/2026/a.jpg"].content == BODY


async def test_an_endpoint_is_probed_once(clients):
    s3, client = clients
    await client.upload(BODY)
    probes = s3.count("PutObject")
    await client.upload(OTHER, name="b.jpg")
    assert s3.count("PutObject") == probes + 1
    assert keys(s3) == ["a.jpg", "b.jpg"]


async def test_what_anybody_has_uploaded_is_not_sent_again(clients):
    _, client = clients
    await client.upload(BODY)
    assert await client.announce(BODY, name="b.jpg", owner="phone") == StoredUpload("p/a.jpg")


async def test_a_lie_about_the_size_is_found_out(clients):
    _, client = clients
    await client.upload(BODY)
    with pytest.raises(UsageError, match="size_bytes"):
        await client.announce(BODY, size_bytes=1)


async def test_a_foreign_object_stays_and_the_upload_gets_another_key(clients):
    s3, client = clients
    one = await client.begin(BODY)
    theirs = await client.begin(OTHER, name="x.jpg")
    signed = await client.broker.sign(theirs)
    moved = signed._replace(url=signed.url.replace("/x.jpg", "/a.jpg"))
    assert await client.put(moved, OTHER) == 200  # this server looks at no signature
    assert await client.send(one, BODY) == 412
    with pytest.raises(KeyTaken):
        await client.complete(one)
    fresh = await client.broker.find(one.id, "laptop")
    assert fresh.key == f"p/{spare(BODY)}"
    assert await client.send(fresh, BODY) == 200
    assert (await client.complete(fresh)).key == fresh.key
    assert keys(s3) == ["a.jpg", spare(BODY)]
    assert s3.held["/bucket/p/a.jpg"].content == OTHER


async def test_an_object_with_the_same_bytes_is_adopted(clients):
    s3, client = clients
    one, two = await client.begin(BODY), await client.begin(BODY, name="b.jpg", owner="phone")
    assert one.key == two.key
    assert await client.send(one, BODY) == 200
    assert await client.complete(two) == StoredUpload("p/a.jpg", is_duplicate=False)
    assert await client.complete(one) == StoredUpload("p/a.jpg", is_duplicate=True)
    assert keys(s3) == ["a.jpg"]


async def test_without_conditions_the_key_is_looked_for_first(make, closing):
    """Both what is the same and what is another object."""
    _, client = await make(conditional_writes="ignored")
    closing.append(client)
    one = await client.begin(BODY)
    assert await client.send(one, BODY) == 200
    again = await client.announce(BODY, owner="phone")
    assert again == StoredUpload("p/a.jpg")
    other = await client.begin(OTHER, name="x.jpg")
    signed = await client.broker.sign(other)
    moved = signed._replace(url=signed.url.replace("/x.jpg", "/c.jpg"))
    assert await client.put(moved, OTHER) == 200
    third = BODY + b"3"
    assert (await client.begin(third, name="c.jpg")).key == f"p/{spare(third, 'c')}"


async def test_other_bytes_are_refused_where_the_endpoint_takes_them(make, closing, s3):
    """moto looks at no digest: the object is read, and removed."""
    bucket = s3.make_bucket()
    _, client = await make(s3.url, bucket)
    closing.append(client)
    for body in (OTHER, BODY + b"x"):
        one = await client.begin(BODY)
        assert await client.send(one, body) == 200
        with pytest.raises(SourceChanged):
            await client.complete(one)
        assert "Contents" not in s3.client().list_objects_v2(Bucket=bucket)
    assert (await client.upload(BODY)).is_duplicate is False


@pytest.mark.ceph
async def test_a_ceph_gateway_refuses_other_bytes_itself(make, closing, ceph):
    bucket = ceph.make_bucket()
    _, client = await make(ceph.url, bucket, SystemClock())
    closing.append(client)
    to = await client.broker.destination()
    assert to.bindings == (True, True, True)
    one = await client.begin(BODY)
    for body in (OTHER, BODY + b"x", b""):
        assert 400 <= await client.send(one, body) < 500
    assert await client.send(one, BODY) == 200
    assert await client.send(one, BODY) == 412
    assert (await client.complete(one)).key == "p/a.jpg"


async def test_nothing_sent_is_missing(clients):
    _, client = clients
    with pytest.raises(ObjectMissing):
        await client.complete(await client.begin(BODY))


async def test_a_completion_without_an_answer_is_made_again(clients):
    s3, client = clients
    one = await client.begin(BODY)
    await client.send(one, BODY)
    s3.script(Fault(op="HeadObject", times=2, status=503))
    assert (await client.complete(one)).key == "p/a.jpg"
    assert (await client.complete(one)).key == "p/a.jpg"


async def test_an_expired_upload_that_others_share_keeps_its_object(clients):
    """Two clients send one content; the one who never completes takes nothing away."""
    s3, client = clients
    one = await client.begin(BODY)
    client.clock.advance(80_000)
    two = await client.begin(BODY, name="b.jpg", owner="phone")
    assert await client.send(two, BODY) == 200
    client.clock.advance(10_000)
    await client.broker.clean_if_due()
    assert keys(s3) == ["a.jpg"]
    assert (await client.complete(two)).key == "p/a.jpg"
    with pytest.raises(UsageError):
        await client.complete(one)


async def test_an_expired_upload_takes_its_object_along(clients):
    s3, client = clients
    one = await client.begin(BODY)
    assert await client.send(one, BODY) == 200
    client.clock.advance(86_401)
    await client.broker.clean_if_due()
    assert keys(s3) == []
