"""Large bodies: in steps, so that one that moves is told from one that stalls, and no faster than
the bandwidth allows."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self

from bulkup.model import Body
from bulkup.stores.unsent import IS_KNOWN, Movement

_STEP_BYTES = 64 * 1024
"""A body's progress is seen in these steps where the kernel does not say. They cost: 60 µs each."""
_LOOKS = 4
"""So often within the limit the kernel is asked whether something was acknowledged."""
_BUFFERED_BYTES = 4 * 1024 * 1024
_SLOWEST_BYTES_PER_SECOND = 4 * 1024
"""Where it cannot be asked: so much may be in its buffers, and a step takes as long as to send that
at this rate."""


class Steps:
    """The steps of a body. The next one is asked for as the one before moves; that, and what the
    kernel says, puts off the end of the time for it."""

    def __init__(
        self,
        body: Body,
        limit: asyncio.Timeout,
        limit_seconds: float,
        movement: Movement,
        bytes_per_second: int | None,
    ) -> None:
        self.step_bytes = step_bytes(_STEP_BYTES, bytes_per_second)
        self._pace = Pace(bytes_per_second)
        self._body = memoryview(body)
        self._size_bytes = len(body)
        self._next = 0
        self._limit = limit
        self._limit_seconds = limit_seconds
        self._movement = movement
        self._loop = asyncio.get_running_loop()
        self._moved_at = self._loop.time()
        self._timer = self._loop.call_later(limit_seconds / _LOOKS, self._look)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> memoryview:
        start = self._next
        self._next += self.step_bytes
        if start:
            self._put_off(self._loop.time())
        if start >= self._size_bytes:
            raise StopAsyncIteration
        await self._pace.wait(start)
        return self._body[start : self._next]

    def close(self) -> None:
        """Take nothing more of the body: it is free once what was taken is sent."""
        self._timer.cancel()
        self._size_bytes = 0
        self._body = memoryview(b"")

    def _look(self) -> None:
        every = self._limit_seconds / _LOOKS
        now = self._loop.time()
        moved_at = self._movement.moved_at(now, shortest_seconds=every / 2)
        if moved_at > self._moved_at:
            self._put_off(moved_at)
        self._timer = self._loop.call_later(every, self._look)

    def _put_off(self, moved_at: float) -> None:
        self._moved_at = moved_at
        seconds = self._limit_seconds
        if not IS_KNOWN:
            seconds += min(self._size_bytes, _BUFFERED_BYTES) / _SLOWEST_BYTES_PER_SECOND
        with suppress(RuntimeError):  # it was answered early
            self._limit.reschedule(moved_at + seconds)


class Pace:
    """When the bytes of one body may be sent or received."""

    def __init__(self, bytes_per_second: int | None) -> None:
        self._bytes_per_second = bytes_per_second
        self._began = asyncio.get_running_loop().time()

    async def wait(self, size_bytes: int) -> None:
        """Wait until `size_bytes` may have passed."""
        if self._bytes_per_second is not None:
            elapsed = asyncio.get_running_loop().time() - self._began
            await asyncio.sleep(size_bytes / self._bytes_per_second - elapsed)


def step_bytes(most_bytes: int, bytes_per_second: int | None) -> int:
    """The size of a step of a body: a quarter of a second's bytes, where they are limited."""
    if bytes_per_second is None:
        return most_bytes
    return max(1, min(most_bytes, bytes_per_second // 4))
