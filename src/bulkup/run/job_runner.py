"""One job done: its roots walked, its files read, sent and settled, its copies made."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bulkup.clock import Clock
from bulkup.content.buffers import BufferPool
from bulkup.errors import DestinationError
from bulkup.manifest.destinations import Destination
from bulkup.model import Stage
from bulkup.pace.limiter import RequestLimiter
from bulkup.pace.pacer import Learned, Pacer
from bulkup.pace.token_bucket import TokenBucket
from bulkup.run.circuit_breaker import CircuitBreaker
from bulkup.run.context import RunContext
from bulkup.run.job import BatchStart, Job, LaterLimits
from bulkup.run.stages.lazy_embedder import LazyEmbedder
from bulkup.run.upload.loader import Loader, Target
from bulkup.run.upload.pipeline import Limits, UploadPipeline
from bulkup.run.upload.scan import Scan
from bulkup.run.upload.sender import Sender
from bulkup.run.upload.server_copies import ServerCopies
from bulkup.settings.options import RunOptions
from bulkup.stores.store import PartStore

if TYPE_CHECKING:
    from bulkup.run.stages.runner import StageRunner

BANDWIDTH_BURST_SECONDS = 0.25
"""--bwlimit holds over a quarter of a second: no longer surge fills the uplink's queue."""


class JobRunner:
    """Who works on one job of a run. Made and used in one event loop."""

    def __init__(
        self,
        job: Job,
        begun: BatchStart,
        store: PartStore,
        context: RunContext,
        *,
        options: RunOptions,
        limits: Limits,
        later_limits: LaterLimits,
        embedder: LazyEmbedder,
    ) -> None:
        clock, random, emit = context.clock, context.random, context.emit
        async_manifest, run_id = context.async_manifest, context.run_id
        self.job = job
        self.begun = begun
        self._async_manifest = async_manifest
        self._options = options
        self._clock = clock
        self._embedder = embedder
        self._emit = emit
        self._pacer = _pacer(job.destination, options, clock)
        self.limiter = RequestLimiter(self._pacer, clock, _bandwidth(options, clock))
        buffers = BufferPool()
        self._sender = Sender(
            store,
            async_manifest,
            self.limiter,
            buffers,
            destination_id=job.destination.id,
            extras=job.order.extras,
            clock=clock,
            random=random,
        )
        self.breaker = CircuitBreaker(self._sender.check, clock, emit)
        self.pipeline = UploadPipeline(
            async_manifest,
            self._sender,
            Loader(
                async_manifest,
                _target(job, begun, store, run_id, options),
                buffers,
                aside=context.ingest,
                request_signer=self._sender.request_signer,
                monotonic=clock.monotonic,
            ),
            self.limiter,
            self.breaker,
            batch_id=begun.batch_id,
            run_id=run_id,
            destination_id=job.destination.id,
            limits=limits,
            clock=clock,
            random=random,
            emit=emit,
            wants_files=context.wants_files,
            follows=job.order.stage_after(Stage.UPLOAD),
        )
        self.scan = Scan(
            async_manifest, job, begun, self.pipeline, run_id=run_id, clock=clock, emit=emit
        )
        self._is_uploading = True
        self.later: list[StageRunner] = []
        if any(stage is not Stage.UPLOAD for stage in job.order.stages):
            from bulkup.run.stages.build import Surroundings, later_stages

            self.later = later_stages(
                job,
                begun,
                Surroundings(
                    async_manifest,
                    store,
                    self._sender,
                    embedder,
                    self.breaker,
                    run_id,
                    clock,
                    random,
                    emit,
                    context.wants_files,
                ),
                options,
                later_limits,
                is_uploading=lambda: self._is_uploading,
            )
        self._walks: asyncio.Task[None] | None = None
        self.copied = 0

    def stop(self, reason: str, error: BaseException | None = None) -> None:
        """Claim and find no more; what is in flight may end. `run` then raises `error`."""
        self.pipeline.stop(reason, error)
        for work in self.later:
            work.stop(reason, error)
        if self._walks is not None:
            self._walks.cancel()

    @property
    def stop_reason(self) -> str | None:
        """Why it came to an end before its work did."""
        reasons = [self.pipeline.stop_reason, *(work.stop_reason for work in self.later)]
        return next(filter(None, reasons), None)

    @property
    def failed(self) -> int:
        """Attempts that failed, at all stages."""
        return self.pipeline.counts.failed + sum(work.counts.failed for work in self.later)

    async def run(self) -> None:
        """Work until nothing is left, or until stopped.

        Raises DestinationError when nothing else can go on there, and whatever else stopped it.
        """
        await self._enqueue_next_stages()
        await self._reopen()
        works = [asyncio.create_task(self._work(one)) for one in self.later]
        try:
            await self._upload()
            await self._enqueue_next_stages()  # also what the walk found to be there already
            self._is_uploading = False
            self._wake_stages()
            if self.pipeline.stop_reason is not None:
                for one in self.later:
                    one.stop(self.pipeline.stop_reason)
            await asyncio.gather(*works)
        finally:
            for task in works:
                task.cancel()
            await asyncio.gather(*works, return_exceptions=True)
        await self._save_learned_pace()
        errors = [self.pipeline.stop_error, *(one.stop_error for one in self.later)]
        for error in filter(None, errors):
            raise error

    async def _enqueue_next_stages(self) -> None:
        """What earlier runs brought to the destination goes on to this run's stages, too."""
        if self.job.is_batch_only:
            return
        later = self._async_manifest.manifest.stage_queue
        destination_id = self.job.destination.id
        for work in self.later:
            await self._async_manifest.call(
                later.enqueue_next_stage, destination_id, work.stage, now=self._clock.now()
            )

    async def _reopen(self) -> None:
        """Another model than the last one: what that has embedded is embedded again."""
        if self.job.is_batch_only or all(work.stage is not Stage.EMBED for work in self.later):
            return
        vectors = self._async_manifest.manifest.embeddings
        last = await self._async_manifest.call(vectors.newest_name)
        if last is None or (last == self._embedder.name and self.begun.to_scan):
            return  # another version of the same is noticed by `embed`: to ask for it takes 0.1 s
        embedder = self._embedder.get()
        embedder_id = await self._async_manifest.call(
            vectors.id_of, embedder.name, embedder.version
        )
        await self._async_manifest.call(vectors.reopen, self.job.destination.id, embedder_id)

    async def _work(self, work: StageRunner) -> None:
        """One stage to its end; trouble with the destination ends the others, too."""
        await work.run()
        self._wake_stages()
        if isinstance(work.stop_error, DestinationError):
            self.stop(str(work.stop_error), work.stop_error)

    def _wake_stages(self) -> None:
        """One stage is over; those that wait for it need wait no longer."""
        for work in self.later:
            work.wake()

    async def _upload(self) -> None:
        """Walk and upload until nothing is left, or until stopped."""
        pipeline = self.pipeline
        pipeline.add([], more=self.begun.items > 0)
        walks = asyncio.create_task(self.scan.run())
        walks.add_done_callback(lambda _: pipeline.end_of_walk())
        self._walks = walks
        if pipeline.stop_reason is not None:
            walks.cancel()
        try:
            await pipeline.run()
            if pipeline.stop_reason is not None:
                walks.cancel()
            await asyncio.wait({walks})
            if not walks.cancelled():
                walks.result()  # raises what ended the walk, also after a stop
            if self.job.makes_copies:
                self.copied = await self._server_copies().run()
        finally:
            walks.cancel()
            await asyncio.gather(walks, return_exceptions=True)

    def _server_copies(self) -> ServerCopies:
        return ServerCopies(
            self._async_manifest,
            self._sender,
            destination_id=self.job.destination.id,
            emit=self._emit,
            is_stopped=lambda: self.pipeline.stop_reason is not None,
        )

    async def _save_learned_pace(self) -> None:
        if self._options.concurrency is not None or not self.pipeline.counts.sent:
            return
        learned = self._pacer.learned()
        await self._async_manifest.call(
            self._async_manifest.manifest.destinations.learn,
            self.job.destination.id,
            conditional_writes=None,
            checksums=None,
            limit=learned.limit,
            rate=learned.rate_per_second,
            now=learned.measured_at,
        )


def _pacer(destination: Destination, options: RunOptions, clock: Clock) -> Pacer:
    learned = None
    if destination.learned_limit is not None and destination.learned_at is not None:
        learned = Learned(
            destination.learned_limit, destination.learned_rate, destination.learned_at
        )
    return Pacer(
        clock,
        fixed_limit=options.concurrency,
        max_rate_per_second=options.max_rate_per_second,
        learned=learned,
    )


def _bandwidth(options: RunOptions, clock: Clock) -> TokenBucket | None:
    bandwidth = options.bwlimit_bytes_per_second
    if not bandwidth:
        return None
    return TokenBucket(bandwidth, bandwidth * BANDWIDTH_BURST_SECONDS, now=clock.monotonic())


def _target(
    job: Job, begun: BatchStart, store: PartStore, run_id: str, options: RunOptions
) -> Target:
    return Target(
        destination_id=job.destination.id,
        batch_id=begun.batch_id,
        run_id=run_id,
        prefix=store.prefix,
        layout=job.order.layout,
        copies_duplicates=job.order.copies_duplicates,
        extras=job.order.extras,
        part_threshold_bytes=(
            None if store.part_threshold_bytes is None else options.part_threshold_bytes
        ),
        part_size_bytes=options.part_size_bytes,
    )
