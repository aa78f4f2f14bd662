"""When a task is handed out a second time."""

from __future__ import annotations

from bulkup.engines.dask.lateness import LATE, LEAST_SECONDS, Lateness


def test_before_anything_was_measured_a_minute_is_late() -> None:
    assert Lateness().seconds == 60


def test_three_times_the_95th_percentile_is_late() -> None:
    lateness = Lateness()
    for n in range(100):
        lateness.add(100.0 if n >= 97 else 10.0)  # a few stragglers do not count
    assert lateness.seconds == LATE * 10


def test_short_tasks_are_not_late_at_once() -> None:
    lateness = Lateness()
    for _ in range(10):
        lateness.add(0.01)
    assert lateness.seconds == LEAST_SECONDS
