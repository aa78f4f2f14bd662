"""Trouble of the whole destination is waited out, once for all, and not for ever."""

from __future__ import annotations

import asyncio

import pytest

from bulkup.errors import (
    BucketMissing,
    CredentialsExpired,
    DestinationError,
    DestinationUnreachable,
    StoreBroken,
    StoreForbidden,
    StoreUnreachable,
)
from bulkup.events import Event, Paused
from bulkup.run.circuit_breaker import (
    AUTH_WAITS_SECONDS,
    FRUITLESS_RIDES,
    NETWORK_WAITS_SECONDS,
    OTHER_WAITS_SECONDS,
    SILENCE_SECONDS,
    CircuitBreaker,
)
from tests.fakes.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


class Ill:
    """A destination that is well again after some checks."""

    def __init__(self, checks: int = 10**9) -> None:
        self.checks = checks
        self.asked = 0

    async def check(self) -> None:
        self.asked += 1
        if self.asked <= self.checks:
            raise CredentialsExpired("still expired")


def riding_of(clock: FakeClock, ill: Ill, *, has_succeeded: bool = True) -> CircuitBreaker:
    events: list[Event] = []
    breaker = CircuitBreaker(ill.check, clock, events.append)
    if has_succeeded:
        breaker.record_success(clock.monotonic())
    return breaker


async def test_expired_keys_are_waited_out(clock: FakeClock) -> None:
    ill = Ill(2)
    assert await riding_of(clock, ill).open_and_wait(CredentialsExpired("expired"))
    assert (ill.asked, clock.slept) == (3, [1.0, 2.0, 4.0])


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (CredentialsExpired("expired"), AUTH_WAITS_SECONDS),
        (DestinationUnreachable("no route"), NETWORK_WAITS_SECONDS),
        (BucketMissing("gone"), OTHER_WAITS_SECONDS),
    ],
)
async def test_after_its_waits_it_gives_up(
    clock: FakeClock, error: DestinationError, waits: tuple[float, ...]
) -> None:
    breaker = riding_of(clock, Ill())
    assert not await breaker.open_and_wait(error)
    assert tuple(clock.slept) == waits
    assert breaker.reason is None


async def test_what_never_worked_is_not_waited_out(clock: FakeClock) -> None:
    breaker = riding_of(clock, Ill(0), has_succeeded=False)
    assert not await breaker.open_and_wait(CredentialsExpired("expired"))
    assert not clock.slept


async def test_all_wait_for_the_same_ride(clock: FakeClock) -> None:
    ill = Ill(1)
    breaker = riding_of(clock, ill)
    error = CredentialsExpired("expired")
    results = await asyncio.gather(
        breaker.open_and_wait(error), breaker.open_and_wait(error), breaker.wait_until_closed()
    )
    assert results == [True, True, True]
    assert ill.asked == 2


async def test_a_destination_that_is_well_only_when_asked_is_given_up(clock: FakeClock) -> None:
    breaker = riding_of(clock, Ill(0))
    error = BucketMissing("gone for writers")
    assert [await breaker.open_and_wait(error) for _ in range(FRUITLESS_RIDES + 1)] == [
        *[True] * FRUITLESS_RIDES,
        False,
    ]


async def test_a_stop_ends_the_ride_at_once() -> None:
    clock = FakeClock(endless=AUTH_WAITS_SECONDS)
    breaker = riding_of(clock, Ill())
    ride = asyncio.create_task(breaker.open_and_wait(CredentialsExpired("expired")))
    waiter = asyncio.create_task(breaker.wait_until_closed())
    for _ in range(5):
        await asyncio.sleep(0)
    breaker.stop()
    assert not await asyncio.wait_for(ride, 5)
    assert not await asyncio.wait_for(waiter, 5)
    assert not await breaker.wait_until_closed()


async def test_pauses_are_told(clock: FakeClock) -> None:
    events: list[Event] = []
    breaker = CircuitBreaker(Ill(1).check, clock, events.append)
    breaker.record_success(clock.monotonic())
    await breaker.open_and_wait(CredentialsExpired("expired"))
    assert [one.seconds for one in events if isinstance(one, Paused)] == [1.0, 2.0]


def test_what_one_file_met_may_be_everybodys(clock: FakeClock) -> None:
    fresh = riding_of(clock, Ill(), has_succeeded=False)
    assert fresh.is_run_level(StoreForbidden("403"), began=0)
    assert fresh.is_run_level(StoreUnreachable("reset"), began=0)
    assert not fresh.is_run_level(StoreBroken("500"), began=0)
    proven = riding_of(clock, Ill())
    now = clock.monotonic()
    assert not proven.is_run_level(StoreForbidden("403"), began=now)
    assert not proven.is_run_level(StoreUnreachable("reset"), began=now - 1)
    assert proven.is_run_level(StoreUnreachable("reset"), began=now + 1)
    clock.advance(SILENCE_SECONDS + 0.5)  # the success came after this attempt began, then nothing
    assert proven.is_run_level(StoreUnreachable("refused"), began=now - 1)
