"""One job done: its roots walked, its files read, sent and settled, its copies made."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

from bulkup.clock import Clock
from bulkup.errors import DestinationError
from bulkup.manifest.runs import Destination
from bulkup.model import Stage
from bulkup.pace.bucket import TokenBucket
from bulkup.pace.pacer import Learned, Pacer
from bulkup.run.aside import Aside
from bulkup.run.copying import Copying
from bulkup.run.events import Emit
from bulkup.run.finding import Finding
from bulkup.run.gate import Gate
from bulkup.run.job import Begun, Job, LaterLimits
from bulkup.run.lazy_embedder import LazyEmbedder
from bulkup.run.ledger import Ledger
from bulkup.run.loading import Loading, Target
from bulkup.run.order import Means
from bulkup.run.riding import Riding
from bulkup.run.sender import Sender
from bulkup.run.uploading import Limits, Uploading
from bulkup.stores.store import PartStore
from bulkup.upload.arena import Arena

if TYPE_CHECKING:
    from bulkup.run.stage_work import StageWork

BANDWIDTH_BURST_SECONDS = 0.25
"""--bwlimit holds over a quarter of a second: no longer surge fills the uplink's queue."""


class Crew:
    """Who works on one job of a run. Made and used in one event loop."""

    def __init__(
        self,
        job: Job,
        begun: Begun,
        store: PartStore,
        ledger: Ledger,
        *,
        run_id: str,
        means: Means,
        limits: Limits,
        later_limits: LaterLimits,
        embedder: LazyEmbedder,
        clock: Clock,
        random: Random,
        emit: Emit,
        wants_files: bool,
        aside: Aside | None,
    ) -> None:
        self.job = job
        self.begun = begun
        self._ledger = ledger
        self._means = means
        self._clock = clock
        self._embedder = embedder
        self._emit = emit
        self._pacer = _pacer(job.destination, means, clock)
        self.gate = Gate(self._pacer, clock, _bandwidth(means, clock))
        arena = Arena()
        self._sender = Sender(
            store,
            ledger,
            self.gate,
            arena,
            destination_id=job.destination.id,
            extras=job.order.extras,
            clock=clock,
            random=random,
        )
        self.riding = Riding(self._sender.check, clock, emit)
        self.uploading = Uploading(
            ledger,
            self._sender,
            Loading(
                ledger,
                _target(job, begun, store, run_id, means),
                arena,
                aside=aside,
                preparing=self._sender.preparing,
                monotonic=clock.monotonic,
            ),
            self.gate,
            self.riding,
            batch_id=begun.batch_id,
            run_id=run_id,
            destination_id=job.destination.id,
            limits=limits,
            clock=clock,
            random=random,
            emit=emit,
            wants_files=wants_files,
            follows=job.order.stage_after(Stage.UPLOAD),
        )
        self.finding = Finding(
            ledger, job, begun, self.uploading, run_id=run_id, clock=clock, emit=emit
        )
        self._is_uploading = True
        self.later: list[StageWork] = []
        if any(stage is not Stage.UPLOAD for stage in job.order.stages):
            from bulkup.run.later_stages import Surroundings, later_stages

            self.later = later_stages(
                job,
                begun,
                Surroundings(
                    ledger,
                    store,
                    self._sender,
                    embedder,
                    self.riding,
                    run_id,
                    clock,
                    random,
                    emit,
                    wants_files,
                ),
                means,
                later_limits,
                is_uploading=lambda: self._is_uploading,
            )
        self._walks: asyncio.Task[None] | None = None
        self.copied = 0

    def stop(self, reason: str, error: BaseException | None = None) -> None:
        """Claim and find no more; what is in flight may end. `run` then raises `error`."""
        self.uploading.stop(reason, error)
        for work in self.later:
            work.stop(reason, error)
        if self._walks is not None:
            self._walks.cancel()

    @property
    def stop_reason(self) -> str | None:
        """Why it came to an end before its work did."""
        reasons = [self.uploading.stop_reason, *(work.stop_reason for work in self.later)]
        return next(filter(None, reasons), None)

    @property
    def failed(self) -> int:
        """Attempts that failed, at all stages."""
        return self.uploading.counts.failed + sum(work.counts.failed for work in self.later)

    async def run(self) -> None:
        """Work until nothing is left, or until stopped.

        Raises DestinationError when nothing else can go on there, and whatever else stopped it.
        """
        await self._follow()
        await self._reopen()
        works = [asyncio.create_task(self._work(one)) for one in self.later]
        try:
            await self._upload()
            await self._follow()  # also what the walk found to be there already
            self._is_uploading = False
            self._look()
            if self.uploading.stop_reason is not None:
                for one in self.later:
                    one.stop(self.uploading.stop_reason)
            await asyncio.gather(*works)
        finally:
            for task in works:
                task.cancel()
            await asyncio.gather(*works, return_exceptions=True)
        await self._learn()
        errors = [self.uploading.stop_error, *(one.stop_error for one in self.later)]
        for error in filter(None, errors):
            raise error

    async def _follow(self) -> None:
        """What earlier runs brought to the destination goes on to this run's stages, too."""
        if self.job.is_batch_only:
            return
        later = self._ledger.manifest.later
        destination_id = self.job.destination.id
        for work in self.later:
            await self._ledger.call(later.follow, destination_id, work.stage, now=self._clock.now())

    async def _reopen(self) -> None:
        """Another model than the last one: what that has embedded is embedded again."""
        if self.job.is_batch_only or all(work.stage is not Stage.EMBED for work in self.later):
            return
        vectors = self._ledger.manifest.vectors
        last = await self._ledger.call(vectors.newest_name)
        if last is None or (last == self._embedder.name and self.begun.to_walk):
            return  # another version of the same is noticed by `embed`: to ask for it takes 0.1 s
        embedder = self._embedder.get()
        embedder_id = await self._ledger.call(vectors.id_of, embedder.name, embedder.version)
        await self._ledger.call(vectors.reopen, self.job.destination.id, embedder_id)

    async def _work(self, work: StageWork) -> None:
        """One stage to its end; trouble with the destination ends the others, too."""
        await work.run()
        self._look()
        if isinstance(work.stop_error, DestinationError):
            self.stop(str(work.stop_error), work.stop_error)

    def _look(self) -> None:
        """One stage is over; those that wait for it need wait no longer."""
        for work in self.later:
            work.look()

    async def _upload(self) -> None:
        """Walk and upload until nothing is left, or until stopped."""
        uploading = self.uploading
        uploading.take([], more=self.begun.items > 0)
        walks = asyncio.create_task(self.finding.run())
        walks.add_done_callback(lambda _: uploading.end_of_walk())
        self._walks = walks
        if uploading.stop_reason is not None:
            walks.cancel()
        try:
            await uploading.run()
            if uploading.stop_reason is not None:
                walks.cancel()
            await asyncio.wait({walks})
            if not walks.cancelled():
                walks.result()  # raises what ended the walk, also after a stop
            if self.job.makes_copies:
                self.copied = await self._copying().run()
        finally:
            walks.cancel()
            await asyncio.gather(walks, return_exceptions=True)

    def _copying(self) -> Copying:
        return Copying(
            self._ledger,
            self._sender,
            destination_id=self.job.destination.id,
            emit=self._emit,
            is_stopped=lambda: self.uploading.stop_reason is not None,
        )

    async def _learn(self) -> None:
        if self._means.concurrency is not None or not self.uploading.counts.sent:
            return
        learned = self._pacer.learned()
        await self._ledger.call(
            self._ledger.manifest.runs.learn,
            self.job.destination.id,
            conditional_writes=None,
            checksums=None,
            limit=learned.limit,
            rate=learned.rate_per_second,
            now=learned.measured_at,
        )


def _pacer(destination: Destination, means: Means, clock: Clock) -> Pacer:
    learned = None
    if destination.learned_limit is not None and destination.learned_at is not None:
        learned = Learned(
            destination.learned_limit, destination.learned_rate, destination.learned_at
        )
    return Pacer(
        clock,
        fixed_limit=means.concurrency,
        max_rate_per_second=means.max_rate_per_second,
        learned=learned,
    )


def _bandwidth(means: Means, clock: Clock) -> TokenBucket | None:
    bandwidth = means.bwlimit_bytes_per_second
    if not bandwidth:
        return None
    return TokenBucket(bandwidth, bandwidth * BANDWIDTH_BURST_SECONDS, now=clock.monotonic())


def _target(job: Job, begun: Begun, store: PartStore, run_id: str, means: Means) -> Target:
    threshold = means.part_threshold_bytes
    if threshold is None or store.part_threshold_bytes is None:
        threshold = store.part_threshold_bytes
    return Target(
        destination_id=job.destination.id,
        batch_id=begun.batch_id,
        run_id=run_id,
        prefix=store.prefix,
        layout=job.order.layout,
        copies_duplicates=job.order.copies_duplicates,
        extras=job.order.extras,
        part_threshold_bytes=threshold,
        part_size_bytes=means.part_size_bytes,
    )
