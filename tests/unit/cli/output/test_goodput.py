"""How fast a stage moves, and when it ends."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.cli.output.goodput import Goodput, eta_seconds, fraction, speed_from
from bulkup.model import StageCount

STAGE = StageCount(
    done=1000, total=4000, failed=2, dead=2, done_bytes=1_000_000, total_bytes=4_000_000
)
STEADY = Goodput().after(1_000_000, 1000, 10.0)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=30), st.integers(1, 10**6))
def test_a_steady_speed_is_found_at_once_and_kept(spans: list[float], speed: int) -> None:
    """However unevenly one looks: the mean has no bias, not even at the start."""
    goodput, at = Goodput(), 0.0
    for span in spans:
        at += span
        goodput = goodput.after(round(at * speed * 1000), 0, at)
        assert goodput.bytes_per_second == pytest.approx(speed * 1000, rel=0.01)


def test_a_change_of_speed_is_followed_within_a_minute() -> None:
    goodput = STEADY
    for second in range(1, 61):
        goodput = goodput.after(1_000_000 + second * 500_000, 1000, 10.0 + second)
    assert goodput.bytes_per_second == pytest.approx(500_000, rel=0.05)


def test_one_stalled_second_hardly_shows() -> None:
    goodput = Goodput().after(6_000_000, 0, 60.0).after(6_000_000, 0, 61.0)
    assert goodput.bytes_per_second == pytest.approx(100_000, rel=0.1)


def test_no_time_no_change() -> None:
    assert STEADY.after(2_000_000, 2000, 10.0) == STEADY
    assert Goodput().bytes_per_second == 0


def test_the_eta_is_what_is_left_by_bytes() -> None:
    assert eta_seconds(STAGE, STEADY) == pytest.approx(30)


def test_empty_files_are_counted_by_number() -> None:
    empty = StageCount(done=1000, total=4000)
    assert eta_seconds(empty, STEADY) == pytest.approx(30)


def test_nothing_left_takes_no_time_though_bytes_of_failed_files_are_missing() -> None:
    assert eta_seconds(STAGE._replace(done=3000, skipped=998), STEADY) == 0


def test_a_standstill_has_no_eta() -> None:
    assert eta_seconds(STAGE, Goodput()) is None


def test_what_was_not_sent_is_done_and_no_traffic() -> None:
    """Duplicates and what was already there: with a limit of 1 MB/s no more than that is shown."""
    speed = speed_from(StageCount(total=10), 0.0)
    speed = speed.after(StageCount(done=5, total=10, done_bytes=50_000_000, sent_bytes=10**7), 10.0)
    assert speed.done.bytes_per_second == pytest.approx(5_000_000)
    assert speed.sent.bytes_per_second == pytest.approx(1_000_000)


counts = st.integers(0, 10**13)


@given(st.builds(StageCount, *[counts] * 9))
def test_a_fraction_lies_between_0_and_1(stage: StageCount) -> None:
    assert 0 <= fraction(stage) <= 1
    assert not math.isnan(fraction(stage))
