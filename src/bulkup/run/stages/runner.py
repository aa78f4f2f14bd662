"""One stage of a job: upload, process or embed. Claim → work → settle.

What the work is, a `StageWorker` knows. The runner claims for it, records what has ended, and ends
it in order after a stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from bulkup.manifest.queue.stages import StageScope
from bulkup.model import Stage
from bulkup.run.job import JobContext
from bulkup.run.limits import RunLimits
from bulkup.run.stages.claims import ClaimRules, Claims
from bulkup.run.stages.results import DoneItem, StageResults
from bulkup.run.stop_signal import task_group

SETTLE_SECONDS = 0.1
"""Results are recorded this often, or as soon as there are many."""

IN_FLIGHT_SECONDS = 5.0
"""What attempts in flight get to end by themselves after an interrupt."""


class StageWorker(Protocol):
    """What a stage does with its items."""

    stage: Stage
    rules: ClaimRules

    async def work(self, claims: Claims, results: StageResults) -> None:
        """Attempt what `claims` hands out, until that is nothing, and add each outcome to
        `results`. Raises DestinationError when nothing else can succeed at the destination,
        BulkupError when nothing can at this stage."""

    async def record(self, done: Sequence[DoneItem]) -> None:
        """Write successes into the manifest, in one transaction."""

    async def close(self) -> None:
        """Give processes, threads and files back. May be called twice."""


class StageRunner:
    """Works at one stage until nothing is left and nothing more can come, or until stopped."""

    def __init__(
        self,
        job: JobContext,
        worker: StageWorker,
        limits: RunLimits,
        *,
        is_limited: bool,
        feeds: Claims | None = None,
    ) -> None:
        """`feeds` are the claims of the next stage. With `is_limited`, --limit counts the items
        of this one."""
        self._job = job
        self.worker = worker
        self._limits = limits
        self._feeds = feeds
        self._scope = _scope(job, worker.stage)
        self.results = StageResults(
            job.run,
            self._scope,
            limits,
            job.stop,
            follows=job.follows(worker.stage),
            record=worker.record,
        )
        self.claims = Claims(
            job.run,
            self._scope,
            worker.rules,
            limits,
            job.stop,
            wait_until_settled=self.results.wait_until_settled,
            is_limited=is_limited,
        )
        job.breaker.watch(self.claims)
        self.counts = self.results.counts
        self._counted_left = 0  # ready or waiting, when last counted
        self._claimed_then = 0
        self.left_at_first = 0

    @property
    def left(self) -> int:
        """Ready or waiting: as last counted, without what was claimed since."""
        return max(0, self._counted_left - (self.claims.claimed - self._claimed_then))

    @property
    def stage(self) -> Stage:
        return self.worker.stage

    async def run(self) -> None:
        """Work. Every item that was claimed is settled or released in the end.

        Raises what ended the work early, after all that has ended is settled.
        """
        await self._count_left()
        self.left_at_first = self.left
        try:
            async with task_group() as tasks:
                work = tasks.create_task(self._work())
                settle = tasks.create_task(self._settle_regularly(work))
                grace = tasks.create_task(self._end_after_stop(work))
                await asyncio.wait({work})
                grace.cancel()
                self.results.are_many.set()
                await settle  # not cancelled: a transaction must not be made twice
        finally:
            await self.worker.close()
        await self._settle()
        self.results.emit_rest()
        await self.claims.release()
        error = None if work.cancelled() else work.result()
        if error is not None:
            raise error

    async def _work(self) -> Exception | None:
        """The error that ended the work: it is raised once the rest is settled."""
        try:
            await self.worker.work(self.claims, self.results)
        except asyncio.CancelledError:
            if not self._job.stop.is_set:
                raise
        except Exception as error:  # noqa: BLE001 - `run` raises it
            return error
        return None

    async def _end_after_stop(self, work: asyncio.Task[Exception | None]) -> None:
        await self._job.stop.event().wait()
        await self._job.run.clock.sleep(IN_FLIGHT_SECONDS)
        work.cancel()

    async def _settle_regularly(self, work: asyncio.Task[Exception | None]) -> None:
        while not work.done():
            with suppress(TimeoutError):
                await asyncio.wait_for(self.results.are_many.wait(), SETTLE_SECONDS)
            if (reason := self._limits.reached) is not None:
                self._job.stop.set(reason)
            await self._settle()

    async def _settle(self) -> None:
        if await self.results.settle():
            if self._feeds is not None:
                self._feeds.expect_more()
            await self._count_left()

    async def _count_left(self) -> None:
        if self.stage is not Stage.UPLOAD:
            # Of a retried batch: what is left of it; of a destination, what its tally says.
            queue = self._job.run.manifest.stage_queue
            claimed = self.claims.claimed
            self._counted_left = await self._job.run.call(queue.count_left, self._scope)
            self._claimed_then = claimed


def _scope(job: JobContext, stage: Stage) -> StageScope:
    """Uploads are of the job's batch; what comes later may be of any, unless the job says so."""
    is_of_batch = job.job.is_batch_only or stage is Stage.UPLOAD
    return StageScope(job.destination_id, stage, job.begun.batch_id if is_of_batch else None)
