"""Hands tasks to the workers of a Dask cluster.

Each task is for one worker, which this module chooses: so it knows who has what, and Dask neither
moves a task nor repeats it when its worker is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from itertools import count
from secrets import token_hex
from typing import Any, Final, Generic, TypeVar

from distributed import KilledWorker

from bulkup.clock import Clock
from bulkup.engines.dask.checks import Remote, WorkerChecks
from bulkup.engines.dask.cluster import DaskCluster, Submitted, result_of
from bulkup.engines.dask.lateness import Lateness
from bulkup.engines.dask.places import OUT_EACH, DaskWorker, Places
from bulkup.engines.engine import Checked, Lost
from bulkup.errors import EngineUnusable
from bulkup.events import Emit, WorkersChanged

T = TypeVar("T")
R = TypeVar("R")

TASK_SECONDS: Final = 8.0
"""Of work in one task: a thousand times what Dask needs to hand it out."""

WORKERS_SECONDS: Final = 60.0
"""How long a cluster without a worker that can do the work is waited for."""

OTHERS_SECONDS: Final = 10.0
"""How long the start waits for the checks of other workers, when one is usable."""

_LOOK_SECONDS: Final = 2.0  # between two looks at who is there
_SPARE_SECONDS: Final = 1.0  # between two looks for room for a second copy


@dataclass(slots=True, eq=False)
class _Copy:
    """A task as one worker has it."""

    name: str
    worker: DaskWorker
    future: Submitted
    result: asyncio.Task[Any]
    lost: Lost | None = None


class DaskEngine(Generic[T, R]):
    """An Engine. Call `open` first; whoever made the cluster closes it."""

    isolates = True
    task_seconds = TASK_SECONDS

    def __init__(self, cluster: DaskCluster, remote: Remote, clock: Clock, emit: Emit) -> None:
        self._cluster = cluster
        self._remote = remote
        self._clock = clock
        self._emit = emit
        self._places = Places()
        self._lateness = Lateness()
        self._names = (f"bulkup-{token_hex(4)}-{number}" for number in count())
        self._copies: dict[str, _Copy] = {}
        self._checks = WorkerChecks(cluster, remote, clock, emit, self._places.wake)
        self._trouble: EngineUnusable | None = None
        self._watch: asyncio.Task[None] | None = None
        self._said = WorkersChanged(0, 0, 0)

    @property
    def slots(self) -> int:
        return self._places.slots

    @property
    def most_tasks(self) -> int:
        return max(1, OUT_EACH * self._places.slots)

    @property
    def workers(self) -> int:
        """How many workers can do the work."""
        return len(self._places.usable)

    @property
    def checked(self) -> Mapping[str, Checked]:
        """What came of the checks, by the workers' addresses."""
        return self._checks.results

    @property
    def tasks_out(self) -> int:
        return len(self._copies)

    async def open(self) -> None:
        """Wait for workers and check them. Raises EngineUnusable when none can do the work."""
        self._cluster.watch(self._places.wake, self._removed)
        self._watch = asyncio.create_task(self._watch_workers())
        began = self._clock.monotonic()
        while not self._places.workers or self._checks.are_in_progress:
            self._raise_trouble()
            waited = self._clock.monotonic() - began
            if waited > (OTHERS_SECONDS if self._places.usable else WORKERS_SECONDS):
                break
            await self._places.wait(_LOOK_SECONDS)
        if not self._places.usable:
            raise self._without_workers()

    async def run(self, task: T, *, is_alone: bool = False) -> R | Lost:
        """See Engine. A task that is late is handed out a second time: the first result counts."""
        copies = [await self._hand_out(task, is_alone=is_alone)]
        began = self._clock.monotonic()
        try:
            while True:
                waits = [one.result for one in copies if one.lost is None]
                if not waits:
                    return Lost(any(one.lost.was_in_hand for one in copies if one.lost))
                may_add = not is_alone and len(copies) == 1
                late = began + self._lateness.seconds - self._clock.monotonic()
                seconds = max(late, _SPARE_SECONDS) if may_add else None
                done, _ = await asyncio.wait(
                    waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
                )
                for one in [copy for copy in copies if copy.result in done]:
                    if self._is_ended(one):
                        self._lateness.add(self._clock.monotonic() - began)
                        return one.result.result()  # type: ignore[no-any-return]  # Dask has no types
                if not done and may_add and late <= 0:
                    spare = self._places.free(avoid=[copies[0].worker])
                    if spare is not None:
                        copies.append(self._submit(task, spare))
        finally:
            for one in copies:
                self._give_up(one)

    async def close(self) -> None:
        """Stop watching the workers."""
        self._checks.cancel()
        if self._watch is not None:
            self._watch.cancel()

    # One task -------------------------------------------------------------------------------------

    async def _hand_out(self, task: T, *, is_alone: bool) -> _Copy:
        """Wait for room at a worker. Raises EngineUnusable when there is no worker any more."""
        until = self._clock.monotonic() + WORKERS_SECONDS
        reserved: DaskWorker | None = None
        while True:
            self._raise_trouble()
            if is_alone:
                if reserved is None or reserved.is_gone:
                    reserved = self._places.reserve()
                if reserved is not None and not reserved.out:
                    return self._submit(task, reserved)
            elif (free := self._places.free()) is not None:
                return self._submit(task, free)
            if self._places.usable:
                until = self._clock.monotonic() + WORKERS_SECONDS
            elif self._clock.monotonic() > until:
                raise self._without_workers()
            try:
                await self._places.wait(_LOOK_SECONDS)
            except asyncio.CancelledError:
                if reserved is not None:
                    reserved.is_reserved = False
                raise

    def _submit(self, task: T, worker: DaskWorker) -> _Copy:
        name = next(self._names)
        remote = self._remote
        future = self._cluster.submit(
            remote.work, remote.setup, task, name=name, worker=worker.address
        )
        copy = _Copy(name, worker, future, result_of(future))
        self._copies[name] = copy
        worker.out.append(name)
        return copy

    def _is_ended(self, copy: _Copy) -> bool:
        """Whether the copy has a result, or an error of the work; False when it is lost.

        Raises EngineUnusable when the scheduler is gone.
        """
        self._raise_trouble()
        if copy.lost is not None:
            return False
        if copy.result.cancelled() or isinstance(copy.result.exception(), CancelledError):
            if not self._cluster.is_connected:
                raise self._cluster.lost_scheduler()
            copy.lost = Lost(was_in_hand=False)
            return False
        if isinstance(copy.result.exception(), KilledWorker):
            copy.lost = _lost(copy)
            return False
        return True

    def _give_up(self, copy: _Copy) -> None:
        """Nobody waits for the copy any more; its worker stops after the picture at hand."""
        copy.result.cancel()
        copy.future.release()
        self._copies.pop(copy.name, None)
        if copy.worker.is_reserved and copy.worker.out == [copy.name]:
            copy.worker.is_reserved = False
        self._places.release(copy.worker, copy.name)

    # The workers ----------------------------------------------------------------------------------

    async def _watch_workers(self) -> None:
        woken = False
        while True:
            try:
                new, gone = self._places.update(await self._cluster.slots())
            except EngineUnusable as error:
                self._trouble = error
                self._lose(list(self._copies.values()), is_expected=True)
                self._places.wake()
                return
            for one in new:
                self._checks.start(one)
            for worker in gone:
                self._lose_all_of(worker, is_expected=False)
            if self._places.usable or self._said.workers:
                self._say_workers()
            if not self._places.workers and not woken:
                self._checks.start(None)  # a task that any worker may do makes a cluster grow
            woken = not self._places.workers
            await self._places.wait(_LOOK_SECONDS)

    def _say_workers(self) -> None:
        now = WorkersChanged(self.workers, self.slots, self.tasks_out)
        if (now.workers, now.slots) != (self._said.workers, self._said.slots):
            self._said = now
            self._emit(now)

    def _removed(self, address: str, is_expected: bool) -> None:
        worker = self._places.remove(address)
        if worker is not None:
            self._lose_all_of(worker, is_expected=is_expected)

    def _lose_all_of(self, worker: DaskWorker, *, is_expected: bool) -> None:
        copies = [one for one in self._copies.values() if one.worker is worker]
        self._lose(copies, is_expected=is_expected)

    def _lose(self, copies: Sequence[_Copy], *, is_expected: bool) -> None:
        for copy in copies:
            copy.lost = Lost(was_in_hand=False) if is_expected else _lost(copy)
        for copy in copies:
            copy.result.cancel()

    def _raise_trouble(self) -> None:
        if self._trouble is not None:
            raise self._trouble

    def _without_workers(self) -> EngineUnusable:
        if not self._cluster.is_connected:
            return self._cluster.lost_scheduler()
        reasons = self._checks.refusals
        if not reasons:
            return EngineUnusable(
                f"the Dask cluster at {self._cluster.name} has no workers",
                hint="Start some: dask worker ADDRESS.",
            )
        return EngineUnusable(
            f"no worker at {self._cluster.name} can do the work: {'; '.join(reasons)}",
            hint="bulkup doctor --engine shows each worker.",
        )


def _lost(copy: _Copy) -> Lost:
    return Lost(was_in_hand=copy.worker.in_hand() == [copy.name])
