"""Token buckets. Time comes in as an argument."""

from __future__ import annotations


class TokenBucket:
    """`rate_per_second` tokens flow in, at most `burst` are kept; it begins full.

    Any amount may be taken, also more than the burst: the level then is negative, and the caller
    waits until it is 0 again. A caller that keeps these waits takes less than
    rate x time + max(burst, largest amount) in every interval.

    For one thread. `now` is any clock in seconds that does not go back.
    """

    __slots__ = ("_burst", "_level", "_rate", "_then")

    def __init__(self, rate_per_second: float, burst: float, *, now: float = 0.0) -> None:
        """Raises ValueError unless both are positive."""
        if not (rate_per_second > 0 and burst > 0):
            raise ValueError(f"rate {rate_per_second} and burst {burst} must be positive")
        self._rate = rate_per_second
        self._burst = burst
        self._level = burst
        self._then = now

    @property
    def rate_per_second(self) -> float:
        return self._rate

    def take(self, now: float, amount: float = 1.0) -> float:
        """Take `amount` and return the seconds to wait before acting on it; 0.0: act now."""
        self._fill(now)
        self._level -= amount
        return 0.0 if self._level >= 0.0 else -self._level / self._rate

    def wait_seconds(self, now: float, amount: float = 1.0) -> float:
        """The seconds until `amount` could be taken without waiting; takes nothing.

        For an amount above the burst: until the bucket is full.
        """
        self._fill(now)
        wanted = min(amount, self._burst)
        # A millionth may be missing by rounding, or because a timer was early
        if self._level >= wanted * (1 - 1e-6):
            return 0.0
        return (wanted - self._level) / self._rate

    def change(self, now: float, rate_per_second: float, burst: float) -> None:
        """Use another rate. The level stays, up to the new burst."""
        if not (rate_per_second > 0 and burst > 0):
            raise ValueError(f"rate {rate_per_second} and burst {burst} must be positive")
        self._fill(now)
        self._rate = rate_per_second
        self._burst = burst
        self._level = min(self._level, burst)

    def drain(self, now: float) -> None:
        """Remove all tokens: a server that refused a request accepts no burst either."""
        self._fill(now)
        self._level = min(self._level, 0.0)

    def _fill(self, now: float) -> None:
        if now > self._then:
            self._level = min(self._burst, self._level + (now - self._then) * self._rate)
            self._then = now
