"""Puts variants beside the originals, and keeps those that are there already."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable

from bulkup.content.picture.types import Variant
from bulkup.errors import KeyTaken
from bulkup.manifest.rows import VariantRow, WorkItem
from bulkup.model import Attributes, Digest
from bulkup.process.task import variant_key
from bulkup.run.store_requests import StoreRequests

IsBad = Callable[[str], Awaitable[bool]]
"""Whether `verify` found other bytes in the variant under this key."""


class VariantStore:
    """The variants at one destination."""

    def __init__(self, requests: StoreRequests, *, force: bool) -> None:
        self._requests = requests
        self._force = force

    async def put(self, item: WorkItem, variant: Variant, is_bad: IsBad) -> VariantRow:
        """Store a variant. One that is there already is kept, unless --force is given or it is
        bad. Raises as `ObjectStore.put`."""
        prefix = self._requests.store.prefix
        key = variant_key(prefix, variant.name, item.known_digest, variant.format)
        try:
            return await self._put(variant, key, is_exclusive=not self._force)
        except KeyTaken:
            if await is_bad(key):
                return await self._put(variant, key, is_exclusive=False)
            return await self._row_of(variant.name, key)

    async def _put(self, variant: Variant, key: str, *, is_exclusive: bool) -> VariantRow:
        """Raises KeyTaken when it must not replace what is there."""
        digest = Digest(hashlib.sha256(variant.body).hexdigest())
        attributes = Attributes(content_type=variant.content_type)
        stored = await self._requests.tries(
            lambda: self._requests.store.put(
                key, variant.body, digest=digest, attributes=attributes, exclusive=is_exclusive
            ),
            len(variant.body),
        )
        return VariantRow(variant.name, key, len(variant.body), digest, stored.etag)

    async def _row_of(self, kind: str, key: str) -> VariantRow:
        """A variant that an earlier run made."""
        info = await self._requests.ask(lambda: self._requests.store.head(key))
        digest = info.digest
        if digest is None:
            body = await self._requests.read(key)
            digest = Digest(hashlib.sha256(body).hexdigest())
        return VariantRow(kind, key, info.size_bytes, digest, info.etag)
