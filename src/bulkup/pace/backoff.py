"""When a failed work item is attempted again, in this run or a later one. Pure."""

from __future__ import annotations

from random import Random

from bulkup.errors import ErrorClass
from bulkup.model import Stage

MINUTE = 60.0
HOUR = 3600.0

ATTEMPTS = {Stage.UPLOAD: 5, Stage.PROCESS: 3, Stage.EMBED: 5}
"""Attempts before a work item is dead. A picture that fails three times will fail again; uploads
and remote embedders fail because of a network, which changes."""

GRANTED_ATTEMPTS = 10
"""Attempts that `retry` grants."""

_WAITS = {
    Stage.UPLOAD: (10.0, MINUTE, 5 * MINUTE, 15 * MINUTE),
    Stage.PROCESS: (MINUTE, 5 * MINUTE, 15 * MINUTE),
    Stage.EMBED: (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR),
}

_CANNOT_CHANGE = frozenset({ErrorClass.INVALID, ErrorClass.AUTH})
"""Dead at once: the same bytes stay invalid, and somebody has to change a permission."""

_RATE_LIMIT_FACTOR = 5.0
"""A server that throttled all tries of an attempt needs a longer pause."""

_JITTER = 0.1
"""Items that failed together must not be attempted together again."""


def is_final(error_class: ErrorClass) -> bool:
    """Whether an item is dead after one such error."""
    return error_class in _CANNOT_CHANGE


def attempt_wait_seconds(
    stage: Stage,
    attempts: int,
    error_class: ErrorClass,
    random: Random,
    *,
    allowed: int | None = None,
) -> float | None:
    """Seconds until the next attempt, ±10 %; None: the work item is dead.

    `attempts` counts those made, the failed one included (1 or more); `allowed` is ATTEMPTS of the
    stage unless given. Past the end of the stage's waits the last one is repeated.
    """
    if attempts < 1:
        raise ValueError(f"{attempts} attempts cannot have failed")
    if is_final(error_class):
        return None
    if attempts >= (ATTEMPTS[stage] if allowed is None else allowed):
        return None
    waits = _WAITS[stage]
    wait = waits[min(attempts, len(waits)) - 1]
    if error_class is ErrorClass.RATE_LIMIT:
        wait *= _RATE_LIMIT_FACTOR
    return wait * random.uniform(1 - _JITTER, 1 + _JITTER)
