"""A store around a store without conditional writes: it looks before it writes.

Between the look and the write another writer may come: that is the best such an endpoint allows.
Two runs of bulkup that share a manifest do not get into each other's way: keys are reserved there.
"""

from __future__ import annotations

import asyncio
import builtins
import hashlib
from array import array
from bisect import bisect_left
from collections.abc import AsyncIterator, Sequence
from typing import cast

from bulkup.errors import KeyTaken, ObjectMissing
from bulkup.model import Attributes, Body, Digest, ObjectInfo, Part, Stored
from bulkup.stores.store import Capabilities, ObjectStore, PartStore, RequestSigner

HEADS = 32
"""So many keys are looked for one by one; whoever has more to write lists the prefix once, at one
request for a thousand objects."""


class LookFirstStore(PartStore):
    """An ObjectStore and PartStore whose exclusive writes are preceded by a look."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.url = store.url
        self.prefix = store.prefix
        self.part_threshold_bytes = store.part_threshold_bytes
        self.capabilities = store.capabilities
        self._heads = 0
        self._listing: asyncio.Task[array[int]] | None = None
        self._marks: array[int] | None = None  # what the listing brought

    async def _look(self, key: str) -> None:
        """Raise KeyTaken when there is an object under `key`."""
        if self._heads >= HEADS:
            if self._listing is None:
                self._listing = asyncio.create_task(self._list())
            if self._marks is None:
                try:
                    self._marks = await asyncio.shield(self._listing)
                except BaseException:
                    self._listing = None
                    raise
            marks, mark = self._marks, _mark(key)
            at = bisect_left(marks, mark)
            if at == len(marks) or marks[at] != mark:
                return
        self._heads += 1
        try:
            await self._store.head(key)
        except ObjectMissing:
            return
        raise KeyTaken(f"{key} holds an object already")

    async def _list(self) -> array[int]:
        """All keys below the prefix, as sorted 64-bit marks: eight bytes a key."""
        marks = array("Q")
        async for page in self._store.list(self.prefix):
            marks.extend(_mark(info.key) for info in page)
        return array("Q", sorted(marks))

    async def check(self) -> None:
        await self._store.check()

    async def put(
        self, key: str, body: Body, *, digest: Digest, attributes: Attributes, exclusive: bool
    ) -> Stored:
        if exclusive:
            await self._look(key)
        return await self._store.put(
            key, body, digest=digest, attributes=attributes, exclusive=False
        )

    def request_signer(self, *, exclusive: bool) -> RequestSigner | None:
        return self._store.request_signer(exclusive=False)

    async def put_prepared(self, key: str, request: bytes, *, exclusive: bool) -> Stored | None:
        if exclusive:
            await self._look(key)
        return await self._store.put_prepared(key, request, exclusive=False)

    async def probe(
        self, key: str, body: Body, *, digest: Digest, attributes: Attributes
    ) -> tuple[Capabilities, Stored]:
        return await self._store.probe(key, body, digest=digest, attributes=attributes)

    async def head(self, key: str, *, with_checksum: bool = False) -> ObjectInfo:
        return await self._store.head(key, with_checksum=with_checksum)

    def open(self, key: str) -> AsyncIterator[bytes]:
        return self._store.open(key)

    def list(
        self, prefix: str = "", *, after: str = ""
    ) -> AsyncIterator[builtins.list[ObjectInfo]]:
        return self._store.list(prefix, after=after)

    async def copy(self, source_key: str, key: str, *, size_bytes: int, exclusive: bool) -> Stored:
        if exclusive:
            await self._look(key)
        return await self._store.copy(source_key, key, size_bytes=size_bytes, exclusive=False)

    async def delete(self, key: str) -> None:
        await self._store.delete(key)

    async def close(self) -> None:
        if self._listing is not None:
            self._listing.cancel()
        await self._store.close()

    async def begin_parts(self, key: str, *, digest: Digest | None, attributes: Attributes) -> str:
        return await self._parts.begin_parts(key, digest=digest, attributes=attributes)

    async def put_part(
        self, key: str, upload_id: str, number: int, body: Body, *, digest: Digest
    ) -> Part:
        return await self._parts.put_part(key, upload_id, number, body, digest=digest)

    async def list_parts(self, key: str, upload_id: str) -> builtins.list[Part]:
        return await self._parts.list_parts(key, upload_id)

    async def complete_parts(
        self, key: str, upload_id: str, parts: Sequence[Part], *, exclusive: bool
    ) -> Stored:
        if exclusive:
            await self._look(key)
        return await self._parts.complete_parts(key, upload_id, parts, exclusive=False)

    async def abort_parts(self, key: str, upload_id: str) -> None:
        await self._parts.abort_parts(key, upload_id)

    def list_uploads(
        self, prefix: str = ""
    ) -> AsyncIterator[builtins.list[tuple[str, str, float]]]:
        return self._parts.list_uploads(prefix)

    @property
    def _parts(self) -> PartStore:
        return cast("PartStore", self._store)


def _mark(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
