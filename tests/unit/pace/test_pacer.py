"""The pacer against modelled endpoints (benchmarks/simulate_window.py), and its small promises."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulate_window import KIB, MIB, Course, Endpoint, FakeClock, Simulation

from bulkup.pace.learned import LEARNED_FOR_SECONDS, Learned
from bulkup.pace.pacer import PAUSE_LIMIT_SECONDS, Pacer
from bulkup.pace.rate_limit import FLOOR_PER_SECOND
from bulkup.pace.slow_start import MOST_LIMIT
from bulkup.pace.window import START_LIMIT

SMALL = 20 * KIB


def throttled(
    rate: float, latency: float, count: int, retry_after: float | None = None, seed: int = 1
) -> Course:
    endpoint = Endpoint(latency, rate_per_second=rate, retry_after_seconds=retry_after)
    return Simulation(endpoint, [SMALL] * count, seed=seed).run()


# The numbers of a throttled server: goodput >= 0.9 R, refused <= 10 %, no item dead.


@pytest.mark.parametrize("retry_after", [None, 1.0])
@pytest.mark.parametrize("latency", [0.001, 0.02, 0.1])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_200_requests_a_second(latency: float, retry_after: float | None, seed: int) -> None:
    """3,000 requests: start and last tries included, nine tenths of the rate are used."""
    course = throttled(200, latency, 3000, retry_after, seed)
    assert course.refused_share <= 0.04
    assert course.settled_goodput() >= 0.95 * 200
    assert course.goodput() >= 0.9 * 200
    assert course.gave_up == 0


@pytest.mark.parametrize("retry_after", [None, 1.0])
@pytest.mark.parametrize("latency", [0.001, 0.02, 0.1])
@pytest.mark.parametrize(("rate", "count"), [(20, 1000), (1000, 8000)])
def test_other_rates(rate: int, count: int, latency: float, retry_after: float | None) -> None:
    course = throttled(rate, latency, count, retry_after)
    assert course.refused_share <= 0.05
    assert course.settled_goodput() >= 0.9 * rate
    assert course.gave_up == 0


@pytest.mark.parametrize("retry_after", [None, 1.0])
@pytest.mark.parametrize("latency", [0.001, 0.02])
def test_what_s3_takes_for_one_prefix(latency: float, retry_after: float | None) -> None:
    course = throttled(3500, latency, 28_000, retry_after)
    assert course.refused_share <= 0.05
    assert course.settled_goodput() >= 0.9 * 3500


def test_a_rate_out_of_reach_of_the_window_is_not_missed_by_much() -> None:
    """256 requests of 100 ms are 2,560 a second: no throttle may take much of that."""
    course = throttled(3500, 0.1, 25_000)
    assert course.refused_share <= 0.05
    assert course.settled_goodput() >= 0.8 * 2560


@pytest.mark.parametrize("retry_after", [None, 1.0])
def test_refusals_that_overtake_the_answers(retry_after: float | None) -> None:
    """A refusal comes after 1 ms, what is accepted takes 50 ms more."""
    endpoint = Endpoint(
        0.001, rate_per_second=200, retry_after_seconds=retry_after, work_seconds=0.05
    )
    course = Simulation(endpoint, [SMALL] * 3000).run()
    assert course.refused_share <= 0.05
    assert course.settled_goodput() >= 0.95 * 200
    assert course.goodput() >= 0.9 * 200


def test_an_outage_is_over_when_it_is_over() -> None:
    """Everything is refused for ten seconds; ten seconds later nine tenths of the rate are back."""
    endpoint = Endpoint(0.01, rate_per_second=200)
    simulation = Simulation(endpoint, [SMALL] * 6000, tries=50)
    simulation.run(until=5.0)
    endpoint.stray_refusals = 1.0
    refused = len(simulation.course.refused_at)
    simulation.run(until=15.0)
    assert len(simulation.course.refused_at) - refused <= 100
    endpoint.stray_refusals = 0.0
    course = simulation.run(until=35.0)
    assert course.goodput(25.0, 35.0) >= 0.9 * 200


def test_the_first_refusals_bite_at_once() -> None:
    course = throttled(200, 0.001, 300)
    assert sum(at < 0.1 for at in course.refused_at) <= START_LIMIT


def test_a_slow_api_of_one_request_a_second() -> None:
    course = throttled(1, 0.05, 300)
    assert course.refused_share <= 0.25
    assert course.goodput(30.0) >= 0.85


def test_a_limit_that_falls_to_a_fifth_is_followed() -> None:
    endpoint = Endpoint(0.01, rate_per_second=1000)
    simulation = Simulation(endpoint, [SMALL] * 10_000)
    simulation.run(until=5.0)
    endpoint.rate_per_second = 200
    refused = len(simulation.course.refused_at)
    course = simulation.run(until=15.0)
    assert course.goodput(7.0, 15.0) >= 0.9 * 200
    assert len(course.refused_at) - refused <= 200


def test_a_limit_that_is_lifted_is_followed() -> None:
    endpoint = Endpoint(0.001, rate_per_second=200)
    simulation = Simulation(endpoint, [SMALL] * 60_000)
    simulation.run(until=5.0)
    endpoint.rate_per_second = None
    course = simulation.run(until=40.0)
    assert course.goodput(38.0, 40.0) >= 2000


def test_stray_refusals_do_not_lower_the_rate() -> None:
    """S3 refuses a request now and then while it splits a partition."""
    endpoint = Endpoint(0.02, stray_refusals=0.005)
    course = Simulation(endpoint, [SMALL] * 20_000).run()
    assert course.goodput(3.0, 5.0) >= 2500


def test_user_s_cap_holds_beside_the_server_s() -> None:
    course = Simulation(Endpoint(0.001), [SMALL] * 1000, max_rate_per_second=100).run()
    assert 0.95 * 100 <= course.goodput() <= 1.02 * 100


# Servers that do not throttle.


def test_a_fast_server_gets_32_in_flight_within_a_tenth_of_a_second() -> None:
    simulation = Simulation(Endpoint(0.001), [SMALL] * 4000)
    course = simulation.run(until=0.1)
    assert course.most_in_flight >= 32


def test_a_far_server_gets_a_window_that_fits_its_distance_within_eight_round_trips() -> None:
    course = Simulation(Endpoint(0.1), [SMALL] * 15_000).run()
    assert course.limit_at(0.35) >= 128
    assert course.limit_at(0.9) >= 900
    assert max(limit for _, limit in course.limits) == MOST_LIMIT
    assert course.seconds < 3.0  # at 256 in flight: 6


def test_a_window_opens_to_256_at_most_where_a_round_trip_takes_18_ms() -> None:
    course = Simulation(Endpoint(0.018), [SMALL] * 15_000).run()
    assert course.limit_at(0.3) >= 200
    assert max(limit for _, limit in course.limits) == 256


def test_a_far_server_with_a_low_rate_is_not_flooded_at_the_start() -> None:
    """503 above 200 a second, 100 ms away."""
    course = throttled(200, 0.1, 3000)
    assert sum(at < 1.0 for at in course.refused_at) <= 30
    assert course.refused_share <= 0.03


def test_a_far_server_behind_a_full_line_is_not_flooded_at_the_start() -> None:
    """Eight photos fill it: none of them is answered within a round trip."""
    endpoint = Endpoint(0.1, uplink_bytes_per_second=1_000_000.0)
    course = Simulation(endpoint, [4_000_000] * 40).run()
    assert course.limit_at(40.0) <= 16


def test_a_busy_server_is_filled_and_not_flooded() -> None:
    """16 workers, 10 ms each: 1,600 a second, whatever is sent."""
    endpoint = Endpoint(0.005, workers=16, work_seconds=0.01)
    course = Simulation(endpoint, [SMALL] * 16_000).run()
    assert course.settled_goodput() >= 0.9 * 1600
    assert course.limits[-1][1] <= 48


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param([size * MIB for size in (2, 3, 4, 5, 6)] * 40, id="photos"),
        pytest.param([SMALL] * 10_000, id="small"),
        pytest.param([SMALL, SMALL, 4 * MIB, SMALL, 300 * KIB] * 150, id="mixed"),
    ],
)
def test_a_home_uplink_is_full_with_few_in_flight(sizes: list[int]) -> None:
    speed = 2.5 * MIB
    endpoint = Endpoint(0.03, uplink_bytes_per_second=speed)
    course = Simulation(endpoint, sizes).run()
    assert course.seconds <= sum(sizes) / speed / 0.93
    assert course.limits[-1][1] <= 12
    assert course.most_in_flight <= 160  # for a second, at the start


def test_a_slow_walk_does_not_raise_the_window() -> None:
    course = Simulation(Endpoint(0.02), [SMALL] * 1000, arrivals_per_second=100).run()
    assert {limit for _, limit in course.limits} == {START_LIMIT}


def test_failures_now_and_then_do_not_lower_the_window() -> None:
    course = Simulation(Endpoint(0.02, fail_share=0.05), [SMALL] * 10_000).run()
    assert course.limits[-1][1] >= 64
    assert course.rates[-1][1] is None


# Promises.


def test_a_fixed_window_stays_and_its_rate_still_gives_way() -> None:
    endpoint = Endpoint(0.001, rate_per_second=200)
    course = Simulation(endpoint, [SMALL] * 2000, fixed_limit=32).run()
    assert {limit for _, limit in course.limits} == {32}
    assert course.refused_share <= 0.1
    assert course.settled_goodput() >= 0.9 * 200


@pytest.mark.parametrize(("fixed", "learned"), [(None, None), (500, None), (None, 400)])
def test_a_ceiling_holds_whatever_was_asked_or_learned(
    fixed: int | None, learned: int | None
) -> None:
    clock, now = FakeClock(), 0.0
    known = None if learned is None else Learned(learned, None, clock.now())
    pacer = Pacer(clock, fixed_limit=fixed, ceiling=40, learned=known)
    assert pacer.limit == 40 if fixed or learned else pacer.limit <= 40
    for _ in range(1000):
        if pacer.in_flight < pacer.limit:
            pacer.started(now)
        else:
            now += 0.001
            pacer.finished(now, SMALL, 0.02)
        assert pacer.limit <= 40


def test_one_refused_request_does_not_stop_the_others() -> None:
    pacer = Pacer(FakeClock())
    for _ in range(20):
        pacer.started(0.0)
        pacer.finished(0.5, SMALL, 0.5)
    pacer.started(0.5)
    pacer.throttled(0.5, 1.0)
    assert pacer.delay_seconds(0.5) < 0.5


@pytest.mark.parametrize(
    ("asked", "paused"), [(2.0, 2.0), (60.0, 60.0), (9e9, PAUSE_LIMIT_SECONDS)]
)
def test_a_server_that_refuses_everything_is_left_alone_as_long_as_it_asks(
    asked: float, paused: float
) -> None:
    pacer = Pacer(FakeClock())
    pacer.started(0.0)
    pacer.throttled(0.0, asked)
    assert pacer.delay_seconds(0.0) == paused
    assert pacer.delay_seconds(paused - 0.5) == pytest.approx(0.5)
    assert pacer.delay_seconds(paused + 1.0) == 0.0


def test_a_long_retry_after_stops_all() -> None:
    pacer = Pacer(FakeClock())
    for _ in range(20):
        pacer.started(0.0)
        pacer.finished(0.5, SMALL, 0.5)
    pacer.started(0.5)
    pacer.throttled(0.5, 30.0)
    assert pacer.delay_seconds(0.5) == 30.0


def test_a_burst_of_refusals_costs_one_back_off() -> None:
    pacer = Pacer(FakeClock())
    for _ in range(8):
        pacer.started(0.0)
    for _ in range(8):
        pacer.throttled(0.01, None)
    assert pacer.limit == 5
    assert pacer.in_flight == 0


def test_what_was_learned_saves_the_next_run_the_search() -> None:
    first = throttled(200, 0.02, 2000)
    assert first.learned is not None
    assert first.learned.rate_per_second == pytest.approx(200, rel=0.08)
    endpoint = Endpoint(0.02, rate_per_second=200)
    second = Simulation(endpoint, [SMALL] * 600, learned=first.learned).run()
    assert second.goodput(0.0, 1.5) >= 0.85 * 200
    assert second.refused_share <= 0.05


def test_what_is_old_or_from_the_future_is_not_believed() -> None:
    clock = FakeClock()
    for age in (LEARNED_FOR_SECONDS + 1, -10.0):
        pacer = Pacer(clock, learned=Learned(100, 5.0, clock.now() - age))
        assert (pacer.limit, pacer.rate_per_second) == (START_LIMIT, None)


def test_an_unthrottled_run_learns_no_rate() -> None:
    course = Simulation(Endpoint(0.02), [SMALL] * 3000).run()
    assert course.learned is not None
    assert course.learned.rate_per_second is None
    assert course.learned.limit > START_LIMIT


answers = st.lists(
    st.tuples(
        st.sampled_from(["start", "ok", "ok", "ok", "throttled", "failed"]),
        st.floats(0, 2),
        st.integers(0, 10**9),
        st.one_of(st.none(), st.floats(0, 1e6)),
    ),
    max_size=200,
)


@settings(max_examples=200)
@given(answers, st.one_of(st.none(), st.floats(1, 1000)), st.one_of(st.none(), st.integers(1, 99)))
def test_bounds_hold_for_any_answers(
    course: list[tuple[str, float, int, float | None]],
    max_rate: float | None,
    fixed: int | None,
) -> None:
    pacer = Pacer(FakeClock(), max_rate_per_second=max_rate, fixed_limit=fixed)
    now = 0.0
    for kind, gap, size, retry_after in course:
        now += gap
        before = pacer.in_flight
        if kind == "start" or before == 0:
            pacer.started(now)
            assert pacer.in_flight == before + 1
            continue
        if kind == "ok":
            pacer.finished(now, size, gap)
        elif kind == "throttled":
            pacer.throttled(now, retry_after)
        else:
            pacer.failed(now)
        assert pacer.in_flight == before - 1
        assert 1 <= pacer.limit <= 256
        assert fixed is None or pacer.limit == fixed
        assert 0.0 <= pacer.delay_seconds(now) <= PAUSE_LIMIT_SECONDS
        rate = pacer.rate_per_second
        if rate is not None:
            assert rate >= FLOOR_PER_SECOND
            assert max_rate is None or rate <= max_rate


@given(st.integers(0, 2**32))
@settings(max_examples=10, deadline=None)
def test_throttled_and_failing_at_once_it_still_gets_through(seed: int) -> None:
    random = Random(seed)
    endpoint = Endpoint(
        random.uniform(0.001, 0.1), rate_per_second=random.uniform(50, 500), fail_share=0.05
    )
    course = Simulation(endpoint, [SMALL] * 1500, seed=seed).run()
    assert len(course.accepted_at) == 1500
    assert course.refused_share <= 0.1


def test_cancelled_requests_neither_raise_nor_lower_the_window() -> None:
    pacer = Pacer(FakeClock())
    now = 0.0
    for _ in range(500):
        pacer.started(now)
        now += 0.01
        pacer.cancelled(now)
    assert (pacer.limit, pacer.in_flight) == (START_LIMIT, 0)


def test_requests_cancelled_after_a_cut_do_not_stop_the_measuring() -> None:
    """The rate finds its level again, although no answer comes to what was in flight then."""
    pacer = Pacer(FakeClock())
    for _ in range(8):
        pacer.started(0.0)
    pacer.throttled(0.1, None)
    for _ in range(7):
        pacer.cancelled(0.2)
    now = 0.2
    first = pacer.rate_per_second
    assert first is not None
    for _ in range(200):
        now += pacer.delay_seconds(now)
        pacer.started(now)
        pacer.finished(now, SMALL, 0.01)
    assert pacer.rate_per_second is not None
    assert pacer.rate_per_second > 2 * first


# The controllers can be switched off, to measure what each is worth.


def test_without_the_rate_controller_only_the_window_gives_way() -> None:
    pacer = Pacer(FakeClock(), adapts_rate=False)
    for _ in range(8):
        pacer.started(0.0)
    for _ in range(8):
        pacer.throttled(0.01, None)
    assert pacer.limit < START_LIMIT
    assert pacer.rate_per_second is None


def test_the_window_controller_can_be_replaced() -> None:
    pacer = Pacer(FakeClock(), next_limit=lambda window, sample: window)
    now = 0.0
    for _ in range(2000):
        pacer.started(now)
        now += 0.001
        pacer.finished(now, SMALL, 0.001)
    assert pacer.limit == START_LIMIT
