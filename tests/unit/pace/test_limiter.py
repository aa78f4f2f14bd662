"""The limiter: in order, as many and as fast as allowed, and no place is ever lost."""

from __future__ import annotations

import asyncio

import pytest

from bulkup.errors import StoreBroken, StoreBusy, StoreRefused
from bulkup.pace.limiter import RequestLimiter
from bulkup.pace.pacer import Pacer
from bulkup.pace.token_bucket import TokenBucket
from tests.fakes.clock import FakeClock


class Calls:
    """Requests that end on demand."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.ends: dict[int, asyncio.Future[None]] = {}

    def call(self, number: int):  # type: ignore[no-untyped-def]
        async def request() -> int:
            self.begun.append(number)
            self.ends[number] = asyncio.get_running_loop().create_future()
            await self.ends[number]
            return number

        return request


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def limiter_of(
    clock: FakeClock, limit: int = 2, bandwidth: TokenBucket | None = None
) -> RequestLimiter:
    return RequestLimiter(Pacer(clock, fixed_limit=limit), clock, bandwidth)


async def test_requests_start_in_their_order_and_no_more_than_the_limit(clock: FakeClock) -> None:
    limiter, calls = limiter_of(clock), Calls()
    tasks = [asyncio.create_task(limiter.request(calls.call(n), 1)) for n in range(5)]
    await settled()
    assert calls.begun == [0, 1]
    for number in (1, 0, 2, 3, 4):
        calls.ends[number].set_result(None)
        await settled()
    assert calls.begun == [0, 1, 2, 3, 4]
    assert await asyncio.gather(*tasks) == [0, 1, 2, 3, 4]
    assert limiter.pacer.in_flight == 0


@pytest.mark.parametrize("error", [StoreBusy("503"), StoreBroken("500"), StoreRefused("400")])
async def test_a_request_that_fails_gives_its_place_back(
    clock: FakeClock, error: Exception
) -> None:
    limiter, calls = limiter_of(clock, limit=1), Calls()
    first = asyncio.create_task(limiter.request(calls.call(0), 1))
    second = asyncio.create_task(limiter.request(calls.call(1), 1))
    await settled()
    calls.ends[0].set_exception(error)
    with pytest.raises(type(error)):
        await first
    await settled()
    assert calls.begun == [0, 1]
    calls.ends[1].set_result(None)
    await second
    assert limiter.pacer.in_flight == 0
    assert limiter.throttled == isinstance(error, StoreBusy)


@pytest.mark.parametrize("cancelled", [[0], [1], [2], [0, 1], [1, 2], [0, 1, 2]])
async def test_a_cancelled_request_leaves_no_place_taken(
    clock: FakeClock, cancelled: list[int]
) -> None:
    limiter, calls = limiter_of(clock, limit=1), Calls()
    tasks = [asyncio.create_task(limiter.request(calls.call(n), 1)) for n in range(4)]
    await settled()
    for number in cancelled:
        tasks[number].cancel()
    await settled()
    left = [n for n in range(4) if n not in cancelled]
    for number in left:
        await settled()
        calls.ends[number].set_result(None)
    assert [await tasks[n] for n in left] == left
    assert limiter.pacer.in_flight == 0


async def test_one_that_is_cancelled_in_the_moment_of_its_turn_gives_it_on(
    clock: FakeClock,
) -> None:
    limiter, calls = limiter_of(clock, limit=1), Calls()
    tasks = [asyncio.create_task(limiter.request(calls.call(n), 1)) for n in range(3)]
    await settled()
    calls.ends[0].set_result(None)
    await tasks[0]  # by now the second has its turn, and has not run yet
    tasks[1].cancel()
    await settled()
    assert calls.begun[-1] == 2
    calls.ends[2].set_result(None)
    await tasks[2]
    assert limiter.pacer.in_flight == 0


class Watched(Pacer):
    """Counts answers."""

    answers = 0

    def finished(self, now: float, size_bytes: int, seconds: float) -> None:
        self.answers += 1
        super().finished(now, size_bytes, seconds)


async def test_a_cancelled_request_is_no_answer(clock: FakeClock) -> None:
    """Else the window would learn of requests that took no time at all."""
    pacer = Watched(clock, fixed_limit=1)
    limiter, calls = RequestLimiter(pacer, clock), Calls()
    request = asyncio.create_task(limiter.request(calls.call(0), 1))
    await settled()
    request.cancel()
    await settled()
    assert (calls.begun, pacer.answers, pacer.in_flight) == ([0], 0, 0)


async def test_a_turn_that_is_cancelled_before_its_request_is_no_answer(clock: FakeClock) -> None:
    pacer = Watched(clock, fixed_limit=1)
    limiter = RequestLimiter(pacer, clock)
    assert limiter.try_acquire(1)
    turn = asyncio.create_task(limiter.acquire(1))
    await settled()
    limiter.release(clock.monotonic(), 1)  # the turn has come, and the task has not run yet
    turn.cancel()
    await settled()
    assert (turn.cancelled(), pacer.answers, pacer.in_flight) == (True, 1, 0)


async def test_a_rate_is_kept(clock: FakeClock) -> None:
    limiter = RequestLimiter(Pacer(clock, fixed_limit=50, max_rate_per_second=10), clock)
    began = clock.now()

    async def at_once() -> None:
        return None

    await asyncio.gather(*(limiter.request(at_once, 1) for _ in range(50)))
    assert clock.now() - began >= 3.5


async def test_a_bandwidth_is_kept_over_all_requests(clock: FakeClock) -> None:
    bucket = TokenBucket(1000, 250, now=clock.monotonic())
    limiter = limiter_of(clock, limit=8, bandwidth=bucket)
    began = clock.now()

    async def at_once() -> None:
        return None

    await asyncio.gather(*(limiter.request(at_once, 500) for _ in range(20)))
    assert clock.now() - began == pytest.approx(9.8, abs=1.0)


async def test_a_bandwidth_is_kept_for_a_single_body(clock: FakeClock) -> None:
    """Also where the store takes it at once."""
    bucket = TokenBucket(1000, 250, now=clock.monotonic())
    limiter = limiter_of(clock, limit=8, bandwidth=bucket)
    began = clock.now()

    async def at_once() -> None:
        return None

    await limiter.request(at_once, 60_000)
    assert clock.now() - began == pytest.approx(60, abs=1.0)
