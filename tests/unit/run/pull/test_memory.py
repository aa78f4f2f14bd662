"""Room for bodies in memory."""

from __future__ import annotations

import asyncio

from bulkup.run.pull.memory import Buffers, Memory


async def test_no_more_bytes_than_there_is_room_for() -> None:
    memory, in_use, most = Memory(100), 0, 0

    async def use(size_bytes: int) -> None:
        nonlocal in_use, most
        async with memory.room(size_bytes):
            in_use += size_bytes
            most = max(most, in_use)
            await asyncio.sleep(0)
            in_use -= size_bytes

    await asyncio.gather(*(use(size) for size in (60, 60, 30, 1, 100, 0, 40) * 20))
    assert most == 100


async def test_a_body_larger_than_the_room_is_alone() -> None:
    memory = Memory(100)
    async with memory.room(1000):
        other = asyncio.create_task(memory.room(1).__aenter__())
        await asyncio.sleep(0)
        assert not other.done()
    await other


async def test_who_gives_up_waiting_leaves_no_gap() -> None:
    memory = Memory(100)
    async with memory.room(100):
        waiting = [asyncio.create_task(memory.room(100).__aenter__()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
    waiting[1].cancel()  # it has its turn, and has not heard of it
    await asyncio.wait(waiting, timeout=5)
    assert waiting[2].result() is None


def test_a_buffer_is_used_again_unless_somebody_may_still_be_at_it() -> None:
    buffers = Buffers(1 << 20)
    with buffers.one() as first, buffers.one() as second:
        first[:3], second[:3] = b"one", b"two"
    for error in (ValueError(), asyncio.CancelledError()):
        one = buffers.one()
        assert bytes(one.__enter__()[:3]) == b"one"
        assert not one.__exit__(type(error), error, None)
    with buffers.one() as left, buffers.one() as new:
        assert (bytes(left[:3]), bytes(new[:3])) == (b"two", bytes(3))
