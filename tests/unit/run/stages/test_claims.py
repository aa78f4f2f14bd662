"""What a stage is handed out, and when nothing is left."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from bulkup.manifest.manifest import Manifest
from bulkup.run.context import new_context
from bulkup.run.limits import RunLimits
from bulkup.run.stages.claims import ClaimRules, Claims
from bulkup.run.stop_signal import StopSignal
from bulkup.settings.options import RunOptions
from tests.fakes.clock import FakeClock
from tests.sql import sql
from tests.unit.manifest.recording import NOW, Pusher, file, folder


class Uploads:
    """The claims of an upload of five files that are ready."""

    def __init__(self, path: Path) -> None:
        self.manifest = Manifest(str(path / "manifest.db"))
        self.pusher = Pusher.begin(self.manifest, "r")
        self.pusher.record(folder(new=[file(f"{n}.jpg") for n in range(5)]), hand_over=0)
        self.stop = StopSignal()
        self.settled = 0

    def claims(self, *, gather_seconds: float = 0.0, **options: object) -> Claims:
        clock = FakeClock(NOW)
        context = new_context(
            self.manifest,
            clock=clock,
            random=Random(1),
            emit=lambda _: None,
            environ={},
            wants_files=False,
        )
        options = {"patience_seconds": 0.0, **options}
        claims = Claims(
            context._replace(run_id="r"),
            self.pusher.uploads,
            ClaimRules(low=2, most=3, gather_seconds=gather_seconds),
            RunLimits(RunOptions(**options), clock),  # type: ignore[arg-type]
            self.stop,
            wait_until_settled=self._wait_until_settled,
            is_limited=True,
        )
        claims.begin_feed()
        claims.end_feed()
        return claims

    async def _wait_until_settled(self) -> None:
        self.settled += 1

    @property
    def claimed(self) -> int:
        query = "SELECT count(*) FROM item WHERE state = 'claimed'"
        return int(sql(self.manifest, query)[0][0])


@pytest.fixture
def uploads(tmp_path: Path) -> Iterator[Uploads]:
    made = Uploads(tmp_path)
    yield made
    made.manifest.close()


async def test_items_are_claimed_a_few_at_a_time_until_none_is_left(uploads: Uploads) -> None:
    claims, names = uploads.claims(), []
    while items := await claims.take(2):
        assert claims.held <= 3, "other runs find their share"
        for item in items:
            names.append(item.name)
            claims.end(item.item_id)
    assert names == [f"{n}.jpg" for n in range(5)]
    assert uploads.settled == 1, "what ended must be recorded before the manifest is asked"


async def test_nothing_is_left_only_when_all_have_ended(uploads: Uploads) -> None:
    """One that fails may be attempted again."""
    claims = uploads.claims()
    held = [item for _ in range(5) for item in await claims.take(1)]
    last = asyncio.create_task(claims.take(1))
    for item in held[:4]:
        claims.end(item.item_id)
    await asyncio.sleep(0)
    assert not last.done()
    claims.end(held[4].item_id)
    assert await asyncio.wait_for(last, 5) == []


async def test_what_does_not_count_makes_room_under_the_limit(uploads: Uploads) -> None:
    claims = uploads.claims(limit=2)
    first, second = await claims.take(9)
    third = asyncio.create_task(claims.take(9))
    claims.end(first.item_id, counts=False)  # a duplicate
    assert [item.name for item in await asyncio.wait_for(third, 5)] == ["2.jpg"]
    claims.end(second.item_id)
    assert claims.held == 1


async def test_the_scan_hands_over_what_there_is_room_for(uploads: Uploads) -> None:
    claims = uploads.claims(limit=3)
    assert claims.room() == 3
    assert len(await claims.take(2)) == 2
    assert claims.room() <= 1
    uploads.stop.set("SIGINT")
    assert claims.room() == 0


async def test_a_stop_hands_out_nothing_and_all_is_released(uploads: Uploads) -> None:
    claims = uploads.claims()
    (taken,) = await claims.take(1)
    claims.replace(taken.item_id, taken)
    uploads.stop.set("SIGINT")
    assert await claims.take(1) == []
    assert uploads.claimed > 0
    await claims.release()
    assert (uploads.claimed, claims.held) == (0, 0)


async def test_a_call_that_takes_several_waits_for_more_for_a_while(uploads: Uploads) -> None:
    claims = uploads.claims(gather_seconds=0.01)
    claims.begin_feed()
    assert len(await claims.take(3)) == 3
    assert len(await asyncio.wait_for(claims.take(3), 5)) == 2, "more does not come"
