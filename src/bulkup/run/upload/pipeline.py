"""The upload stage's worker: load → send, with a bounded queue between them.

scan ──items──▶ claims ──groups──▶ prefetcher ──ready queue──▶ senders ──▶ results ──▶ settle
                  ▲ the manifest: what the scan left there, what falls due
"""

from __future__ import annotations

from collections.abc import Sequence

from bulkup.content.buffers import BufferPool
from bulkup.manifest.rows import UploadedItem
from bulkup.model import Stage
from bulkup.run.job import JobContext
from bulkup.run.manifest_copy import ManifestCopier
from bulkup.run.stages.claims import ClaimRules, Claims
from bulkup.run.stages.results import DoneItem, StageResults
from bulkup.run.stop_signal import task_group
from bulkup.run.upload.loader import Loader
from bulkup.run.upload.prefetch import Prefetcher
from bulkup.run.upload.ready_queue import ReadyQueue
from bulkup.run.upload.sender import Sender
from bulkup.run.upload.sender_pool import SenderPool
from bulkup.run.upload.target import UploadTarget

CLAIM_ITEMS = 500
"""Claimed in one statement: 4 ms, so that other processes hardly wait for the lock."""


class UploadPipeline:
    """A `StageWorker`. Ends with the context's second process."""

    stage = Stage.UPLOAD
    rules = ClaimRules(low=1, most=CLAIM_ITEMS)

    def __init__(self, job: JobContext) -> None:
        order = job.job.order
        target = UploadTarget(
            destination_id=job.destination_id,
            batch_id=job.begun.batch_id,
            run_id=job.run.run_id,
            prefix=job.requests.store.prefix,
            layout=order.layout,
            copies_duplicates=order.copies_duplicates,
            extras=order.extras,
        )
        buffers = BufferPool()
        self._job = job
        self._follows = job.follows(Stage.UPLOAD)
        self._sender = Sender(job, buffers)
        self._loader = Loader(job, target, buffers, self._sender.request_signer)
        self._ready = ReadyQueue(job.requests.limiter.pacer, job.stop)
        self._has_recorded = job.stop.event()  # an upload, or there will be no more
        if job.begun.to_scan and not job.job.destination.is_reached:
            self._sender.begin_check(is_early=True)  # its round trip passes beside the scan

    @property
    def held_bytes(self) -> int:
        """File bytes in memory: read ahead or in flight."""
        return self._ready.held_bytes

    async def work(self, claims: Claims, results: StageResults) -> None:
        """See `StageWorker`."""
        prefetcher = Prefetcher(
            self._loader, claims, results, self._ready, newest_before=self._job.begun.newest_item
        )
        senders = SenderPool(self._job, self._sender, claims, results, self._ready)
        async with task_group() as tasks:
            tasks.create_task(self._load(prefetcher))
            tasks.create_task(senders.run())
            if self._job.copier is not None:
                tasks.create_task(self._look_ahead(self._job.copier))
        if self._sender.is_checked and not self._job.stop.is_set:
            await self._sender.finish()

    async def _load(self, prefetcher: Prefetcher) -> None:
        await prefetcher.run()
        self._has_recorded.set()

    async def _look_ahead(self, copier: ManifestCopier) -> None:
        """Look at the listing beside the uploads: at the end it would be one round trip more."""
        await self._has_recorded.wait()
        if self._sender.is_checked and not self._job.stop.is_set:
            await copier.look_ahead()

    async def record(self, done: Sequence[DoneItem]) -> None:
        """Record what the destination has: by the second process while that is not behind."""
        context, queue = self._job.run, self._job.run.manifest.upload_queue
        uploaded = [one for one in done if isinstance(one, UploadedItem)]
        now, ingest = context.clock.now(), context.ingest
        if ingest is not None and ingest.is_responsive:
            if await ingest.settle(uploaded, now=now, follows=self._follows):
                self._has_recorded.set()
                return
            items = [one.item.item_id for one in uploaded]
            if not await context.call(queue.holds_any, items, run_id=context.run_id):
                return  # it was lost after its transaction
        await context.call(
            queue.settle,
            uploaded,
            destination_id=self._job.destination_id,
            run_id=context.run_id,
            now=now,
            follows=self._follows,
        )
        self._has_recorded.set()

    async def close(self) -> None:
        """End the second process."""
        if self._job.run.ingest is not None:
            await self._job.run.ingest.close()
