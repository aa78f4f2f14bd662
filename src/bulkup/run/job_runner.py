"""The supervisor of one job: its scan and its stages as tasks, and its copies at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from bulkup.errors import BulkupError, DestinationError
from bulkup.manifest.destinations import Destination
from bulkup.model import Stage
from bulkup.pace.limiter import RequestLimiter
from bulkup.run.circuit_breaker import CircuitBreaker
from bulkup.run.context import RunContext
from bulkup.run.job import BatchStart, Job, JobContext
from bulkup.run.limits import RunLimits
from bulkup.run.manifest_copy import copier_for
from bulkup.run.stages.build import build_stages
from bulkup.run.stages.lazy_embedder import LazyEmbedder
from bulkup.run.stages.runner import StageRunner
from bulkup.run.stop_signal import StopSignal, task_group
from bulkup.run.store_requests import learned_of, requests_to
from bulkup.settings.options import RunOptions
from bulkup.stores.store import MayBeUnmounted, PartStore

if TYPE_CHECKING:
    from bulkup.engines.engine import Engine
    from bulkup.run.scan.scan import Scan
    from bulkup.run.work.task import Task, TaskReply


class JobRunner:
    """Runs one job. Made and used in one event loop."""

    def __init__(
        self,
        job: Job,
        begun: BatchStart,
        store: PartStore,
        context: RunContext,
        options: RunOptions,
        *,
        limits: RunLimits,
        embedder: LazyEmbedder,
        engine: Engine[Task, TaskReply] | None = None,
    ) -> None:
        self.job, self.begun, self.engine = job, begun, engine
        self.stop_signal = StopSignal()
        self._run = context
        self._store = store
        self._options = options
        self._embedder = embedder
        learned = learned_of(job.destination)
        requests = requests_to(store, options, context.clock, context.random, learned=learned)
        self.requests = requests
        self.copier = copier_for(context, job.destination, requests)
        self.destination_name = _shown(job.destination)
        self.breaker = self._new_breaker()
        stop = self.stop_signal
        self._context = JobContext(
            job, begun, context, options, requests, self.breaker, stop, self.copier, engine
        )
        self.stages = build_stages(self._context, limits, embedder)
        self.scan: Scan | None = None
        if (upload := self.stage(Stage.UPLOAD)) is not None:
            from bulkup.run.scan.scan import Scan

            self.scan = Scan(self._context, upload.claims)
            upload.claims.begin_feed(may_claim=begun.items > 0)
        self.copied = 0
        self._errors: list[Exception] = []

    def _new_breaker(self) -> CircuitBreaker:
        return CircuitBreaker(
            self._store.check,
            self._run.clock,
            self._run.emit,
            self.stop_signal,
            destination=self.destination_name,
            wait_online_seconds=self._options.wait_online_seconds,
        )

    @property
    def limiter(self) -> RequestLimiter:
        """Where all requests of this job wait until they may start."""
        return self.requests.limiter

    def stage(self, stage: Stage) -> StageRunner | None:
        """The runner of a stage that the job has."""
        return next((one for one in self.stages if one.stage is stage), None)

    def stop(self, reason: str, error: Exception | None = None) -> None:
        """Begin nothing more; what is in flight may end. `run` then raises `error`."""
        if error is not None:
            self._errors.append(error)
        self.stop_signal.set(reason)

    @property
    def failed(self) -> int:
        """Attempts that failed, at all stages."""
        return sum(stage.counts.failed for stage in self.stages)

    async def run(self) -> None:
        """Work until nothing is left, or until stopped.

        Raises DestinationError when nothing else can succeed there, and whatever else ended it.
        """
        await self._enqueue_next_stages()
        await self._reopen_embeddings()
        try:
            async with task_group() as tasks:
                if self.scan is not None:
                    scan = tasks.create_task(self._scan(self.scan))
                    self.stop_signal.on_set(scan.cancel)
                    tasks.create_task(self._upload(scan))
                elif self.job.makes_copies:
                    tasks.create_task(self._until_error(self._copy_duplicates()))
                for stage in self.stages:
                    if stage.stage is not Stage.UPLOAD:
                        tasks.create_task(self._run_later(stage))
            if self.scan is not None and not self.stop_signal.is_set:
                await self._until_error(self.scan.end_takeout())
            await self._read_sidecars()
            if not self._errors and isinstance(self._store, MayBeUnmounted):
                await self._until_error(self._look_at(self._store))
        finally:
            self.breaker.cancel()
        await self._save_what_worked()
        for error in self._errors:
            raise error

    # The tasks ------------------------------------------------------------------------------------

    async def _scan(self, scan: Scan) -> None:
        """What was found before an error is uploaded all the same."""
        try:
            await scan.run()
        except Exception as error:  # noqa: BLE001 - `run` raises it
            self._errors.append(error)
        finally:
            self.stages[0].claims.end_feed()

    async def _upload(self, scan: asyncio.Task[None]) -> None:
        await self._until_error(self.stages[0].run())
        await asyncio.wait({scan})
        if self.job.makes_copies:
            await self._until_error(self._copy_duplicates())
        await self._enqueue_next_stages()  # also what the scan found to be there already
        self._end_feed_after(self.stages[0])

    async def _run_later(self, stage: StageRunner) -> None:
        await self._until_error(stage.run())
        self._end_feed_after(stage)

    async def _until_error(self, work: Awaitable[None]) -> None:
        """Trouble of one stage ends that stage; trouble of the destination, or a bug, ends all."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - `run` raises it
            self._errors.append(error)
            if isinstance(error, DestinationError) or not isinstance(error, BulkupError):
                self.stop_signal.set(str(error) or "an unexpected error")

    async def _look_at(self, store: MayBeUnmounted) -> None:
        """Also where nothing had to be written: what is done is there only with its disk."""
        if store.holds_objects:
            await asyncio.to_thread(store.look)

    def _end_feed_after(self, stage: StageRunner) -> None:
        for runner in self.stages[self.stages.index(stage) + 1 :][:1]:
            runner.claims.end_feed()

    async def _copy_duplicates(self) -> None:
        from bulkup.run.upload.server_copies import ServerCopies

        copies = ServerCopies(self._context)
        try:
            await copies.run()
        finally:
            self.copied = copies.made

    async def _read_sidecars(self) -> None:
        if self.stage(Stage.PROCESS) is not None and not self.stop_signal.is_set:
            from bulkup.run.stages.sidecars import read_unread_sidecars

            await self._until_error(read_unread_sidecars(self._context))

    # Before and after -----------------------------------------------------------------------------

    async def _enqueue_next_stages(self) -> None:
        """Items for this job's stages, of contents that earlier runs brought to the destination."""
        if self.job.is_batch_only:
            return
        queue, now = self._run.manifest.stage_queue, self._run.clock.now()
        for stage in self.stages:
            if stage.stage is not Stage.UPLOAD:
                await self._run.call(
                    queue.enqueue_next_stage, self.job.destination.id, stage.stage, now=now
                )
                stage.claims.expect_more()

    async def _reopen_embeddings(self) -> None:
        """Embed again what another model than this one has embedded."""
        if self.job.is_batch_only or self.stage(Stage.EMBED) is None:
            return
        embeddings = self._run.manifest.embeddings
        last = await self._run.call(embeddings.newest_name)
        if last is None or (last == self._embedder.name and self.begun.to_scan):
            return  # `embed` notices another version of the same model: to open it takes 0.1 s
        embedder = self._embedder.get()
        embedder_id = await self._run.call(embeddings.id_of, embedder.name, embedder.version)
        await self._run.call(embeddings.reopen, self.job.destination.id, embedder_id)

    async def _save_what_worked(self) -> None:
        upload = self.stage(Stage.UPLOAD)
        if upload is None or not upload.counts.sent:
            return
        await self._run.call(
            self._run.manifest.destinations.update_access,
            self.job.destination.id,
            region=self._options.region,
            profile=self._options.profile,
            addressing_style=self._options.addressing_style,
        )
        if self._options.concurrency is not None:
            return
        learned = self.limiter.pacer.learned()
        await self._run.call(
            self._run.manifest.destinations.learn,
            self.job.destination.id,
            conditional_writes=None,
            checksums=None,
            limit=learned.limit,
            rate=learned.rate_per_second,
            now=learned.measured_at,
        )


def _shown(destination: Destination) -> str:
    at = f" at {destination.endpoint_url}" if destination.endpoint_url else ""
    return f"{destination.url}{at}"
