"""Contents that are read, registered and ready to be sent: the queue between loading and sending.

It is bounded by the bytes that it holds in memory, in flight included.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from math import inf

from bulkup.content.buffers import release
from bulkup.pace.pacer import Pacer
from bulkup.pace.slow_start import FAR_SECONDS
from bulkup.run.stop_signal import StopSignal
from bulkup.run.upload.loader import ReadyUpload

LOADS = 3
"""Groups read at the same time: two keep two cores busy with hashing, one more hides the gaps."""

AHEAD_ITEMS = 512
"""Ready beyond two for each request that may be in flight: one group of small files."""

HELD_BYTES = 96 << 20
"""File bytes in memory, read ahead or in flight."""

FAR_HELD_BYTES = 192 << 20
"""The most towards a far server, where a line holds more of them: the larger part of the 300 MB
budget."""

LEAST_FAR_BYTES = 64 << 20
FAR_BYTES_PER_SECOND = 4 << 30
"""A line of so many bytes a second, more than this process sends, holds what is enough: the first
measure of the round trip may be half of it."""

AHEAD_BYTES = 32 << 20
"""From here on only what can be sent at once is read: memory that was never used before costs more
than the bytes that are read into it."""

LOOK_SECONDS = 0.02
"""Until the first answer: how often there may be more room, since the server must be farther."""


class ReadyQueue:
    """First in, first out. Made and used in one event loop; a stop ends all waiting."""

    def __init__(self, pacer: Pacer, stop: StopSignal) -> None:
        self._pacer = pacer
        self._stop = stop
        self.items: deque[ReadyUpload] = deque()
        self.held_bytes = 0
        self._ahead_bytes = 0  # of those, what is being read or waits
        self.is_closed = False  # nothing more will come
        self._loads = 0  # groups that are being read
        self._has_waiter = False
        self.begun = stop.event()
        """Set when the first group is being read, or when none will be."""
        self._room = stop.event()
        self._changed = stop.event()

    # For the loads --------------------------------------------------------------------------------

    def begin_load(self, size_bytes: int) -> None:
        """A group is read, and will hold about so many bytes."""
        self._loads += 1
        self.begun.set()
        self.held_bytes += size_bytes
        self._ahead_bytes += size_bytes

    def end_load(self, size_bytes: int, ready: Sequence[ReadyUpload]) -> None:
        """That group is read; what is `ready` of it is put at the end."""
        self._loads -= 1
        more_bytes = sum(one.held_bytes for one in ready) - size_bytes
        self.held_bytes += more_bytes
        self._ahead_bytes += more_bytes
        self.items.extend(ready)
        self._room.set()
        self._changed.set()

    async def wait_for_room(self) -> None:
        """Wait until another group may be read."""
        while not self._stop.is_set and not self._has_room():
            self._room.clear()
            self._has_waiter = True
            # Nothing but time tells that the server, which has not answered yet, is a far one.
            seconds = LOOK_SECONDS if self._pacer.round_trip_seconds == inf else None
            with suppress(TimeoutError):
                await asyncio.wait_for(self._room.wait(), seconds)
            self._has_waiter = False

    def close(self) -> None:
        """Nothing more will come."""
        self.is_closed = True
        self.begun.set()
        self._changed.set()

    def _has_room(self) -> bool:
        if self._loads >= LOADS or len(self.items) >= 2 * self._pacer.limit + AHEAD_ITEMS:
            return False
        most_bytes = self._most_bytes()
        if self._pacer.least_round_trip_seconds >= FAR_SECONDS:
            # While the window opens, all that fits will soon be sent together.
            is_opening = self._pacer.ahead or not self._pacer.is_far
            ahead_bytes = most_bytes if is_opening else AHEAD_BYTES
            return self._ahead_bytes < ahead_bytes and self.held_bytes < most_bytes
        is_dry = not self.items and not self._loads
        return self.held_bytes < (most_bytes if is_dry else AHEAD_BYTES)

    def _most_bytes(self) -> int:
        """How many bytes may be held."""
        round_trip = self._pacer.least_round_trip_seconds
        if round_trip < FAR_SECONDS:
            return HELD_BYTES
        line_bytes = int(round_trip * FAR_BYTES_PER_SECOND)
        return min(max(line_bytes, LEAST_FAR_BYTES), FAR_HELD_BYTES)

    # For the senders ------------------------------------------------------------------------------

    def take(self) -> ReadyUpload:
        """The first item, which is to be sent now."""
        ready = self.items.popleft()
        self._ahead_bytes -= ready.held_bytes
        if self._has_waiter and self._has_room():
            self._room.set()
        return ready

    def put_smallest_first(self) -> None:
        """The first bodies may be wasted, or sent twice."""
        if self.items:
            smallest = min(self.items, key=lambda one: one.loaded.size_bytes)
            self.items.remove(smallest)
            self.items.appendleft(smallest)

    def release(self, ready: ReadyUpload) -> None:
        """Nobody will read the bytes of an item that was taken any more."""
        self.held_bytes -= ready.held_bytes
        release(ready.loaded.body)
        if self._has_waiter and self._has_room():
            self._room.set()

    def expected(self, most_bytes: int) -> int:
        """How many bodies of up to so many bytes there may soon be in memory at the same time,
        judged by those that are ready now."""
        count = sum(one.loaded.size_bytes <= most_bytes for one in self.items)
        if self.is_closed:
            return count
        held_bytes = sum(one.held_bytes for one in self.items)
        return count * self._most_bytes() // max(held_bytes, 1)

    async def wait_for_change(self, seconds: float) -> None:
        """Wait until there are new items, or none will come; not longer than `seconds` while
        there are any."""
        if self.items:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), seconds)
        else:
            await self._changed.wait()
        if not self.is_closed and not self._stop.is_set:
            self._changed.clear()
