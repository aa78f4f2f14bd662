from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.pace.window import (
    BACK_OFF,
    MAX_LIMIT,
    START_LIMIT,
    Phase,
    Sample,
    Window,
    next_limit,
    window_at,
)


def sample(limit: int, goodput: float = 100.0, **changes: object) -> Sample:
    """A second at `limit` in which `goodput` requests with no body were answered."""
    plain = Sample(
        seconds=1.0,
        completed=round(goodput),
        bytes_sent=0,
        throttled=0,
        failed=0,
        limit=limit,
        needed=0,
        latency_seconds=0.1,
        limit_used=True,
    )
    return plain._replace(**changes)  # type: ignore[arg-type]


def settle(window: Window, goodput_at: object, periods: int) -> list[int]:
    """The limits of so many periods against an endpoint with that goodput per limit."""
    limits = []
    for _ in range(periods):
        window = next_limit(window, sample(window.limit, goodput_at(window.limit)))  # type: ignore[operator]
        limits.append(window.limit)
    return limits


def test_doubles_while_goodput_grows() -> None:
    assert settle(Window(), lambda limit: 100 * limit, 5) == [16, 32, 64, 128, 256]


def test_stops_climbing_where_goodput_stops() -> None:
    limits = settle(Window(), lambda limit: 100 * min(limit, 40), 200)
    assert max(limits) <= 128
    assert 32 <= limits[-1] <= 50


def test_a_full_uplink_ends_at_the_smallest_limit_that_fills_it() -> None:
    limits = settle(Window(), lambda limit: 1000 * min(limit, 2), 120)
    assert max(limits) == 16  # one long period at 16 has seen enough
    assert set(limits[-20:]) <= {1, 2, 3}


def test_a_short_unlucky_period_is_measured_twice() -> None:
    window = next_limit(Window(), sample(8, 1000, seconds=0.02))
    window = next_limit(window, sample(16, 1000, seconds=0.02))
    assert window.limit == 32
    assert next_limit(window, sample(32, 4000, seconds=0.02)).limit == 64
    assert next_limit(window, sample(32, 1000, seconds=0.02)).limit == 8


def test_a_near_server_is_measured_twice_before_more_connections_are_opened() -> None:
    """The first period at a limit makes its connections: over TLS that is what it measures."""
    near = {"seconds": 0.02, "latency_seconds": 0.01}
    window = next_limit(Window(), sample(8, 200, **near))
    window = next_limit(window, sample(16, 300, **near))
    assert window.limit == 32
    busy = next_limit(window, sample(32, 50, **near))
    assert busy.limit == 32
    assert next_limit(busy, sample(32, 600, **near)).limit == 64
    held = next_limit(busy, sample(32, 300, **near))
    assert (held.limit, held.phase) == (32, Phase.HOLD)


def test_a_link_that_got_faster_is_found_out() -> None:
    window = Window(limit=4, phase=Phase.HOLD, kept_limit=4)
    for _ in range(150):
        window = next_limit(window, sample(window.limit, 100 * min(window.limit, 64)))
    assert window.kept_limit >= 50


def test_a_link_that_got_slower_is_believed() -> None:
    window = Window()
    for _ in range(10):
        window = next_limit(window, sample(window.limit, 100 * window.limit))
    for _ in range(400):
        window = next_limit(window, sample(window.limit, 400))
    assert window.limit <= 8


def test_a_near_server_gets_32_in_flight_without_a_question() -> None:
    window, limits = Window(), []
    for _ in range(60):
        near = sample(window.limit, 1000, seconds=0.3, latency_seconds=0.002)
        window = next_limit(window, near)
        limits.append(window.limit)
    assert min(limits[3:]) == 32
    assert max(limits[5:]) <= 40


def test_a_limit_that_was_not_used_is_left_alone() -> None:
    window = Window(limit=20, kept_limit=20)
    for goodput in (10, 1000, 5):
        window = next_limit(window, sample(20, goodput, limit_used=False))
        assert window.limit == 20


def test_a_trial_that_was_not_used_is_taken_back() -> None:
    trying = Window(limit=25, kept_limit=20, kept_goodput=1.0, phase=Phase.UP)
    assert next_limit(trying, sample(25, limit_used=False)).limit == 20


def test_a_throttle_takes_three_tenths_however_many_were_refused() -> None:
    for throttled in (1, 50, 5000):
        window = next_limit(Window(limit=100), sample(100, throttled=throttled))
        assert window.limit == 70


def test_a_throttle_does_not_starve_the_rate_that_is_accepted() -> None:
    window = next_limit(Window(limit=26), sample(26, throttled=5, needed=25))
    assert window.limit == 25
    window = next_limit(Window(limit=10), sample(10, throttled=5, needed=25))
    assert window.limit == 10


def test_mostly_failing_is_backed_off_from_and_some_failing_is_not() -> None:
    held = Window(limit=100, kept_limit=100, phase=Phase.HOLD)
    assert next_limit(held, sample(100, 50, failed=50)).limit == 70
    assert next_limit(held, sample(100, 50, failed=5)).kept_limit == 100
    assert next_limit(held, sample(100, 1, failed=2)).kept_limit == 100  # too few to tell


def test_small_files_count_as_objects_and_large_ones_as_bytes() -> None:
    tiny = sample(8, completed=1000, bytes_sent=1000)
    assert sample(8, completed=2000, bytes_sent=1000).goodput == pytest.approx(
        2 * tiny.goodput, rel=0.01
    )
    large = sample(8, completed=2, bytes_sent=2**30)
    assert sample(8, completed=20, bytes_sent=2**30).goodput == pytest.approx(
        large.goodput, rel=0.01
    )


@pytest.mark.parametrize(("asked", "limit"), [(-5, 1), (0, 1), (8, 8), (10_000, MAX_LIMIT)])
def test_begins_within_its_bounds(asked: int, limit: int) -> None:
    assert window_at(asked).limit == limit


def test_knows_where_it_starts() -> None:
    assert Window().limit == Window().kept_limit == START_LIMIT


samples = st.builds(
    Sample,
    seconds=st.floats(0, 100),
    completed=st.integers(0, 10_000),
    bytes_sent=st.integers(0, 10**12),
    throttled=st.integers(0, 3),
    failed=st.integers(0, 100),
    limit=st.just(0),
    needed=st.integers(0, 500),
    latency_seconds=st.floats(0, 1),
    limit_used=st.booleans(),
)


@given(st.integers(1, 300), st.integers(1, 300), st.lists(samples, max_size=80))
def test_stays_in_bounds_whatever_happens(start: int, max_limit: int, course: list[Sample]) -> None:
    window = window_at(start, max_limit=max_limit)
    for one in course:
        before = window
        window = next_limit(window, one._replace(limit=window.limit))
        assert 1 <= window.limit <= max_limit
        assert 1 <= window.kept_limit <= max_limit
        if one.throttled:
            assert int(before.limit * BACK_OFF) <= window.limit <= before.limit
        else:
            assert window.limit <= max(before.limit * 2, before.kept_limit)
