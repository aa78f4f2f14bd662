"""The clock, which everything below `cli` gets as an argument."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Reads and waits for time. Safe from every thread."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC; may jump. For records."""

    def monotonic(self) -> float:
        """Seconds that never go backwards. For measuring."""

    async def sleep(self, seconds: float) -> None:
        """Return after about `seconds`; 0 lets other tasks run."""


def iso_time(seconds: float) -> str:
    """A time of `Clock.now` as JSON and tables show it: UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class SystemClock:
    """The machine's clock."""

    # Not methods that call them: each file asks for the time some eight times.
    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)

    async def sleep(self, seconds: float) -> None:
        import asyncio  # not above: `status` starts without it

        await asyncio.sleep(seconds)
