"""Expired credentials are renewed once for all requests that were refused because of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

import pytest

from bulkup.errors import CredentialsExpired, ObjectMissing
from bulkup.model import Attributes, Digest, Stored
from bulkup.stores.s3.credentials import Credentials
from bulkup.stores.s3.session import Sessions
from bulkup.stores.s3.store import S3Store
from bulkup.stores.s3.transport import S3Transport
from bulkup.stores.store import Capabilities
from tests.fakes.clock import FakeClock
from tests.unit.stores.raw_server import OK, answer, raw_server, refusal

BODY = b"the bytes"
DIGEST = Digest(sha256(BODY).hexdigest())
EXPIRED = CredentialsExpired("expired")
LIST = answer(200, b"<ListBucketResult/>")


class Keys:
    """Gives out the credentials KEY1, KEY2 and so on; the last of `count` for ever."""

    def __init__(self, count: int, url: str | None = None) -> None:
        self.asked: list[bool] = []
        self._left = count
        self._current = Credentials(
            "KEY0", "s", None, "r", region_given=True, endpoint_url=url, good_for_seconds=60.0
        )

    def __call__(self, *, refresh: bool) -> Credentials:
        self.asked.append(refresh)
        if self._left:
            self._left -= 1
            name = f"KEY{int(self._current.access_key[3:]) + 1}"
            self._current = replace(self._current, access_key=name)
        return self._current


def store_at(url: str, keys: Keys) -> S3Store:
    transport = S3Transport("bucket", keys, ca_pem=None, clock=FakeClock())
    return S3Store("s3://bucket/p", "p/", transport, Capabilities(True, True))


def signed_by(heads: Sequence[str]) -> list[str]:
    return [head.partition("Credential=")[2].partition("/")[0] for head in heads]


async def test_many_refused_requests_renew_once() -> None:
    keys = Keys(2)
    sessions = Sessions("b", keys, FakeClock())
    used = await sessions.get()
    assert (
        await asyncio.gather(*(sessions.recover(EXPIRED, used) for _ in range(20))) == [True] * 20
    )
    assert keys.asked == [False, True]


async def test_many_refused_requests_ask_once_when_there_are_no_other_credentials() -> None:
    keys, clock = Keys(1), FakeClock()
    sessions = Sessions("b", keys, clock)
    used = await sessions.get()
    for _ in range(20):
        assert not await sessions.recover(EXPIRED, used)
    assert keys.asked == [False, True]
    clock.advance(61)
    assert await sessions.get() is used
    assert keys.asked == [False, True, True], "what boto3 has read before is of no use"


async def test_a_late_refusal_of_former_credentials_does_not_renew_again() -> None:
    keys = Keys(3)
    sessions = Sessions("b", keys, FakeClock())
    used = await sessions.get()
    assert await sessions.recover(EXPIRED, used)
    assert await sessions.recover(EXPIRED, used)
    assert (await sessions.get()).credentials.access_key == "KEY2"


async def test_the_same_credentials_are_the_same_session() -> None:
    """So that what was made for it, connections and signers, is kept."""
    clock = FakeClock()
    sessions = Sessions("b", Keys(1), clock)
    first = await sessions.get()
    clock.advance(61)
    assert await sessions.get() is first


async def test_a_late_refusal_of_a_request_signed_ahead_does_not_renew_again() -> None:
    async with raw_server() as server:
        keys = Keys(3, server.url)
        store = store_at(server.url, keys)
        server.answers = [LIST]
        await store.check()
        signer = store.request_signer()
        assert signer is not None
        head = signer.begin(FakeClock().now)("p/k", DIGEST, len(BODY), Attributes())
        assert head is not None
        for _ in range(3):
            server.answers = [refusal(403, "ExpiredToken")]
            assert await store.put_signed("p/k", head + BODY) is None
        assert keys.asked == [False, True]
        assert await put(store) == Stored("e")
        assert signed_by(server.heads) == ["KEY1"] * 4 + ["KEY2"]
        await store.close()


async def test_puts_that_were_under_way_together_renew_once() -> None:
    async with raw_server() as server:
        keys = Keys(3, server.url)
        store = store_at(server.url, keys)
        server.answers = [LIST]
        await store.check()
        expired = refusal(403, "ExpiredToken")
        server.answer_to = lambda head: expired if "KEY1" in head else OK
        assert await asyncio.gather(*(put(store) for _ in range(8))) == [Stored("e")] * 8
        assert keys.asked == [False, True]
        assert sorted(signed_by(server.heads)) == ["KEY1"] * 9 + ["KEY2"] * 8
        await store.close()


async def test_a_read_is_sent_again_with_renewed_credentials() -> None:
    async with raw_server() as server:
        keys = Keys(2, server.url)
        store = store_at(server.url, keys)
        server.answers = [refusal(403, "ExpiredToken"), answer(200, b"the object")]
        assert b"".join([chunk async for chunk in store.open("p/k")]) == b"the object"
        assert signed_by(server.heads) == ["KEY1", "KEY2"]
        server.answers = [refusal(403, "ExpiredToken")]
        with pytest.raises(CredentialsExpired):
            await anext(store.open("p/k"))
        server.answers = [answer(404, b"")]
        with pytest.raises(ObjectMissing):
            await anext(store.open("p/k"))
        await store.close()


async def put(store: S3Store) -> Stored:
    return await store.put("p/k", BODY, digest=DIGEST, attributes=Attributes(), exclusive=True)
