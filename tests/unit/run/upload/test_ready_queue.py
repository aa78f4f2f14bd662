"""The queue between loading and sending is bounded by bytes, by items and by loads."""

from __future__ import annotations

import asyncio

import pytest

from bulkup.content.reading import Loaded
from bulkup.manifest.rows import WorkItem
from bulkup.model import Digest
from bulkup.pace.pacer import Pacer
from bulkup.run.stop_signal import StopSignal
from bulkup.run.upload.loader import ReadyUpload
from bulkup.run.upload.ready_queue import (
    AHEAD_BYTES,
    AHEAD_ITEMS,
    FAR_HELD_BYTES,
    HELD_BYTES,
    LOADS,
    ReadyQueue,
)
from tests.fakes.clock import FakeClock


def ready(size_bytes: int = 1) -> ReadyUpload:
    item = WorkItem(1, 1, 1, "/r", "", "a.jpg", size_bytes, None, 0, 0)
    loaded = Loaded(Digest("00" * 32), size_bytes, 0, 0, 0, "image/jpeg", bytes(size_bytes))
    return ReadyUpload(item, loaded, "a.jpg", held_bytes=size_bytes)


@pytest.fixture
def stop() -> StopSignal:
    return StopSignal()


@pytest.fixture
def queue(clock: FakeClock, stop: StopSignal) -> ReadyQueue:
    return ReadyQueue(Pacer(clock, fixed_limit=1), stop)


async def waits(queue: ReadyQueue) -> asyncio.Task[None]:
    """A task that waits for room, after it had a chance to end."""
    waiting = asyncio.create_task(queue.wait_for_room())
    for _ in range(3):
        await asyncio.sleep(0)
    return waiting


async def read_all_that_fits(queue: ReadyQueue) -> None:
    """Read until there is no more room; nothing of it is taken."""
    while (await waits(queue)).done():
        queue.begin_load(AHEAD_BYTES)
        queue.end_load(AHEAD_BYTES, [ready(AHEAD_BYTES)])


async def test_loads_are_bounded(queue: ReadyQueue) -> None:
    for _ in range(LOADS):
        queue.begin_load(1)
    waiting = await waits(queue)
    assert not waiting.done()
    queue.end_load(1, [])
    await waiting


async def test_bytes_are_bounded_and_given_back(queue: ReadyQueue) -> None:
    large = ready(AHEAD_BYTES)
    queue.begin_load(5)
    queue.end_load(5, [large])
    waiting = await waits(queue)
    assert not waiting.done()
    assert queue.take() is large
    queue.release(large)
    await waiting
    assert queue.held_bytes == 0


async def test_items_are_bounded(queue: ReadyQueue) -> None:
    queue.begin_load(0)
    queue.end_load(0, [ready()] * (AHEAD_ITEMS + 2))
    waiting = await waits(queue)
    assert not waiting.done()
    queue.release(queue.take())
    await waiting


async def test_what_is_in_flight_counts_less_when_nothing_is_ready(queue: ReadyQueue) -> None:
    """Else one large file in flight would keep the next one from being read."""
    queue.begin_load(0)
    queue.end_load(0, [ready(AHEAD_BYTES)])
    queue.take()
    await asyncio.wait_for(queue.wait_for_room(), 5)


async def test_towards_a_far_server_reading_keeps_ahead_of_what_is_in_flight(
    clock: FakeClock, stop: StopSignal
) -> None:
    pacer = Pacer(clock, fixed_limit=100)
    queue = ReadyQueue(pacer, stop)
    size_bytes = AHEAD_BYTES // 2

    def read() -> None:
        queue.begin_load(size_bytes)
        queue.end_load(size_bytes, [ready(size_bytes)])

    read()
    queue.take()
    read()
    near = await waits(queue)  # 32 MiB are in flight or wait
    assert not near.done()
    pacer.started(clock.monotonic())
    pacer.finished(clock.monotonic(), 0, 0.1)
    queue.take()
    await near
    while queue.held_bytes < FAR_HELD_BYTES:
        await asyncio.wait_for(queue.wait_for_room(), 5)
        read()
        queue.take()
    assert not (await waits(queue)).done()
    stop.set("done")


async def test_while_the_window_opens_all_that_fits_is_read(
    clock: FakeClock, stop: StopSignal
) -> None:
    """Soon it is sent together: with 32 MiB, the line would wait for the disk."""
    pacer = Pacer(clock)
    queue = ReadyQueue(pacer, stop)
    pacer.started(clock.monotonic())
    pacer.finished(clock.monotonic(), 0, 0.1)
    assert pacer.ahead > 0
    await read_all_that_fits(queue)
    assert queue.held_bytes == FAR_HELD_BYTES
    stop.set("done")


async def test_a_server_that_has_not_answered_yet_is_known_to_be_far(
    clock: FakeClock, stop: StopSignal
) -> None:
    """What is read during the first two round trips need not be read when the window opens."""
    pacer = Pacer(clock)
    queue = ReadyQueue(pacer, stop)
    pacer.started(clock.monotonic())
    queue.begin_load(AHEAD_BYTES)
    queue.end_load(AHEAD_BYTES, [ready(AHEAD_BYTES)])
    waiting = await waits(queue)
    assert not waiting.done()
    clock.advance(0.2)
    await asyncio.wait_for(waiting, 5)
    await read_all_that_fits(queue)
    assert queue.held_bytes == FAR_HELD_BYTES
    stop.set("done")


async def test_how_many_bodies_there_will_be_is_judged_by_those_that_are_ready(
    queue: ReadyQueue,
) -> None:
    assert queue.expected(9) == 0
    queue.begin_load(0)
    queue.end_load(0, [ready(1 << 20)] * 3 + [ready(5 << 20)])
    assert queue.expected(9 << 20) == HELD_BYTES // (2 << 20)  # 2 MiB on average
    assert queue.expected(1 << 20) == HELD_BYTES * 3 // (8 << 20)
    assert queue.expected(9) == 0
    queue.close()
    assert queue.expected(9 << 20) == 4
    assert queue.expected(1 << 20) == 3


async def test_the_smallest_can_be_put_first(queue: ReadyQueue) -> None:
    large, small = ready(9), ready(3)
    queue.begin_load(0)
    queue.end_load(0, [large, small, large])
    queue.put_smallest_first()
    assert [queue.take() for _ in range(3)] == [small, large, large]


async def test_a_stop_ends_all_waiting(queue: ReadyQueue, stop: StopSignal) -> None:
    for _ in range(LOADS):
        queue.begin_load(1)
    room, news = await waits(queue), asyncio.create_task(queue.wait_for_change(1000.0))
    await asyncio.sleep(0)
    stop.set("SIGINT")
    await asyncio.wait_for(asyncio.gather(room, news), 5)
