"""The upload stage at work: claim, read and hash, register, send, settle.

walk ──works──▶ buffer ──read, register (reading_ahead)──▶ shelf ──▶ senders ──▶ settle
                  ▲ claim (what the walk left in the manifest, what falls due)
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from bulkup.clock import Clock
from bulkup.errors import ItemError
from bulkup.events import Emit
from bulkup.manifest.rows import Read, WorkItem
from bulkup.model import Stage
from bulkup.pace.limiter import RequestLimiter
from bulkup.run.async_manifest import AsyncManifest
from bulkup.run.circuit_breaker import CircuitBreaker
from bulkup.run.upload.loader import IN_PLACE_BYTES, Loader
from bulkup.run.upload.prefetch import (
    GROUP_BYTES,
    GROUP_ITEMS,
    GROUP_SMALL_BYTES,
    Prefetcher,
)
from bulkup.run.upload.results import UploadResults
from bulkup.run.upload.sender import Sender
from bulkup.run.upload.sender_pool import SenderPool

SETTLE_SECONDS = 0.1
"""Outcomes are recorded so often, or as soon as there are many (senders)."""

BUFFER_ITEMS = 20_000
"""Handed over by the walk and not yet read, 5 MB: what the walk hands over need not be claimed."""

CLAIM_ITEMS = 500
"""Claimed in one statement: 4 ms, so that other processes hardly wait for the lock."""

IN_FLIGHT_SECONDS = 5.0
"""What requests in flight get to end by themselves after an interrupt (SPEC §4)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a run ends before its work does."""

    contents: int | None = None  # to be sent
    deadline: float | None = None  # on the monotonic clock
    errors: int | None = None
    patience_seconds: float = 30.0


class UploadPipeline:
    """One run's uploads of one batch to one destination. Ends when nothing is left to do."""

    def __init__(
        self,
        async_manifest: AsyncManifest,
        sender: Sender,
        loader: Loader,
        limiter: RequestLimiter,
        breaker: CircuitBreaker,
        *,
        batch_id: int,
        run_id: str,
        destination_id: int,
        limits: Limits,
        clock: Clock,
        random: Random,
        emit: Emit,
        wants_files: bool,
        follows: Stage | None = None,
    ) -> None:
        self._async_manifest = async_manifest
        self._sender = sender
        self._aside = loader.aside
        self._prefetcher = Prefetcher(loader, self)
        self._limiter = limiter
        self._breaker = breaker
        self._batch_id = batch_id
        self._run_id = run_id
        self._limits = limits
        self._clock = clock
        self._results = UploadResults(
            async_manifest,
            destination_id=destination_id,
            run_id=run_id,
            clock=clock,
            random=random,
            emit=emit,
            wants_files=wants_files,
            aside=loader.aside,
            follows=follows,
        )
        self.counts = self._results.counts
        self.stop_reason: str | None = None
        self.stop_error: BaseException | None = None
        self._root_scan = True
        self._has_more = False  # ready items of this batch are in the manifest
        self._buffer: deque[WorkItem] = deque()
        self._sender_pool = SenderPool(
            self._prefetcher, sender, limiter, breaker, self._results, clock, self
        )
        self._news = asyncio.Event()
        self._settle_now = asyncio.Event()
        self._stopped = asyncio.Event()
        self._is_over = False

    @property
    def is_stopped(self) -> bool:
        """Whether nothing more is to be begun."""
        return self.stop_reason is not None

    # For the walk --------------------------------------------------------------------------------

    def room(self) -> int:
        """How many more works may be handed over. Safe from the manifest's thread."""
        if self.is_stopped:
            return 0
        room = BUFFER_ITEMS - len(self._buffer)
        if self._limits.contents is not None:
            room = min(room, self._limits.contents - self._prefetcher.ready - len(self._buffer))
        return max(0, room)

    def add(self, works: list[WorkItem], more: bool) -> None:
        """Works that are claimed for this run; `more` are in the manifest."""
        self._buffer.extend(works)
        self._has_more = self._has_more or more
        self._news.set()

    def end_of_walk(self) -> None:
        """Nothing more will be handed over."""
        self._root_scan = False
        self._news.set()

    def stop(self, reason: str, error: BaseException | None = None) -> None:
        """Claim and start no more; what is in flight may end."""
        if self.stop_reason is None:
            self.stop_reason, self.stop_error = reason, error
        self._breaker.stop()
        self._stopped.set()
        self._news.set()

    # The run -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until nothing is left, or until stopped; every claim is settled or given back."""
        settling = asyncio.create_task(self._settle_all())
        loader = asyncio.create_task(self._load_all())
        stopping = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait({settling, loader, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done() and not settling.done():
                await self._let_end(loader)
            self._is_over = loader.done()
            self._settle_now.set()
            await settling  # not cancelled: a settlement under way must not be made twice
            await loader
        finally:
            tasks = (settling, loader, stopping, *self._sender_pool.tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._aside is not None:
                await self._aside.close()
        await self._results.settle()
        await self._release_claims()

    async def _let_end(self, loader: asyncio.Task[None]) -> None:
        """After a stop: a few seconds for requests in flight, and for files being read."""
        late = {loader, *self._sender_pool.tasks}
        time_up = asyncio.create_task(self._clock.sleep(IN_FLIGHT_SECONDS))
        while late and not time_up.done():
            ended, _ = await asyncio.wait({*late, time_up}, return_when=asyncio.FIRST_COMPLETED)
            late -= ended
        for task in (*late, time_up):
            task.cancel()
        await asyncio.gather(*late, time_up, return_exceptions=True)

    async def _release_claims(self) -> None:
        held = [work.item_id for work in self._buffer]
        held += self._prefetcher.held_items
        held += self._sender.abandoned
        if held:
            await self._async_manifest.call(
                self._async_manifest.manifest.upload_queue.release, held, run_id=self._run_id
            )

    # Claim and read -------------------------------------------------------------------------------

    async def _load_all(self) -> None:
        prefetcher = self._prefetcher
        try:
            while group := await self._next_group():
                prefetcher.begin(group, len(self._buffer))
                while not self.is_stopped and not prefetcher.has_room(self._limiter.pacer.limit):
                    await self._wait_for_change()
            while not self.is_stopped and self._is_busy():
                self._sender_pool.start()
                await self._wait_for_change()
            await prefetcher.end()
        finally:
            await prefetcher.cancel()

    async def _wait_for_change(self) -> None:
        self._news.clear()
        await self._news.wait()

    async def _next_group(self) -> list[WorkItem]:
        """Works to read next, in a group; empty when this run has nothing left to do."""
        while not self.is_stopped:
            self._check_deadline()
            room = self._contents_left()
            if room == 0:
                if not self._is_busy():
                    return []
                await self._wait_for_change()
                continue
            if self._buffer:
                return self._group(room)
            if self._has_more:
                await self._claim(min(CLAIM_ITEMS, room))
            elif self._root_scan or self._is_busy():
                await self._wait_for_change()
            elif not await self._wait_until_due():
                return []
        return []

    def _contents_left(self) -> int:
        """How many more contents may be begun under --limit; what will turn out to be a duplicate
        does not count, so this is asked again after each group."""
        if self._limits.contents is None:
            return BUFFER_ITEMS
        return max(0, self._limits.contents - self._prefetcher.ready - self._prefetcher.to_come)

    def _is_busy(self) -> bool:
        """Whether contents are on their way: they may fail, and be left to do once more."""
        return bool(self._prefetcher.is_busy or self._sender_pool.tasks)

    def _group(self, room: int) -> list[WorkItem]:
        group: list[WorkItem] = []
        size = small = 0
        while self._buffer and len(group) < min(GROUP_ITEMS, room):
            work = self._buffer[0]
            size += work.size_bytes
            if work.size_bytes <= IN_PLACE_BYTES:
                small += work.size_bytes
            if group and (size > GROUP_BYTES or small > GROUP_SMALL_BYTES):
                break
            group.append(self._buffer.popleft())
        return group

    async def _claim(self, limit: int) -> None:
        queue = self._async_manifest.manifest.upload_queue
        works = await self._async_manifest.call(
            queue.claim,
            batch_id=self._batch_id,
            run_id=self._run_id,
            limit=limit,
            now=self._clock.now(),
        )
        self._buffer.extend(works)
        self._has_more = len(works) == limit

    async def _wait_until_due(self) -> bool:
        """Sleep until a waiting item falls due, if one does within the patience."""
        await self._results.settle()
        due_at = await self._async_manifest.call(
            self._async_manifest.manifest.upload_queue.next_due_at, self._batch_id
        )
        if due_at is None:
            return False
        wait = due_at - self._clock.now()
        if wait > self._limits.patience_seconds:
            return False
        if wait > 0:
            self._news.clear()
            waiting = (
                asyncio.ensure_future(self._clock.sleep(wait)),
                asyncio.ensure_future(self._news.wait()),
            )
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in waiting:
                    one.cancel()
        self._has_more = True
        return True

    # For what is read ahead and sent --------------------------------------------------------------

    def fail(self, work: WorkItem, error: ItemError, seconds: float = 0.0) -> None:
        """An attempt has failed, after so many seconds of sending."""
        self._results.fail(work, error, seconds)
        failed = self.counts.failed
        if self._limits.errors is not None and failed >= self._limits.errors:
            self.stop(f"{failed} errors (--max-errors)")

    def duplicate(self, read: Read) -> None:
        """The destination has the content, or will have it."""
        self._results.duplicate(read)

    def look(self) -> None:
        """There may be more to send."""
        self._sender_pool.start()

    def ended(self, error: BaseException | None) -> None:
        """A step has ended: there may be room to read more, or nothing left to do."""
        if error is not None:
            self.stop("an unexpected error", error)
        self._news.set()

    def many_done(self) -> None:
        """Enough has been sent to be recorded now."""
        self._settle_now.set()

    # Settle --------------------------------------------------------------------------------------

    async def _settle_all(self) -> None:
        while not self._is_over:
            self._settle_now.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._settle_now.wait(), SETTLE_SECONDS)
            self._check_deadline()
            self._sender_pool.start()  # the window may have grown
            await self._results.settle()

    def _check_deadline(self) -> None:
        deadline = self._limits.deadline
        if deadline is not None and self._clock.monotonic() >= deadline:
            self.stop("the time is up (--max-duration)")
