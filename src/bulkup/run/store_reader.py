"""Requests to one destination that change nothing there: listing, looking, reading."""

from __future__ import annotations

import asyncio
import binascii
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from hashlib import sha256
from random import Random
from typing import TypeVar

from bulkup.clock import Clock
from bulkup.errors import (
    CredentialsRefused,
    DestinationError,
    DestinationUnreachable,
    StoreError,
    StoreForbidden,
    StoreUnreachable,
)
from bulkup.model import Digest, ObjectInfo
from bulkup.pace.limiter import RequestLimiter
from bulkup.pace.pacer import Pacer
from bulkup.pace.token_bucket import TokenBucket
from bulkup.pace.tries import CONTROL_TRIES, with_tries
from bulkup.settings.options import RunOptions
from bulkup.stores.directory.store import DirectoryStore
from bulkup.stores.store import ObjectStore

T = TypeVar("T")

AT_ONCE = 200
"""Objects that are asked about together. How many requests are in flight is the pacer's to say."""

INTERNAL = ".bulkup/"
"""What begins so, after the prefix, is bulkup's own and no file's object."""

_DIGEST_BYTES = 32


class StoreReader:
    """The questions of one command to one store, each with its tries and when its turn comes."""

    def __init__(
        self, store: ObjectStore, limiter: RequestLimiter, clock: Clock, random: Random
    ) -> None:
        self.prefix = store.prefix
        self.bytes_read = 0
        self._store = store
        self._limiter = limiter
        self._clock = clock
        self._random = random

    async def check(self) -> None:
        """Raise DestinationError unless the destination is there and lets us in."""
        if isinstance(self._store, DirectoryStore):
            # Not its own check, which would make it: a disk that is not mounted is no empty store.
            await asyncio.to_thread(self._store.look)
        else:
            await self._tries(self._store.check)

    async def pages(self) -> AsyncIterator[list[ObjectInfo]]:
        """The listing of everything below the prefix, page by page. Raises DestinationError."""
        after = ""
        listing = self._store.list(self.prefix)

        async def next_page() -> list[ObjectInfo] | None:
            nonlocal listing
            try:
                return await anext(listing, None)
            except StoreError:
                listing = self._store.list(self.prefix, after=after)
                raise

        while True:
            try:
                page = await self._tries(next_page)
            except StoreError as error:
                raise _of_destination(error) from error
            if page is None:
                return
            yield page
            after = page[-1].key

    async def head(self, key: str) -> ObjectInfo:
        """What the store knows of the object, its own checksum included. Raises as its `head`."""
        return await self._tries(lambda: self._store.head(key, with_checksum=True))

    async def read(self, key: str, size_bytes: int) -> tuple[Digest, int]:
        """The digest of the object's bytes, all of them read, and how many those are."""

        async def read() -> tuple[Digest, int]:
            found, size = sha256(), 0
            async for chunk in self._store.open(key):
                await asyncio.to_thread(found.update, chunk)
                size += len(chunk)
                self.bytes_read += len(chunk)
            return Digest(found.hexdigest()), size

        return await self._tries(read, size_bytes)

    async def _tries(self, call: Callable[[], Awaitable[T]], size_bytes: int = 0) -> T:
        return await with_tries(
            lambda: self._limiter.request(call, size_bytes),
            tries=CONTROL_TRIES,
            clock=self._clock,
            random=self._random,
        )


async def for_each_concurrently(items: Sequence[T], do: Callable[[T], Awaitable[None]]) -> None:
    """`do` all items, many at a time; the first error ends it and is raised."""
    source = iter(items)

    async def work() -> None:
        for item in source:
            await do(item)

    tasks = [asyncio.create_task(work()) for _ in range(min(AT_ONCE, len(items)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def limiter_of(options: RunOptions, clock: Clock) -> RequestLimiter:
    """The pace that the options allow."""
    bandwidth = options.bwlimit_bytes_per_second
    return RequestLimiter(
        Pacer(
            clock,
            fixed_limit=options.concurrency,
            max_rate_per_second=options.max_rate_per_second,
        ),
        clock,
        TokenBucket(bandwidth, bandwidth, now=clock.monotonic()) if bandwidth else None,
    )


def computed_digest(info: ObjectInfo) -> Digest | None:
    """The SHA-256 that the store itself computed over the whole object, where it told one.

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
    """The error of a listing: without one nothing can be said of any object."""
    if isinstance(error, StoreForbidden):
        return CredentialsRefused(
            str(error), code=error.code, hint="The credentials need s3:ListBucket here."
        )
    if isinstance(error, StoreUnreachable):
        return DestinationUnreachable(str(error), hint="Check the network and the endpoint.")
    return DestinationError(f"the listing failed: {error}", code=error.code, hint=error.hint)
