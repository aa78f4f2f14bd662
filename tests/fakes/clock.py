"""A clock that tests move: sleeping takes no time, yet time passes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Container


class FakeClock:
    """Its times go on only by `sleep` and `advance`; the monotonic one starts at 0.

    A sleeper moves the time to its own end and gives the others a turn; so of two that sleep at
    once the time is that of the one that was asked last, never less than it was. Sleeps as long as
    one of `endless` never end: a heartbeat would otherwise make the time fly.
    """

    def __init__(self, now: float = 1_800_000_000.0, endless: Container[float] = ()) -> None:
        self._began = now
        self._elapsed = 0.0
        self._endless = endless
        self.slept: list[float] = []

    def now(self) -> float:
        return self._began + self._elapsed

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds in self._endless:
            await asyncio.Event().wait()
        self.slept.append(seconds)
        # At least by the smallest step that a float of this size can take.
        until = math.nextafter(self._elapsed, math.inf) if seconds else 0.0
        until = max(until, self._elapsed + seconds)
        await asyncio.sleep(0)
        self._elapsed = max(self._elapsed, until)

    def advance(self, seconds: float) -> None:
        self._elapsed += seconds
