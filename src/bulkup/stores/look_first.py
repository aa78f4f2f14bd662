"""Whether keys are free, for endpoints without conditional writes."""

from __future__ import annotations

import asyncio
import hashlib
from array import array
from bisect import bisect_left
from collections.abc import AsyncIterator
from typing import Protocol

from bulkup.errors import KeyTaken, ObjectMissing
from bulkup.model import ObjectInfo

HEADS = 32
"""Keys checked by a HEAD each. For more, one listing is cheaper: it has 1,000 objects a page."""


class ReadableStore(Protocol):
    """What is asked of the store."""

    prefix: str

    async def head(self, key: str) -> ObjectInfo: ...
    def list(self, prefix: str = "") -> AsyncIterator[list[ObjectInfo]]: ...


class LookFirst:
    """Looks for the object before a write that may not replace one.

    Another program may write between the two requests: such an endpoint offers nothing better.
    Runs that share a manifest reserve their keys there, and do not collide.
    """

    def __init__(self, store: ReadableStore) -> None:
        self._store = store
        self._heads = 0
        self._listing: asyncio.Task[array[int]] | None = None
        self._listed: array[int] | None = None  # once it is complete

    async def require_free(self, key: str) -> None:
        """Raise KeyTaken when the key holds an object."""
        if self._heads >= HEADS:
            keys = self._listed
            if keys is None:
                keys = await self._list_once()
            if not _has(keys, key):
                return
        self._heads += 1
        try:
            await self._store.head(key)
        except ObjectMissing:
            return
        raise KeyTaken(f"key {key!r} holds an object already")

    async def _list_once(self) -> array[int]:
        if self._listing is None:
            self._listing = asyncio.create_task(self._list())
        try:
            self._listed = await asyncio.shield(self._listing)
        except BaseException:
            self._listing = None  # the next call lists again
            raise
        return self._listed

    async def _list(self) -> array[int]:
        """Sorted 64-bit hashes of all keys below the prefix: eight bytes of memory a key."""
        hashes = array("Q")
        async for page in self._store.list(self._store.prefix):
            hashes.extend(_hash(info.key) for info in page)
        return array("Q", sorted(hashes))

    def close(self) -> None:
        """Stop the listing, if it is still going on."""
        if self._listing is not None:
            self._listing.cancel()


def _has(hashes: array[int], key: str) -> bool:
    if not hashes:
        return False
    key_hash = _hash(key)
    at = bisect_left(hashes, key_hash)
    return at < len(hashes) and hashes[at] == key_hash


def _hash(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
