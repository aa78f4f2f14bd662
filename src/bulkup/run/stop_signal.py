"""How tasks end: in order after a stop, or at once with the first error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class StopSignal:
    """Tells the tasks of a job to begin nothing more. Set once; for one event loop."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._callbacks: list[Callable[[], object]] = []

    @property
    def is_set(self) -> bool:
        return self.reason is not None

    def set(self, reason: str) -> None:
        """Stop, for `reason` unless there is one already."""
        if self.reason is None:
            self.reason = reason
            for callback in self._callbacks:
                callback()

    def on_set(self, callback: Callable[[], object]) -> None:
        """Call `callback` when the signal is set: now if it is set already."""
        self._callbacks.append(callback)
        if self.is_set:
            callback()

    def event(self) -> asyncio.Event:
        """A new event that the signal sets, too: to wait for it or for something else."""
        event = asyncio.Event()
        self.on_set(event.set)
        return event


@asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """A TaskGroup that raises the first error itself, not a group that holds it."""
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
