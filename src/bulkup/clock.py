"""Time as an argument: nothing below `cli` reads the clock by itself."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What may be asked about time. Safe from every thread."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC; may jump. For what is written down."""

    def monotonic(self) -> float:
        """Seconds that never go back. For what is measured."""

    async def sleep(self, seconds: float) -> None:
        """Return after about `seconds`; at once, but not before other tasks had a turn, for 0."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
