from __future__ import annotations

import pytest

from bulkup.pace.slow_start import FIRST_ANSWERS, MOST_LIMIT, SLOW_ANSWERS, SlowStart
from bulkup.pace.window import MAX_LIMIT

KIB = 1024


def opened(round_trip: float, bodies: int, limit: int = 8) -> SlowStart | None:
    """After the first request, and so many bodies with the whole limit in flight."""
    state = SlowStart(limit).answered(0, round_trip, 1)
    for _ in range(bodies):
        if state is None:
            break
        state = state.answered(20 * KIB, round_trip, state.limit)
    return state


@pytest.mark.parametrize(("round_trip", "limit"), [(0.1, 160), (0.03, 70), (0.3, 416)])
def test_the_first_answers_open_it_as_far_as_the_distance_asks_for(
    round_trip: float, limit: int
) -> None:
    before = opened(round_trip, FIRST_ANSWERS - 1)
    assert before is not None
    assert before.limit == 8
    state = opened(round_trip, FIRST_ANSWERS)
    assert state is not None
    assert state.limit == limit


def test_then_each_answer_adds_one() -> None:
    state = opened(0.1, FIRST_ANSWERS + 50)
    assert state is not None
    assert state.limit == 160 + 50


@pytest.mark.parametrize(
    ("round_trip", "most"), [(0.015, MAX_LIMIT), (0.03, 420), (0.05, 700), (0.1, MOST_LIMIT)]
)
def test_the_most_grows_with_the_distance(round_trip: float, most: int) -> None:
    state = opened(round_trip, 3000)
    assert state is not None
    assert state.limit == state.most == most


@pytest.mark.parametrize("round_trip", [0.001, 0.014, 1.5])
def test_it_is_over_at_the_first_body_to_a_server_that_is_near_or_does_not_keep_up(
    round_trip: float,
) -> None:
    assert opened(round_trip, 1) is None


def test_it_is_over_when_no_request_without_a_body_has_shown_the_distance() -> None:
    assert SlowStart(8).answered(20 * KIB, 0.1, 8) is None


def test_it_is_over_when_one_of_the_first_bodies_takes_far_longer_than_the_round_trip() -> None:
    state = opened(0.1, 3)
    assert state is not None
    assert state.answered(20 * KIB, 0.42, 8) is None


def test_new_connections_may_make_the_first_bodies_slower() -> None:
    state = opened(0.1, 3)
    assert state is not None
    assert state.answered(20 * KIB, 0.39, 8) is not None


def test_later_it_takes_several_slow_answers_in_a_row() -> None:
    state = opened(0.1, FIRST_ANSWERS)
    for _ in range(SLOW_ANSWERS - 1):
        assert state is not None
        state = state.answered(20 * KIB, 0.4, 100)
    assert state is not None
    quick = state.answered(20 * KIB, 0.1, 100)
    assert quick is not None
    assert quick.slow == 0
    assert state.answered(20 * KIB, 0.4, 100) is None


def test_it_does_not_grow_while_less_than_half_of_it_is_used() -> None:
    state = opened(0.1, FIRST_ANSWERS)
    assert state is not None
    after = state.answered(20 * KIB, 0.1, state.limit // 2 - 1)
    assert after is not None
    assert after.limit == state.limit


@pytest.mark.parametrize(("round_trip", "ahead"), [(0.1, 88), (0.001, 0), (1.5, 0)])
def test_before_the_first_body_as_many_connections_are_of_use_as_its_answer_will_ask_for(
    round_trip: float, ahead: int
) -> None:
    state = SlowStart(8).answered(0, round_trip, 1)  # it also opened its connection
    assert state is not None
    assert state.ahead == ahead


def test_then_as_many_more_as_one_round_trip_adds() -> None:
    state = opened(0.1, FIRST_ANSWERS)
    assert state is not None
    assert state.ahead == state.limit == 160
    late = opened(0.1, FIRST_ANSWERS + 600)
    assert late is not None
    assert late.limit + late.ahead == late.most
    assert SlowStart(8).ahead == 0
