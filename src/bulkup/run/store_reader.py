"""Requests to one destination that change nothing there: listings, HEADs, reads."""

from __future__ import annotations

import asyncio
import binascii
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from hashlib import sha256
from typing import TypeVar

from bulkup.errors import (
    CredentialsRefused,
    DestinationError,
    DestinationUnreachable,
    StoreError,
    StoreForbidden,
    StoreUnreachable,
)
from bulkup.model import Digest, ObjectInfo
from bulkup.pace.tries import CONTROL_TRIES
from bulkup.run.stop_signal import task_group
from bulkup.run.store_requests import StoreRequests
from bulkup.stores.store import MayBeUnmounted

T = TypeVar("T")

AT_ONCE = 200
"""Objects that are examined at once. The pacer decides how many requests are in flight."""

INTERNAL = ".bulkup/"
"""Keys that begin so, after the prefix, are bulkup's own and no file's."""

_DIGEST_BYTES = 32


class StoreReader:
    """Reads one store, with tries and at the pace that the options allow."""

    def __init__(self, requests: StoreRequests) -> None:
        self.prefix = requests.store.prefix
        self.bytes_read = 0
        self._store = requests.store
        self._requests = requests

    async def check(self) -> None:
        """Raise DestinationError unless the destination exists and may be read."""
        if isinstance(self._store, MayBeUnmounted):
            # Not its own check, which makes it: a disk that is not mounted is no empty store.
            await asyncio.to_thread(self._store.look)
        else:
            await self._requests.ask(self._store.check)

    async def pages(self, start: str | None = None) -> AsyncIterator[list[ObjectInfo]]:
        """The listing of everything below the prefix, or of the keys that begin with `start`, page
        by page. Raises DestinationError."""
        after = ""
        start = self.prefix if start is None else start
        listing = self._store.list(start)

        async def next_page() -> list[ObjectInfo] | None:
            nonlocal listing
            try:
                return await anext(listing, None)
            except StoreError:
                listing = self._store.list(start, after=after)
                raise

        while True:
            try:
                page = await self._requests.ask(next_page)
            except StoreError as error:
                raise _of_destination(error) from error
            if page is None:
                return
            yield page
            after = page[-1].key

    async def head(self, key: str) -> ObjectInfo:
        """Size, digest and the store's own checksum of the object. Raises as `ObjectStore.head`."""
        return await self._requests.ask(lambda: self._store.head(key, with_checksum=True))

    async def read(self, key: str, size_bytes: int) -> tuple[Digest, int]:
        """The digest of all of the object's bytes, and their number."""

        async def read() -> tuple[Digest, int]:
            found, size = sha256(), 0
            async for chunk in self._store.open(key):
                await asyncio.to_thread(found.update, chunk)
                size += len(chunk)
                self.bytes_read += len(chunk)
            return Digest(found.hexdigest()), size

        return await self._requests.tries(read, size_bytes, CONTROL_TRIES)


async def for_each_concurrently(items: Sequence[T], do: Callable[[T], Awaitable[None]]) -> None:
    """Call `do` for all items, many at a time. The first error ends it and is raised."""
    source = iter(items)

    async def work() -> None:
        for item in source:
            await do(item)

    async with task_group() as tasks:
        for _ in range(min(AT_ONCE, len(items))):
            tasks.create_task(work())


def computed_digest(info: ObjectInfo) -> Digest | None:
    """The SHA-256 that the store itself computed over the whole object, where it gives one.

    Of an object sent in parts S3 keeps the composite only (see content.digest); moto and others
    then leave out its `-N`, but not that of the ETag.
    """
    if info.checksum is None or "-" in info.checksum or "-" in (info.etag or ""):
        return None
    try:
        raw = b64decode(info.checksum, validate=True)
    except binascii.Error:
        return None
    return Digest(raw.hex()) if len(raw) == _DIGEST_BYTES else None


def _of_destination(error: StoreError) -> DestinationError:
    """The error of a listing: without one nothing is known of any object."""
    if isinstance(error, StoreForbidden):
        is_permission = error.code in (None, "AccessDenied")
        hint = "The credentials need s3:ListBucket here." if is_permission else error.hint
        return CredentialsRefused(str(error), code=error.code, hint=hint)
    if isinstance(error, StoreUnreachable):
        hint = error.hint or "Check the network and the endpoint."
        return DestinationUnreachable(str(error), hint=hint)
    return DestinationError(f"the listing failed: {error}", code=error.code, hint=error.hint)
