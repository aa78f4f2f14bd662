from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.pace.token_bucket import TokenBucket

rates = st.floats(0.1, 1e6)
bursts = st.floats(0.5, 1e4)
gaps = st.lists(st.floats(0, 5), min_size=1, max_size=60)


def test_begins_full() -> None:
    bucket = TokenBucket(10, 3)
    assert [bucket.take(0.0) for _ in range(4)] == [0.0, 0.0, 0.0, pytest.approx(0.1)]


def test_an_amount_above_the_burst_is_given_on_credit_and_paid_back() -> None:
    bucket = TokenBucket(100, 50)
    assert bucket.take(0.0, 250) == pytest.approx(2.0)
    assert bucket.take(2.0, 10) == pytest.approx(0.1)


def test_asking_takes_nothing() -> None:
    bucket = TokenBucket(10, 1)
    assert bucket.wait_seconds(0.0) == bucket.wait_seconds(0.0) == 0.0
    bucket.take(0.0)
    assert bucket.wait_seconds(0.0) == pytest.approx(0.1)
    assert bucket.wait_seconds(0.1) == 0.0


def test_an_amount_above_the_burst_waits_for_a_full_bucket_only() -> None:
    bucket = TokenBucket(10, 5)
    bucket.take(0.0, 5)
    assert bucket.wait_seconds(0.0, 1000) == pytest.approx(0.5)


def test_a_clock_that_stands_or_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(10, 1, now=5.0)
    bucket.take(5.0)
    assert bucket.wait_seconds(4.0) == pytest.approx(0.1)


def test_another_rate_keeps_the_debt_and_drops_what_the_new_burst_cannot_hold() -> None:
    bucket = TokenBucket(10, 10)
    bucket.change(0.0, 2, 1)
    assert bucket.take(0.0, 3) == pytest.approx(1.0)
    bucket.change(0.0, 4, 1)
    assert bucket.wait_seconds(0.0, 1) == pytest.approx(0.75)


def test_drained_it_has_no_burst_left() -> None:
    bucket = TokenBucket(10, 5)
    bucket.drain(0.0)
    assert bucket.wait_seconds(0.0) == pytest.approx(0.1)


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (1, 0), (-1, 1), (float("nan"), 1)])
def test_a_bucket_without_flow_or_room_is_refused(rate: float, burst: float) -> None:
    with pytest.raises(ValueError):
        TokenBucket(rate, burst)


@given(rates, bursts, gaps, st.data())
def test_never_more_than_rate_and_burst_in_any_interval(
    rate: float, burst: float, gaps: list[float], data: st.DataObject
) -> None:
    """Who acts after the waits stays below rate x time + max(burst, largest amount)."""
    bucket = TokenBucket(rate, burst)
    now, acted = 0.0, []
    for gap in gaps:
        now += gap
        amount = data.draw(st.floats(0.01, burst * 3))
        now += bucket.take(now, amount)
        acted.append((now, amount))
    for first in range(len(acted)):
        total = 0.0
        for at, amount in acted[first:]:
            total += amount
            seconds = at - acted[first][0]
            largest = max(burst, *(some for _, some in acted[first:]))
            assert total <= (rate * seconds + largest) * (1 + 1e-6) + 1e-6


@given(rates, bursts, st.integers(1, 200))
def test_who_always_waits_reaches_the_rate(rate: float, burst: float, count: int) -> None:
    """n requests without a pause take (n - burst) / rate seconds, no more."""
    bucket = TokenBucket(rate, burst)
    now = 0.0
    for _ in range(count):
        now += bucket.take(now)
    assert now == pytest.approx(max(count - burst, 0.0) / rate, rel=1e-6, abs=1e-6)


@given(rates, st.floats(1, 1e4), st.integers(1, 100))
def test_who_asks_until_it_may_reaches_the_rate_too(rate: float, burst: float, count: int) -> None:
    bucket = TokenBucket(rate, burst)
    now = 0.0
    for _ in range(count):
        asked = 0
        while (wait := bucket.wait_seconds(now)) > 0.0:
            now += wait
            asked += 1
            assert asked < 5
        bucket.take(now)
    assert now == pytest.approx(max(count - burst, 0.0) / rate, rel=1e-3, abs=1e-3)
