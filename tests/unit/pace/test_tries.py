from __future__ import annotations

import subprocess
import sys
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.errors import (
    CredentialsExpired,
    KeyTaken,
    ObjectMissing,
    StoreBroken,
    StoreBusy,
    StoreError,
    StoreForbidden,
    StoreRefused,
    StoreUnreachable,
)
from bulkup.pace.tries import PUT_TRIES, WAIT_LIMIT_SECONDS, with_tries


class Sleeper:
    """A clock whose sleeps take no time and are written down."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> float:
        return 0.0

    def monotonic(self) -> float:
        return sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class Script:
    """A call that raises these errors one after the other, then returns 'stored'."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.calls <= len(self.errors):
            raise self.errors[self.calls - 1]
        return "stored"


class Highest(Random):
    """Draws the upper end."""

    def uniform(self, a: float, b: float) -> float:
        return b


async def test_success_is_one_call_and_no_wait() -> None:
    clock, call = Sleeper(), Script()
    assert await with_tries(call, tries=5, clock=clock, random=Random(1)) == "stored"
    assert (call.calls, clock.slept) == (1, [])


async def test_a_stalled_connection_is_not_tried_again() -> None:
    """It has taken a minute; the next attempt may come when others got through."""
    call = Script(StoreUnreachable("x", is_stalled=True))
    with pytest.raises(StoreUnreachable):
        await with_tries(call, tries=5, clock=Sleeper(), random=Random(1))
    assert call.calls == 1


@pytest.mark.parametrize("error", [StoreBusy("x"), StoreUnreachable("x"), StoreBroken("x")])
async def test_what_may_pass_is_tried_again(error: StoreError) -> None:
    call = Script(error, error)
    assert await with_tries(call, tries=5, clock=Sleeper(), random=Random(1)) == "stored"
    assert call.calls == 3


@pytest.mark.parametrize(
    "error",
    [
        StoreRefused("x"),
        StoreForbidden("x"),
        KeyTaken("x"),
        ObjectMissing("x"),
        CredentialsExpired("x"),
        ValueError("x"),
    ],
)
async def test_what_cannot_change_passes_through_at_once(error: Exception) -> None:
    """Also when it comes after an error that was worth another try."""
    for call, calls in ((Script(error), 1), (Script(StoreBroken("y"), error), 2)):
        with pytest.raises(type(error)) as raised:
            await with_tries(call, tries=5, clock=Sleeper(), random=Random(1))
        assert raised.value is error
        assert call.calls == calls


async def test_the_last_error_itself_is_raised() -> None:
    errors = [StoreBroken(str(number)) for number in range(9)]
    call = Script(*errors)
    with pytest.raises(StoreBroken) as raised:
        await with_tries(call, tries=PUT_TRIES, clock=Sleeper(), random=Random(1))
    assert raised.value is errors[PUT_TRIES - 1]
    assert call.calls == PUT_TRIES


async def test_one_try_is_one_call() -> None:
    call, clock = Script(StoreBroken("x")), Sleeper()
    with pytest.raises(StoreBroken):
        await with_tries(call, tries=1, clock=clock, random=Random(1))
    assert (call.calls, clock.slept) == (1, [])


async def test_waits_double_from_one_second_to_thirty() -> None:
    clock = Sleeper()
    call = Script(*[StoreUnreachable("x")] * 8)
    await with_tries(call, tries=9, clock=clock, random=Highest())
    assert clock.slept == [1, 2, 4, 8, 16, 30, 30, 30]


@given(st.integers(0, 2**32))
async def test_jitter_is_full(seed: int) -> None:
    clock = Sleeper()
    await with_tries(Script(*[StoreBroken("x")] * 4), tries=5, clock=clock, random=Random(seed))
    assert all(0 <= slept <= 2**made for made, slept in enumerate(clock.slept))
    assert len(set(clock.slept)) == 4


async def test_retry_after_wins() -> None:
    clock = Sleeper()
    busy = StoreBusy("x", retry_after_seconds=7.0)
    await with_tries(Script(busy, busy), tries=5, clock=clock, random=Random(1))
    assert clock.slept == [7.0, 7.0]


async def test_a_server_that_wants_too_long_a_wait_is_left_to_the_next_attempt() -> None:
    for seconds in (WAIT_LIMIT_SECONDS + 1, 86_400.0):
        clock, busy = Sleeper(), StoreBusy("x", retry_after_seconds=seconds)
        with pytest.raises(StoreBusy) as raised:
            await with_tries(Script(busy), tries=5, clock=clock, random=Random(1))
        assert raised.value is busy
        assert clock.slept == []


async def test_each_wait_is_announced_before_it_begins() -> None:
    clock = Sleeper()
    announced: list[tuple[StoreError, float, int]] = []
    first, second = StoreBroken("1"), StoreBusy("2", retry_after_seconds=3.0)
    await with_tries(
        Script(first, second),
        tries=5,
        clock=clock,
        random=Highest(),
        on_try=lambda error, wait: announced.append((error, wait, len(clock.slept))),
    )
    assert announced == [(first, 1.0, 0), (second, 3.0, 1)]


def test_tenacity_is_imported_at_the_first_failure_only() -> None:
    """It costs 60 ms, which a run without errors should not pay."""
    program = """
import asyncio, sys
from random import Random
from bulkup.clock import SystemClock
from bulkup.errors import StoreBusy
from bulkup.pace.tries import with_tries
errors = [StoreBusy("x", retry_after_seconds=0.0)]
async def good(): return 1
async def bad():
    if errors: raise errors.pop()
async def main():
    await with_tries(good, tries=5, clock=SystemClock(), random=Random(1))
    assert "tenacity" not in sys.modules
    await with_tries(bad, tries=5, clock=SystemClock(), random=Random(1))
    assert "tenacity" in sys.modules
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
