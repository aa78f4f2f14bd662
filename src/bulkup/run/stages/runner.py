"""One run's work at a stage after the upload: claim, hand over, attempt.

The same for all such stages; what an attempt is, an `Attempting` knows.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any, Protocol

from bulkup.clock import Clock
from bulkup.errors import (
    BulkupError,
    CredentialsRefused,
    DestinationError,
    DestinationUnreachable,
    ItemError,
    StoreForbidden,
    StoreFull,
    StoreUnreachable,
)
from bulkup.events import Emit
from bulkup.manifest.queue.stages import StageScope
from bulkup.manifest.rows import EmbeddedItem, ProcessedItem, WorkItem
from bulkup.model import Stage
from bulkup.run.async_manifest import AsyncManifest
from bulkup.run.circuit_breaker import CircuitBreaker
from bulkup.run.job import LaterLimits
from bulkup.run.stages.results import Outcome, StageResults

SETTLE_SECONDS = 0.1
LOOK_SECONDS = 0.1
"""How often it is looked whether the stage before has brought something."""

GATHER_SECONDS = 0.5
"""How long a call that could take more items waits for them, while more may come."""

IN_FLIGHT_SECONDS = 5.0
"""What attempts in flight get to end by themselves after an interrupt (SPEC §4)."""


class StageWorker(Protocol):
    """What a stage does with its items."""

    stage: Stage
    concurrency: int  # attempts at the same time
    most_items: int  # in one attempt

    async def attempt(self, items: Sequence[WorkItem]) -> Sequence[Outcome]:
        """How it went for each item, in order. Raises DestinationError when nothing can go on
        at the destination, BulkupError when nothing can go on at this stage.

        It tells the manifest what a worker has in its hands, and for no longer than it has.
        """

    async def record(self, done: Sequence[ProcessedItem | EmbeddedItem]) -> None:
        """Write the successes down, in one transaction."""

    async def close(self) -> None:
        """Give processes, threads and files back. May be called twice."""


class StageRunner:
    """Works at one stage in one scope until nothing is left and the stage before is over."""

    def __init__(
        self,
        async_manifest: AsyncManifest,
        worker: StageWorker,
        scope: StageScope,
        breaker: CircuitBreaker,
        *,
        run_id: str,
        follows: Stage | None,
        limits: LaterLimits,
        is_fed: Callable[[], bool],
        clock: Clock,
        random: Random,
        emit: Emit,
        wants_files: bool,
    ) -> None:
        self._async_manifest = async_manifest
        self._later = async_manifest.manifest.stage_queue
        self._worker = worker
        self._scope = scope
        self._breaker = breaker
        self._run_id = run_id
        self._limits = limits
        self._is_fed = is_fed  # whether the stage before may still bring items
        self._clock = clock
        self.outcomes = StageResults(
            async_manifest,
            worker.record,
            scope,
            run_id=run_id,
            follows=follows,
            clock=clock,
            random=random,
            emit=emit,
            wants_files=wants_files,
        )
        self.counts = self.outcomes.counts
        self.is_over = False
        self.stop_reason: str | None = None
        self.stop_error: BaseException | None = None
        self._stopped = asyncio.Event()
        self._looked = asyncio.Event()
        self._claiming = asyncio.Lock()
        self._buffer: deque[WorkItem] = deque()
        self._begun = 0
        self.in_hand = 0

    @property
    def stage(self) -> Stage:
        return self._worker.stage

    def stop(self, reason: str, error: BaseException | None = None) -> None:
        """Claim no more; what is in hand may end."""
        if self.stop_reason is None:
            self.stop_reason, self.stop_error = reason, error
        self._stopped.set()

    def wake(self) -> None:
        """The stage before has brought all that it will: nothing more need be waited for."""
        self._looked.set()

    async def run(self) -> None:
        """Work; every claim is settled or given back. What stopped it is in `stop_error`."""
        concurrency = [asyncio.create_task(self._hand()) for _ in range(self._worker.concurrency)]
        settling = asyncio.create_task(self._settle_all())
        stopping = asyncio.create_task(self._stopped.wait())
        working = asyncio.gather(*concurrency)
        try:
            await _first_of(working, settling, stopping)
            if stopping.done() and not working.done():
                await self._let_end(concurrency)
            elif settling.done():
                settling.result()
            await asyncio.gather(*concurrency)
        except asyncio.CancelledError:
            if not self._stopped.is_set():
                raise
        finally:
            for task in (*concurrency, settling, stopping):
                task.cancel()
            await asyncio.gather(working, settling, stopping, return_exceptions=True)
            await self._worker.close()
        await self.outcomes.settle()
        if self._buffer:
            await self._async_manifest.call(
                self._later.release, list(self._buffer), run_id=self._run_id
            )
            self._buffer.clear()
        self.is_over = True  # only now has the stage after this one all that it gets

    async def _let_end(self, concurrency: Sequence[asyncio.Task[None]]) -> None:
        """After a stop: a few seconds for what is in hand."""
        time_up = asyncio.create_task(self._clock.sleep(IN_FLIGHT_SECONDS))
        late: set[asyncio.Task[None]] = set(concurrency)
        while late and not time_up.done():
            ended, _ = await asyncio.wait({*late, time_up}, return_when=asyncio.FIRST_COMPLETED)
            late -= ended
        for task in (*late, time_up):
            task.cancel()
        await asyncio.gather(*late, time_up, return_exceptions=True)

    # Claim --------------------------------------------------------------------------------

    async def _hand(self) -> None:
        while items := await self._next():
            await self._work(items)

    async def _next(self) -> list[WorkItem]:
        """Items to attempt together; empty when this run has nothing left to do here."""
        waited = 0.0
        while self.stop_reason is None:
            async with self._claiming:
                self._looked.clear()
                is_fed = self._is_fed()  # before the look: what came last must be seen
                await self._fill()
                most = self._worker.most_items
                if self._buffer and (
                    len(self._buffer) >= most or not is_fed or waited >= GATHER_SECONDS
                ):
                    taken = [self._buffer.popleft() for _ in range(min(most, len(self._buffer)))]
                    self._begun += len(taken)
                    return taken
                if self._is_limit_reached():
                    return []
            if self._buffer:
                waited += LOOK_SECONDS
            if self._buffer or is_fed:
                await self._wait(asyncio.sleep(LOOK_SECONDS))
                continue
            wait = await self._wait_seconds()
            if wait is None:
                return []
            await self._wait(self._clock.sleep(wait))
        return []

    def _is_limit_reached(self) -> bool:
        return self._limits.items is not None and self._begun >= self._limits.items

    async def _fill(self) -> None:
        """Claim for every hand, so that other processes find their share, too."""
        room = self._worker.most_items * self._worker.concurrency - len(self._buffer)
        if self._limits.items is not None:
            room = min(room, self._limits.items - self._begun - len(self._buffer))
        if room <= 0 or len(self._buffer) >= self._worker.most_items:
            return
        self._buffer.extend(
            await self._async_manifest.call(
                self._later.claim,
                self._scope,
                run_id=self._run_id,
                limit=room,
                now=self._clock.now(),
            )
        )

    async def _wait_seconds(self) -> float | None:
        """Until the next item falls due, if one does within the patience; else None."""
        await self.outcomes.settle()
        due_at = await self._async_manifest.call(self._later.next_due_at, self._scope)
        if due_at is None:
            return None
        wait = max(0.0, due_at - self._clock.now())
        return wait if wait <= self._limits.patience_seconds else None

    async def _wait(self, sleep: Coroutine[Any, Any, None]) -> None:
        """Sleep, or until stopped, or until there is something to look for."""
        waits = (sleep, self._stopped.wait(), self._looked.wait())
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(wait) for wait in waits]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # Attempt ------------------------------------------------------------------------------

    async def _work(self, items: list[WorkItem]) -> None:
        """One attempt; run-level trouble is ridden out without counting it."""
        self.in_hand += len(items)
        is_noted = False
        try:
            is_noted = await self._attempt(items)
        finally:
            self.in_hand -= len(items)
            if not is_noted:
                self._buffer.extendleft(reversed(items))  # given back at the end

    async def _attempt(self, items: list[WorkItem]) -> bool:
        """Note the outcomes; False when this run is to stop, and the items go back."""
        while True:
            if self._breaker.is_open and not await self._breaker.wait_until_closed():
                return False
            began = self._clock.monotonic()
            outcomes: Sequence[Outcome] = ()
            trouble: DestinationError | None = None
            try:
                outcomes = await self._worker.attempt(items)
                trouble = self._run_level(outcomes, began)
            except DestinationError as error:
                trouble = error
            except ItemError as error:
                outcomes = [error] * len(items)
            except BulkupError as error:  # of this stage as a whole
                self.stop(str(error), error)
                return False
            if trouble is None:
                seconds = self._clock.monotonic() - began
                for item, outcome in zip(items, outcomes, strict=True):
                    self._add(item, outcome, seconds)
                return True
            if self.stop_reason is not None or not await self._breaker.open_and_wait(trouble):
                self.stop(str(trouble), trouble)
                return False

    def _run_level(self, outcomes: Sequence[Outcome], began: float) -> DestinationError | None:
        """The whole destination's trouble in the items' errors, if that is what it is."""
        for one in outcomes:
            if isinstance(
                one, (ProcessedItem, EmbeddedItem)
            ):  # the others may have asked for nothing
                self._breaker.record_success(self._clock.monotonic())
        for one in outcomes:
            if isinstance(one, StoreFull):
                full = DestinationError(str(one), hint="Make room at the destination.")
                self.stop("the destination is full", full)
                return full
            if not isinstance(one, (StoreForbidden, StoreUnreachable)):
                continue
            if not self._breaker.is_run_level(one, began):
                continue
            if isinstance(one, StoreUnreachable):
                return DestinationUnreachable(str(one), hint="Check the network and the endpoint.")
            return CredentialsRefused(
                str(one), code=one.code, hint="These keys may not read and write here."
            )
        return None

    def _add(self, item: WorkItem, outcome: Outcome, seconds: float) -> None:
        self.outcomes.add(item, outcome, seconds)
        failed = self.counts.failed
        if self._limits.errors is not None and failed >= self._limits.errors:
            self.stop(f"{failed} errors (--max-errors)")

    # Settle -------------------------------------------------------------------------------

    async def _settle_all(self) -> None:
        while True:
            await asyncio.sleep(SETTLE_SECONDS)
            deadline = self._limits.deadline
            if deadline is not None and self._clock.monotonic() >= deadline:
                self.stop("the time is up (--max-duration)")
            await self.outcomes.settle()


async def _first_of(*tasks: asyncio.Future[Any]) -> None:
    """Wait until one of them is done."""
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
