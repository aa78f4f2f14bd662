from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bulkup.pace.rate_limit import (
    FLOOR_PER_SECOND,
    Measured,
    RateLimit,
    cut,
    first_limit,
    grown,
    known_limit,
)

measures = st.builds(
    Measured,
    seconds=st.floats(0, 100),
    accepted=st.integers(0, 100_000),
    refused=st.integers(0, 100_000),
)
limits = st.builds(
    RateLimit,
    per_second=st.floats(FLOOR_PER_SECOND, 1e6),
    known_good=st.floats(FLOOR_PER_SECOND, 1e6),
    bound_seconds=st.floats(0, 100),
    growth=st.floats(1, 1.5),
    stepped=st.booleans(),
)


def test_the_first_cap_is_what_was_accepted_and_a_search_begins() -> None:
    limit = first_limit(Measured(seconds=1.0, accepted=200, refused=1))
    assert 180 <= limit.per_second <= 200
    assert limit.searching


def test_six_accepted_in_a_millisecond_are_a_burst_and_no_rate() -> None:
    assert first_limit(Measured(seconds=0.001, accepted=6, refused=1)).per_second < 100


def test_a_cut_lands_just_below_what_was_accepted() -> None:
    limit = cut(RateLimit(220, 210), Measured(seconds=1.0, accepted=200, refused=20))
    assert 185 <= limit.per_second <= 195
    assert not limit.searching


def test_an_outage_takes_half_and_is_searched_out_of_again() -> None:
    limit = cut(RateLimit(200, 200), Measured(seconds=1.0, accepted=20, refused=180))
    assert 90 <= limit.per_second <= 100
    assert limit.searching


def test_the_search_ends_after_some_cuts() -> None:
    limit = first_limit(Measured(1.0, 200, 1))
    for _ in range(10):
        limit = cut(limit, Measured(1.0, round(limit.per_second * 0.9), 20))
    assert not limit.searching


def test_the_search_takes_no_step_that_is_not_clean() -> None:
    limit = RateLimit(100, 100, growth=1.5)
    assert grown(limit, 0.1, clean=False) == limit
    assert grown(limit, 0.1, clean=True).per_second == 150


def test_the_curve_is_flat_at_the_known_rate_and_steep_beyond() -> None:
    limit, course = known_limit(1000), {}
    for tick in range(1, 200):
        limit = grown(limit, 0.1, clean=True)
        course[tick] = limit.per_second
    assert 985 <= course[30] <= course[70] <= 1015
    assert course[150] - course[140] > 50


def test_a_few_refusals_are_no_reason_to_give_way() -> None:
    assert not Measured(1.0, 1000, 10).too_many_refused
    assert not Measured(0.1, 1, 2).too_many_refused
    assert Measured(0.1, 0, 3).too_many_refused
    assert Measured(1.0, 950, 50).too_many_refused


@given(limits, measures)
def test_a_cut_takes_something_and_never_more_than_allowed(
    limit: RateLimit, measured: Measured
) -> None:
    after = cut(limit, measured)
    assert FLOOR_PER_SECOND <= after.per_second <= max(limit.per_second * 0.951, FLOOR_PER_SECOND)
    assert after.per_second >= limit.per_second * 0.47
    assert after.per_second <= after.known_good


@given(limits, st.floats(0, 60), st.booleans())
def test_growth_never_lowers_and_is_bounded(limit: RateLimit, seconds: float, clean: bool) -> None:
    after = grown(limit, seconds, clean=clean)
    fastest = limit.per_second * max(limit.growth, 1 + 0.5 * seconds)
    assert limit.per_second <= after.per_second <= fastest * (1 + 1e-9)


@given(measures)
def test_the_first_cap_is_never_below_the_floor(measured: Measured) -> None:
    assert first_limit(measured).per_second >= FLOOR_PER_SECOND
