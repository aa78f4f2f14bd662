"""The probe learns the truth from every kind of endpoint, and never replaces an object."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.clock import SystemClock
from bulkup.errors import DestinationError, KeyTaken, RequestUnsupported, StoreRefused
from bulkup.model import Attributes, Digest, Stored
from bulkup.stores.open import Access, open_store
from bulkup.stores.s3.capabilities import probe
from bulkup.stores.s3.store import PROBES
from bulkup.stores.store import Capabilities, PartStore, SignsRequests
from tests.fakes.faults import Fault
from tests.fakes.s3_server import FakeS3
from tests.servers.endpoint import Endpoint as ServerEndpoint


@dataclass
class Endpoint:
    """One key. `condition` and `checksum`: 'does', 'ignores' or 'refuses' it."""

    condition: str
    checksum: str
    is_taken: bool = False
    puts: int = 0

    async def put(self, *, conditional: bool, checksums: bool) -> Stored:
        self.puts += 1
        if (conditional and self.condition == "refuses") or (
            checksums and self.checksum == "refuses"
        ):
            raise StoreRefused("NotImplemented")
        if conditional and self.condition == "does" and self.is_taken:
            raise KeyTaken("k")
        self.is_taken = True
        return Stored("e")


async def test_an_endpoint_that_stores_nothing_is_no_fault_of_the_file() -> None:
    """A read-only gateway lists, and answers 405 or 501 to every PUT; 400 may be of this object."""

    async def refuse(*, conditional: bool, checksums: bool) -> Stored:
        raise error

    error = RequestUnsupported("key 'k': MethodNotAllowed (405)", code="MethodNotAllowed")
    with pytest.raises(DestinationError, match="MethodNotAllowed") as caught:
        await probe(refuse, Capabilities())
    assert "read-only" in (caught.value.hint or "")
    error = StoreRefused("key 'k': KeyTooLongError (400)")
    with pytest.raises(StoreRefused):
        await probe(refuse, Capabilities())


kinds = st.sampled_from(["does", "ignores", "refuses"])


@given(condition=kinds, checksum=kinds)
async def test_every_kind_of_endpoint(condition: str, checksum: str) -> None:
    """The object is stored, and only what is supported is claimed, in five puts at most."""
    endpoint = Endpoint(condition, checksum)
    capabilities, stored = await probe(endpoint.put, Capabilities())
    assert endpoint.is_taken
    assert stored == Stored("e")
    assert capabilities.conditional_writes is (condition == "does")
    assert capabilities.checksums is (checksum != "refuses")
    assert endpoint.puts <= 5


async def test_what_is_known_is_not_tried_again() -> None:
    endpoint = Endpoint("does", "does")
    known = Capabilities(conditional_writes=True, checksums=False)
    assert (await probe(endpoint.put, known))[0] == known
    assert endpoint.puts == 1


async def test_a_refusal_of_the_object_itself_is_raised() -> None:
    async def refuse(*, conditional: bool, checksums: bool) -> Stored:
        raise StoreRefused("EntityTooLarge")

    with pytest.raises(StoreRefused, match="EntityTooLarge"):
        await probe(refuse, Capabilities())


def store_at(server: FakeS3, capabilities: Capabilities = Capabilities()) -> PartStore:  # noqa: B008
    environ = ServerEndpoint(server.url).environment
    return open_store(
        "s3://bucket/p",
        Access(endpoint_url=server.url),
        environ=environ,
        clock=SystemClock(),
        capabilities=capabilities,
    )


async def put(store: PartStore, key: str, body: bytes = b"ours") -> None:
    digest = Digest(sha256(body).hexdigest())
    await store.put(key, body, digest=digest, attributes=Attributes(), exclusive=True)


async def test_the_first_exclusive_puts_probe_once() -> None:
    """However many come at the same time: one HEAD, and one put more than there are objects."""
    with FakeS3() as server:
        store = store_at(server)
        await asyncio.gather(*(put(store, f"p/{n}") for n in range(8)))
        assert store.capabilities == Capabilities(conditional_writes=True, checksums=True)
        assert (server.count("HeadObject"), server.count("PutObject")) == (1, 9)
        await store.close()


@pytest.mark.parametrize("how", ["ignored", "refused"])
async def test_without_conditional_writes_no_object_is_replaced(how: str) -> None:
    with FakeS3(conditional_writes=how) as server:  # type: ignore[arg-type]
        theirs = store_at(server)
        await put(theirs, "p/taken", b"theirs")
        assert theirs.capabilities.conditional_writes is False
        before = server.digests
        for capabilities in (Capabilities(), theirs.capabilities):
            store = store_at(server, capabilities)
            with pytest.raises(KeyTaken):
                await put(store, "p/taken")
            await store.close()
        assert server.digests == before
        await theirs.close()


async def test_taken_keys_put_an_end_to_probing() -> None:
    """Nothing is sent to a key that is taken, so that nothing is learned of it; after some of them
    each key is looked for by itself."""
    with FakeS3() as server:
        theirs = store_at(server)
        for number in range(PROBES + 1):
            await put(theirs, f"p/{number}", b"theirs")
        puts = server.count("PutObject")
        store = store_at(server)
        for number in range(PROBES + 1):
            with pytest.raises(KeyTaken):
                await put(store, f"p/{number}")
        assert server.count("PutObject") == puts
        await put(store, "p/free")
        assert server.count("PutObject") == puts + 1
        assert store.capabilities.conditional_writes is None
        await store.close()
        await theirs.close()


async def test_an_empty_destination_is_probed_beside_the_first_puts() -> None:
    """Nothing can be replaced there: no HEAD, and one put more than there are objects."""
    with FakeS3() as server:
        store = store_at(server)
        await store.check()
        assert store.capabilities.was_empty
        await asyncio.gather(*(put(store, f"p/{n}") for n in range(8)))
        probed = await store.probed()
        assert (probed.conditional_writes, probed.checksums) == (True, True)
        assert (server.count("HeadObject"), server.count("PutObject")) == (0, 9)
        await store.close()


@pytest.mark.parametrize("how", ["ignored", "refused"])
async def test_an_empty_destination_without_conditional_writes(how: str) -> None:
    """All first puts are stored, and what follows looks for its key first."""
    with FakeS3(conditional_writes=how) as server:  # type: ignore[arg-type]
        store = store_at(server)
        await store.check()
        await asyncio.gather(*(put(store, f"p/{n}", b"%d" % n) for n in range(8)))
        assert (await store.probed()).conditional_writes is False
        stored = server.digests
        assert len(stored) == 8
        with pytest.raises(KeyTaken):
            await put(store, "p/3", b"another")
        assert server.digests == stored
        await store.close()


async def test_a_destination_with_objects_is_probed_before_anything_else() -> None:
    with FakeS3() as server:
        theirs = store_at(server)
        await put(theirs, "p/theirs")
        await theirs.close()
        store = store_at(server)
        await store.check()
        assert not store.capabilities.was_empty
        await store.close()


@pytest.mark.parametrize(
    ("sizes_kib", "is_repeated"),
    [([32], True), ([64] * 99, False), ([64] * 100, True), ([64] * 30 + [20], True)],
)
async def test_a_body_is_sent_twice_only_if_it_is_small_or_a_hundredth_of_all(
    sizes_kib: list[int], is_repeated: bool
) -> None:
    with FakeS3() as server:
        store = store_at(server)
        await store.check()
        for number, size in enumerate(sizes_kib):
            await put(store, f"p/{number}", bytes(size << 10))
        assert (await store.probed()).conditional_writes is (True if is_repeated else None)
        assert server.count("PutObject") == len(sizes_kib) + is_repeated
        await store.close()


async def test_a_probe_that_fails_is_made_once_more() -> None:
    with FakeS3(faults=[Fault(op="PutObject", after=1, status=503)]) as server:
        store = store_at(server)
        await store.check()
        await put(store, "p/1")
        assert (await store.probed()).conditional_writes is None
        await put(store, "p/2")
        assert (await store.probed()).conditional_writes is True
        await store.close()


@pytest.mark.parametrize("how", ["refused", "refused with 304", "refused with 400"])
async def test_requests_signed_with_the_condition_are_not_sent_once_one_was_refused(
    how: str,
) -> None:
    with FakeS3(conditional_writes=how) as server:  # type: ignore[arg-type]
        store = store_at(server)
        assert isinstance(store, SignsRequests)
        await store.check()
        requests = {f"p/{n}": signed(store, f"p/{n}") for n in range(3)}
        first, *others = requests
        assert await store.put_signed(first, requests[first]) is None
        assert store.request_signer() is None
        for key in others[:1]:
            assert await store.put_signed(key, requests[key]) is None
        assert server.count("PutObject") == 1
        await put(store, first)
        assert (await store.probed()).conditional_writes is False
        before = server.count("PutObject")
        assert await store.put_signed(others[1], requests[others[1]]) is None
        assert server.count("PutObject") == before
        fresh = await store.put_signed(others[1], signed(store, others[1]))
        assert fresh is not None
        assert len(server.held) == 2
        await store.close()


def signed(store: SignsRequests, key: str, body: bytes = b"ours") -> bytes:
    signer = store.request_signer()
    assert signer is not None
    digest = Digest(sha256(body).hexdigest())
    head = signer.begin(time.time)(key, digest, len(body), Attributes("image/jpeg", {}))
    assert head is not None
    return head + body
