"""How many bytes of bodies may be in memory at once, and where they are."""

from __future__ import annotations

import asyncio
import mmap
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

_KEPT = 16
"""Buffers that are kept for the next body."""


class Memory:
    """Room for bodies, given in the order in which it is asked for. For one event loop."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._free = most_bytes
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def room(self, size_bytes: int) -> AsyncIterator[None]:
        """Room for so many bytes; for all that there is, where that is less."""
        size_bytes = min(size_bytes, self._most)
        if self._waiting or size_bytes > self._free:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((size_bytes, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._give(size_bytes)
                raise
        else:
            self._free -= size_bytes
        try:
            yield
        finally:
            self._give(size_bytes)

    def _give(self, size_bytes: int) -> None:
        self._free += size_bytes
        while self._waiting:
            wanted, turn = self._waiting[0]
            if not turn.done():
                if wanted > self._free:
                    return
                self._free -= wanted
                turn.set_result(None)
            self._waiting.popleft()


class Buffers:
    """Buffers of one size, used again and again: the system clears new memory page by page, which
    takes longer than to receive what goes there. Memory that was never written to is none."""

    def __init__(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes
        self._idle: list[memoryview] = []

    @contextmanager
    def one(self) -> Iterator[memoryview]:
        """A buffer, which is for others afterwards: unless the task was cancelled, when a thread
        may still be at it."""
        buffer = self._idle.pop() if self._idle else self._new()
        try:
            yield buffer
        except Exception:
            self._keep(buffer)
            raise
        self._keep(buffer)

    def _new(self) -> memoryview:
        pages = mmap.mmap(-1, self._size_bytes)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            with suppress(OSError):  # a kernel without larger pages
                pages.madvise(mmap.MADV_HUGEPAGE)
        return memoryview(pages)

    def _keep(self, buffer: memoryview) -> None:
        if len(self._idle) < _KEPT:
            self._idle.append(buffer)
