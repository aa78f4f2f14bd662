"""The engine of this process: it awaits the work itself.

What must not take the process down is done in worker processes (`bulkup.process`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from bulkup.engines.engine import Lost

T = TypeVar("T")
R = TypeVar("R")


class LocalEngine(Generic[T, R]):
    """An Engine. A worker process that is lost fails its picture only: no task is lost."""

    isolates = False
    task_seconds = 0.0
    workers = tasks_out = 0

    def __init__(
        self,
        work: Callable[[T], Awaitable[R]],
        close: Callable[[], Awaitable[None]] | None = None,
        *,
        slots: int,
        ahead: int = 0,
    ) -> None:
        """`ahead` more tasks than `slots` are out: their bytes are fetched and stored meanwhile."""
        self._work = work
        self._close = close
        self.slots = slots
        self.most_tasks = slots + ahead

    async def run(self, task: T, *, is_alone: bool = False) -> R | Lost:
        """See Engine."""
        return await self._work(task)

    async def close(self) -> None:
        """See Engine."""
        if self._close is not None:
            await self._close()
