"""The worker of process and embed: several attempts at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from typing import Protocol

from bulkup.errors import DestinationError, ItemError, StoreForbidden
from bulkup.manifest.rows import EmbeddedItem, ProcessedItem, WorkItem
from bulkup.model import Stage
from bulkup.run.job import JobContext
from bulkup.run.stages.claims import ClaimRules, Claims
from bulkup.run.stages.results import DoneItem, Outcome, StageResults
from bulkup.run.stop_signal import task_group

GATHER_SECONDS = 0.5
"""How long an attempt that could take more items waits for them, while more may come."""

REFUSED_HINT = "These keys may not read and write here."


class Attempter(Protocol):
    """What one attempt at a stage is."""

    stage: Stage
    concurrency: int  # attempts at the same time
    most_items: int  # in one attempt

    async def attempt(self, items: Sequence[WorkItem]) -> Sequence[Outcome]:
        """The outcome for each item, in order. Raises DestinationError when nothing can succeed
        at the destination, BulkupError when nothing can at this stage.

        Marks in the manifest what a worker process has, for as long as it has it.
        """

    async def record(self, done: Sequence[DoneItem]) -> None:
        """See `StageWorker`."""

    async def close(self) -> None:
        """See `StageWorker`."""


class Attempts:
    """A `StageWorker`. Waits with all attempts while the circuit breaker is open."""

    def __init__(self, job: JobContext, attempter: Attempter) -> None:
        self.stage = attempter.stage
        most = attempter.most_items
        gather = GATHER_SECONDS if most > 1 else 0.0
        self.rules = ClaimRules(most, most * attempter.concurrency, gather)
        self._breaker = job.breaker
        self._clock = job.run.clock
        self._attempter = attempter
        self._turns = 0  # attempts in progress
        self._is_alone = False  # the only one is with a suspect
        self._turn_ended = asyncio.Event()

    async def work(self, claims: Claims, results: StageResults) -> None:
        async with task_group() as tasks:
            for _ in range(self._attempter.concurrency):
                tasks.create_task(self._attempt_all(claims, results))

    async def record(self, done: Sequence[DoneItem]) -> None:
        await self._attempter.record(done)

    async def close(self) -> None:
        await self._attempter.close()

    async def _attempt_all(self, claims: Claims, results: StageResults) -> None:
        while items := await claims.take(self._attempter.most_items, _together):
            async with self._turn(is_alone=items[0].is_suspect):
                await self._attempt_until_ended(items, claims, results)

    @asynccontextmanager
    async def _turn(self, *, is_alone: bool) -> AsyncIterator[None]:
        """With `is_alone` nothing else is attempted: if the run vanishes, it was this item."""
        while self._is_alone or (is_alone and self._turns):
            self._turn_ended.clear()
            await self._turn_ended.wait()
        self._is_alone = is_alone
        self._turns += 1
        try:
            yield
        finally:
            self._is_alone = False
            self._turns -= 1
            self._turn_ended.set()

    async def _attempt_until_ended(
        self, items: list[WorkItem], claims: Claims, results: StageResults
    ) -> None:
        while await self._breaker.wait_until_closed():
            began = self._clock.monotonic()
            outcomes, trouble = await self._attempt(items, began)
            if trouble is not None:
                if await self._breaker.recover(trouble):
                    continue
                return
            seconds = self._clock.monotonic() - began
            for item, outcome in zip(items, outcomes, strict=True):
                if isinstance(outcome, StoreForbidden):
                    fail = partial(results.add, item, outcome, seconds)
                    claims.hold_refused(item.item_id, fail)
                    continue
                results.add(item, outcome, seconds)
                claims.end(item.item_id)
            return

    async def _attempt(
        self, items: list[WorkItem], began: float
    ) -> tuple[Sequence[Outcome], DestinationError | None]:
        """The outcomes, or the destination's trouble behind one of them."""
        try:
            outcomes = await self._attempter.attempt(items)
        except DestinationError as error:
            return (), error
        except ItemError as error:
            return [error] * len(items), None
        for one in outcomes:
            if isinstance(one, (ProcessedItem, EmbeddedItem)):  # others may have asked for nothing
                self._breaker.record_success(self._clock.monotonic())
        for one in outcomes:
            if isinstance(one, ItemError):
                trouble = self._breaker.trouble_of(one, began, refused_hint=REFUSED_HINT)
                if trouble is not None:
                    return (), trouble
        return outcomes, None


def _together(items: Sequence[WorkItem], most: int) -> int:
    """A suspect is attempted alone, others up to the first suspect."""
    for count, item in enumerate(islice(items, most)):
        if item.is_suspect:
            return max(1, count)
    return most
