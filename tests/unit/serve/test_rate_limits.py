"""Token buckets by token: never more than was agreed, never too many buckets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bulkup.serve.rate_limits import RateLimits


def test_twenty_thousand_tokens_keep_ten_thousand_buckets() -> None:
    limits = RateLimits(100, 10)

    for number in range(20_000):
        limits.take(f"{number}", now=number / 1000)

    assert len(limits) <= 10_000


def test_a_bucket_that_is_full_again_is_forgotten_while_others_are_used() -> None:
    limits = RateLimits(2, 60)
    for number in range(10):
        limits.take(f"{number}", now=0.0)

    for number in range(6):
        limits.take("used", now=5.0 + number)

    assert len(limits) == 1


def test_what_is_left_says_when_there_is_more() -> None:
    limits = RateLimits(100, 10)
    for _ in range(100):
        assert limits.take("a", now=0.0) == 0

    assert limits.take("a", now=0.0) == 6
    left = limits.allowance("a", now=3.0)
    assert (left.remaining, left.next_in_seconds, left.full_in_seconds) == (0, 3, 597)
    assert limits.allowance("b", now=3.0).remaining == 100


@given(
    steps=st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 100)), max_size=60),
    burst=st.integers(1, 5),
)
def test_nobody_gets_more_than_the_burst_and_what_flowed_in(
    steps: list[tuple[str, float]], burst: int
) -> None:
    limits, now = RateLimits(burst, 6), 0.0
    taken = dict.fromkeys("abc", 0)
    for key, wait in steps:
        now += wait
        wait_seconds = limits.take(key, now)
        if wait_seconds == 0:
            taken[key] += 1
        else:
            assert 0 < wait_seconds <= 10
    assert all(count <= burst + now / 10 + 1e-6 for count in taken.values())
