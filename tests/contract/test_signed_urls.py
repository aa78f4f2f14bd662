"""What the bearers of signed URLs can do, and what they cannot."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from hashlib import sha256

import httpx
import pytest

from bulkup.clock import SystemClock
from bulkup.errors import ObjectMissing, StoreForbidden
from bulkup.model import Attributes, Digest
from bulkup.stores.open import Access, open_store, read_pem
from bulkup.stores.signed_store import SignedStore
from bulkup.stores.store import SignedAccess

PICTURE = Attributes("image/jpeg", {"name": "ü%.jpg", "mtime": "1700000000.000000000"})
BODY = b"one picture" * 1000


class TenMinutesAgo(SystemClock):
    """A clock that is slow."""

    def now(self):
        return super().now() - 600


def digest_of(body):
    return Digest(sha256(body).hexdigest())


@pytest.fixture
def signing(store, place):
    if place.kind == "directory":
        pytest.skip("a directory has no URLs")
    return store


@pytest.fixture
def anybody(place):
    """A client without credentials."""
    trusted = ssl.create_default_context(cafile=place.ca_bundle) if place.ca_bundle else True
    with httpx.Client(verify=trusted) as client:
        yield client


async def sign(store, key, body=BODY, size_bytes=None, seconds=300):
    return await store.sign_put(
        key,
        size_bytes=len(body) if size_bytes is None else size_bytes,
        digest=digest_of(body),
        attributes=PICTURE,
        seconds=seconds,
    )


def send(anybody, signed, body, without=()):
    headers = {name: value for name, value in signed.headers.items() if name not in without}
    return anybody.request(signed.method, signed.url, headers=headers, content=body).status_code


async def test_a_signed_put_stores_what_a_put_would(signing, anybody):
    key = signing.prefix + "a b/ü#.jpg"
    assert send(anybody, await sign(signing, key), BODY) == 200
    info = await signing.head(key)
    assert (info.size_bytes, info.digest) == (len(BODY), digest_of(BODY))
    assert (info.content_type, info.metadata) == ("image/jpeg", PICTURE.metadata)


async def test_a_key_that_exists_is_not_overwritten(signing, anybody):
    key = signing.prefix + "k"
    signed = await sign(signing, key)
    assert send(anybody, signed, BODY) == 200
    assert send(anybody, signed, BODY) == 412


async def test_what_the_probe_says_is_true(signing, anybody, place):
    """Ceph refuses other bytes and other lengths; moto looks at neither."""
    bindings = await signing.probe_bindings(f"probe-{secrets.token_hex(4)}")
    assert bindings.absence
    assert bindings.digest == bindings.length == (place.kind == "gateway")
    assert [info async for page in signing.list(signing.prefix) for info in page] == []
    other = send(anybody, await sign(signing, signing.prefix + "a"), BODY[::-1])
    longer = send(anybody, await sign(signing, signing.prefix + "b"), BODY + b"x")
    assert (400 <= other < 500) == bindings.digest
    assert (400 <= longer < 500) == bindings.length


async def test_a_url_is_for_its_key_its_headers_and_its_time(signing, anybody, place):
    if place.kind == "moto":
        pytest.skip("moto looks at no signature")
    signed = await sign(signing, signing.prefix + "a")
    moved = signed._replace(url=signed.url.replace("/a?", "/b?"))
    assert send(anybody, moved, BODY) == 403
    for name in ("if-none-match", "x-amz-content-sha256", "content-type", "x-amz-meta-sha256"):
        assert send(anybody, signed, BODY, without=[name]) == 403
    earlier = open_store(
        place.url,
        Access(endpoint_url=place.endpoint_url, ca_bundle=place.ca_bundle),
        environ=dict(place.environ),
        clock=TenMinutesAgo(),
    )
    assert send(anybody, await sign(earlier, signing.prefix + "a"), BODY) == 403
    await earlier.close()
    with pytest.raises(ObjectMissing):
        await signing.head(signing.prefix + "a")


async def test_a_url_that_has_ended_is_refused_for_its_object_alone(signing, place):
    """Whoever signed it may sign another one; the bearer's clock does not matter."""
    if place.kind == "moto":
        pytest.skip("moto looks at no time")
    key = signing.prefix + "a"
    signed = await signing.sign_get(key, seconds=1)
    bearer = SignedStore(place.url, signing.prefix, signed, read_pem(place.ca_bundle))
    bearer.allow(SignedAccess({key: signed.url}, {}, signed.expires_at))
    try:
        async with asyncio.timeout(30):
            while bearer.now() <= signed.expires_at + 1:
                await asyncio.sleep(0.1)
                await bearer.check()
        with pytest.raises(StoreForbidden):
            await bearer.read(key)
    finally:
        await bearer.close()


async def test_a_signed_part_is_one_part(signing, anybody, place):
    key, body = signing.prefix + "large", bytes(5 * 1024**2)
    upload = await signing.begin_parts(key, digest=None, attributes=PICTURE)
    for digest in (None, digest_of(body)):
        signed = await signing.sign_part(
            key, upload, 1, size_bytes=len(body), digest=digest, seconds=300
        )
        assert send(anybody, signed, body) == 200
        if place.kind != "moto":
            assert 400 <= send(anybody, signed, body + b"x") < 500
    if place.kind != "moto":
        assert 400 <= send(anybody, signed, body[:-1] + b"x") < 500
    assert [part.size_bytes for part in await signing.list_parts(key, upload)] == [len(body)]
    await signing.abort_parts(key, upload)


async def test_a_signed_get_reads_one_object(signing, anybody):
    key = signing.prefix + "dir/IMG (1).jpg"
    await signing.put(key, BODY, digest=digest_of(BODY), attributes=PICTURE, exclusive=True)
    signed = await signing.sign_get(key, seconds=300)
    found = anybody.get(signed.url)
    assert (found.status_code, found.content) == (200, BODY)
    assert anybody.get(signed.url, headers={"range": "bytes=3-5"}).content == BODY[3:6]
