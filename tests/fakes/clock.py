"""A clock that tests move: sleeping takes no time, yet time passes."""

from __future__ import annotations

import asyncio
from collections.abc import Container


class FakeClock:
    """Both of its times start at `now` and go on only by `sleep` and `advance`.

    A sleeper moves the time to its own end and gives the others a turn; so of two that sleep at
    once the time is that of the one that was asked last, never less than it was. Sleeps as long as
    one of `endless` never end: a heartbeat would otherwise make the time fly.
    """

    def __init__(self, now: float = 1_800_000_000.0, endless: Container[float] = ()) -> None:
        self._now = now
        self._endless = endless
        self.slept: list[float] = []

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds in self._endless:
            await asyncio.Event().wait()
        self.slept.append(seconds)
        until = self._now + seconds
        await asyncio.sleep(0)
        self._now = max(self._now, until)

    def advance(self, seconds: float) -> None:
        self._now += seconds
