"""One aggregation for all who ask."""

from __future__ import annotations

import asyncio

import pytest

from bulkup.serve.live.aggregation import Aggregation
from tests.fakes.clock import FakeClock


class Maker:
    """Counts how often it was asked; `go` lets it answer."""

    def __init__(self) -> None:
        self.made = 0
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self) -> int:
        self.made += 1
        number = self.made
        await self.go.wait()
        if number < 0:
            raise AssertionError
        return number


async def test_many_who_ask_at_once_cause_one() -> None:
    maker = Maker()
    aggregation = Aggregation(maker, 5.0, FakeClock())

    found = await asyncio.gather(*(aggregation.get() for _ in range(100)))

    assert (set(found), maker.made) == ({1}, 1)


async def test_an_old_one_is_served_while_it_is_made_again() -> None:
    maker, clock = Maker(), FakeClock()
    aggregation = Aggregation(maker, 5.0, clock)
    await aggregation.get()
    clock.advance(4.9)
    assert (await aggregation.get(), maker.made) == (1, 1)

    clock.advance(0.2)
    maker.go.clear()
    assert await aggregation.get() == 1
    assert await aggregation.get() == 1
    fresh = asyncio.create_task(aggregation.get(fresh=True))
    await asyncio.sleep(0)
    maker.go.set()

    assert await fresh == 2
    assert (await aggregation.get(), maker.made) == (2, 2)


async def test_after_a_long_silence_the_next_one_is_waited_for() -> None:
    maker, clock = Maker(), FakeClock()
    aggregation = Aggregation(maker, 5.0, clock)
    await aggregation.get()

    clock.advance(3600)

    assert await aggregation.get() == 2


async def test_a_failure_is_raised_and_tried_again() -> None:
    answers = iter([RuntimeError("no"), 7])

    async def make() -> int:
        answer = next(answers)
        if isinstance(answer, RuntimeError):
            raise answer
        return answer

    aggregation = Aggregation(make, 5.0, FakeClock())
    with pytest.raises(RuntimeError):
        await aggregation.get()

    assert await aggregation.get() == 7
