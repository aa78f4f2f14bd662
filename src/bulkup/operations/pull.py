"""Bring files back from their destinations: the objects' bytes, the manifest's names and times."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from bulkup.errors import BulkupError, ExitCode, UsageError
from bulkup.events import Notice, RunStarted
from bulkup.manifest.destinations import Destination
from bulkup.model import Snapshot
from bulkup.operations.pictures.albums import members_of
from bulkup.run.context import RunContext
from bulkup.run.heartbeat import Heartbeat, here, machine_of
from bulkup.run.limits import RunLimits
from bulkup.run.open_destination import StoreFactory, open_known
from bulkup.run.pull.contents import PullPlan, PullSelection, chosen_roots
from bulkup.run.pull.counts import PullCounts
from bulkup.run.pull.events import PullSummary
from bulkup.run.pull.fetcher import Fetcher, PullOptions
from bulkup.run.pull.folder import TargetFolder
from bulkup.run.pull.pipeline import DryPull, PullPipeline
from bulkup.run.pull.placing import Placing
from bulkup.run.pull.sources import PullSource, Sources, require_outside
from bulkup.run.stop_signal import StopSignal
from bulkup.settings.options import RunOptions
from bulkup.stores.store import PartStore
from bulkup.stores.urls import canonical

LOCK_POLL_SECONDS = 0.5
"""How often a folder is asked for that another run pulls into."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """What is to be pulled, and where to."""

    into: str  # an absolute path
    patterns: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()  # as the user named them; none: all
    digests: frozenset[str] | None = None  # None: all
    album: str | None = None
    source: str | None = None  # only this destination
    deleted: bool = False  # also files that were deleted from the disk
    links: bool = True
    restore_days: int | None = None
    dry_run: bool = False


class PullRun:
    """One run of `pull`."""

    command: ClassVar[str] = "pull"

    def __init__(
        self,
        request: PullRequest,
        options: RunOptions,
        context: RunContext,
        *,
        store_factory: StoreFactory | None = None,
    ) -> None:
        self._request = request
        self._options = options
        self._context = context
        self._store_factory = store_factory or self._open_store
        self._began = context.clock.monotonic()
        self._stop = StopSignal()
        self._stop_code: ExitCode | None = None
        self._counts = PullCounts()
        self._folder = TargetFolder(request.into)
        self._limits = RunLimits(options, context.clock)
        self._pipeline: PullPipeline | None = None
        self._sources = Sources(())
        self._heartbeat = Heartbeat(
            context.async_manifest,
            run_id=context.run_id,
            command=self.command,
            clock=context.clock,
            stale_after_seconds=options.stale_after_seconds,
        )

    def stop(self, reason: str, exit_code: ExitCode | None = None) -> None:
        """End soon: begin nothing more, let what is in flight end."""
        self._stop_code = self._stop_code or exit_code
        self._stop.set(reason)

    def snapshot(self) -> Snapshot:
        """Where the run stands. Safe from any thread: it reads plain numbers."""
        pacers = [opened.limiter.pacer for opened in self._sources.opened]
        return Snapshot(
            stages={"pull": self._counts.as_stage()},
            walking=self._pipeline is None or self._pipeline.is_planning,
            walked_files=self._counts.files,
            window=sum(pacer.limit for pacer in pacers),
            in_flight=sum(pacer.in_flight for pacer in pacers),
            throttled=self._throttled,
            errors=self._counts.failed,
            elapsed_seconds=self._context.clock.monotonic() - self._began,
            paused=next((s.breaker.reason for s in self._sources.all if s.breaker.reason), None),
        )

    @property
    def refused(self) -> BulkupError | None:
        """What ended the pull before its work: a destination."""
        return self._sources.refused if self._counts.remaining else None

    async def run(self) -> PullSummary:
        """Pull. Raises UsageError, FolderUnusable and ManifestError."""
        self._heartbeat.check_manifest()
        self._sources = Sources(map(self._source, self._destinations()))
        try:
            await self._run_plan(self._plan())
            await asyncio.to_thread(self._folder.write_out)
        finally:
            await self._sources.close()
            self._folder.unlock()
        summary = self._summary()
        if not self._request.dry_run:
            await self._context.call(
                self._context.manifest.runs.end,
                self._context.run_id,
                now=self._context.clock.now(),
                exit_code=summary.exit_code,
                summary=summary.as_json()[0],
            )
        self._context.emit(summary)
        return summary

    def _plan(self) -> PullPlan:
        request, sources = self._request, self._sources.all
        roots = self._context.manifest.pull_queries.roots()
        root_ids = chosen_roots(roots, request.roots)
        asset_ids = None
        if request.album is not None:
            asset_ids = members_of(self._context.manifest.albums, request.album).asset_ids
        return PullPlan(
            self._folder,
            PullSelection(request.patterns, root_ids, request.digests, asset_ids, request.deleted),
            roots,
            {one.destination.id: one.prefix for one in sources},
            _local_first(sources),
        )

    async def _run_plan(self, plan: PullPlan) -> None:
        request = self._request
        if request.dry_run:
            dry = DryPull(self._context, plan, self._folder, self._counts)
            await dry.run(deleted=request.deleted, limit=self._options.limit, links=request.links)
        elif await self._lock():
            await self._pull(plan)

    def _destinations(self) -> list[Destination]:
        known = self._context.manifest.destinations.all()
        require_outside(self._request.into, known)
        if self._request.source is None:
            return known
        url = canonical(self._request.source)
        found = [one for one in known if one.url == url]
        if not found:
            raise UsageError(
                f"the manifest knows no destination {url}",
                hint="bulkup restore --from brings a lost manifest back, bulkup rebuild makes one.",
            )
        return found

    def _source(self, destination: Destination) -> PullSource:
        return PullSource(
            destination,
            self._store_factory,
            self._context,
            self._options,
            self._stop,
        )

    def _open_store(self, destination: Destination) -> PartStore:
        environ, clock = self._context.environ, self._context.clock
        return open_known(destination.url, destination, self._options, environ, clock)

    async def _lock(self) -> bool:
        """Wait until no other run pulls into the folder; False when this one is to end."""
        owner = f"run {self._context.run_id}, pid {os.getpid()} on {machine_of(here().host)}"
        is_first = True
        while (other := self._folder.try_lock(owner)) is not None:
            if is_first:
                self._context.emit(Notice(f"Waiting for {other}, which pulls into this folder"))
            is_first = False
            if self._stop.is_set:
                return False
            await self._context.clock.sleep(LOCK_POLL_SECONDS)
        return True

    async def _pull(self, plan: PullPlan) -> None:
        request = self._request
        options = PullOptions(
            self._options.part_threshold_bytes,
            self._options.part_size_bytes,
            request.restore_days,
        )
        self._pipeline = PullPipeline(
            self._context,
            plan,
            Fetcher(self._folder, self._sources, self._counts, options),
            Placing(self._folder, links=request.links),
            limits=self._limits,
            stop=self._stop,
        )
        self._heartbeat.begin()
        self._context.emit(
            RunStarted(
                self._context.run_id,
                self.command,
                request.into,
                self._context.manifest.path,
                first_default=False,
            )
        )
        beating = asyncio.create_task(self._heartbeat.keep_beating())
        try:
            await self._pipeline.run(deleted=request.deleted, limit=self._options.limit)
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    @property
    def _throttled(self) -> int:
        return sum(opened.limiter.throttled for opened in self._sources.opened)

    def _summary(self) -> PullSummary:
        counts = self._counts
        remaining = 0 if self._request.dry_run else counts.remaining
        return PullSummary(
            run_id=self._context.run_id,
            command=self.command,
            destination=self._request.into,
            seconds=self._context.clock.monotonic() - self._began,
            files=counts.files,
            fetched=counts.fetched,
            fetched_bytes=counts.fetched_bytes,
            linked=counts.linked,
            copied=counts.copied,
            present=counts.present,
            renamed=counts.renamed,
            archived=counts.archived,
            requested=counts.requested,
            failed=counts.failed,
            remaining=remaining,
            throttled=self._throttled,
            failures=dict(counts.failures),
            dry_run=self._request.dry_run,
            interrupted=self._stop_code is not None,
            exit_code=int(self._exit_code()),
        )

    def _exit_code(self) -> ExitCode:
        if self._stop_code is not None:
            return self._stop_code
        if (error := self.refused) is not None:
            self._context.emit(Notice(str(error), is_error=True, hint=error.hint))
            return error.exit_code
        return ExitCode.UNFINISHED if self._counts.failed else ExitCode.DONE


def no_manifest(path: str) -> UsageError:
    """There is nothing that says what to pull."""
    return UsageError(
        f"there is no manifest {path}",
        hint="bulkup restore --from DEST brings a lost one back; "
        "bulkup rebuild --from DEST makes a new one.",
    )


def _local_first(sources: Sequence[PullSource]) -> list[int]:
    """The ids of the destinations in the order in which they are read."""
    ordered = sorted(sources, key=lambda one: "://" in one.destination.url)
    return [one.destination.id for one in ordered]
