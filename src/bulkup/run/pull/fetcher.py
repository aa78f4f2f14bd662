"""One content: one read of its object, and the digest compared before a file gets a name."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from hashlib import sha256
from typing import NamedTuple

from bulkup.errors import (
    DestinationError,
    FileNotWritten,
    ItemError,
    ObjectArchived,
    ObjectDamaged,
)
from bulkup.manifest.reports.pull import PulledObject
from bulkup.model import Body
from bulkup.run.pull.contents import WantedContent
from bulkup.run.pull.counts import PullCounts
from bulkup.run.pull.folder import TargetFolder, not_written
from bulkup.run.pull.memory import Buffers, Memory
from bulkup.run.pull.ranges import RangedFile, fetch_ranges
from bulkup.run.pull.sources import PullSource, Sources
from bulkup.run.store_requests import chunks_of

SMALL_BYTES = 512 * 1024
"""Up to this size contents are checked one by one, and written many at a time."""

MEDIUM_BYTES = 8 * 1024 * 1024
"""Up to this size a content is fetched into memory: a photo costs half as much as in chunks."""

MEMORY_BYTES = 64 * 1024 * 1024
"""For all bodies in memory."""

STREAMS = 16
"""Larger contents that are written at the same time, each a chunk of 1 MiB at once."""

EMPTY_DIGEST = sha256().hexdigest()


class PullOptions(NamedTuple):
    """How objects are fetched."""

    large_bytes: int  # from this size on in ranges
    range_bytes: int
    restore_days: int | None = None  # ask for objects in cold storage


class Fetched(NamedTuple):
    """The bytes of a content: in memory, or in a staged file."""

    key: str | None
    body: bytes | None
    staged: str | None = None


class Fetcher:
    """Fetches contents. For one event loop."""

    def __init__(
        self, folder: TargetFolder, sources: Sources, counts: PullCounts, options: PullOptions
    ) -> None:
        self.folder = folder
        self.sources = sources
        self.counts = counts
        self._options = options
        self._streams = asyncio.Semaphore(STREAMS)
        self._memory = Memory(MEMORY_BYTES)
        self._buffers = Buffers(MEDIUM_BYTES)

    def room(self, content: WantedContent) -> AbstractAsyncContextManager[None]:
        """Room in memory for the content's bytes, to be held until they are written."""
        size_bytes = content.size_bytes
        return self._memory.room(size_bytes if size_bytes <= MEDIUM_BYTES else 0)

    async def fetch(self, content: WantedContent) -> Fetched:
        """The content from the first of its objects that has it.

        Raises the ItemError of the last one, DestinationError when no destination of it works,
        FolderUnusable, Stopped.
        """
        if content.digest == EMPTY_DIGEST:
            return Fetched(None, b"")
        errors: list[ItemError | DestinationError] = []
        for one in content.objects:
            source = self.sources[one.destination_id]
            try:
                return await self._fetch(content, one, source)
            except FileNotWritten:
                raise
            except ObjectArchived as error:
                errors.append(error)
                await self._ask_for_copy(one, source)
            except (ItemError, DestinationError) as error:
                errors.append(error)
        archived = [error for error in errors if isinstance(error, ObjectArchived)]
        raise (archived or errors)[-1]

    async def _ask_for_copy(self, one: PulledObject, source: PullSource) -> None:
        if self._options.restore_days is not None:
            days = self._options.restore_days
            await source.attempt(
                lambda: source.requests.ask(lambda: source.store.restore(one.key, days=days))
            )
            self.counts.requested += 1

    async def _fetch(
        self, content: WantedContent, one: PulledObject, source: PullSource
    ) -> Fetched:
        if content.size_bytes <= MEDIUM_BYTES:
            read = self._read if content.size_bytes <= SMALL_BYTES else self._read_medium
            return await source.attempt(lambda: read(content, one.key, source))
        async with self._streams:
            if content.size_bytes < self._options.large_bytes:
                return await source.attempt(lambda: self._stream(content, one.key, source))
            return await self._fetch_ranges(content, one.key, source)

    async def _read(self, content: WantedContent, key: str, source: PullSource) -> Fetched:
        async def read() -> bytes:
            source.begin()
            return await source.store.read(key, most_bytes=content.size_bytes)

        body = await source.requests.tries(read, content.size_bytes)
        _require_digest(sha256(body).hexdigest(), content, key)
        self._add_bytes(len(body))
        return Fetched(key, body)

    async def _read_medium(self, content: WantedContent, key: str, source: PullSource) -> Fetched:
        with self._buffers.one() as buffer:
            body = buffer[: content.size_bytes]

            async def read() -> int:
                source.begin()
                return await source.store.read_into(key, body)

            body = body[: await source.requests.tries(read, content.size_bytes)]
            staged = await asyncio.to_thread(self._check_and_stage, content, key, body)
        self._add_bytes(content.size_bytes)
        return Fetched(key, None, staged)

    def _check_and_stage(self, content: WantedContent, key: str, body: Body) -> str:
        _require_digest(sha256(body).hexdigest(), content, key)
        return self.folder.stage(body)

    async def _stream(self, content: WantedContent, key: str, source: PullSource) -> Fetched:
        path = self.folder.staging_path()

        async def stream() -> str:
            source.begin()
            found, written = sha256(), 0
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC)
            except OSError as error:
                raise not_written(error) from error

            def write(chunk: bytes) -> None:
                found.update(chunk)
                view = memoryview(chunk)
                while view:
                    view = view[os.write(descriptor, view) :]

            try:
                async for chunk in chunks_of(source.store, key):
                    try:
                        await asyncio.to_thread(write, chunk)
                    except OSError as error:
                        raise not_written(error) from error
                    written += len(chunk)
                    self._add_bytes(len(chunk))
            except BaseException:
                self._add_bytes(-written)
                raise
            finally:
                os.close(descriptor)
            return found.hexdigest()

        try:
            digest = await source.requests.tries(stream, content.size_bytes)
            _require_digest(digest, content, key)
        except BaseException:
            with suppress(OSError):
                os.unlink(path)
            raise
        return Fetched(key, None, path)

    async def _fetch_ranges(self, content: WantedContent, key: str, source: PullSource) -> Fetched:
        options = self._options
        file = RangedFile(self.folder, content.digest, content.size_bytes, options.range_bytes)

        async def attempt(request: Callable[[], Awaitable[None]]) -> None:
            await source.attempt(request)

        await fetch_ranges(file, source.requests, key, content.digest, attempt, self._add_bytes)
        return Fetched(key, None, file.path)

    def _add_bytes(self, size_bytes: int) -> None:
        self.counts.done_bytes += size_bytes


def _require_digest(found: str, content: WantedContent, key: str) -> None:
    if found != content.digest:
        raise ObjectDamaged(
            f"key {key!r}: its bytes have another SHA-256, {found}",
            hint="bulkup verify --deep finds all such objects.",
        )
