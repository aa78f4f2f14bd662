"""Trouble of the whole destination is waited out, once for all, and not for ever."""

from __future__ import annotations

import asyncio

import pytest

from bulkup.errors import (
    BucketMissing,
    CredentialsExpired,
    CredentialsRefused,
    DestinationError,
    DestinationUnreachable,
    ItemError,
    StoreBroken,
    StoreForbidden,
    StoreFull,
    StoreUnreachable,
)
from bulkup.events import Event, Paused
from bulkup.run.circuit_breaker import (
    AUTH_WAITS_SECONDS,
    MOST_FAILED_RECOVERIES,
    OTHER_WAITS_SECONDS,
    SILENCE_SECONDS,
    CircuitBreaker,
    plain,
)
from bulkup.run.stop_signal import StopSignal
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


def breaker_of(
    clock: FakeClock, ill: Ill, *, has_succeeded: bool = True, stop: StopSignal | None = None
) -> CircuitBreaker:
    events: list[Event] = []
    breaker = CircuitBreaker(ill.check, clock, events.append, stop or StopSignal())
    if has_succeeded:
        breaker.record_success(clock.monotonic())
    return breaker


async def test_expired_keys_are_waited_out(clock: FakeClock) -> None:
    ill = Ill(2)
    assert await breaker_of(clock, ill).recover(CredentialsExpired("expired"))
    assert (ill.asked, clock.slept) == (3, [1.0, 2.0, 4.0])


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (CredentialsExpired("expired"), AUTH_WAITS_SECONDS),
        (BucketMissing("gone"), OTHER_WAITS_SECONDS),
    ],
)
async def test_after_its_waits_it_gives_up(
    clock: FakeClock, error: DestinationError, waits: tuple[float, ...]
) -> None:
    breaker = breaker_of(clock, Ill())
    with pytest.raises(type(error)):
        await breaker.recover(error)
    assert tuple(clock.slept) == waits
    assert not breaker.is_open
    assert breaker.reason is breaker.state is None


async def test_a_line_that_is_down_is_waited_for_as_long_as_was_asked(clock: FakeClock) -> None:
    events: list[Event] = []
    ill = Ill()
    breaker = CircuitBreaker(
        ill.check,
        clock,
        events.append,
        StopSignal(),
        destination="s3://bucket at http://nas:9000",
        wait_online_seconds=50.0,
    )
    breaker.record_success(clock.monotonic())
    error = DestinationUnreachable("error sending request: Connection refused (os error 111)")
    with pytest.raises(DestinationUnreachable):
        await breaker.recover(error)
    assert clock.slept == [1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 5.0]
    assert ill.asked == 7
    paused = [event for event in events if isinstance(event, Paused)]
    assert [one.is_first for one in paused] == [True] + [False] * 6
    assert [one.gives_up_seconds for one in paused] == [50.0, 49.0, 47.0, 43.0, 35.0, 20.0, 5.0]
    assert str(paused[0]) == (
        "No connection to s3://bucket at http://nas:9000: Connection refused. "
        "Next try in 1 s, giving up in 50 s (--wait-online)."
    )


async def test_a_line_that_is_not_to_be_waited_for_is_given_up_at_once(clock: FakeClock) -> None:
    breaker = CircuitBreaker(
        Ill().check, clock, lambda _: None, StopSignal(), wait_online_seconds=0.0
    )
    breaker.record_success(clock.monotonic())
    with pytest.raises(DestinationUnreachable):
        await breaker.recover(DestinationUnreachable("no route"))
    assert clock.slept == []


async def test_what_never_worked_is_not_waited_out(clock: FakeClock) -> None:
    breaker = breaker_of(clock, Ill(0), has_succeeded=False)
    with pytest.raises(CredentialsExpired):
        await breaker.recover(CredentialsExpired("expired"))
    assert not clock.slept


async def test_all_wait_for_the_same_recovery(clock: FakeClock) -> None:
    ill = Ill(1)
    breaker = breaker_of(clock, ill)
    error = CredentialsExpired("expired")
    results = await asyncio.gather(
        breaker.recover(error), breaker.recover(error), breaker.wait_until_closed()
    )
    assert results == [True, True, True]
    assert ill.asked == 2


async def test_a_destination_that_is_well_only_when_checked_is_given_up(clock: FakeClock) -> None:
    breaker = breaker_of(clock, Ill(0))
    error = BucketMissing("gone for writers")
    for _ in range(MOST_FAILED_RECOVERIES):
        assert await breaker.recover(error)
    with pytest.raises(BucketMissing):
        await breaker.recover(error)


async def test_a_stop_ends_the_wait_at_once() -> None:
    clock, stop = FakeClock(endless=AUTH_WAITS_SECONDS), StopSignal()
    breaker = breaker_of(clock, Ill(), stop=stop)
    recovery = asyncio.create_task(breaker.recover(CredentialsExpired("expired")))
    waiter = asyncio.create_task(breaker.wait_until_closed())
    await asyncio.sleep(0)
    assert breaker.is_open
    stop.set("SIGINT")
    assert not await asyncio.wait_for(recovery, 5)
    assert not await asyncio.wait_for(waiter, 5)
    assert not await breaker.wait_until_closed()


async def test_pauses_are_emitted(clock: FakeClock) -> None:
    events: list[Event] = []
    breaker = CircuitBreaker(Ill(1).check, clock, events.append, StopSignal())
    breaker.record_success(clock.monotonic())
    await breaker.recover(CredentialsExpired("expired"))
    assert [one.seconds for one in events if isinstance(one, Paused)] == [1.0, 2.0]


def trouble_of(breaker: CircuitBreaker, error: ItemError, *, began: float) -> object:
    return breaker.trouble_of(error, began, refused_hint="Ask for it.")


def test_the_error_of_one_file_may_be_trouble_of_the_destination(clock: FakeClock) -> None:
    fresh = breaker_of(clock, Ill(), has_succeeded=False)
    refused = trouble_of(fresh, StoreForbidden("403"), began=0)
    assert isinstance(refused, CredentialsRefused)
    assert refused.hint == "Ask for it."
    assert isinstance(trouble_of(fresh, StoreUnreachable("reset"), began=0), DestinationUnreachable)
    assert trouble_of(fresh, StoreBroken("500"), began=0) is None
    proven = breaker_of(clock, Ill())
    now = clock.monotonic()
    assert trouble_of(proven, StoreForbidden("403"), began=now) is None
    assert trouble_of(proven, StoreUnreachable("reset"), began=now - 1) is None
    assert trouble_of(proven, StoreUnreachable("reset"), began=now + 1) is not None
    clock.advance(SILENCE_SECONDS + 0.5)  # the success came after this attempt began, then nothing
    assert trouble_of(proven, StoreUnreachable("refused"), began=now - 1) is not None


def test_a_full_store_is_not_waited_for(clock: FakeClock) -> None:
    with pytest.raises(DestinationError, match="no space left"):
        trouble_of(breaker_of(clock, Ill()), StoreFull("no space left"), began=0)


async def test_the_screen_says_when_the_destination_is_asked_next(clock: FakeClock) -> None:
    states: list[str | None] = []

    async def check() -> None:
        states.append(breaker.state)
        raise DestinationUnreachable("Connection refused (os error 111)")

    breaker = CircuitBreaker(
        check, clock, lambda _: None, StopSignal(), destination="s3://b", wait_online_seconds=5.0
    )
    breaker.record_success(clock.monotonic())
    with pytest.raises(DestinationUnreachable):
        await breaker.recover(DestinationUnreachable("Connection refused (os error 111)"))
    assert states[0] == "s3://b: Connection refused; next try now"
    assert breaker.state is None


def test_of_a_connections_error_only_the_last_cause_is_shown() -> None:
    said = "connection error: error sending request: tcp connect error: refused (os error 111)"
    for kind in (StoreUnreachable, DestinationUnreachable):
        assert plain(kind(said)) == "refused"
    assert plain(StoreBroken("key 'a: b': HTTP (500)")) == "key 'a: b': HTTP (500)"
