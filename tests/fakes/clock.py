"""A clock that tests move: sleeping takes no time, yet time passes."""

from __future__ import annotations

import asyncio


class FakeClock:
    """Both of its times start at `now` and go on only by `sleep` and `advance`.

    A sleeper moves the time to its own end and gives the others a turn; so of two that sleep at
    once the time is that of the one that was asked last, never less than it was.
    """

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self.slept: list[float] = []

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        until = self._now + seconds
        await asyncio.sleep(0)
        self._now = max(self._now, until)

    def advance(self, seconds: float) -> None:
        self._now += seconds
