"""One content into one object: what is there already is adopted or left alone, never replaced."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from bulkup.errors import KeyTaken
from bulkup.model import Attributes, Body, Digest, ObjectInfo, Stored
from bulkup.stores.directory.store import DirectoryStore
from bulkup.stores.put_once import is_same, send_whole
from tests.fakes.clock import FakeClock
from tests.fakes.scripted_store import ScriptedStore

T = TypeVar("T")

BODY = b"a picture"
DIGEST = Digest(hashlib.sha256(BODY).hexdigest())


async def once(call: Callable[[], Awaitable[T]]) -> T:
    return await call()


async def send(store: DirectoryStore, body: bytes = BODY) -> str:
    sent = await send_whole(
        store,
        "x.jpg",
        body,
        digest=Digest(hashlib.sha256(body).hexdigest()),
        attributes=Attributes(),
        tries=once,
        ask=once,
    )
    return sent.how


@pytest.fixture
async def store(tmp_path: Path) -> DirectoryStore:
    made = DirectoryStore(str(tmp_path / "to"), clock=FakeClock(), durable=False)
    await made.check()
    return made


async def test_the_same_content_is_sent_once_and_then_adopted(store: DirectoryStore) -> None:
    assert [await send(store), await send(store)] == ["sent", "adopted"]


class Contested(ScriptedStore):
    """Says of a key without an object that it is taken, so many times."""

    times = 0

    async def put(
        self, key: str, body: Body, *, digest: Digest, attributes: Attributes, exclusive: bool
    ) -> Stored:
        if self.times:
            self.times -= 1
            raise KeyTaken("409")
        return await super().put(
            key, body, digest=digest, attributes=attributes, exclusive=exclusive
        )


@pytest.mark.parametrize("times", [1, 2])
async def test_a_key_that_is_taken_by_no_object_is_put_again(tmp_path: Path, times: int) -> None:
    store = Contested(str(tmp_path), clock=FakeClock())
    store.times = times
    assert await send(store) == "sent"


async def test_a_key_that_stays_taken_by_no_object_is_taken(tmp_path: Path) -> None:
    """So the content gets another key; it is not "missing"."""
    store = Contested(str(tmp_path), clock=FakeClock())
    store.times = 100
    with pytest.raises(KeyTaken, match="409"):
        await send(store)


@pytest.mark.parametrize("other", [b"a pictura", b"longer than that", b""])
async def test_another_content_is_left_alone(store: DirectoryStore, other: bytes) -> None:
    await send(store, other)
    with pytest.raises(KeyTaken):
        await send(store)
    assert b"".join([chunk async for chunk in store.open("x.jpg")]) == other


async def test_an_object_of_another_tool_is_known_by_its_md5_or_read(
    store: DirectoryStore,
) -> None:
    await send(store)
    md5 = hashlib.md5(BODY, usedforsecurity=False).hexdigest()

    async def same(key: str, etag: str | None, size_bytes: int = len(BODY)) -> bool:
        info = ObjectInfo(key, size_bytes, etag=etag)
        return await is_same(store, info, size_bytes=len(BODY), digest=DIGEST, body=BODY)

    assert await same("not even there", f'"{md5}"')
    assert await same("x.jpg", '"0123456789abcdef-2"')
    assert await same("x.jpg", None)
    assert not await same("x.jpg", f'"{md5}"', size_bytes=1)
    assert not await same("not there", None)
