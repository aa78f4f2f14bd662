"""Where a run ends before its work does: --limit, --max-errors and --max-duration."""

from __future__ import annotations

import sys
from collections import Counter

from bulkup.clock import Clock
from bulkup.model import Stage
from bulkup.settings.options import RunOptions

UNLIMITED = sys.maxsize


class RunLimits:
    """What a run has left of its limits, over all stages and destinations."""

    def __init__(self, options: RunOptions, clock: Clock) -> None:
        self.patience_seconds = options.patience_seconds
        self._limit = options.limit
        self._begun: Counter[Stage] = Counter()
        self._errors = 0
        self._max_errors = UNLIMITED if options.max_errors is None else options.max_errors
        self._clock = clock
        seconds = options.max_duration_seconds
        self._deadline = None if seconds is None else clock.monotonic() + seconds

    def items_left(self, stage: Stage) -> int:
        """How many items of `stage` may be begun, where --limit counts that stage's items. What was
        uploaded counts for all stages: it goes through them all."""
        if self._limit is None:
            return UNLIMITED
        begun = self._begun[Stage.UPLOAD]
        return self._limit - begun - (self._begun[stage] if stage is not Stage.UPLOAD else 0)

    def begin(self, stage: Stage, items: int) -> None:
        """So many items are begun; a negative number takes that back."""
        self._begun[stage] += items

    def add_error(self) -> None:
        """An attempt has failed."""
        self._errors += 1

    @property
    def reached(self) -> str | None:
        """Why the run has to stop now, if it has to."""
        if self._errors >= self._max_errors:
            return f"{self._errors} errors (--max-errors)"
        if self._deadline is not None and self._clock.monotonic() >= self._deadline:
            return "the time is up (--max-duration)"
        return None
