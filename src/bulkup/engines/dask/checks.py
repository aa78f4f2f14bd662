"""Checks of workers, before they get any work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from itertools import count
from secrets import token_hex
from typing import Any, Final

from bulkup.clock import Clock
from bulkup.engines.dask.cluster import DaskCluster, result_of
from bulkup.engines.dask.places import DaskWorker
from bulkup.engines.engine import Checked, Slot
from bulkup.errors import EngineUnusable
from bulkup.events import Emit, Notice

CHECK_SECONDS: Final = 90.0
_LOOK_SECONDS: Final = 2.0  # between two looks whether the worker is still there


@dataclass(frozen=True, slots=True)
class Remote:
    """What a worker does: both functions are imported there.

    `work(setup, task, slot)` returns the result; `check(setup, None, slot)` says whether the worker
    can do it.
    """

    work: Callable[[Any, Any, Slot], Any]
    check: Callable[[Any, None, Slot], Checked]
    setup: Any


class WorkerChecks:
    """Checks workers, several at the same time, and says what is wrong: each reason once."""

    def __init__(
        self,
        cluster: DaskCluster,
        remote: Remote,
        clock: Clock,
        emit: Emit,
        on_end: Callable[[], None],
    ) -> None:
        """`on_end` is called after each check."""
        self._cluster = cluster
        self._remote = remote
        self._clock = clock
        self._emit = emit
        self._on_end = on_end
        self._names = (f"bulkup-check-{token_hex(4)}-{number}" for number in count())
        self._in_progress: set[asyncio.Task[None]] = set()
        self._said: set[str] = set()
        self.results: dict[str, Checked] = {}  # by the worker's address

    @property
    def are_in_progress(self) -> bool:
        return bool(self._in_progress)

    @property
    def refusals(self) -> list[str]:
        """Why workers cannot do the work, each reason once."""
        found = (one.refusal for one in self.results.values())
        return list(dict.fromkeys(one for one in found if one is not None))

    def start(self, worker: DaskWorker | None) -> None:
        """Check the worker; or whichever is first, when there is none: a task that waits for a
        worker makes an adaptive cluster start one."""
        task = asyncio.create_task(self._check(worker))
        self._in_progress.add(task)
        task.add_done_callback(self._in_progress.discard)
        task.add_done_callback(lambda _: self._on_end())

    def cancel(self) -> None:
        for task in self._in_progress:
            task.cancel()

    async def _check(self, worker: DaskWorker | None) -> None:
        remote, address = self._remote, None if worker is None else worker.address
        try:
            future = self._cluster.submit(
                remote.check, remote.setup, None, name=next(self._names), worker=address
            )
        except EngineUnusable:  # whoever hands out tasks notices it, too
            return
        result = result_of(future)
        until = self._clock.monotonic() + CHECK_SECONDS
        while not result.done() and self._clock.monotonic() < until:
            if worker is not None and worker.is_gone:
                break
            await asyncio.wait([result], timeout=_LOOK_SECONDS)
        checked = _checked(result)
        result.cancel()
        future.release()
        if not self._cluster.is_connected:  # the scheduler is gone: that says nothing of the worker
            return
        if worker is not None and not worker.is_gone:
            worker.is_usable = checked.refusal is None
            self.results[worker.address] = checked
            self._say(worker.address, checked)

    def _say(self, address: str, checked: Checked) -> None:
        said = checked.refusal or checked.remark
        if said is not None and said not in self._said:
            self._said.add(said)
            does = "gets no work" if checked.refusal else "may make other bytes"
            self._emit(Notice(f"the worker {address} {does}: {said}"))


def _checked(result: asyncio.Task[Any]) -> Checked:
    """What came of a check."""
    if not result.done():
        return Checked(f"it does not answer within {CHECK_SECONDS:.0f} s")
    if result.cancelled() or isinstance(result.exception(), CancelledError):
        return Checked("it vanished while it was checked")
    error = result.exception()
    if _is_of_another_version(error):
        return Checked(f"another version of bulkup is installed there ({error})")
    if isinstance(error, ImportError):
        return Checked(f"bulkup with its extra cluster is not installed there ({error})")
    if error is not None:
        return Checked(f"{type(error).__name__}: {str(error).partition(chr(10))[0]}")
    checked: Checked = result.result()
    return checked


def _is_of_another_version(error: BaseException | None) -> bool:
    """Whether something of bulkup was not found in a bulkup that is there."""
    if isinstance(error, ImportError):
        return (error.name or "").startswith("bulkup.")
    return isinstance(error, AttributeError) and str(error).startswith("Can't get attribute")
