"""A run of bulkup: jobs one after the other, from the first claim to the summary."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import AsyncExitStack
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, ClassVar

from bulkup.errors import (
    BulkupError,
    DestinationError,
    EmbedderUnusable,
    EngineUnusable,
    ExitCode,
    SourceUnmounted,
    UsageError,
)
from bulkup.events import Event, Notice, RunStarted, Summary
from bulkup.manifest.destinations import Destination
from bulkup.manifest.queue.uploads import Left
from bulkup.model import Snapshot, Stage
from bulkup.run.context import RunContext
from bulkup.run.heartbeat import Heartbeat
from bulkup.run.job import Job
from bulkup.run.job_runner import JobRunner
from bulkup.run.limits import RunLimits
from bulkup.run.open_destination import StoreFactory, open_known
from bulkup.run.stages.lazy_embedder import LazyEmbedder
from bulkup.run.summary import (
    claims_notice,
    destinations_of,
    notice_of,
    reason_of,
    snapshot_of,
    stages_of,
    summary_of,
    urls_of,
)
from bulkup.settings.options import RunOptions
from bulkup.stores.store import PartStore

if TYPE_CHECKING:
    from bulkup.engines.engine import Engine
    from bulkup.run.work.cluster import EngineSource
    from bulkup.run.work.task import Task, TaskReply


class Run(ABC):
    """One process at work. Made and used in one event loop; each command has its own jobs."""

    command: ClassVar[str]

    def __init__(
        self,
        options: RunOptions,
        context: RunContext,
        *,
        store_factory: StoreFactory | None = None,
    ) -> None:
        self._options = options
        self._context = context
        self._store_factory = store_factory or self._open_store
        self._began = context.clock.monotonic()
        self._limits = RunLimits(options, context.clock)
        self._heartbeat = Heartbeat(
            context.async_manifest,
            run_id=context.run_id,
            command=self.command,
            clock=context.clock,
            stale_after_seconds=options.stale_after_seconds,
        )
        self._embedder = LazyEmbedder(options.embed, context.clock, context.random)
        self._cluster: EngineSource | None = None  # of commands that take --engine
        self.job_runners: list[JobRunner] = []
        self._not_begun = 0  # items of jobs that were not started
        self._refused: dict[int, BulkupError] = {}  # by destination
        self._stop_reason: str | None = None
        self._stop_code: ExitCode | None = None
        self._is_unfinished = False  # beyond what the items show
        self._found: list[Event] = []  # by `_jobs`; emitted after RunStarted

    @abstractmethod
    def _jobs(self) -> list[Job]:
        """The work of this run. Called once, before anything is written for the run."""

    def _is_first_default(self) -> bool:
        """Whether no destination was ever given, so that the local store is used."""
        return False

    def stop(self, reason: str, exit_code: ExitCode | None = None) -> None:
        """End soon: claim nothing more, let what is in flight end, settle.

        The run then ends with `exit_code`, if one is given.
        """
        self._stop_reason = self._stop_reason or reason
        self._stop_code = self._stop_code or exit_code
        for job_runner in self.job_runners[-1:]:
            job_runner.stop(reason)

    def snapshot(self) -> Snapshot:
        """Where the run stands. Safe from any thread: it reads plain numbers."""
        elapsed_seconds = self._context.clock.monotonic() - self._began
        taken = snapshot_of(list(self.job_runners), elapsed_seconds)
        return taken._replace(is_stopping=self._stop_code is not None)

    @property
    def refused(self) -> BulkupError | None:
        """What ended a job before its work: the destination, the embedder, the source."""
        return next(iter(self._refused.values()), None)

    async def run(self) -> Summary:
        """Run all jobs. Raises BulkupError only when nothing could be recorded (usage, manifest).

        Without a job nothing is written: there was no run.
        """
        self._heartbeat.check_manifest()
        jobs = self._jobs()
        if not jobs:
            for event in self._found:
                self._context.emit(event)
            summary = self._summary(jobs, Left(self._not_begun))
            self._context.emit(summary)
            return summary
        is_cancelled = False
        async with AsyncExitStack() as closing:  # closes all of them, even if one fails
            closing.push_async_callback(self._embedder.close)
            if self._cluster is not None:
                closing.push_async_callback(self._cluster.close)
            try:
                if any(Stage.EMBED in job.order.stages for job in jobs):
                    self._embedder.check()
                await self._run_jobs(jobs, closing)
            except asyncio.CancelledError:
                is_cancelled = True
            except UsageError as unusable:
                await self._give_up(unusable)
                raise
        return await self._end(jobs, is_cancelled=is_cancelled)

    async def _run_jobs(self, jobs: list[Job], closing: AsyncExitStack) -> None:
        stores: list[PartStore] = []
        for job in jobs:
            stores.append(self._store_factory(job.destination))
            closing.push_async_callback(stores[-1].close)
        self._heartbeat.begin()
        self._context.emit(
            RunStarted(
                self._context.run_id,
                self.command,
                urls_of(jobs),
                self._context.manifest.path,
                self._is_first_default(),
            )
        )
        for event in self._found:
            self._context.emit(event)
        await self._run_in_turn(jobs, stores)

    def _open_store(self, destination: Destination) -> PartStore:
        environ, clock = self._context.environ, self._context.clock
        return open_known(destination.url, destination, self._options, environ, clock)

    async def _run_in_turn(self, jobs: list[Job], stores: list[PartStore]) -> None:
        beating = asyncio.create_task(self._heartbeat.keep_beating())
        beating.add_done_callback(self._heart_stopped)
        try:
            for job, store in zip(jobs, stores, strict=True):
                is_over = self._stop_reason is not None or self._is_limit_reached()
                if is_over or job.destination.id in self._refused:
                    self._not_begun += job.items
                    continue
                await self._run_job(job, store)
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    async def _begin_job(self, job: Job, store: PartStore) -> JobRunner | None:
        """The runner of the job; None when its engine is unusable or another run has it now."""
        try:
            engine: Engine[Task, TaskReply] | None = None
            if self._cluster is not None:
                engine = await self._cluster.engine_for(job.destination, self._embedder)
        except (EngineUnusable, EmbedderUnusable) as error:
            self._refused[job.destination.id] = error
            self._not_begun += job.items
            self._context.emit(Notice(str(error), is_error=True, hint=error.hint))
            return None
        begun = await self._context.call(job.begin, self._context.run_id, self._context.clock.now())
        if begun is None:
            return None
        newest = await self._context.call(self._context.manifest.scans.newest_item)
        job_runner = JobRunner(
            job,
            begun._replace(newest_item=newest),
            store,
            self._context,
            self._options,
            limits=self._limits,
            embedder=self._embedder,
            engine=engine,
        )
        self.job_runners.append(job_runner)
        if self._stop_reason is not None:
            job_runner.stop(self._stop_reason)
        return job_runner

    async def _run_job(self, job: Job, store: PartStore) -> None:
        job_runner = await self._begin_job(job, store)
        if job_runner is None:
            return
        began = self._context.clock.monotonic()
        try:
            await job_runner.run()
        except UsageError as error:  # a root or a list that vanished during the scan
            self._refused[job.destination.id] = error
            raise
        except (DestinationError, EmbedderUnusable, EngineUnusable, SourceUnmounted) as error:
            self._refused[job.destination.id] = error
            self._context.emit(notice_of(error, job_runner))
        except Exception as error:
            self._stop_code = error.exit_code if isinstance(error, BulkupError) else ExitCode.BUG
            raise
        finally:
            summary = await self._record(job_runner, self._context.clock.monotonic() - began)
        is_refused = job.destination.id in self._refused
        if job_runner.copier is not None and not is_refused and self._stop_reason is None:
            await job_runner.copier.copy_if_due(has_changed=summary.has_changed)

    def _is_limit_reached(self) -> bool:
        """Whether a job was stopped by what holds for the whole run."""
        return any(
            job_runner.stop_signal.is_set and job_runner.job.destination.id not in self._refused
            for job_runner in self.job_runners
        )

    def _heart_stopped(self, beating: asyncio.Task[None]) -> None:
        """Stop: a run without a heartbeat loses its claims to others while it works."""
        error = None if beating.cancelled() else beating.exception()
        if isinstance(error, Exception):
            for job_runner in self.job_runners[-1:]:
                job_runner.stop("the heartbeat cannot be recorded", error)

    # The end -----------------------------------------------------------------------------------

    async def _record(self, job_runner: JobRunner, seconds: float) -> Summary:
        """Record how one job ended; its summary."""
        queue = self._context.manifest.upload_queue
        batch_id, destination = job_runner.begun.batch_id, job_runner.job.destination
        left = await self._context.call(self._left_of, [job_runner])
        if job_runner.job.makes_copies:
            copies = await self._context.call(queue.copies, destination.id, limit=1)
            self._is_unfinished = self._is_unfinished or bool(copies)
        summary, error = summary_of([job_runner], left), self._refused.get(destination.id)
        said = None if error is None else reason_of(error, job_runner.destination_name)
        await self._context.call(
            self._context.manifest.batches.end,
            batch_id,
            run_id=self._context.run_id,
            now=self._context.clock.now(),
            exit_code=int(self._exit_code(left, error)),
            summary=asdict(replace(summary, seconds=seconds, error=said)),
        )
        return summary

    def _exit_code(self, left: Left, error: BulkupError | None) -> ExitCode:
        if self._stop_code is not None:
            return self._stop_code
        if error is not None:
            return error.exit_code
        if left.waiting or left.dead or self._is_unfinished:
            return ExitCode.UNFINISHED
        return ExitCode.DONE

    async def _end(self, jobs: list[Job], *, is_cancelled: bool) -> Summary:
        left = await self._context.call(self._left)
        forgotten = await self._context.call(self._forget_useless)
        if jobs and forgotten.issuperset(job.destination.id for job in jobs):
            left = Left(0, 0, 0, 0)
        left = left._replace(ready=left.ready + self._not_begun)
        await self._report_claims(left)
        summary = self._summary(jobs, left, is_cancelled=is_cancelled)
        await self._record_end(summary.exit_code, asdict(summary))
        self._context.emit(summary)
        return summary

    def _forget_useless(self) -> set[int]:
        """Forget destinations that were never reached and that no root needs; returns their ids."""
        garbage = self._context.manifest.garbage
        for job_runner in self.job_runners:
            destination = job_runner.job.destination
            if destination.is_reached and destination.id in self._refused:
                garbage.lead_back(job_runner.begun.batch_id)
        return garbage.forget_useless(self._context.run_id)

    def _left(self) -> Left:
        """What is left of this run's work."""
        return self._left_of(self.job_runners)

    def _left_of(self, job_runners: list[JobRunner]) -> Left:
        return self._context.manifest.upload_queue.left(
            [job_runner.begun.batch_id for job_runner in job_runners],
            self._context.run_id,
            stages_of(job_runners),
            destinations_of(job_runners),
        )

    async def _give_up(self, error: BulkupError) -> None:
        """End the run without a summary; its claims are released."""
        await self._context.call(self._forget_useless)
        await self._record_end(int(error.exit_code), {})

    async def _record_end(self, exit_code: int, summary: dict[str, object]) -> None:
        await self._context.call(
            self._context.manifest.runs.end,
            self._context.run_id,
            now=self._context.clock.now(),
            exit_code=exit_code,
            summary=summary,
        )

    def _summary(self, jobs: list[Job], left: Left, *, is_cancelled: bool = False) -> Summary:
        error = self.refused
        return replace(
            summary_of(self.job_runners, left),
            run_id=self._context.run_id,
            command=self.command,
            destination=urls_of(jobs),
            seconds=self._context.clock.monotonic() - self._began,
            interrupted=self._stop_reason is not None or is_cancelled,
            error=None if error is None else str(error),
            exit_code=int(self._exit_code(left, error)),
        )

    async def _report_claims(self, left: Left) -> None:
        """Say which runs have claimed work of this one."""
        if not left.claimed:
            return
        for run in await self._context.call(self._context.manifest.runs.open_runs):
            count = dict(left.claimed_by).get(run.id)
            if count:
                self._context.emit(claims_notice(run, count))
