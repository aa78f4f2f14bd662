"""As many senders at work as requests may be in flight.

    shelf ──take──▶ send ──gate──▶ store ──▶ outcome

What stops the whole destination is ridden out, or stops the run; it is no item's failure.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from bulkup.clock import Clock
from bulkup.errors import (
    CredentialsRefused,
    DestinationError,
    DestinationUnreachable,
    ItemError,
    StoreError,
    StoreForbidden,
    StoreFull,
    StoreUnreachable,
)
from bulkup.manifest.rows import WorkItem
from bulkup.pace.limiter import RequestLimiter
from bulkup.run.circuit_breaker import CircuitBreaker
from bulkup.run.upload.loader import ReadyUpload
from bulkup.run.upload.prefetch import Prefetcher
from bulkup.run.upload.results import UploadResults
from bulkup.run.upload.sender import Sender

SETTLE_ITEMS = 500
"""So many outcomes are recorded in one transaction (DESIGN §1)."""


class Follow(Protocol):
    """Who is told what the senders come to."""

    @property
    def is_stopped(self) -> bool:
        """Whether nothing more is to be begun."""

    def stop(self, reason: str, error: BaseException | None = None) -> None:
        """Nothing can go on at the destination, or there is a bug."""

    def fail(self, work: WorkItem, error: ItemError, seconds: float) -> None:
        """An attempt has failed."""

    def many_done(self) -> None:
        """Enough has been sent to be recorded now."""

    def ended(self, error: BaseException | None) -> None:
        """There may be room to read more, or nothing left to do; `error` is a bug."""


class SenderPool:
    """Take contents from the shelf and bring them to the destination."""

    def __init__(
        self,
        prefetcher: Prefetcher,
        sender: Sender,
        limiter: RequestLimiter,
        breaker: CircuitBreaker,
        results: UploadResults,
        clock: Clock,
        follow: Follow,
    ) -> None:
        self._prefetcher = prefetcher
        self._sender = sender
        self._limiter = limiter
        self._breaker = breaker
        self._results = results
        self._clock = clock
        self._follow = follow
        self.tasks: set[asyncio.Task[None]] = set()  # at work

    def start(self) -> None:
        """As many senders as requests may be in flight, not counting those that rest."""
        if self._follow.is_stopped:
            return
        ready = len(self._prefetcher.queue)
        for _ in range(min(ready, self._most() - len(self.tasks))):
            task = asyncio.create_task(self._send_shelf())
            self.tasks.add(task)
            task.add_done_callback(self._ended)

    def _most(self) -> int:
        """One more than may send would make all of them queue, one behind the other."""
        return self._limiter.pacer.limit + self._sender.backing_off if self._sender.is_probed else 1

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is None:
            self.start()
        self._follow.ended(error)

    async def _send_shelf(self) -> None:
        prefetcher, follow = self._prefetcher, self._follow
        while prefetcher.queue and not follow.is_stopped:
            was_ready = self._sender.is_probed
            ready = prefetcher.take()
            try:
                await self._send(ready)
            except asyncio.CancelledError:
                self._sender.abandoned.append(ready.work.item_id)
                raise
            finally:
                prefetcher.release(ready)
            if prefetcher.has_room(self._limiter.pacer.limit):
                follow.ended(None)
            if not was_ready or len(self.tasks) > self._most():
                return  # `_ended` starts as many as there may be by now

    async def _send(self, ready: ReadyUpload) -> None:
        """Bring one content to the destination, or tell why not; run-level trouble is ridden out
        without counting an attempt."""
        work = ready.work
        while True:
            if self._breaker.is_open and not await self._breaker.wait_until_closed():
                self._sender.abandoned.append(work.item_id)
                return
            began = self._clock.monotonic()
            try:
                done = await self._sender.send(ready)
            except DestinationError as error:
                await self._wait_for_breaker(error)
            except StoreFull as error:
                self._follow.stop("the destination is full", _full(error))
            except (StoreForbidden, StoreUnreachable) as error:
                if not self._breaker.is_run_level(error, began):
                    self._follow.fail(work, error, self._clock.monotonic() - began)
                    return
                await self._wait_for_breaker(_run_level(error))
            except ItemError as error:
                self._follow.fail(work, error, self._clock.monotonic() - began)
                return
            else:
                self._breaker.record_success(self._clock.monotonic())
                if self._results.succeed(ready, *done) >= SETTLE_ITEMS:
                    self._follow.many_done()
                return

    async def _wait_for_breaker(self, error: DestinationError) -> None:
        if not await self._breaker.open_and_wait(error):
            self._follow.stop(str(error), error)


def _full(error: StoreFull) -> DestinationError:
    return DestinationError(str(error), hint="Make room at the destination, then push again.")


def _run_level(error: StoreError) -> DestinationError:
    """The same trouble as one of the whole destination."""
    if isinstance(error, StoreUnreachable):
        return DestinationUnreachable(str(error), hint="Check the network and the endpoint.")
    return CredentialsRefused(
        str(error), code=error.code, hint="These keys may not write here: ask for s3:PutObject."
    )
