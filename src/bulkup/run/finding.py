"""The walks of one job, root by root."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from bulkup.clock import Clock
from bulkup.discover.listed import listed, read_paths
from bulkup.discover.listing import FolderListing
from bulkup.discover.walk import walk
from bulkup.manifest.walks import Scope
from bulkup.run.events import Emit
from bulkup.run.job import Begun, Job, ToWalk
from bulkup.run.ledger import Ledger
from bulkup.run.looking_again import Places, mend
from bulkup.run.uploading import Uploading
from bulkup.run.walking import Walked, Walking

HOP_LISTINGS = 64
"""So many listings of single files are worth a hop between threads."""


class Finding:
    """Finds the files of a job and hands them over to its uploads."""

    def __init__(
        self,
        ledger: Ledger,
        job: Job,
        begun: Begun,
        uploading: Uploading,
        *,
        run_id: str,
        clock: Clock,
        emit: Emit,
    ) -> None:
        self._ledger = ledger
        self._job = job
        self._begun = begun
        self._uploading = uploading
        self._run_id = run_id
        self._clock = clock
        self._emit = emit
        self._walkings: list[Walking] = []
        self.is_under_way = True

    @property
    def walked(self) -> list[Walked]:
        """What was found so far, one for each root."""
        return [walking.walked for walking in self._walkings]

    async def run(self) -> None:
        """Walk all roots that are to be walked."""
        order, destination = self._job.order, self._job.destination
        queue = self._ledger.manifest.queue
        pending = await self._ledger.call(queue.has_pending, destination.id)
        walkings = {
            one.named.root: (one, self._walking(one, is_settled=one.is_known and not pending))
            for one in self._begun.to_walk
        }
        self._walkings = [walking for _, walking in walkings.values()]
        if order.files_from is not None and walkings:
            await self._walk_listed({root: walking for root, (_, walking) in walkings.items()})
        else:
            for one, walking in walkings.values():
                await self._walk(one, walking)
        self.is_under_way = False

    def _walking(self, one: ToWalk, *, is_settled: bool) -> Walking:
        return Walking(
            self._ledger,
            self._scope(one),
            clock=self._clock,
            emit=self._emit,
            is_settled=is_settled,
            hand_over=self._uploading.take,
            room=self._uploading.room,
        )

    def _scope(self, one: ToWalk) -> Scope:
        return Scope(
            one.root_id,
            one.named.path,
            self._job.destination.id,
            self._begun.batch_id,
            self._run_id,
        )

    async def _walk(self, one: ToWalk, walking: Walking) -> None:
        order, named = self._job.order, one.named
        if order.places:
            places = Places(named.path, order.places)
            listings = walk(named.root, order.selection, enters=places.leads_to)
            await walking.walk(places.only(listings), whole_root=False)
            await mend(self._ledger, one.root_id, places)
        else:
            listings = walk(named.root, order.selection)
            if not named.is_whole:
                listings = map(_not_exhaustive, listings)
            await walking.walk(listings, whole_root=named.is_whole)
        if order.places or not named.is_whole:
            await self._end(one)

    async def _walk_listed(self, walkings: dict[str, Walking]) -> None:
        """Listed files: some of each root, so nothing is ever missing."""
        order = self._job.order
        assert order.files_from is not None
        found = listed(read_paths(order.files_from), list(walkings), order.selection, cwd=order.cwd)
        waiting: dict[str, list[FolderListing]] = {}
        loop = asyncio.get_running_loop()
        while some := await loop.run_in_executor(None, _some, found):
            for root, listing in some:
                waiting.setdefault(root, []).append(_not_exhaustive(listing))
            for root, listings in waiting.items():
                await walkings[root].walk(iter(listings), whole_root=False)
            waiting.clear()
        for one in self._begun.to_walk:
            await self._end(one)

    async def _end(self, one: ToWalk) -> None:
        """The walk of a part of a root has come to its end."""
        walks = self._ledger.manifest.walks
        await self._ledger.call(walks.end_part, self._scope(one), now=self._clock.now())


def _not_exhaustive(listing: FolderListing) -> FolderListing:
    return listing._replace(is_exhaustive=False)


def _some(found: Iterator[tuple[str, FolderListing]]) -> list[tuple[str, FolderListing]]:
    some = []
    for one in found:
        some.append(one)
        if len(some) >= HOP_LISTINGS:
            break
    return some
