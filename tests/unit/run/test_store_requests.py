"""Requests that are tried again are no silence: why is told while they wait."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from bulkup.clock import SystemClock
from bulkup.errors import ObjectMissing, StoreBroken
from bulkup.run.store_requests import requests_to
from bulkup.settings.options import RunOptions
from bulkup.stores.open import open_store
from tests.fakes.faults import Fault
from tests.fakes.s3_server import FakeS3
from tests.servers.endpoint import Endpoint


async def test_why_a_try_failed_is_told_until_the_next_begins() -> None:
    seen: list[str | None] = []

    with FakeS3(faults=[Fault(op="HeadObject", status=500, times=2)]) as server:
        clock = SystemClock()
        store = open_store("s3://bucket", environ=Endpoint(server.url).environment, clock=clock)
        requests = requests_to(store, RunOptions(), clock, Random(1))

        async def ask() -> object:
            assert requests.failing is None
            return await store.head("a.jpg")

        async def look() -> None:
            while True:
                seen.append(requests.failing)
                await asyncio.sleep(0.001)

        looking = asyncio.create_task(look())
        try:
            with pytest.raises(ObjectMissing):
                await requests.ask(ask)
            assert requests.failing is None
        finally:
            looking.cancel()
            await store.close()
    said = {one for one in seen if one is not None}
    assert said
    assert all("500" in one and one.endswith("(1 to be tried again)") for one in said)


async def test_nothing_is_told_when_the_tries_are_over() -> None:
    with FakeS3(faults=[Fault(op="HeadObject", status=500, times=None)]) as server:
        clock = SystemClock()
        store = open_store("s3://bucket", environ=Endpoint(server.url).environment, clock=clock)
        requests = requests_to(store, RunOptions(), clock, Random(1))
        try:
            with pytest.raises(StoreBroken):
                await requests.ask(lambda: store.head("a.jpg"))
            assert requests.failing is None
        finally:
            await store.close()
