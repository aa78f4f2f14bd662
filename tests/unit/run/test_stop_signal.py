"""A stop reaches everybody once; the first error ends a group of tasks."""

from __future__ import annotations

import asyncio

import pytest

from bulkup.run.stop_signal import StopSignal, task_group


def test_the_first_reason_stays() -> None:
    stop, heard = StopSignal(), []
    stop.on_set(lambda: heard.append("before"))
    stop.set("SIGINT")
    stop.set("something else")
    stop.on_set(lambda: heard.append("after"))
    assert (stop.reason, heard) == ("SIGINT", ["before", "after"])


def test_an_event_of_a_signal_that_is_set_is_set() -> None:
    stop = StopSignal()
    early = stop.event()
    assert not early.is_set()
    stop.set("SIGINT")
    assert early.is_set()
    assert stop.event().is_set()


async def test_a_group_raises_the_error_itself_and_cancels_the_others() -> None:
    waiting: list[asyncio.Task[bool]] = []

    async def fail() -> None:
        raise ZeroDivisionError

    async def work() -> None:
        async with task_group() as outer, task_group() as inner:
            waiting.append(outer.create_task(asyncio.Event().wait()))
            inner.create_task(fail())

    with pytest.raises(ZeroDivisionError):
        await work()
    assert waiting[0].cancelled()
