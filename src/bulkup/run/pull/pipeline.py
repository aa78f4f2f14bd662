"""The supervisor of a pull: the plan, and the contents that are fetched at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bulkup.errors import BulkupError, DestinationError, ItemError, ObjectArchived
from bulkup.run.context import RunContext
from bulkup.run.limits import RunLimits
from bulkup.run.pull.contents import PlannedPage, PullPlan, WantedContent
from bulkup.run.pull.counts import PullCounts
from bulkup.run.pull.events import (
    FilesPulled,
    PulledFileDone,
    PullFailed,
    PullPlanned,
    PullsPlanned,
    Verdict,
)
from bulkup.run.pull.fetcher import Fetched, Fetcher
from bulkup.run.pull.folder import PulledPath, TargetFolder
from bulkup.run.pull.placing import PlacedFile, Placing
from bulkup.run.pull.sources import Stopped
from bulkup.run.stop_signal import StopSignal, task_group

PAGE = 1000
"""Contents that are planned together."""

AHEAD = 2000
"""Contents that are planned and not begun."""

WORKERS = 1024
"""Contents in hand: as many as the window may become. It decides how many requests are in flight.
"""

IN_FLIGHT_SECONDS = 5.0
"""What contents in hand get to end after an interrupt."""


class PullPipeline:
    """One pull, from the plan to the last file. For one event loop."""

    def __init__(
        self,
        context: RunContext,
        plan: PullPlan,
        fetcher: Fetcher,
        placing: Placing,
        *,
        limits: RunLimits,
        stop: StopSignal,
    ) -> None:
        self._context = context
        self._plan = plan
        self._folder, self._sources, self._counts = fetcher.folder, fetcher.sources, fetcher.counts
        self._fetcher = fetcher
        self._placing = placing
        self._limits = limits
        self._stop = stop
        self._queue: asyncio.Queue[WantedContent | None] = asyncio.Queue(AHEAD)
        self.is_planning = True

    async def run(self, *, deleted: bool, limit: int | None) -> None:
        """Pull until nothing is left, or until stopped. `limit` counts contents.

        Raises FolderUnusable and ManifestError.
        """
        placing = asyncio.create_task(self._placing.run())
        try:
            async with task_group() as tasks:
                workers = [tasks.create_task(self._work()) for _ in range(WORKERS)]
                grace = tasks.create_task(self._end_after_stop(workers))
                await self._plan_all(deleted=deleted, limit=limit)
                for _ in workers:
                    await self._queue.put(None)
                await asyncio.wait(workers)
                grace.cancel()
        finally:
            placing.cancel()
            await asyncio.gather(placing, return_exceptions=True)

    async def _plan_all(self, *, deleted: bool, limit: int | None) -> None:
        queries, after = self._context.manifest.pull_queries, 0
        left = limit
        while not self._stop.is_set and left != 0:
            contents = await self._context.call(
                queries.contents, after, deleted=deleted, limit=PAGE
            )
            if not contents:
                break
            after = contents[-1].id
            page = await asyncio.to_thread(self._plan.decide, contents)
            if left is not None:
                page = page._replace(wanted=page.wanted[:left])
                left -= len(page.wanted)
            self._count(page)
            for content in page.wanted:
                await self._queue.put(content)
        self.is_planning = False

    def _count(self, page: PlannedPage) -> None:
        counts = self._counts
        counts.files += len(page.present) + len(page.failed)
        counts.files += sum(len(one.places) for one in page.wanted)
        counts.present += len(page.present)
        counts.total_bytes += sum(one.size_bytes for one in page.wanted)
        for failed in page.failed:
            self._fail(failed)
        if self._context.wants_files and page.present:
            self._context.emit(
                FilesPulled(tuple(self._done(one, at, "present") for one, at in page.present))
            )

    # The contents -------------------------------------------------------------------------------

    async def _work(self) -> None:
        while (content := await self._queue.get()) is not None:
            if not self._stop.is_set:
                await self._pull(content)

    async def _end_after_stop(self, workers: Sequence[asyncio.Task[None]]) -> None:
        await self._stop.event().wait()
        await self._context.clock.sleep(IN_FLIGHT_SECONDS)
        for worker in workers:
            worker.cancel()

    async def _pull(self, content: WantedContent) -> None:
        began = self._context.clock.monotonic()
        try:
            fetched, placed = await self._placed(content)
        except Stopped:
            return
        except ObjectArchived as error:
            self._counts.archived += 1
            self._fail_all(content, error)
        except ItemError as error:
            self._fail_all(content, error)
        except DestinationError as error:
            if all(one.refused is not None for one in self._sources.all):
                self._stop.set(str(error))
        else:
            self._settle(content, fetched, placed, self._context.clock.monotonic() - began)
        if (reason := self._limits.reached) is not None:
            self._stop.set(reason)

    async def _placed(self, content: WantedContent) -> tuple[Fetched | None, list[PlacedFile]]:
        if content.there is not None:
            placed = await self._placing.place(content, None)
            if placed:
                self._counts.total_bytes -= content.size_bytes
                return None, placed
        async with self._fetcher.room(content):
            fetched = await self._fetcher.fetch(content)
            self._counts.fetched_bytes += content.size_bytes
            return fetched, await self._placing.place(content, fetched)

    def _settle(
        self,
        content: WantedContent,
        fetched: Fetched | None,
        placed: list[PlacedFile],
        seconds: float,
    ) -> None:
        counts, done = self._counts, []
        for one in placed:
            if one.error is not None or one.how is None:
                assert one.error is not None
                self._fail(self._failed(content, one.place, one.error))
                continue
            counts.done += 1
            counts.fetched += one.how == "fetched"
            counts.linked += one.how == "linked"
            counts.copied += one.how == "copied"
            counts.renamed += one.place.path != one.place.wanted.path
            done.append(self._done(content, one.place, one.how, fetched, seconds))
        if self._context.wants_files and done:
            self._context.emit(FilesPulled(tuple(done)))

    def _done(
        self,
        content: WantedContent,
        place: PulledPath,
        how: str,
        fetched: Fetched | None = None,
        seconds: float = 0.0,
    ) -> PulledFileDone:
        return PulledFileDone(
            self._folder.absolute(place.path),
            fetched.key if fetched is not None and how == "fetched" else None,
            content.digest,
            content.size_bytes,
            how,  # type: ignore[arg-type]  # a PullKind
            seconds,
        )

    def _fail_all(self, content: WantedContent, error: ItemError) -> None:
        self._counts.total_bytes -= content.size_bytes
        self._limits.add_error()
        for place in content.places:
            self._fail(self._failed(content, place, error))

    def _failed(self, content: WantedContent, place: PulledPath, error: BulkupError) -> PullFailed:
        return PullFailed(
            self._folder.absolute(place.wanted.path),
            content.key,
            content.digest,
            error.error_class.value,
            str(error),
            is_archived=isinstance(error, ObjectArchived),
        )

    def _fail(self, failed: PullFailed) -> None:
        self._counts.failures[failed.error_class] += 1
        if not failed.is_archived or self._context.wants_files:
            self._context.emit(failed)


class DryPull:
    """What a pull would do: the same plan, and no request."""

    def __init__(
        self, context: RunContext, plan: PullPlan, folder: TargetFolder, counts: PullCounts
    ) -> None:
        self._context = context
        self._plan = plan
        self._folder = folder
        self._counts = counts

    async def run(self, *, deleted: bool, limit: int | None, links: bool) -> None:
        """Plan everything; emits an event for each content, where anybody reads them."""
        queries, after = self._context.manifest.pull_queries, 0
        left = limit
        while left != 0 and (
            contents := await self._context.call(
                queries.contents, after, deleted=deleted, limit=PAGE
            )
        ):
            after = contents[-1].id
            page = await asyncio.to_thread(self._plan.decide, contents)
            if left is not None:
                page = page._replace(wanted=page.wanted[:left])
                left -= len(page.wanted)
            self._add(page, links=links)

    def _add(self, page: PlannedPage, *, links: bool) -> None:
        counts, rows = self._counts, []
        for content, place in page.present:
            rows.append(self._row(content, place, "present"))
        for content in page.wanted:
            first = content.there or content.places[0]
            for place in content.places:
                is_same_time = place.wanted.modified_ns == first.wanted.modified_ns
                verdict: Verdict = "link" if links and is_same_time else "copy"
                if place is first:
                    verdict = "fetch"
                    counts.fetched += 1
                    counts.fetched_bytes += content.size_bytes
                counts.linked += verdict == "link"
                counts.copied += verdict == "copy"
                counts.renamed += place.path != place.wanted.path
                rows.append(self._row(content, place, verdict))
        counts.present += len(page.present)
        counts.files += len(rows) + len(page.failed)
        for failed in page.failed:
            counts.failures[failed.error_class] += 1
            rows.append(PullPlanned(failed.path, "unavailable", failed.key, failed.digest, 0))
        if self._context.wants_files and rows:
            self._context.emit(PullsPlanned(tuple(rows)))

    def _row(self, content: WantedContent, place: PulledPath, verdict: Verdict) -> PullPlanned:
        path = self._folder.absolute(place.path)
        return PullPlanned(path, verdict, content.key, content.digest, content.size_bytes)
