"""The worker of process and embed: several attempts at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple, Protocol

from bulkup.errors import DestinationError, EngineUnusable, ItemError, StoreForbidden
from bulkup.manifest.rows import EmbeddedItem, ProcessedItem, WorkItem
from bulkup.model import Stage
from bulkup.run.job import JobContext
from bulkup.run.stages.claims import ClaimRules, Claims
from bulkup.run.stages.results import DoneItem, Outcome, StageResults
from bulkup.run.stop_signal import task_group

MOST_FRUITLESS = 5
"""Attempts in a row of which no item was begun."""

REFUSED_HINT = "These keys may not read and write here."


class Attempted(NamedTuple):
    """The outcomes of an attempt by item. What has none was not begun, or was `lost` with its
    worker: each of these is attempted alone."""

    outcomes: dict[int, Outcome]
    lost: frozenset[int] = frozenset()
    unasked: frozenset[int] = frozenset()  # done without a request to the destination


class Attempter(Protocol):
    """What one attempt at a stage is."""

    stage: Stage
    rules: ClaimRules
    isolates: bool  # a suspect endangers no other attempt

    @property
    def concurrency(self) -> int:
        """Attempts at the same time, now."""

    def most_items(self, left: int | None = None) -> int:
        """In one attempt, now; `left` are all that are left, where that is known."""

    async def attempt(self, items: Sequence[WorkItem], *, is_alone: bool) -> Attempted:
        """Attempt these, some of them perhaps not. Raises DestinationError when nothing can
        succeed at the destination, BulkupError when nothing can at this stage.

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
        self.rules = attempter.rules
        self._breaker = job.breaker
        self._clock = job.run.clock
        self._attempter = attempter
        self._in_progress = 0
        self._ended = asyncio.Event()

    async def work(self, claims: Claims, results: StageResults) -> None:
        attempter = self._attempter
        async with task_group() as tasks:
            while True:
                while self._in_progress >= attempter.concurrency:
                    await self._wait_for_an_end()
                await results.wait_for_room()
                items = await claims.take(attempter.most_items(claims.left), _together)
                if not items:
                    return
                is_alone = items[0].is_suspect and not attempter.isolates
                while is_alone and self._in_progress:  # if the run vanishes, it was this item
                    await self._wait_for_an_end()
                self._in_progress += 1
                tasks.create_task(self._attempt_until_ended(items, claims, results))
                while is_alone and self._in_progress:
                    await self._wait_for_an_end()

    async def record(self, done: Sequence[DoneItem]) -> None:
        await self._attempter.record(done)

    async def close(self) -> None:
        await self._attempter.close()

    async def _wait_for_an_end(self) -> None:
        """Wait until one of the attempts in progress has ended."""
        self._ended.clear()
        await self._ended.wait()

    async def _attempt_until_ended(
        self, items: list[WorkItem], claims: Claims, results: StageResults
    ) -> None:
        left = {item.item_id: item for item in items}
        lost: set[int] = set()  # with their worker: attempted one by one
        suspects = {item.item_id for item in items if item.is_suspect}  # attempted alone
        fruitless = 0
        try:
            while left and await self._breaker.wait_until_closed():
                began = self._clock.monotonic()
                attempted, trouble = await self._attempt_next(left, lost, suspects, began)
                if trouble is not None:
                    if await self._breaker.recover(trouble):
                        continue
                    return
                seconds = self._clock.monotonic() - began
                for item_id, outcome in attempted.outcomes.items():
                    self._end(left.pop(item_id), outcome, seconds, claims, results)
                suspects |= lost & attempted.lost
                lost = (lost | attempted.lost) & left.keys()
                fruitless = 0 if attempted.outcomes or attempted.lost else fruitless + 1
                if fruitless >= MOST_FRUITLESS:
                    raise EngineUnusable(
                        "the workers begin none of their tasks",
                        hint="With --sign: compare their clocks with this machine's.",
                    )
        finally:
            self._in_progress -= 1
            self._ended.set()

    async def _attempt_next(
        self, left: dict[int, WorkItem], lost: set[int], suspects: set[int], began: float
    ) -> tuple[Attempted, DestinationError | None]:
        """Attempt all that is left together; or those that were lost, each in an attempt of its
        own."""
        if not lost:
            items = list(left.values())
            return await self._attempt(items, began, is_alone=items[0].item_id in suspects)
        attempts = await asyncio.gather(
            *(
                self._attempt([left[item_id]], began, is_alone=item_id in suspects)
                for item_id in lost
            )
        )
        outcomes: dict[int, Outcome] = {}
        for attempted, _ in attempts:
            outcomes.update(attempted.outcomes)
        again = frozenset().union(*(attempted.lost for attempted, _ in attempts))
        trouble = next((one for _, one in attempts if one is not None), None)
        return Attempted(outcomes, again), None if outcomes else trouble

    @staticmethod
    def _end(
        item: WorkItem, outcome: Outcome, seconds: float, claims: Claims, results: StageResults
    ) -> None:
        if isinstance(outcome, StoreForbidden):
            fail = partial(results.add, item, outcome, seconds)
            claims.hold_refused(item.item_id, fail)
            return
        results.add(item, outcome, seconds)
        claims.end(item.item_id)

    async def _attempt(
        self, items: list[WorkItem], began: float, *, is_alone: bool
    ) -> tuple[Attempted, DestinationError | None]:
        """What was attempted, or the destination's trouble behind one of the outcomes."""
        try:
            attempted = await self._attempter.attempt(items, is_alone=is_alone)
        except DestinationError as error:
            return Attempted({}), error
        except ItemError as error:
            return Attempted({item.item_id: error for item in items}), None
        for item_id, one in attempted.outcomes.items():
            # What failed may have asked the destination for nothing.
            is_done = isinstance(one, (ProcessedItem, EmbeddedItem))
            if is_done and item_id not in attempted.unasked:
                self._breaker.record_success(self._clock.monotonic())
        for one in attempted.outcomes.values():
            if isinstance(one, ItemError):
                trouble = self._breaker.trouble_of(one, began, refused_hint=REFUSED_HINT)
                if trouble is not None:
                    return Attempted({}), trouble
        return attempted, None


def _together(items: Sequence[WorkItem], most: int) -> int:
    """A suspect is attempted alone, others up to the first suspect."""
    for count, item in enumerate(islice(items, most)):
        if item.is_suspect:
            return max(1, count)
    return most
