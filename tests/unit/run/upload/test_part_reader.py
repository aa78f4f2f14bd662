"""How many bytes of parts are in memory."""

from __future__ import annotations

import asyncio

from bulkup.run.upload.part_reader import ByteLimit

MIB = 1 << 20


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_parts_of_several_sizes_share_one_limit() -> None:
    """A file with larger parts does not get a limit of its own beside that of the others."""
    limit = ByteLimit(96 * MIB)
    for _ in range(6):
        await limit.acquire(16 * MIB)
    larger = asyncio.create_task(limit.acquire(32 * MIB))
    await settled()
    assert not larger.done()
    limit.release(16 * MIB)
    await settled()
    assert not larger.done()
    limit.release(16 * MIB)
    await larger
    assert limit.held_bytes == 96 * MIB


async def test_two_parts_larger_than_the_limit_are_sent_at_once() -> None:
    limit = ByteLimit(10)
    await limit.acquire(100)
    await limit.acquire(100)
    third = asyncio.create_task(limit.acquire(100))
    await settled()
    assert not third.done()
    limit.release(100)
    await third


async def test_room_is_given_in_order() -> None:
    limit, order = ByteLimit(10), []

    async def take(name: str, size: int) -> None:
        await limit.acquire(size)
        order.append(name)

    for size in (5, 4):
        await limit.acquire(size)
    tasks = [asyncio.create_task(take("large", 5)), asyncio.create_task(take("small", 1))]
    await settled()
    assert order == [], "the small one does not overtake"
    limit.release(5)
    limit.release(4)
    await asyncio.gather(*tasks)
    assert order == ["large", "small"]


async def test_a_cancelled_wait_holds_nothing() -> None:
    limit = ByteLimit(10)
    await limit.acquire(5)
    await limit.acquire(5)
    waiting, granted = (asyncio.create_task(limit.acquire(5)) for _ in range(2))
    await settled()
    waiting.cancel()
    await settled()
    limit.release(5)
    limit.release(5)
    granted.cancel()  # its turn has come, and it has not run yet
    await settled()
    assert limit.held_bytes == 0
