"""How the attempts of one stage ended: counted, emitted as events, and settled in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from bulkup.content.reading import Loaded
from bulkup.errors import ItemError, StoreError, WorkerLost
from bulkup.events import AttemptFailed, FileDone, FilesDone, ItemDone, ItemsDone, UploadKind
from bulkup.manifest.queue.stages import StageScope
from bulkup.manifest.rows import (
    EmbeddedItem,
    FailedItem,
    ProcessedItem,
    SkippedItem,
    UploadedItem,
    WorkItem,
)
from bulkup.manifest.runs import STRIKES
from bulkup.model import Digest, Stage
from bulkup.pace.backoff import ATTEMPTS, attempt_wait_seconds
from bulkup.run.circuit_breaker import plain
from bulkup.run.context import RunContext
from bulkup.run.limits import RunLimits
from bulkup.run.stages.counts import StageCounts
from bulkup.run.stop_signal import StopSignal

DoneItem = UploadedItem | ProcessedItem | EmbeddedItem
Outcome = ProcessedItem | EmbeddedItem | SkippedItem | ItemError

T = TypeVar("T")

SETTLE_ITEMS = 500
"""So many results are recorded in one transaction (DESIGN §1)."""

MOST_UNSETTLED = 4 * SETTLE_ITEMS
"""With so many results to be recorded no attempt begins: memory must not grow with a backlog."""


class StageResults:
    """The ended attempts of one run at one stage. For one event loop."""

    def __init__(
        self,
        context: RunContext,
        scope: StageScope,
        limits: RunLimits,
        stop: StopSignal,
        *,
        follows: Stage | None,
        record: Callable[[Sequence[DoneItem]], Awaitable[None]],
    ) -> None:
        """`record` writes successes into the manifest, with their items of the stage `follows`."""
        self._context = context
        self._scope = scope
        self._stage = scope.stage
        self._limits = limits
        self._stop = stop
        self._follows = follows
        self._record = record
        self.counts = StageCounts()
        self.last_error: tuple[float, str] | None = None  # when, and what
        self.are_many = asyncio.Event()  # enough to be settled now
        self._done: list[DoneItem] = []
        self._skipped: list[SkippedItem] = []
        self._failed: list[FailedItem] = []
        self._files: list[FileDone] = []
        self._duplicates: list[FileDone] = []  # new ones: their key is to be looked up
        self._without_object: dict[str, list[FileDone]] = {}  # duplicates by digest
        self._settling = asyncio.Lock()
        self._has_settled = asyncio.Event()

    # At the upload --------------------------------------------------------------------------------

    def add_upload(self, done: UploadedItem, digest: Digest, kind: UploadKind) -> None:
        """The destination has the content; recorded by the next `settle`."""
        counts = self.counts
        if kind == "sent":
            counts.sent += 1
            counts.sent_bytes += done.size_bytes
        else:
            counts.adopted += 1
        counts.done += 1
        counts.done_bytes += done.size_bytes
        self._done.append(done)
        if len(self._done) >= SETTLE_ITEMS:
            self.are_many.set()
        if self._context.wants_files:
            item, attempt = done.item, done.item.attempts + 1
            self._files.append(
                FileDone(item.path, done.key, digest, done.size_bytes, kind, done.seconds, attempt)
            )

    def add_duplicate(self, item: WorkItem, loaded: Loaded) -> None:
        """The destination has the content, or another file's upload brings it there."""
        counts, size_bytes = self.counts, loaded.size_bytes
        counts.duplicates += 1
        counts.duplicate_bytes += size_bytes
        counts.done += 1
        counts.done_bytes += size_bytes
        if self._context.wants_files:
            self._duplicates.append(
                FileDone(item.path, None, loaded.digest, size_bytes, "duplicate", 0.0)
            )

    def add_touched(self, loaded: Loaded, *, is_new: bool) -> None:
        """The file has a new time and its old bytes, which need not be sent. `is_new`: this run's
        scan took it for changed, not that of an earlier run that ended before it was read."""
        self.counts.touched += 1
        self.counts.touched_earlier += not is_new
        self.counts.done += 1
        self.counts.done_bytes += loaded.size_bytes

    # At the other stages --------------------------------------------------------------------------

    def add(self, item: WorkItem, outcome: Outcome, seconds: float) -> None:
        """An attempt has ended, after so many seconds; recorded by the next `settle`."""
        if isinstance(outcome, ItemError):
            self.add_failure(item, outcome, seconds)
        elif isinstance(outcome, SkippedItem):
            self.counts.skipped += 1
            self._skipped.append(outcome)
        else:
            self.counts.done += 1
            self.counts.done_bytes += item.size_bytes
            self._done.append(outcome)
        if self._unsettled >= SETTLE_ITEMS:
            self.are_many.set()

    async def wait_for_room(self) -> None:
        """Wait until what has ended is recorded, but for a bounded number of results."""
        while self._unsettled >= MOST_UNSETTLED:
            self._has_settled.clear()
            await self._has_settled.wait()

    async def wait_until_settled(self) -> None:
        """Wait until all that has ended is recorded, which is asked for at once."""
        while self._unsettled or self._settling.locked():
            self.are_many.set()
            self._has_settled.clear()
            await self._has_settled.wait()

    # At all stages --------------------------------------------------------------------------------

    def add_failure(self, item: WorkItem, error: ItemError, seconds: float) -> None:
        """The attempt failed: the item waits for the next one, or is dead."""
        attempt = item.attempts + 1
        is_strike = isinstance(error, WorkerLost)
        wait = attempt_wait_seconds(
            self._stage,
            attempt,
            error.error_class,
            self._context.random,
            allowed=ATTEMPTS[self._stage] + item.attempts_granted,
        )
        due_at = None if wait is None else self._context.clock.now() + wait
        request_id = error.request_id if isinstance(error, StoreError) else None
        said = plain(error)
        self._failed.append(
            FailedItem(item, error.error_class, said, request_id, due_at, seconds, is_strike)
        )
        now = self._context.clock.monotonic()
        self.last_error = (now, f"{item.name}: {error.error_class.value}: {said}")
        is_dead = item.strikes + 1 >= STRIKES if is_strike else due_at is None
        counts = self.counts
        counts.dead += is_dead
        counts.waiting += not is_dead and not is_strike
        self._context.emit(
            AttemptFailed(
                path=item.path,
                stage=self._stage.value,
                attempt=attempt,
                error_class=error.error_class.value,
                error=said,
                state="dead" if is_dead else "ready" if is_strike else "waiting",
                next_attempt_at=None if is_strike else due_at,
                seconds=seconds,
            )
        )
        self._limits.add_error()
        if (reason := self._limits.reached) is not None:
            self._stop.set(reason)

    @property
    def _unsettled(self) -> int:
        return len(self._done) + len(self._skipped) + len(self._failed)

    async def settle(self) -> bool:
        """Record what has ended since the last time; whether that was anything."""
        async with self._settling:
            self.are_many.clear()
            most = max(len(self._done), len(self._skipped), len(self._failed))
            for _ in range(0, max(1, most), SETTLE_ITEMS):
                await self._settle_some()
        return most > 0

    async def _settle_some(self) -> None:
        """Record the results that came first, in one transaction of each kind."""
        done = _take(self._done)
        skipped = _take(self._skipped)
        failed = _take(self._failed)
        files = _take(self._files)  # of `done`, if anybody wants them
        try:
            if done:
                await self._record(done)
            await self._settle_others(skipped, failed)
        except BaseException:
            self._done[:0], self._skipped[:0], self._failed[:0] = done, skipped, failed
            raise
        self._has_settled.set()
        files += await self._duplicates_of(files)
        self._emit_done(files, done, skipped)

    async def _duplicates_of(self, stored: Sequence[FileDone]) -> list[FileDone]:
        """Duplicates whose object is stored by now, with its key; the others wait for theirs."""
        new, self._duplicates = self._duplicates, []
        if not new and not self._without_object:
            return []
        pending = self._without_object
        for file in new:
            pending.setdefault(file.digest, []).append(file)
        digests = pending.keys() & {file.digest for file in (*new, *stored)}
        queue, destination_id = self._context.manifest.upload_queue, self._scope.destination_id
        keys = await self._context.call(queue.stored_keys, digests, destination_id)
        return [
            file._replace(key=key) for digest, key in keys.items() for file in pending.pop(digest)
        ]

    def emit_rest(self) -> None:
        """The duplicates whose object was not stored in time. Call after the last `settle`."""
        rest = [file for files in self._without_object.values() for file in files]
        self._without_object.clear()
        if rest:
            self._context.emit(FilesDone(tuple(rest)))

    async def _settle_others(self, skipped: list[SkippedItem], failed: list[FailedItem]) -> None:
        context, queue = self._context, self._context.manifest.stage_queue
        run_id, now = context.run_id, context.clock.now()
        if skipped:
            await context.call(
                queue.skip,
                skipped,
                stage=self._stage,
                follows=self._follows,
                run_id=run_id,
                now=now,
            )
        if failed:
            await context.call(queue.fail, failed, run_id=run_id, now=now)

    def _emit_done(
        self, files: list[FileDone], done: list[DoneItem], skipped: list[SkippedItem]
    ) -> None:
        if files:
            self._context.emit(FilesDone(tuple(files)))
        elif self._context.wants_files and self._stage is not Stage.UPLOAD and (done or skipped):
            items = tuple(map(_item_done, [*done, *skipped]))
            self._context.emit(ItemsDone(self._stage.value, items))


def _take(rows: list[T]) -> list[T]:
    """The first rows, as many as one transaction records; they are no longer in the list."""
    taken = rows[:SETTLE_ITEMS]
    del rows[:SETTLE_ITEMS]
    return taken


def _item_done(outcome: DoneItem | SkippedItem) -> ItemDone:
    item = outcome.item
    is_skipped = isinstance(outcome, SkippedItem)
    return ItemDone(
        item.path,
        item.known_digest,
        "skipped" if is_skipped else "done",
        outcome.reason if isinstance(outcome, SkippedItem) else None,
        outcome.seconds,
        item.attempts + 1,
    )
