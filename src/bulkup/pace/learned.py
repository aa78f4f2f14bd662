"""What a run learned about a destination, for the next one. Pure."""

from __future__ import annotations

from typing import NamedTuple

LEARNED_FOR_SECONDS = 24 * 3600.0
"""What is older may have been learned on another network."""


class Learned(NamedTuple):
    """What a run learned about a destination; the manifest keeps it for the next run."""

    limit: int
    rate_per_second: float | None  # None: never throttled
    measured_at: float  # seconds since 1970-01-01 UTC

    def is_fresh(self, now: float) -> bool:
        """Whether that is not long ago, nor in the future. `now` is in seconds since 1970."""
        return 0 <= now - self.measured_at < LEARNED_FOR_SECONDS
