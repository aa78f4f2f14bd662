"""A large object, fetched in ranges. The ranges that are on the disk outlive the process.

Beside the file lies a list of the ranges that were written: its first line is their size in bytes,
each other line a number, counted from 0. A range is listed after it is written. The digest of the
whole file is computed in the end, so a list that is wrong costs time, but no byte.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from hashlib import file_digest

from bulkup.errors import ObjectDamaged
from bulkup.model import Digest
from bulkup.run.pull.folder import RANGES, TargetFolder, not_written
from bulkup.run.stop_signal import task_group
from bulkup.run.store_requests import StoreRequests

AT_ONCE = 8
"""Ranges of one object in flight: enough to use a connection that one stream cannot fill."""


class RangedFile:
    """The ranges of one content in the folder's staging area. The functions block."""

    def __init__(
        self, folder: TargetFolder, digest: Digest, size_bytes: int, range_bytes: int
    ) -> None:
        self.path = folder.staging_path(digest)
        self.size_bytes = size_bytes
        self._range_bytes = range_bytes
        self._list_path = self.path + RANGES
        self._written: set[int] = set()
        self._file = self._list = -1

    def open(self) -> int:
        """Continue with what an earlier pull wrote, or begin; how many bytes are there.

        Raises FileNotWritten, FolderUnusable.
        """
        head = f"{self._range_bytes}\n"
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            self._file = os.open(self.path, flags, 0o666)
            self._list = os.open(self._list_path, flags | os.O_APPEND, 0o666)
            lines = os.pread(self._list, os.fstat(self._list).st_size, 0).decode(errors="replace")
            if not lines.startswith(head):
                os.ftruncate(self._list, 0)
                os.write(self._list, head.encode())
                lines = head
            # The last line may have been cut off by a kill.
            numbers = lines[: lines.rfind("\n")].split("\n")[1:]
            self._written = {int(n) for n in numbers if n.isascii() and n.isdigit()}
            if not lines.endswith("\n"):
                os.write(self._list, b"\n")
        except OSError as error:
            raise not_written(error) from error
        return sum(size for _, size in map(self._extent, self._written & set(self._all())))

    def missing(self) -> list[tuple[int, int]]:
        """Start and size of the ranges that are not there, in order."""
        return [self._extent(number) for number in self._all() if number not in self._written]

    def _all(self) -> range:
        return range(-(-self.size_bytes // self._range_bytes))

    def _extent(self, number: int) -> tuple[int, int]:
        start = number * self._range_bytes
        return start, min(self._range_bytes, self.size_bytes - start)

    def write(self, position: int, chunk: bytes) -> None:
        """Write bytes at a position. Raises as `open` does."""
        try:
            view = memoryview(chunk)
            while view:
                count = os.pwrite(self._file, view, position)
                position, view = position + count, view[count:]
        except OSError as error:
            raise not_written(error) from error

    def finish(self, start: int) -> None:
        """The range that begins there is written."""
        number = start // self._range_bytes
        os.write(self._list, f"{number}\n".encode())
        self._written.add(number)

    def digest(self) -> str:
        """The SHA-256 of the whole file."""
        with open(self.path, "rb") as file:
            return file_digest(file, "sha256").hexdigest()

    def close(self) -> None:
        """Close the files; what they hold stays."""
        for descriptor in (self._file, self._list):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._list = -1

    def remove(self) -> None:
        """Remove the file and its list: nothing of it is to be continued."""
        for path in (self._list_path, self.path):
            with suppress(FileNotFoundError):
                os.unlink(path)


async def fetch_ranges(
    file: RangedFile,
    requests: StoreRequests,
    key: str,
    digest: Digest,
    attempt: Callable[[Callable[[], Awaitable[None]]], Awaitable[None]],
    add_bytes: Callable[[int], None],
) -> None:
    """Fetch what is missing of the object, and compare the digest.

    `attempt` makes each request once the destination works; `add_bytes` gets the bytes that are on
    the disk, a negative number for those that have to be fetched again. Raises ObjectDamaged, and
    what `attempt` raises.
    """
    for is_last in (False, True):
        before = await asyncio.to_thread(file.open)
        try:
            add_bytes(before)
            await _fetch_missing(file, requests, key, attempt, add_bytes)
            found = await asyncio.to_thread(file.digest)
        finally:
            file.close()
        if found == digest:
            return
        file.remove()
        if is_last or not before:
            raise ObjectDamaged(f"key {key!r}: its bytes have another SHA-256, {found}")
        add_bytes(-file.size_bytes)


async def _fetch_missing(
    file: RangedFile,
    requests: StoreRequests,
    key: str,
    attempt: Callable[[Callable[[], Awaitable[None]]], Awaitable[None]],
    add_bytes: Callable[[int], None],
) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def fetch(start: int, size_bytes: int) -> None:
        async def read() -> None:
            position = start
            try:
                async for chunk in requests.store.open(key, start=start, size_bytes=size_bytes):
                    await asyncio.to_thread(file.write, position, chunk)
                    position += len(chunk)
                    add_bytes(len(chunk))
            except BaseException:
                add_bytes(start - position)
                raise
            if position != start + size_bytes:
                raise ObjectDamaged(f"key {key!r}: it is shorter than it was")

        async with places:
            await attempt(lambda: requests.tries(read, size_bytes))
            file.finish(start)

    async with task_group() as tasks:
        for start, size_bytes in file.missing():
            tasks.create_task(fetch(start, size_bytes))
