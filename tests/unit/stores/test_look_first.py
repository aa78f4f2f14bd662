"""Keys are looked for before a write: by HEAD first, then by one listing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bulkup.errors import KeyTaken, ObjectMissing, StoreBroken
from bulkup.model import ObjectInfo
from bulkup.stores.look_first import HEADS, LookFirst


class Listed:
    """A store of objects without bytes, which counts what it is asked."""

    prefix = "p/"

    def __init__(self, *keys: str) -> None:
        self.keys = set(keys)
        self.heads = 0
        self.listings: list[str] = []
        self.error: Exception | None = None

    async def head(self, key: str) -> ObjectInfo:
        self.heads += 1
        if key not in self.keys:
            raise ObjectMissing(key)
        return ObjectInfo(key, 1)

    async def list(self, prefix: str = "") -> AsyncIterator[list[ObjectInfo]]:
        self.listings.append(prefix)
        if self.error is not None:
            raise self.error
        for key in sorted(self.keys):
            yield [ObjectInfo(key, 1)]


async def look_for(look_first: LookFirst, count: int) -> None:
    for number in range(count):
        await look_first.require_free(f"p/{number}.jpg")


async def test_few_keys_cost_a_head_each() -> None:
    store = Listed()
    await look_for(LookFirst(store), HEADS)
    assert (store.heads, store.listings) == (HEADS, [])


async def test_many_keys_cost_one_listing() -> None:
    store = Listed()
    await look_for(LookFirst(store), HEADS + 200)
    assert (store.heads, store.listings) == (HEADS, ["p/"])


@pytest.mark.parametrize("before", [0, HEADS + 1])
async def test_a_taken_key_is_found_by_head_and_by_listing(before: int) -> None:
    look_first = LookFirst(Listed("p/taken.jpg", "p/other.jpg"))
    await look_for(look_first, before)
    with pytest.raises(KeyTaken):
        await look_first.require_free("p/taken.jpg")


async def test_an_object_deleted_since_the_listing_is_not_in_the_way() -> None:
    store = Listed("p/gone.jpg")
    look_first = LookFirst(store)
    await look_for(look_first, HEADS + 1)
    store.keys.clear()
    await look_first.require_free("p/gone.jpg")


async def test_a_failed_listing_is_made_again() -> None:
    store = Listed("p/taken.jpg")
    look_first = LookFirst(store)
    await look_for(look_first, HEADS)
    store.error = StoreBroken("500")
    with pytest.raises(StoreBroken):
        await look_first.require_free("p/a.jpg")
    store.error = None
    await look_first.require_free("p/a.jpg")
    with pytest.raises(KeyTaken):
        await look_first.require_free("p/taken.jpg")
