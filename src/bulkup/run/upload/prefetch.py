"""Contents on their way to be sent: read in groups, registered, and put on a shelf.

    group ──read, hash──▶ read ──register──▶ shelf

Files are registered before the first byte of them is sent: so no content is ever sent twice, by
whichever process. What is held in memory is bounded by bytes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from bulkup.content.buffers import release
from bulkup.errors import ItemError
from bulkup.manifest.rows import Read, WorkItem
from bulkup.run.upload.loader import Loader, ReadyUpload

WHOLE_BYTES = 64 << 20
"""About what a group holds at the most: one file that is just small enough for one request."""

LOADS = 3
"""Groups read at the same time: two keep two cores busy with hashing, one more hides the gaps."""

GROUP_ITEMS = 512
GROUP_BYTES = 16 << 20
GROUP_SMALL_BYTES = 8 << 20
"""Read, hashed and registered together: about four photos, so that each has others beside it while
it is hashed. Of small files less, which the second process has room for."""

HELD_BYTES = 96 << 20
"""File bytes in memory, read ahead or in flight: the larger part of the 300 MB budget."""

AHEAD_BYTES = 32 << 20
"""From here on only what can be sent at once is read: memory that was never used before costs more
than the bytes that are read into it."""


class Follow(Protocol):
    """Who is told what became of the works."""

    def fail(self, work: WorkItem, error: ItemError) -> None:
        """It could not be read."""

    def duplicate(self, read: Read) -> None:
        """Its content is known, and not this run's to send."""

    def look(self) -> None:
        """There may be more on the shelf."""

    def ended(self, error: BaseException | None) -> None:
        """A step has ended, so there may be room for more; `error` is a bug, or the manifest's."""


class Prefetcher:
    """Reads groups of claimed works. Made and used in one event loop."""

    def __init__(self, loader: Loader, follow: Follow) -> None:
        self._loader = loader
        self._follow = follow
        self.queue: deque[ReadyUpload] = deque()
        self.ready = 0  # contents that have ever been on it
        self._works: set[int] = set()  # items being read, or read and not registered yet
        self._held_bytes = 0
        self._reading: set[asyncio.Task[None]] = set()

    @property
    def is_busy(self) -> bool:
        """Whether anything is on its way, or waits on the shelf."""
        return bool(self._works or self.queue or self._reading)

    @property
    def to_come(self) -> int:
        """Works of which it is not known yet whether they will be on the shelf."""
        return len(self._works)

    @property
    def held_items(self) -> list[int]:
        """Items whose sending has not begun."""
        return [*self._works, *(ready.work.item_id for ready in self.queue)]

    def has_room(self, limit: int) -> bool:
        """Whether the next group may be begun while so many requests may be in flight."""
        few = len(self.queue) < 2 * limit + GROUP_ITEMS
        is_dry = not self.queue and not self._works
        most_bytes = HELD_BYTES if is_dry else AHEAD_BYTES
        return few and len(self._reading) < LOADS and self._held_bytes < most_bytes

    def begin(self, group: list[WorkItem], following: int) -> None:
        """Start to read a group; about `following` more works are to come."""
        self._works.update([work.item_id for work in group])
        task = asyncio.create_task(self._read(group, following))
        self._reading.add(task)
        task.add_done_callback(self._ended)

    def take(self) -> ReadyUpload:
        """The next content from the shelf; call `let_go` when it has been dealt with."""
        return self.queue.popleft()

    def release(self, ready: ReadyUpload) -> None:
        """Nobody will look at its bytes any more."""
        self._held_bytes -= ready.held_bytes
        release(ready.loaded.body)

    async def end(self) -> None:
        """Return when all that has begun has ended. Raises what went wrong."""
        await asyncio.gather(*self._reading)

    async def cancel(self) -> None:
        """End at once."""
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None:  # one with an error is waited for, and raises it
            self._reading.discard(task)
        self._follow.ended(error)

    async def _read(self, works: list[WorkItem], following: int) -> None:
        expected_bytes = min(sum(work.size_bytes for work in works), WHOLE_BYTES)
        self._held_bytes += expected_bytes
        try:
            group = await self._loader.load(works, following)
        finally:
            self._held_bytes -= expected_bytes
        self._works.difference_update([work.item_id for work in works])
        for work, error in group.failed:
            self._follow.fail(work, error)
        for read in group.duplicates:
            self._follow.duplicate(read)
        for ready in group.ready:
            self._held_bytes += ready.held_bytes
            self.queue.append(ready)
        self.ready += len(group.ready)
        self._follow.look()
