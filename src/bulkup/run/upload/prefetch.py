"""Reads claimed files ahead of the senders: claims → groups → load → ready queue.

Files are registered before the first byte of them is sent: so no content is ever sent twice, by
whichever process.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from bulkup.manifest.rows import WorkItem
from bulkup.run.stages.claims import Claims
from bulkup.run.stages.results import StageResults
from bulkup.run.stop_signal import task_group
from bulkup.run.upload.loader import FIRST_ITEMS, IN_PLACE_BYTES, Loader
from bulkup.run.upload.ready_queue import ReadyQueue

GROUP_ITEMS = 512
GROUP_BYTES = 16 << 20
GROUP_SMALL_BYTES = 8 << 20
"""Read, hashed and registered together: about four photos, so that each has others beside it while
it is hashed. Of small files less, which the second process has room for."""

WHOLE_BYTES = 64 << 20
"""About what a group holds at the most: one file that is just small enough for one request."""


class Prefetcher:
    """Loads groups, several at the same time, as long as the ready queue has room."""

    def __init__(
        self,
        loader: Loader,
        claims: Claims,
        results: StageResults,
        ready: ReadyQueue,
        *,
        newest_before: int,
    ) -> None:
        """`newest_before` is the highest id of an item before this run's scan."""
        self._loader = loader
        self._claims = claims
        self._results = results
        self._ready = ready
        self._newest_before = newest_before

    async def run(self) -> None:
        """Load until nothing is left, or until stopped; then close the ready queue."""
        async with task_group() as tasks:
            most = FIRST_ITEMS
            while items := await self._claims.take(most, group_size):
                most = min(most * 4, GROUP_ITEMS)
                size_bytes = min(sum(item.size_bytes for item in items), WHOLE_BYTES)
                self._ready.begin_load(size_bytes)
                tasks.create_task(self._load(items, size_bytes))
                await self._ready.wait_for_room()
        self._ready.close()

    async def _load(self, items: list[WorkItem], size_bytes: int) -> None:
        group = await self._loader.load(items, self._claims.waiting)
        for item, error in group.failed:
            self._results.add_failure(item, error, 0.0)
            self._claims.end(item.item_id, counts=False)
        for item, loaded in group.duplicates:
            self._results.add_duplicate(item, loaded)
            self._claims.end(item.item_id, counts=False)
        for item, loaded in group.touched:
            self._results.add_touched(loaded, is_new=item.item_id > self._newest_before)
            self._claims.end(item.item_id, counts=False)
        for item in group.lost:
            self._claims.end(item.item_id, counts=False)
        for item_id, ready in group.replaced:
            self._claims.replace(item_id, ready)
        self._ready.end_load(size_bytes, group.ready)


def group_size(items: Sequence[WorkItem], most: int) -> int:
    """How many of the first items are read together, at least one."""
    size = small = count = 0
    for item in islice(items, most):
        size += item.size_bytes
        if item.size_bytes <= IN_PLACE_BYTES:
            small += item.size_bytes
        if count and (size > GROUP_BYTES or small > GROUP_SMALL_BYTES):
            break
        count += 1
    return count
