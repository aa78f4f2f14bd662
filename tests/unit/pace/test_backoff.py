from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.errors import ErrorClass
from bulkup.model import Stage
from bulkup.pace.backoff import ATTEMPTS, GRANTED_ATTEMPTS, attempt_wait_seconds


class Middle(Random):
    """Draws the middle."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


def waits(stage: Stage, error_class: ErrorClass, allowed: int | None = None) -> list[float | None]:
    top = (ATTEMPTS[stage] if allowed is None else allowed) + 1
    return [
        attempt_wait_seconds(stage, made, error_class, Middle(), allowed=allowed)
        for made in range(1, top)
    ]


def test_upload_waits_between_five_attempts() -> None:
    assert waits(Stage.UPLOAD, ErrorClass.NETWORK) == [10, 60, 300, 900, None]


def test_process_waits_between_three_attempts() -> None:
    assert waits(Stage.PROCESS, ErrorClass.UNKNOWN) == [60, 300, None]


def test_embed_waits_between_five_attempts() -> None:
    assert waits(Stage.EMBED, ErrorClass.SERVER) == [60, 300, 900, 3600, None]


def test_a_rate_limit_waits_five_times_longer() -> None:
    assert waits(Stage.UPLOAD, ErrorClass.RATE_LIMIT) == [50, 300, 1500, 4500, None]


def test_a_grant_goes_on_with_the_last_wait() -> None:
    course = waits(Stage.PROCESS, ErrorClass.RESOURCE, GRANTED_ATTEMPTS)
    assert course == [60, 300, *[900] * 7, None]


@pytest.mark.parametrize("error_class", [ErrorClass.INVALID, ErrorClass.AUTH])
@pytest.mark.parametrize("stage", list(Stage))
def test_what_cannot_change_is_dead_at_once(stage: Stage, error_class: ErrorClass) -> None:
    assert attempt_wait_seconds(stage, 1, error_class, Random(1), allowed=10) is None


@pytest.mark.parametrize("error_class", [ErrorClass.CHANGED, ErrorClass.MISSING])
def test_a_file_that_changed_or_vanished_is_tried_again(error_class: ErrorClass) -> None:
    assert attempt_wait_seconds(Stage.UPLOAD, 1, error_class, Middle()) == 10


@given(st.sampled_from(list(Stage)), st.integers(1, 9), st.integers())
def test_jitter_is_a_tenth(stage: Stage, made: int, seed: int) -> None:
    exact = attempt_wait_seconds(stage, made, ErrorClass.NETWORK, Middle(), allowed=10)
    drawn = attempt_wait_seconds(stage, made, ErrorClass.NETWORK, Random(seed), allowed=10)
    assert exact is not None
    assert drawn == pytest.approx(exact, rel=0.1001)


def test_an_attempt_that_was_not_made_cannot_have_failed() -> None:
    with pytest.raises(ValueError):
        attempt_wait_seconds(Stage.UPLOAD, 0, ErrorClass.NETWORK, Random(1))
