"""Which worker gets the next task."""

from __future__ import annotations

import asyncio

from bulkup.engines.dask.places import Places


def places_of(**slots: int) -> Places:
    places = Places()
    places.update(slots)
    for worker in places.workers.values():
        worker.is_usable = True
    return places


def test_two_tasks_for_each_slot_are_out() -> None:
    places = places_of(a=1, b=2)
    given = []
    while (worker := places.free()) is not None:
        worker.out.append(f"task-{len(given)}")
        given.append(worker.address)
    assert sorted(given) == ["a", "a", "b", "b", "b", "b"]
    assert set(given[:3]) == {"a", "b"}  # each slot has one before any has two


def test_a_worker_that_was_not_checked_gets_none() -> None:
    places = Places()
    places.update({"a": 4})
    assert places.free() is None
    assert places.slots == 0


def test_a_reserved_worker_gets_no_other_task() -> None:
    places = places_of(a=1)
    worker = places.reserve()
    assert worker is places.workers["a"]
    assert places.free() is None
    assert places.reserve() is None
    worker.is_reserved = False
    assert places.free() is worker


def test_it_works_on_as_many_as_it_has_slots_the_oldest_first() -> None:
    worker = places_of(a=2).workers["a"]
    worker.out += ["one", "two", "three"]
    assert worker.in_hand() == ["one", "two"]
    worker.out.remove("one")
    assert worker.in_hand() == ["two", "three"]


def test_workers_come_and_go() -> None:
    places = places_of(a=1, b=1)
    new, gone = places.update({"b": 1, "c": 3})
    assert [one.address for one in new] == ["c"]
    assert [one.address for one in gone] == ["a"]
    assert gone[0].is_gone
    assert gone[0].room == 0


async def test_who_waits_is_woken_when_a_task_ends() -> None:
    places = places_of(a=1)
    worker = places.workers["a"]
    worker.out += ["one", "two"]
    waiting = asyncio.create_task(places.wait(60))
    await asyncio.sleep(0)
    places.release(worker, "one")
    await asyncio.wait_for(waiting, 5)
    assert places.free() is worker
