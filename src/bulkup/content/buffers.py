"""Memory for the bytes of files, used again and again.

A fresh buffer of a few MiB costs a sixth of the CPU that sending it takes: the kernel hands it out
page by page, each one zeroed, and takes it back afterwards.

Nobody has to give a piece back: it is free once nothing refers to it any more, be it a body, a
slice of one, a thread that outlives its task, or a request that was answered early and is still
being sent. So a piece that is forgotten somewhere costs its room, and never a byte of a file.
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

ARENA_BYTES = 96 << 20
"""As much as a run holds of files' bytes (run/uploading.py); only what is used gets memory. Parts
of large files share it: what finds no room here is fresh memory, as without an arena."""

UNIT_BYTES = 64 << 10
"""Pieces begin and end at multiples: few gaps, and whole pages."""


class FreeList:
    """What is free of the range from 0 to `size`: (begin, end) in order, none touching another."""

    def __init__(self, size: int) -> None:
        self.free = [(0, size)]

    def take(self, size: int) -> int | None:
        """Where a piece of `size` begins, in the first gap that has room; None: there is none."""
        for index, (begin, end) in enumerate(self.free):
            if end - begin >= size:
                self.free[index : index + 1] = [(begin + size, end)] if end - begin > size else []
                return begin
        return None

    def give_back(self, begin: int, size: int) -> None:
        """Make a piece that was taken part of the gaps again."""
        first = last = bisect(self.free, (begin, begin))
        end = begin + size
        if first > 0 and self.free[first - 1][1] == begin:
            first -= 1
            begin = self.free[first][0]
        if last < len(self.free) and self.free[last][0] == end:
            end = self.free[last][1]
            last += 1
        self.free[first:last] = [(begin, end)]


class _Piece(ref[Any]):
    """Refers weakly to what a piece's views belong to: it dies when the last of them does."""

    __slots__ = ("begin", "size")
    begin: int
    size: int


class BufferPool:
    """Hands out pieces of one memory, which is made when the first one is asked for.

    Safe to call from many threads.
    """

    def __init__(self, size_bytes: int = ARENA_BYTES) -> None:
        self._size_bytes = size_bytes
        self._gaps = FreeList(size_bytes // UNIT_BYTES * UNIT_BYTES)
        self._memory: mmap.mmap | None = None
        self._pieces: dict[int, _Piece] = {}  # by where they begin
        # The last view may die in any thread, also in one that is in `take`: so without the lock.
        self._dead: deque[_Piece] = deque()
        self._lock = Lock()

    def take(self, size_bytes: int) -> memoryview | None:
        """So many bytes, holding anything, for as long as the view or one made of it lives.

        None where there is no room for them now.
        """
        with self._lock:
            self._reclaim()
            size = (size_bytes // UNIT_BYTES + 1) * UNIT_BYTES
            begin = self._gaps.take(size)
            if begin is None:
                return None
            try:
                owner = self._own(begin, size)
            except (ImportError, OSError):  # no ctypes here, or no memory: then do without
                self._gaps = FreeList(0)
                return None
            piece = _Piece(owner, self._dead.append)
            piece.begin, piece.size = begin, size
            self._pieces[begin] = piece
            return memoryview(owner).cast("B")[:size_bytes]

    def _reclaim(self) -> None:
        while self._dead:
            piece = self._dead.popleft()
            del self._pieces[piece.begin]
            self._gaps.give_back(piece.begin, piece.size)

    def _own(self, begin: int, size: int) -> Any:
        """An object that has these bytes and lives as long as any view of them: whether a view
        that other views were made of is still alive would tell nothing about those."""
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
    """Whoever calls this will not look at `body` any more, and nor will an error's traceback,
    which may hold it until the next garbage collection: its memory is free, unless it is still
    being sent or written by others."""
    if isinstance(body, memoryview):
        with suppress(BufferError):
            body.release()
