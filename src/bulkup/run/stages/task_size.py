"""How many items an attempt takes: so many that a task is worth an engine's while."""

from __future__ import annotations

from bulkup.run.stages.claims import ClaimRules
from bulkup.run.work.task import MOST_TASK_ITEMS

GATHER_SECONDS = 0.5
"""How long an attempt that could take more items waits for them, while more may come."""

ASSUMED_SECONDS = 0.1
"""Of one item, as long as none was measured."""

LEAST_SECONDS = 1.0
"""Of work in the last tasks."""

MOST_CLAIMED = 10 * MOST_TASK_ITEMS
"""So many items are claimed ahead for tasks of measured size."""

_WEIGHT = 0.2
"""Of the last task in the moving average: photos of one folder resemble each other."""


class TaskSize:
    """The number of items in one attempt of a stage, by what they took so far."""

    def __init__(self, task_seconds: float, least: int) -> None:
        """At least `least`, and about `task_seconds` of work; 0 means that `least` are enough."""
        self._task_seconds = task_seconds
        self._least = least
        self._seconds_each: float | None = None

    def add(self, items: int, seconds: float) -> None:
        """A task with so many items took so long."""
        if items:
            each, before = seconds / items, self._seconds_each
            self._seconds_each = each if before is None else before + _WEIGHT * (each - before)

    def items(self, left: int | None, slots: int) -> int:
        """For the next attempt. Of the last `left` items each of the slots gets its share, so that
        none works alone at the end; a task is never shorter than LEAST_SECONDS for that."""
        if not self._task_seconds:
            return self._least
        each = ASSUMED_SECONDS if self._seconds_each is None else self._seconds_each
        most = min(MOST_TASK_ITEMS, round(self._task_seconds / max(each, 1e-4)))
        if left is not None:
            share, least = -(-left // max(1, slots)), round(LEAST_SECONDS / max(each, 1e-4))
            most = min(most, max(share, least))
        return max(1, most)

    def claim_rules(self, concurrency: int) -> ClaimRules:
        """How the stage claims."""
        if not self._task_seconds:
            gather = GATHER_SECONDS if self._least > 1 else 0.0
            return ClaimRules(self._least, self._least * concurrency, gather)
        return ClaimRules(MOST_TASK_ITEMS, MOST_CLAIMED, GATHER_SECONDS)
