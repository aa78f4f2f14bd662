"""The workers of a cluster, and which of them may have another task."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

OUT_EACH: Final = 2
"""Tasks out for each slot: one is worked on while the next waits for it."""


@dataclass(slots=True, eq=False)
class DaskWorker:
    """A worker with its slots. `out` are the names of its tasks, the oldest first: it works on as
    many of them as it has slots."""

    address: str
    slots: int
    out: list[str] = field(default_factory=list)
    is_usable: bool = False  # it was checked, and can do the work
    is_reserved: bool = False  # for one task, which is to be alone
    is_gone: bool = False

    @property
    def room(self) -> int:
        """How many more tasks it may have."""
        return 0 if self.is_reserved or self.is_gone else OUT_EACH * self.slots - len(self.out)

    def in_hand(self) -> list[str]:
        """The tasks that it works on."""
        return self.out[: self.slots]


class Places:
    """All workers of a cluster. For one event loop."""

    def __init__(self) -> None:
        self.workers: dict[str, DaskWorker] = {}
        self._changed = asyncio.Event()

    def update(self, slots: Mapping[str, int]) -> tuple[list[DaskWorker], list[DaskWorker]]:
        """These are the workers now, by address; returns those that are new and those gone."""
        gone = [one for address, one in self.workers.items() if address not in slots]
        new = [
            DaskWorker(address, n) for address, n in slots.items() if address not in self.workers
        ]
        for one in gone:
            self.remove(one.address)
        self.workers.update((one.address, one) for one in new)
        return new, gone

    def remove(self, address: str) -> DaskWorker | None:
        """The worker is gone."""
        worker = self.workers.pop(address, None)
        if worker is not None:
            worker.is_gone = True
            self.wake()
        return worker

    def wake(self) -> None:
        """Something changed: those who wait look again."""
        self._changed.set()

    async def wait(self, seconds: float) -> None:
        """Until something changes, or for so long."""
        self._changed.clear()
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return

    @property
    def usable(self) -> list[DaskWorker]:
        return [one for one in self.workers.values() if one.is_usable]

    @property
    def slots(self) -> int:
        """Of all usable workers."""
        return sum(one.slots for one in self.usable)

    def free(self, avoid: Collection[DaskWorker] = ()) -> DaskWorker | None:
        """The worker with the most room in proportion to its slots; None when all are full."""
        found = [one for one in self.usable if one.room > 0 and one not in avoid]
        return max(found, key=lambda one: one.room / one.slots, default=None)

    def reserve(self) -> DaskWorker | None:
        """The worker with the fewest tasks, which gets no others until `release`."""
        found = [one for one in self.usable if not one.is_reserved]
        worker = min(found, key=lambda one: len(one.out), default=None)
        if worker is not None:
            worker.is_reserved = True
        return worker

    def release(self, worker: DaskWorker, name: str) -> None:
        """The task is no longer out, and no longer alone."""
        if name in worker.out:
            worker.out.remove(name)
        self.wake()
