"""The work items that a run holds at one stage, and where it gets more."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from bulkup.manifest.queue.stages import StageScope
from bulkup.manifest.rows import WorkItem
from bulkup.run.context import RunContext
from bulkup.run.limits import UNLIMITED, RunLimits
from bulkup.run.stop_signal import StopSignal

BUFFER_ITEMS = 20_000
"""Claimed and not yet taken, 5 MB: what the scan hands over need not be claimed again."""

GroupSize = Callable[[Sequence[WorkItem], int], int]
"""How many of the first items belong together, at most so many; at least 1."""


class ClaimRules(NamedTuple):
    """How a stage claims from the manifest."""

    low: int  # claim more when fewer are in the buffer
    most: int  # fill the buffer up to this; other processes find their share, too
    gather_seconds: float = 0.0  # how long a group that could be larger waits for more items


class Claims:
    """Hands out claimed items, until nothing is left or the job stops.

    More items come from the scan (`add`), and from the manifest when somebody has put some there
    (`expect_more`) or when they fall due. While nothing comes, `take` waits for an event.
    """

    def __init__(
        self,
        context: RunContext,
        scope: StageScope,
        rules: ClaimRules,
        limits: RunLimits,
        stop: StopSignal,
        *,
        wait_until_settled: Callable[[], Awaitable[None]],
        is_limited: bool,
    ) -> None:
        """`wait_until_settled` returns when what has ended is recorded. With `is_limited`, --limit
        counts these items."""
        self._context = context
        self._queue = context.manifest.stage_queue
        self._scope = scope
        self._rules = rules
        self._limits = limits
        self._stop = stop
        self._wait_until_settled = wait_until_settled
        self._is_limited = is_limited
        self._is_fed = False  # the scan or the stage before may bring more
        self._may_claim = True  # there may be items to claim in the manifest
        self._buffer: deque[WorkItem] = deque()
        self._held: dict[int, WorkItem] = {}  # taken and not ended, by id
        self._refused: dict[int, Callable[[], None]] = {}  # of these: what records the failure
        self.claimed = 0  # so far, from the manifest
        self._taking = asyncio.Lock()
        self._changed = stop.event()
        self.unclaimed = 0  # items left in the manifest, when they were last counted

    # For the scan and the stage before -----------------------------------------------------------

    def begin_feed(self, *, may_claim: bool = True) -> None:
        """Items will come until `end_feed`. Without `may_claim` none are in the manifest yet."""
        self._is_fed = True
        self._may_claim = may_claim

    def end_feed(self) -> None:
        """Nothing else will be added."""
        self._is_fed = False
        self._changed.set()

    def room(self) -> int:
        """How many claimed items may be added. Safe from the manifest's thread."""
        if self._stop.is_set:
            return 0
        return max(0, min(BUFFER_ITEMS, self._items_left) - len(self._buffer))

    def add(self, items: Sequence[WorkItem], *, more: bool) -> None:
        """Items that were claimed for this run; with `more`, others are in the manifest."""
        self._buffer.extend(items)
        self._may_claim = self._may_claim or more
        self._changed.set()

    def expect_more(self) -> None:
        """There are new items in the manifest."""
        self._may_claim = True
        self._changed.set()

    # For the worker of the stage -----------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Claimed items that nobody has taken."""
        return len(self._buffer)

    @property
    def held(self) -> int:
        """All items that this run has claimed at this stage and not ended."""
        return len(self._buffer) + len(self._held)

    @property
    def left(self) -> int | None:
        """All items that nobody has taken; None while more may come that are not known yet."""
        return None if self._is_fed else len(self._buffer) + self.unclaimed

    def oldest(self, most: int) -> list[WorkItem]:
        """The items that were taken first and have not ended. Safe from any thread."""
        return list(self._held.values())[:most]

    async def take(self, most: int, group_size: GroupSize | None = None) -> list[WorkItem]:
        """Items to attempt together; empty when nothing is left, or when the job stops.

        Each must end: by `end`, or by `release` with all others. Nothing is left only when all
        have ended, since those that fail may be attempted again.
        """
        async with self._taking:
            began = self._now()
            while not self._is_over():
                self._changed.clear()
                if self._may_claim and len(self._buffer) < min(self._rules.low, self._items_left):
                    await self._claim()
                if self._buffer and self._items_left > 0:
                    patience = began + self._rules.gather_seconds - self._now()
                    if len(self._buffer) >= most or not self._is_fed or patience <= 0:
                        return self._pop(most, group_size)
                    await self._wait(asyncio.sleep(patience))
                elif self._held and len(self._refused) == len(self._held) and not self._is_fed:
                    self.end_refused()  # no other outcome will say more about them
                elif self._held or (self._is_fed and self._items_left > 0):
                    await self._changed.wait()
                elif self._items_left <= 0 or not await self._wait_until_due():
                    return []
        return []

    def end(self, item_id: int, *, counts: bool = True) -> None:
        """The attempt has an outcome; without `counts` it is none that --limit counts."""
        self._held.pop(item_id, None)
        if not counts and self._is_limited:
            self._limits.begin(self._scope.stage, -1)
        if not counts or not self._held:
            self._changed.set()

    def replace(self, item_id: int, item: WorkItem) -> None:
        """The item that was taken turned out to be another one, which is claimed now."""
        self._held.pop(item_id, None)
        self._held[item.item_id] = item

    def hold_refused(self, item_id: int, fail: Callable[[], None]) -> None:
        """The item was refused; by the destination as a whole, perhaps: it is not ended yet.

        Either `end_refused` calls `fail`, or `release_refused` makes the item ready again.
        """
        self._refused[item_id] = fail
        self._changed.set()

    @property
    def refused(self) -> int:
        """Items that were refused and are held."""
        return len(self._refused)

    def end_refused(self) -> None:
        """The refusals were about each item: others were accepted since, or nothing is left."""
        refused, self._refused = self._refused, {}
        for item_id, fail in refused.items():
            fail()
            self.end(item_id)

    async def release_refused(self) -> None:
        """The refusals were the destination's: the items are ready again."""
        refused, self._refused = self._refused, {}
        items = [self._held[item_id] for item_id in refused]
        if not items:
            return
        await self._context.call(self._queue.release, items, run_id=self._context.run_id)
        self._may_claim = True
        for item_id in refused:
            self.end(item_id, counts=False)

    async def release(self) -> None:
        """Give back all that has not ended: those items are ready again, no attempt is counted."""
        items = [*self._buffer, *self._held.values()]
        self._buffer.clear()
        self._held.clear()
        self._refused.clear()
        if items:
            await self._context.call(self._queue.release, items, run_id=self._context.run_id)

    # ----------------------------------------------------------------------------------------------

    @property
    def _items_left(self) -> int:
        return self._limits.items_left(self._scope.stage) if self._is_limited else UNLIMITED

    def _is_over(self) -> bool:
        if (reason := self._limits.reached) is not None:
            self._stop.set(reason)
        return self._stop.is_set

    def _pop(self, most: int, group_size: GroupSize | None) -> list[WorkItem]:
        most = min(most, self._items_left, len(self._buffer))
        count = most if group_size is None else group_size(self._buffer, most)
        items = [self._buffer.popleft() for _ in range(count)]
        self._held.update([(item.item_id, item) for item in items])
        if self._is_limited:
            self._limits.begin(self._scope.stage, count)
        return items

    async def _claim(self) -> None:
        room = min(self._rules.most, self._items_left) - len(self._buffer)
        self._may_claim = False
        items = await self._context.call(
            self._queue.claim,
            self._scope,
            run_id=self._context.run_id,
            limit=room,
            now=self._context.clock.now(),
        )
        self._buffer.extend(items)
        self.claimed += len(items)
        self._may_claim = self._may_claim or len(items) == room

    async def _wait_until_due(self) -> bool:
        """Wait for an item that falls due within the patience; False when none does."""
        await self._wait_until_settled()
        due_at = await self._context.call(self._queue.next_due_at, self._scope)
        if due_at is None:
            return False
        wait = due_at - self._context.clock.now()
        if wait > self._limits.patience_seconds:
            return False
        if wait > 0:
            await self._wait(self._context.clock.sleep(wait))
        self._may_claim = True
        return True

    async def _wait(self, sleep: Awaitable[None]) -> None:
        """Wait for `sleep`, or until something changes."""
        tasks = [asyncio.ensure_future(sleep), asyncio.create_task(self._changed.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
