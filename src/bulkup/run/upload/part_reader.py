"""Reads the parts of a large content, and bounds how many bytes of them are in memory."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Generator
from threading import Lock
from typing import BinaryIO, Self

from bulkup.content.buffers import BufferPool
from bulkup.content.reading import is_member, open_source
from bulkup.errors import SourceChanged
from bulkup.manifest.rows import WorkItem
from bulkup.run.upload.loader import ReadyUpload


class ByteLimit:
    """A semaphore of bytes: at most so many, or two parts if those are larger."""

    def __init__(self, size_bytes: int) -> None:
        self._most = size_bytes
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()
        self._parts = 0
        self.held_bytes = 0

    async def acquire(self, size_bytes: int) -> None:
        """Wait for room, in the order of the calls."""
        if not self._waiting and self._has_room(size_bytes):
            self._hold(size_bytes)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, size_bytes))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(size_bytes)
            raise

    def release(self, size_bytes: int) -> None:
        """Give the room back."""
        self._parts -= 1
        self.held_bytes -= size_bytes
        while self._waiting and (self._waiting[0][0].done() or self._has_room(self._waiting[0][1])):
            turn, wanted = self._waiting.popleft()
            if not turn.done():  # else cancelled while it waited
                self._hold(wanted)
                turn.set_result(None)

    def _has_room(self, size_bytes: int) -> bool:
        if 2 * size_bytes > self._most:
            return self._parts < 2
        return self.held_bytes + size_bytes <= self._most

    def _hold(self, size_bytes: int) -> None:
        self._parts += 1
        self.held_bytes += size_bytes


class PartReader:
    """Gives the bytes of some parts of a content, in ascending order. Use with `async with`."""

    def __init__(self, ready: ReadyUpload, numbers: list[int], buffers: BufferPool) -> None:
        self._item = ready.item
        self._loaded = ready.loaded
        self._numbers = iter(numbers)
        self._buffers = buffers
        self._source: Generator[memoryview] | None = None
        self._lock = Lock()  # a reading thread outlives the task that was cancelled

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._close)

    async def next(self) -> memoryview:
        """The next part's bytes. Raises SourceError."""
        return await asyncio.to_thread(self._next)

    def _next(self) -> memoryview:
        with self._lock:
            if self._source is None:
                self._source = self._read()
            return next(self._source)

    def _close(self) -> None:
        """Close the file, once it is not being read."""
        with self._lock:
            if self._source is not None:
                self._source.close()

    def _read(self) -> Generator[memoryview]:
        item, part_bytes = self._item, self._loaded.part_bytes
        size = self._loaded.size_bytes
        position = 0
        with open_source(item.root, item.folder, item.name) as (file, _):
            for number in self._numbers:
                start = (number - 1) * part_bytes
                _skip(file, item, start - position, start)
                count = min(part_bytes, size - start)
                position = start + count
                yield self._exactly(file, count)

    def _exactly(self, file: BinaryIO, count: int) -> memoryview:
        """The next `count` bytes. Raises SourceChanged when there are fewer."""
        body = self._buffers.take(count)
        if body is None:
            body = memoryview(bytearray(count))
        got = 0
        while got < count and (more := file.readinto(body[got:])):  # type: ignore[attr-defined]  # BinaryIO lacks it
            got += more
        if got < count:
            raise SourceChanged(
                f"{self._item.folder}{self._item.name} became shorter while it was sent"
            )
        return body


def _skip(file: BinaryIO, item: WorkItem, count: int, to: int) -> None:
    """Move to where the next part starts; a member of an archive has to be read for that."""
    if not is_member(item.folder):
        file.seek(to)
        return
    while count > 0 and (chunk := file.read(min(count, 1 << 20))):
        count -= len(chunk)
