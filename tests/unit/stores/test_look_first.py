"""A store without conditional writes: looked at before each write, by HEAD first, then by list."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from bulkup.errors import KeyTaken, StoreBroken
from bulkup.model import Attributes, Digest
from bulkup.stores.look_first import HEADS, LookFirstStore
from tests.fakes.clock import FakeClock
from tests.fakes.scripted_store import ScriptedStore


@pytest.fixture
async def inner(tmp_path: Path) -> ScriptedStore:
    store = ScriptedStore(str(tmp_path / "to"), clock=FakeClock(), conditional_writes=False)
    await store.check()
    return store


async def put(store: LookFirstStore, key: str, body: bytes = b"x") -> None:
    digest = Digest(hashlib.sha256(body).hexdigest())
    await store.put(key, body, digest=digest, attributes=Attributes(), exclusive=True)


async def test_few_keys_are_looked_for_one_by_one(inner: ScriptedStore) -> None:
    store = LookFirstStore(inner)
    for number in range(HEADS):
        await put(store, f"{number}.jpg")
    assert (inner.calls["head"], inner.calls["put"]) == (HEADS, HEADS)


async def test_many_keys_cost_one_listing(
    inner: ScriptedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    listings = []
    listed = inner.list

    def counted(prefix: str = "") -> object:
        listings.append(prefix)
        return listed(prefix)

    monkeypatch.setattr(inner, "list", counted)
    store = LookFirstStore(inner)
    for number in range(HEADS + 200):
        await put(store, f"{number}.jpg")
    assert inner.calls["head"] == HEADS
    assert listings == [""]


@pytest.mark.parametrize("before", [0, HEADS + 1])
async def test_an_object_is_never_replaced(inner: ScriptedStore, before: int) -> None:
    await put(LookFirstStore(inner), "taken.jpg", b"theirs")
    store = LookFirstStore(inner)
    for number in range(before):
        await put(store, f"{number}.jpg")
    with pytest.raises(KeyTaken):
        await put(store, "taken.jpg", b"ours")
    assert b"".join([chunk async for chunk in inner.open("taken.jpg")]) == b"theirs"


async def test_a_listing_that_failed_is_made_again(
    inner: ScriptedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LookFirstStore(inner)
    for number in range(HEADS):
        await put(store, f"{number}.jpg")

    async def broken(prefix: str = "") -> object:
        raise StoreBroken("500")
        yield

    with monkeypatch.context() as patch:
        patch.setattr(inner, "list", broken)
        with pytest.raises(StoreBroken):
            await put(store, "a.jpg")
    await put(store, "a.jpg")


async def test_copies_are_looked_for_too(inner: ScriptedStore) -> None:
    store = LookFirstStore(inner)
    await put(store, "a.jpg", b"a")
    await put(store, "b.jpg", b"b")
    with pytest.raises(KeyTaken):
        await store.copy("a.jpg", "b.jpg", size_bytes=1, exclusive=True)
    await store.copy("a.jpg", "c.jpg", size_bytes=1, exclusive=True)
