"""How attempts at a stage after the upload ended: counted, told, and settled in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from bulkup.clock import Clock
from bulkup.errors import ErrorClass, ItemError, StoreError, WorkerLost
from bulkup.events import AttemptFailed, Emit, ItemDone, ItemsDone
from bulkup.manifest.queue.stages import StageScope
from bulkup.manifest.rows import EmbeddedItem, FailedItem, ProcessedItem, SkippedItem, WorkItem
from bulkup.manifest.runs import STRIKES
from bulkup.model import Stage
from bulkup.pace.backoff import ATTEMPTS, attempt_wait_seconds
from bulkup.run.async_manifest import AsyncManifest

Outcome = ProcessedItem | EmbeddedItem | SkippedItem | ItemError


@dataclass(slots=True)
class LaterCounts:
    """What this run's work at one stage came to."""

    done: int = 0
    skipped: int = 0
    waiting: int = 0
    dead: int = 0
    done_bytes: int = 0  # of the contents, not of what was made of them
    failures: dict[ErrorClass, int] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        return self.waiting + self.dead


class StageResults:
    """Outcomes of one run at one stage. For use from one event loop."""

    def __init__(
        self,
        async_manifest: AsyncManifest,
        record: Callable[[Sequence[ProcessedItem | EmbeddedItem]], Awaitable[None]],
        scope: StageScope,
        *,
        run_id: str,
        follows: Stage | None,
        clock: Clock,
        random: Random,
        emit: Emit,
        wants_files: bool,
    ) -> None:
        """`record` writes successes down, in one transaction."""
        self._async_manifest = async_manifest
        self._later = async_manifest.manifest.stage_queue
        self._record = record
        self._scope = scope
        self._stage = scope.stage
        self._run_id = run_id
        self._follows = follows
        self._clock = clock
        self._random = random
        self._emit = emit
        self._wants_files = wants_files
        self.counts = LaterCounts()
        self.left = 0  # ready or waiting, when it was last looked
        self._done: list[ProcessedItem | EmbeddedItem] = []
        self._passed: list[SkippedItem] = []
        self._missed: list[FailedItem] = []
        self._settling = asyncio.Lock()

    def add(self, item: WorkItem, outcome: Outcome, seconds: float) -> None:
        """An attempt has ended, after so many seconds; it is recorded by the next `settle`."""
        counts = self.counts
        if isinstance(outcome, ItemError):
            self._note_error(item, outcome, seconds)
        elif isinstance(outcome, SkippedItem):
            counts.skipped += 1
            self._passed.append(outcome)
        else:
            counts.done += 1
            counts.done_bytes += item.size_bytes
            self._done.append(outcome)

    def _note_error(self, item: WorkItem, error: ItemError, seconds: float) -> None:
        attempt = item.attempts + 1
        is_strike = isinstance(error, WorkerLost)
        wait = attempt_wait_seconds(
            self._stage,
            attempt,
            error.error_class,
            self._random,
            allowed=ATTEMPTS[self._stage] + item.attempts_granted,
        )
        is_third = is_strike and item.strikes + 1 >= STRIKES
        due_at = None if wait is None else self._clock.now() + wait
        request_id = error.request_id if isinstance(error, StoreError) else None
        self._missed.append(
            FailedItem(item, error.error_class, str(error), request_id, due_at, seconds, is_strike)
        )
        is_dead = is_third if is_strike else due_at is None
        self.counts.dead += is_dead
        self.counts.waiting += not is_dead and not is_strike
        failures = self.counts.failures
        failures[error.error_class] = failures.get(error.error_class, 0) + 1
        self._emit(
            AttemptFailed(
                path=item.path,
                stage=self._stage.value,
                attempt=attempt,
                error_class=error.error_class.value,
                error=str(error),
                state="dead" if is_dead else "ready" if is_strike else "waiting",
                next_attempt_at=None if is_strike else due_at,
                seconds=seconds,
            )
        )

    async def settle(self) -> None:
        """Record what has ended since the last time."""
        async with self._settling:
            done, self._done = self._done, []
            passed, self._passed = self._passed, []
            missed, self._missed = self._missed, []
            try:
                if done:
                    await self._record(done)
                if passed:
                    await self._async_manifest.call(
                        self._later.skip,
                        passed,
                        stage=self._stage,
                        follows=self._follows,
                        run_id=self._run_id,
                        now=self._clock.now(),
                    )
                if missed:
                    await self._async_manifest.call(
                        self._later.fail, missed, run_id=self._run_id, now=self._clock.now()
                    )
            except BaseException:
                self._done[:0], self._passed[:0], self._missed[:0] = done, passed, missed
                raise
            # Of a retried batch: what is left of it; of a destination, what its tally says.
            self.left = await self._async_manifest.call(self._later.count_left, self._scope)
        if self._wants_files and (done or passed):
            self._emit(ItemsDone(self._stage.value, tuple(map(_item_done, [*done, *passed]))))


def _item_done(outcome: ProcessedItem | EmbeddedItem | SkippedItem) -> ItemDone:
    item = outcome.item
    return ItemDone(
        item.path,
        item.known_digest,
        "skipped" if isinstance(outcome, SkippedItem) else "done",
        outcome.reason if isinstance(outcome, SkippedItem) else None,
        outcome.seconds,
        item.attempts + 1,
    )
