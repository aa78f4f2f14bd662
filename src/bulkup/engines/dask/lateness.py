"""When a task is late: then it is handed out a second time."""

from __future__ import annotations

from collections import deque
from typing import Final

LATE: Final = 3.0
"""Times the 95th percentile of what tasks took."""

ASSUMED_SECONDS: Final = 20.0
"""The 95th percentile, as long as too few tasks have ended."""

LEAST_SECONDS: Final = 5.0
"""No task is late earlier: a second copy costs a worker as much as the first."""

_LEAST_TASKS: Final = 5
_MOST_TASKS: Final = 200


class Lateness:
    """What the last tasks took, from the time they were handed out."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_MOST_TASKS)

    def add(self, seconds: float) -> None:
        """A task took so long."""
        self._seconds.append(seconds)

    @property
    def seconds(self) -> float:
        """A task that has no result after this time is late."""
        if len(self._seconds) < _LEAST_TASKS:
            return LATE * ASSUMED_SECONDS
        ordered = sorted(self._seconds)
        return max(LEAST_SECONDS, LATE * ordered[int(0.95 * (len(ordered) - 1))])
