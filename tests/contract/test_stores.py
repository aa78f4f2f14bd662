"""What every store does. Where one cannot, the test says which and why."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from hashlib import sha256

import pytest

from bulkup.errors import (
    DestinationError,
    KeyTaken,
    ObjectDamaged,
    ObjectMissing,
    SourceChanged,
    StoreRefused,
)
from bulkup.model import Attributes, Digest
from bulkup.stores.store import Capabilities

PLAIN = Attributes(content_type="image/jpeg")
PART_BYTES = 5 * 1024 * 1024
"""The least that S3 takes for a part that is not the last."""


def digest_of(body: bytes) -> Digest:
    return Digest(sha256(body).hexdigest())


async def put(store, name, body, attributes=PLAIN, exclusive=True):
    key = store.prefix + name
    await store.put(key, body, digest=digest_of(body), attributes=attributes, exclusive=exclusive)
    return key


async def read(store, key):
    return b"".join([chunk async for chunk in store.open(key)])


async def keys(store, prefix=""):
    return [info.key async for page in store.list(prefix) for info in page]


@pytest.mark.parametrize("size", [0, 1, 20_480, 256 * 1024, 256 * 1024 + 1, 3_000_000])
async def test_bytes_are_read_as_they_were_stored(store, size):
    """Whatever the size: the empty object and the sizes on both sides of a limit included."""
    body = bytes(i * 7 % 251 for i in range(1000)) * (size // 1000 + 1)
    key = await put(store, "a/b.jpg", body[:size])
    assert await read(store, key) == body[:size]
    info = await store.head(key)
    assert (info.key, info.size_bytes, info.digest) == (key, size, digest_of(body[:size]))
    assert info.content_type == "image/jpeg"
    assert info.modified_at is not None


@pytest.mark.parametrize("size", [0, 20_480, 3_000_000])
async def test_a_view_is_stored_as_its_bytes_are(store, size):
    """A body may be a part of a larger memory: in one request, and as a part of an object."""
    memory = bytes(i * 7 % 251 for i in range(1000)) * 3001
    view = memoryview(memory)[100 : 100 + size]
    key = await put(store, "view.jpg", view)
    assert await read(store, key) == memory[100 : 100 + size]
    upload_id = await store.begin_parts(store.prefix + "p", digest=None, attributes=PLAIN)
    part = await store.put_part(store.prefix + "p", upload_id, 1, view, digest=digest_of(view))
    assert part.size_bytes == size
    await store.complete_parts(store.prefix + "p", upload_id, [part], exclusive=True)
    assert await read(store, store.prefix + "p") == memory[100 : 100 + size]


async def test_large_objects_come_in_chunks(store):
    """No chunk holds more than 1 MiB, so that a reader's memory does not grow with the object."""
    key = await put(store, "large", bytes(3_500_000))
    assert max([len(chunk) async for chunk in store.open(key)]) <= 1024 * 1024


async def test_exclusive_never_overwrites(store):
    """KeyTaken, even for the same bytes, and the first object stays."""
    key = await put(store, "k", b"first")
    for body in (b"second", b"first"):
        with pytest.raises(KeyTaken):
            await put(store, "k", body)
    assert await read(store, key) == b"first"


async def test_of_many_exclusive_writers_one_wins(store):
    """Of 8 writers of one key at once, one stores its bytes and the others learn it."""
    bodies = [b"%d" % i * 1000 for i in range(8)]
    done = await asyncio.gather(*(put(store, "k", b) for b in bodies), return_exceptions=True)
    winners = [body for body, outcome in zip(bodies, done, strict=True) if isinstance(outcome, str)]
    assert len(winners) == 1
    assert all(isinstance(o, str) or "KeyTaken" in type(o).__name__ or is_passing(o) for o in done)
    assert await read(store, store.prefix + "k") == winners[0]


def is_passing(outcome):
    """S3 may also answer 409 ConditionalRequestConflict while another write is under way."""
    return getattr(outcome, "code", None) in ("ConditionalRequestConflict", "OperationAborted")


async def test_not_exclusive_replaces(store):
    """The new bytes, attributes and digest take the place of the old."""
    await put(store, "k", b"first", Attributes(metadata={"a": "1"}))
    key = await put(store, "k", b"second", Attributes(content_type="image/png"), exclusive=False)
    info = await store.head(key)
    assert await read(store, key) == b"second"
    assert (info.digest, info.content_type) == (digest_of(b"second"), "image/png")
    assert info.metadata == {}


async def test_wrong_digest_stores_nothing(store, place):
    """Bytes that are not those announced are refused whole."""
    if place.kind == "moto":
        pytest.skip("moto looks at no payload hash")
    key = store.prefix + "k"
    for body in (b"changed", bytes(300_000)):
        with pytest.raises(SourceChanged):
            await store.put(
                key, body, digest=digest_of(b"announced"), attributes=PLAIN, exclusive=True
            )
    with pytest.raises(ObjectMissing):
        await store.head(key)
    assert await keys(store, store.prefix) == []


ODD_NAMES = [
    "with blank.jpg",
    " leading and trailing ",
    "two  blanks",
    "plus+and%percent%2B.jpg",
    "hash#question?.jpg",
    "a&b=c;d:e@f$g,h!i*j'k(l)m",
    'quotes"and`ticks`',
    "brackets[]{}<>|^\\",
    "tilde~dash-under_.jpg",
    "...",
    ".hidden",
    "a.b./c..d",
    "tab\there",
    "new\nline",
    "bell\x07",
    "straße/naïve/日本語/😀.jpg",
    "nfd-e\u0301.jpg",
    "nfc-\u00e9.jpg",
    "-dash",
    "x" * 255,
    "ünï" * 40,
    "%2e%2e",
    "%",
    "%zz",
    "+",
    "\x7f",
    "\u2028line\u00a0separator",
]


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_odd_keys_name_one_object(store, place, name):
    """Put, head, open, list, copy and delete name the same object whatever the key holds."""
    if place.kind == "moto" and "\n" in name:
        pytest.skip("moto knows no keys with line breaks")
    body = name.encode()
    key = await put(store, name, body)
    assert (await store.head(key)).digest == digest_of(body)
    assert await read(store, key) == body
    assert await keys(store, store.prefix) == [key]
    await store.copy(key, store.prefix + "copy", size_bytes=len(body), exclusive=True)
    assert await read(store, store.prefix + "copy") == body
    await store.delete(key)
    assert await keys(store, store.prefix) == [store.prefix + "copy"]


@pytest.mark.parametrize("name", [".", "..", "a/../b", "./a", "a/.", "a/..", ""])
async def test_steps_through_the_path_are_refused(store, name):
    """A key that would name another object, or none, on its way is refused before it leaves."""
    if not name:
        store.prefix = ""
    with pytest.raises(StoreRefused):
        await put(store, name, b"x")


METADATA = [
    {},
    {"mtime": "1700000000.123456789", "name": "IMG_0001.JPG"},
    {"name": "Straße 日本語 😀.jpg"},
    {"name": "100%.jpg"},
    {"name": "a%20b+c"},
    {"name": "  two  blanks "},
    {"name": "tab\tand\nnew line"},
    {"name": ""},
    {"a-b.c": "x", "z": "y"},
    {"name": "=?UTF-8?Q?=C3=9F?="},
]


@pytest.mark.parametrize("metadata", METADATA)
async def test_metadata_are_read_as_they_were_stored(store, metadata):
    """Every text comes back as it was, non-ASCII names included."""
    key = await put(store, "k", b"x", Attributes(metadata=metadata))
    assert (await store.head(key)).metadata == metadata


async def test_an_object_that_does_not_exist_is_missing(store):
    """ObjectMissing for head, open and copy; delete does not mind."""
    key = store.prefix + "no/such"
    with pytest.raises(ObjectMissing):
        await store.head(key)
    with pytest.raises(ObjectMissing):
        await read(store, key)
    with pytest.raises(ObjectMissing):
        await store.copy(key, store.prefix + "other", size_bytes=1, exclusive=True)
    await store.delete(key)
    assert await keys(store) == []


async def test_copy_takes_attributes_along(store):
    """Bytes, digest, content type and metadata; the source stays."""
    attributes = Attributes(content_type="image/png", metadata={"name": "ß"})
    key = await put(store, "a", b"body", attributes)
    target = store.prefix + "dir/b"
    await store.copy(key, target, size_bytes=4, exclusive=True)
    first, second = await store.head(key), await store.head(target)
    assert second.digest == first.digest == digest_of(b"body")
    assert (second.content_type, second.metadata) == ("image/png", {"name": "ß"})
    with pytest.raises(KeyTaken):
        await store.copy(key, target, size_bytes=4, exclusive=True)


async def test_listing_is_in_byte_order(store):
    """Keys in UTF-8 byte order, folders among files as S3 sorts them; only those of the prefix."""
    names = ["a/b", "a-b", "a.b", "a/c/d", "a0", "B", "é", "z/z", "ab/x"]
    for name in names:
        await put(store, name, b"x")
    expected = sorted((store.prefix + name for name in names), key=str.encode)
    assert await keys(store) == expected
    below = store.prefix + "a"
    assert await keys(store, below) == [key for key in expected if key.startswith(below)]
    assert await keys(store, store.prefix + "a/") == [store.prefix + "a/b", store.prefix + "a/c/d"]
    assert await keys(store, store.prefix + "zz") == []


async def test_listing_of_many_is_whole(store, place):
    """Several pages, none missing, none twice, in order (moto takes 5 ms a put: fewer there)."""
    number = 2_100 if place.kind == "moto" else 10_000
    names = [f"{i % 97:02d}/{i * 7919 % number:05d}" for i in range(number)]
    for first in range(0, number, 500):
        await asyncio.gather(*(put(store, name, b"") for name in names[first : first + 500]))
    pages = [page async for page in store.list(store.prefix)]
    assert [i.key for page in pages for i in page] == sorted(store.prefix + name for name in names)
    assert len(pages) > 1


async def test_64_puts_at_once(store):
    """All of them are stored, each with its own bytes."""
    bodies = {f"{i:03d}": b"%d" % i * 5000 for i in range(64)}
    await asyncio.gather(*(put(store, name, body) for name, body in bodies.items()))
    for name, body in bodies.items():
        assert await read(store, store.prefix + name) == body


async def test_of_many_puts_at_once_each_has_its_own_end(store, place):
    """One that is refused, one whose key is taken and one that is given up trouble no other."""
    await put(store, "taken", b"first")
    others = [asyncio.create_task(put(store, f"{n}.jpg", b"%d" % n * 100)) for n in range(10)]
    given_up = asyncio.create_task(put(store, "given up.jpg", b"nobody waits"))
    wrong = [put(store, "a/../b.jpg", b"refused"), put(store, "taken", b"second")]
    await asyncio.sleep(0)
    if place.kind != "directory":  # there the file would be closed by the collector only
        given_up.cancel()
    refused, taken = await asyncio.gather(*wrong, return_exceptions=True)
    assert isinstance(refused, StoreRefused)
    assert isinstance(taken, KeyTaken)
    for n, key in enumerate(await asyncio.gather(*others)):
        assert (await store.head(key)).digest == digest_of(b"%d" % n * 100)


async def test_parts_make_an_object(store, place):
    """Parts sent in any order, resumed by another store, listed, joined."""
    bodies = [b"1" * PART_BYTES, b"2" * PART_BYTES, b"tail"]
    whole = b"".join(bodies)
    key = store.prefix + "big #1.tif"
    attributes = Attributes(content_type="image/tiff", metadata={"name": "ü.tif"})
    upload = await store.begin_parts(key, digest=digest_of(whole), attributes=attributes)
    await store.put_part(key, upload, 3, bodies[2], digest=digest_of(bodies[2]))
    await store.put_part(key, upload, 1, bodies[1], digest=digest_of(bodies[1]))
    await store.put_part(key, upload, 1, bodies[0], digest=digest_of(bodies[0]))  # replaces
    other = place.open(capabilities=store.capabilities)
    assert [(p.number, p.size_bytes) for p in await other.list_parts(key, upload)] == [
        (1, PART_BYTES),
        (3, 4),
    ]
    await other.put_part(key, upload, 2, bodies[1], digest=digest_of(bodies[1]))
    begun = [u async for page in other.list_uploads(store.prefix) for u in page]
    assert [(k, u) for k, u, _ in begun] == [(key, upload)]
    assert begun[0][2] > 1_200_000_000  # moto says 2010, whenever it was
    with pytest.raises(ObjectMissing):
        await store.head(key)
    await other.complete_parts(key, upload, await other.list_parts(key, upload), exclusive=True)
    await other.close()
    assert await read(store, key) == whole
    info = await store.head(key)
    assert (info.digest, info.content_type) == (digest_of(whole), "image/tiff")
    assert info.metadata == {"name": "ü.tif"}
    assert [u async for page in store.list_uploads(store.prefix) for u in page] == []


async def test_completion_never_overwrites(store):
    """KeyTaken; the first object stays, and the upload is still open."""
    key = await put(store, "k", b"first")
    upload = await store.begin_parts(key, digest=None, attributes=PLAIN)
    part = await store.put_part(key, upload, 1, b"second", digest=digest_of(b"second"))
    with pytest.raises(KeyTaken):
        await store.complete_parts(key, upload, [part], exclusive=True)
    assert await read(store, key) == b"first"
    assert [p.number for p in await store.list_parts(key, upload)] == [1]
    await store.complete_parts(key, upload, [part], exclusive=False)
    assert await read(store, key) == b"second"


async def test_aborted_uploads_are_gone(store, place):
    """Parts of an unknown upload are ObjectMissing; dropping it again is no error."""
    key = store.prefix + "k"
    upload = await store.begin_parts(key, digest=None, attributes=PLAIN)
    await store.put_part(key, upload, 1, b"x", digest=digest_of(b"x"))
    await store.abort_parts(key, upload)
    await store.abort_parts(key, upload)
    with pytest.raises(ObjectMissing):
        await store.list_parts(key, upload)
    assert await keys(store) == []
    if place.kind == "moto":
        return  # moto answers 500 to a part of an unknown upload
    with pytest.raises(ObjectMissing):
        await store.put_part(key, upload, 2, b"y", digest=digest_of(b"y"))


async def test_wrong_part_digest_is_refused(store, place):
    """A part that changed while it was sent is not kept."""
    if place.kind == "moto":
        pytest.skip("moto looks at no payload hash")
    key = store.prefix + "k"
    upload = await store.begin_parts(key, digest=None, attributes=PLAIN)
    with pytest.raises(SourceChanged):
        await store.put_part(key, upload, 1, b"x", digest=digest_of(b"y"))
    assert await store.list_parts(key, upload) == []
    await store.abort_parts(key, upload)


async def test_the_first_exclusive_put_teaches_the_capabilities(place):
    """Its object is stored; another one to the same key is refused and changes nothing."""
    store = place.open()
    await store.check()
    key = await put(store, "first", b"x")
    capabilities = await store.probed()
    assert capabilities.conditional_writes is True
    assert capabilities.checksums is not None
    assert await read(store, key) == b"x"
    with pytest.raises(KeyTaken):
        await put(store, "first", b"y")
    assert await read(store, key) == b"x"
    await store.close()


@pytest.mark.parametrize("conditional_writes", [None, False])
async def test_an_exclusive_put_never_overwrites_whatever_is_known(place, conditional_writes):
    """The key is looked for where the endpoint is not known to do that itself."""
    if place.kind == "directory":
        pytest.skip("a directory always can")
    store = place.open(capabilities=Capabilities(conditional_writes=conditional_writes))
    key = await put(store, "k", b"first")
    with pytest.raises(KeyTaken):
        await put(store, "k", b"second")
    assert await read(store, key) == b"first"
    await store.close()


async def test_missing_destination(place, tmp_path):
    """check() says so, with a hint."""
    from dataclasses import replace

    url = str(tmp_path / "no" / "such") if place.kind == "directory" else "s3://no-such-bucket-1"
    store = replace(place, url=url).open()
    with pytest.raises(DestinationError) as caught:
        await store.check()
    assert caught.value.hint
    await store.close()
    await store.close()


async def test_wrong_keys(place):
    """A secret that is not right ends the run, and is not shown."""
    if place.kind != "gateway":
        pytest.skip("only the gateway looks at signatures")
    from dataclasses import replace

    environ = (("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "wrong-secret"))
    store = replace(place, environ=environ).open()
    with pytest.raises(DestinationError) as caught:
        await store.check()
    assert caught.value.code == "SignatureDoesNotMatch"
    assert "wrong-secret" not in str(caught.value)
    await store.close()


async def test_a_listing_continues_after_a_key(store):
    """After a key of it: what comes later, and nothing twice, whether or not that key exists."""
    for name in ("a.jpg", "a/b.jpg", "b c.jpg", "é.jpg"):
        await put(store, name, b"x")
    first = [info.key async for page in store.list(store.prefix) for info in page]
    for after in (first[1], store.prefix + "a/zzz"):
        rest = [info.key async for page in store.list(store.prefix, after=after) for info in page]
        assert rest == [key for key in first if key.encode() > after.encode()]


async def test_a_head_with_checksum_says_nothing_wrong(store):
    """Where the endpoint keeps a SHA-256 it is that of the bytes; others say nothing of one."""
    body = b"some bytes" * 100
    key = await put(store, "k", body)
    info = await store.head(key, with_checksum=True)
    assert (info.size_bytes, info.digest) == (len(body), digest_of(body))
    assert info.checksum in (None, b64encode(sha256(body).digest()).decode())


@pytest.mark.parametrize("size", [0, 1, 20_480, 900_000])
async def test_a_small_object_is_read_at_once(store, size):
    key = await put(store, "a/small ü.jpg", bytes(range(256)) * (size // 256 + 1))
    assert len(await store.read(key)) == (size // 256 + 1) * 256
    with pytest.raises(ObjectMissing):
        await store.read(store.prefix + "none")


@pytest.mark.parametrize("wanted", [100, 300_000])
async def test_an_object_that_is_much_larger_than_it_was_is_not_read(store, wanted):
    """It is that object's fault, and not the destination's."""
    key = await put(store, "grown.jpg", bytes(1_000_000))
    with pytest.raises(ObjectDamaged):
        await store.read(key, most_bytes=wanted)
    assert len(await store.read(key, most_bytes=1_000_000)) == 1_000_000


@pytest.mark.parametrize("size", [0, 1, 20_480, 900_000])
async def test_an_object_is_read_into_a_buffer(store, size):
    """Nothing of the buffer after the object is touched."""
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    key = await put(store, "a/photo.jpg", body)
    room = bytearray(b"x" * 1_000_000)
    assert await store.read_into(key, memoryview(room)) == size
    assert room == body + b"x" * (1_000_000 - size)
    exact = bytearray(size)
    assert await store.read_into(key, memoryview(exact)) == size
    assert exact == body
    with pytest.raises(ObjectMissing):
        await store.read_into(store.prefix + "none", memoryview(room))


@pytest.mark.parametrize("size", [1_001, 300_000])
async def test_an_object_that_is_larger_than_its_buffer_is_that_objects_fault(store, size):
    key = await put(store, "grown.jpg", bytes(size))
    with pytest.raises(ObjectDamaged):
        await store.read_into(key, memoryview(bytearray(1_000)))


async def test_a_range_of_an_object_is_read(store):
    """From the first byte, in the middle, and up to the end."""
    body = bytes(i * 7 % 251 for i in range(3_000_000))
    key = await put(store, "ranges", body)

    async def part(start, size_bytes):
        chunks = [chunk async for chunk in store.open(key, start=start, size_bytes=size_bytes)]
        assert max(map(len, chunks)) <= 1024 * 1024
        return b"".join(chunks)

    assert await part(0, 10) == body[:10]
    assert await part(1_000, 1_500_000) == body[1_000:1_501_000]
    assert await part(2_999_999, 1) == body[-1:]
    assert await part(2_000_000, None) == body[2_000_000:]
