"""Token buckets by token, and the headers that show them.

X-RateLimit-Limit, -Remaining and -Reset are what clients know; RateLimit and RateLimit-Policy are
draft-ietf-httpapi-ratelimit-headers-11.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import NamedTuple

MOST_BUCKETS = 10_000


class Allowance(NamedTuple):
    """What is left of a bucket."""

    burst: int
    remaining: int
    full_in_seconds: int  # until the bucket is full again
    window_seconds: int  # in which an empty bucket fills
    next_in_seconds: int  # until there is one more

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Of every response."""
        limit, left, reset = self.burst, self.remaining, self.full_in_seconds
        pairs = (
            ("x-ratelimit-limit", f"{limit}"),
            ("x-ratelimit-remaining", f"{left}"),
            ("x-ratelimit-reset", f"{reset}"),
            ("ratelimit-policy", f'"default";q={limit};w={self.window_seconds}'),
            ("ratelimit", f'"default";r={left};t={self.next_in_seconds if not left else reset}'),
        )
        return [(name.encode(), value.encode()) for name, value in pairs]


class RateLimits:
    """A bucket of `burst` requests for each key, refilled evenly with `per_minute`.

    A bucket that is full is as good as none: such ones, and beyond MOST_BUCKETS those that were
    used least recently, are forgotten while others are used. For one thread.
    """

    def __init__(self, burst: int, per_minute: float) -> None:
        self._burst = burst
        self._rate = per_minute / 60
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()  # level, at

    def __len__(self) -> int:
        return len(self._levels)

    def allowance(self, key: str, now: float) -> Allowance:
        """What is left. `now` is any clock in seconds that does not go back."""
        return self._allowance(self._level(key, now))

    def take(self, key: str, now: float, amount: int = 1) -> float:
        """Take `amount`, and return 0; or take nothing, and return the seconds until it is there.

        `amount` is at most the burst.
        """
        level = self._level(key, now)
        # A billionth may be missing by rounding.
        if level + 1e-9 < amount:
            return (amount - level) / self._rate
        self._levels[key] = (level - amount, now)
        self._levels.move_to_end(key)
        self._forget(now)
        return 0.0

    def _level(self, key: str, now: float) -> float:
        level, at = self._levels.get(key, (float(self._burst), now))
        return min(float(self._burst), level + max(0.0, now - at) * self._rate)

    def _forget(self, now: float) -> None:
        """Two at each use, so that the map never has to be looked through as a whole."""
        for _ in range(2):
            oldest = next(iter(self._levels))
            if len(self._levels) > MOST_BUCKETS or self._level(oldest, now) >= self._burst:
                del self._levels[oldest]
            if not self._levels:
                break

    def _allowance(self, level: float) -> Allowance:
        remaining = math.floor(level + 1e-9)
        return Allowance(
            burst=self._burst,
            remaining=remaining,
            full_in_seconds=math.ceil((self._burst - level) / self._rate - 1e-9),
            window_seconds=math.ceil(self._burst / self._rate),
            next_in_seconds=math.ceil((1 - (level - remaining)) / self._rate - 1e-9),
        )
