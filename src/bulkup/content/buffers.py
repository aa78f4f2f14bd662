"""Reusable memory for file contents.

A fresh buffer of a few MiB costs a sixth of the CPU that sending it takes: the kernel maps it page
by page, zeroes each page, and unmaps it afterwards.

Nobody has to return a buffer. It is free once nothing refers to it any more: no body, no slice of
one, no thread that outlives its task, no request that was answered early and is still being sent.
A forgotten reference costs memory, never a byte of a file.
"""

from __future__ import annotations

import mmap
from bisect import bisect
from collections import deque
from contextlib import suppress
from threading import Lock
from typing import Any
from weakref import ref

from bulkup.model import Body

POOL_BYTES = 192 << 20
"""The most bytes of files that a run holds (run/upload/ready_queue.py). Memory is mapped on first
use. Parts of large files share the pool; what does not fit is allocated separately."""

UNIT_BYTES = 64 << 10
"""Buffers begin and end at multiples of this: few gaps, and whole pages."""


class FreeList:
    """The free ranges of 0 to `size`: (begin, end), in order, none adjacent to the next."""

    def __init__(self, size: int) -> None:
        self.free = [(0, size)]

    def allocate(self, size: int) -> int | None:
        """The begin of the first free range of at least `size`; None when there is none."""
        for index, (begin, end) in enumerate(self.free):
            if end - begin >= size:
                self.free[index : index + 1] = [(begin + size, end)] if end - begin > size else []
                return begin
        return None

    def deallocate(self, begin: int, size: int) -> None:
        """Free an allocated range again."""
        first = last = bisect(self.free, (begin, begin))
        end = begin + size
        if first > 0 and self.free[first - 1][1] == begin:
            first -= 1
            begin = self.free[first][0]
        if last < len(self.free) and self.free[last][0] == end:
            end = self.free[last][1]
            last += 1
        self.free[first:last] = [(begin, end)]


class _Buffer(ref[Any]):
    """A weak reference to the owner of a buffer's views; it dies with the last of them."""

    __slots__ = ("begin", "size")
    begin: int
    size: int


class BufferPool:
    """Buffers cut from one mapping, which is made when the first one is taken. Thread-safe."""

    def __init__(self, size_bytes: int = POOL_BYTES) -> None:
        self._size_bytes = size_bytes
        self._free = FreeList(size_bytes // UNIT_BYTES * UNIT_BYTES)
        self._memory: mmap.mmap | None = None
        self._buffers: dict[int, _Buffer] = {}  # by begin
        # The last view may die in any thread, even one inside `take`: so this needs no lock.
        self._dead: deque[_Buffer] = deque()
        self._lock = Lock()

    def take(self, size_bytes: int) -> memoryview | None:
        """A buffer of `size_bytes`, not zeroed, for as long as any view of it lives.

        None when the pool has no room for it now.
        """
        with self._lock:
            self._reclaim()
            size = max(1, -(-size_bytes // UNIT_BYTES)) * UNIT_BYTES
            begin = self._free.allocate(size)
            if begin is None:
                return None
            try:
                owner = self._own(begin, size)
            except (ImportError, OSError):  # no ctypes, or no memory: work without the pool
                self._free = FreeList(0)
                return None
            buffer = _Buffer(owner, self._dead.append)
            buffer.begin, buffer.size = begin, size
            self._buffers[begin] = buffer
            return memoryview(owner).cast("B")[:size_bytes]

    def _reclaim(self) -> None:
        while self._dead:
            buffer = self._dead.popleft()
            del self._buffers[buffer.begin]
            self._free.deallocate(buffer.begin, buffer.size)

    def _own(self, begin: int, size: int) -> Any:
        """An object that exports these bytes and lives as long as any view of them.

        A memoryview would not do: it may die before the views that were made of it.
        """
        from ctypes import c_char

        if self._memory is None:
            # Private: shared memory, the default, has other rules for huge pages.
            self._memory = mmap.mmap(
                -1, self._size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
            )
            if hasattr(mmap, "MADV_HUGEPAGE"):
                with suppress(OSError):  # the kernel has none
                    self._memory.madvise(mmap.MADV_HUGEPAGE)
        return (c_char * size).from_buffer(self._memory, begin)


def release(body: Body | None) -> None:
    """Free a body's memory now, though tracebacks may still refer to it.

    The caller must not read `body` afterwards. Memory that is still being sent or written by
    others stays allocated until they are done.
    """
    if isinstance(body, memoryview):
        with suppress(BufferError):
            body.release()
