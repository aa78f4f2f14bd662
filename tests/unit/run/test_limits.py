"""Limits hold for the run: over all its stages and destinations."""

from __future__ import annotations

from bulkup.content.picture.spec import Format, VariantSpec
from bulkup.errors import StoreRefused
from bulkup.model import Stage
from bulkup.run.limits import UNLIMITED, RunLimits
from bulkup.settings.options import RunOptions
from bulkup.settings.stage_options import ProcessOptions
from tests.fakes.clock import FakeClock
from tests.fakes.scripted_store import ScriptedStore
from tests.faults.pushing import Pushing
from tests.sql import sql


def test_without_limits_nothing_is_ever_reached(clock: FakeClock) -> None:
    limits = RunLimits(RunOptions(), clock)
    limits.begin(Stage.UPLOAD, 10**9)
    for _ in range(1000):
        limits.add_error()
    clock.advance(1e9)
    assert (limits.items_left(Stage.UPLOAD), limits.reached) == (UNLIMITED, None)


def test_what_is_uploaded_counts_for_all_stages(clock: FakeClock) -> None:
    limits = RunLimits(RunOptions(limit=10), clock)
    limits.begin(Stage.UPLOAD, 4)
    limits.begin(Stage.PROCESS, 3)
    left = [limits.items_left(stage) for stage in Stage]
    assert left == [6, 3, 6]
    limits.begin(Stage.UPLOAD, -1)  # it was a duplicate
    assert limits.items_left(Stage.UPLOAD) == 7


def test_the_time_is_up(clock: FakeClock) -> None:
    limits = RunLimits(RunOptions(max_duration_seconds=60.0), clock)
    clock.advance(59.0)
    assert limits.reached is None
    clock.advance(1.0)
    assert limits.reached == "the time is up (--max-duration)"


async def test_errors_of_all_stages_count_together(pushing: Pushing, store: ScriptedStore) -> None:
    """Three files are refused by the store; one more that is no picture ends the run."""
    pushing.write({f"{n:02}.jpg": b"\xff\xd8\xff %d" % n for n in range(20)})
    store.fail("put", *[StoreRefused("400")] * 3)
    thumb = VariantSpec("thumb", 64, Format.WEBP, 80)
    summary = await pushing.push(
        stages=(Stage.UPLOAD, Stage.PROCESS),
        process=ProcessOptions(workers=1, variants=(thumb,)),
        max_errors=4,
        concurrency=1,
    )
    dead = "SELECT stage, count(*) FROM item WHERE state = 'dead' GROUP BY stage"
    found: dict[str, int] = dict(sql(pushing.manifest, dead))
    assert found["upload"] == 3
    assert 1 <= found["process"] < 4, "those in flight may end"
    assert summary.interrupted is False
    assert sql(pushing.manifest, "SELECT 1 FROM item WHERE state = 'claimed'") == []
