"""Values that are costly to compute: computed once for all who ask, cached for a while, and served
stale while they are recomputed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from bulkup.clock import Clock

T = TypeVar("T")

STALE_SECONDS = 60.0
"""An older value says nothing any more: whoever asks waits for the next."""


class Aggregation(Generic[T]):
    """A value that `make` returns, at most `seconds` old when it is asked for often enough.

    Who asks first waits. Who asks for an older one gets it at once, and starts the next one; nobody
    gets one from before a long silence. A `make` that raised is tried again by the next who asks.
    """

    def __init__(self, make: Callable[[], Awaitable[T]], seconds: float, clock: Clock) -> None:
        self._make = make
        self._seconds = seconds
        self._clock = clock
        self._value: T | None = None
        self._made_at = 0.0
        self._task: asyncio.Task[T] | None = None

    async def get(self, *, fresh: bool = False) -> T:
        """The value. With `fresh`, one that is not older than `seconds`."""
        age_seconds = self._clock.monotonic() - self._made_at
        if self._value is not None and age_seconds < self._seconds:
            return self._value
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._renew())
            self._task.add_done_callback(_retrieve)
        if self._value is not None and age_seconds < STALE_SECONDS and not fresh:
            return self._value
        return await asyncio.shield(self._task)

    async def _renew(self) -> T:
        value = await self._make()
        self._value, self._made_at = value, self._clock.monotonic()
        return value


def _retrieve(task: asyncio.Task[T]) -> None:
    """Its error was raised to those who waited; where nobody did, the next who asks tries again."""
    if not task.cancelled():
        task.exception()
