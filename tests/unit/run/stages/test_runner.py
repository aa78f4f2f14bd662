"""Claim, attempt, settle at a stage after the upload: how a run of it ends, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

import pytest

from bulkup.content.picture.types import Metadata
from bulkup.errors import (
    BulkupError,
    DestinationError,
    ErrorClass,
    PictureInvalid,
    SourceMissing,
    StoreForbidden,
    StoreFull,
    StoreUnreachable,
    WorkerLost,
)
from bulkup.events import AttemptFailed, Event, ItemsDone
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.queue.stages import StageScope
from bulkup.manifest.rows import EmbeddedItem, ProcessedItem, SkippedItem, WorkItem
from bulkup.model import Stage
from bulkup.run.async_manifest import AsyncManifest
from bulkup.run.circuit_breaker import CircuitBreaker
from bulkup.run.job import LaterLimits
from bulkup.run.stages import runner as stage_work
from bulkup.run.stages.results import Outcome
from bulkup.run.stages.runner import StageRunner
from tests.fakes.clock import FakeClock
from tests.sql import sql
from tests.unit.manifest.queue.test_stages import followed
from tests.unit.manifest.recording import NOW, recount_differs, rows, run_row

Say = Callable[[WorkItem, int], Outcome]


def done(item: WorkItem, _attempt: int = 1) -> Outcome:
    return ProcessedItem(item, (), Metadata(1, 1, "JPEG"), None, 0.1)


class Saying:
    """A stage of which the test says how each attempt ends."""

    stage = Stage.PROCESS

    def __init__(
        self, async_manifest: AsyncManifest, say: Say, concurrency: int = 2, most_items: int = 1
    ) -> None:
        self.concurrency, self.most_items = concurrency, most_items
        self.attempts: list[str] = []
        self.together: list[int] = []
        self.is_closed = False
        self._async_manifest, self._say = async_manifest, say

    async def attempt(self, items: Sequence[WorkItem]) -> Sequence[Outcome]:
        self.together.append(len(items))
        self.attempts += [item.name for item in items]
        await asyncio.sleep(0)
        return [self._say(item, self.attempts.count(item.name)) for item in items]

    async def record(self, done: Sequence[ProcessedItem | EmbeddedItem]) -> None:
        await self._async_manifest.call(
            self._async_manifest.manifest.pictures.settle,
            [one for one in done if isinstance(one, ProcessedItem)],
            follows=None,
            destination_id=1,
            run_id="r",
            now=NOW,
        )

    async def close(self) -> None:
        self.is_closed = True


class Working:
    """A run of a stage over five uploaded files."""

    def __init__(self, path: Path) -> None:
        self.manifest = Manifest(str(path / "manifest.db"))
        self.scope: StageScope = followed(self.manifest, *(f"{n}.jpg" for n in range(5)))
        self.manifest.runs.begin(run_row("r"))
        self.clock = FakeClock(NOW)
        self.events: list[Event] = []
        self.checks: list[BulkupError | None] = []

    async def check(self) -> None:
        error = self.checks.pop(0) if self.checks else None
        if error is not None:
            raise error

    async def run(
        self,
        say: Say,
        *,
        concurrency: int = 2,
        most_items: int = 1,
        is_fed: Callable[[], bool] = lambda: False,
        **limits: float,
    ) -> None:
        async_manifest = AsyncManifest(self.manifest)
        self.breaker = CircuitBreaker(self.check, self.clock, self.events.append)
        self.saying = Saying(async_manifest, say, concurrency, most_items)
        self.work = StageRunner(
            async_manifest,
            self.saying,
            self.scope,
            self.breaker,
            run_id="r",
            follows=None,
            limits=LaterLimits(**limits),  # type: ignore[arg-type]
            is_fed=is_fed,
            clock=self.clock,
            random=Random(1),
            emit=self.events.append,
            wants_files=True,
        )
        await asyncio.wait_for(self.work.run(), 20)
        assert self.work.is_over
        assert self.saying.is_closed
        assert rows(self.manifest, "SELECT 1 FROM item WHERE state = 'claimed' OR in_hand") == []
        assert not recount_differs(self.manifest)

    @property
    def states(self) -> dict[str, int]:
        found = self.manifest.stage_queue.counts(1, Stage.PROCESS)
        return {state: number for state, number in found.items() if number}


@pytest.fixture
def working(tmp_path: Path) -> Iterator[Working]:
    made = Working(tmp_path)
    yield made
    made.manifest.close()


async def test_all_items_are_attempted_once(working: Working) -> None:
    await working.run(done)
    assert sorted(working.saying.attempts) == [f"{n}.jpg" for n in range(5)]
    assert working.states == {"done": 5}
    assert (working.work.counts.done, working.work.stop_error) == (5, None)
    told = [one for event in working.events if isinstance(event, ItemsDone) for one in event.items]
    assert len(told) == 5


async def test_several_are_attempted_together_where_that_is_possible(working: Working) -> None:
    await working.run(done, concurrency=1, most_items=3)
    assert working.saying.together == [3, 2]


async def test_one_that_fails_waits_and_the_others_go_on(working: Working) -> None:
    def say(item: WorkItem, _: int) -> Outcome:
        return SourceMissing("gone") if item.name == "0.jpg" else done(item)

    await working.run(say)
    assert working.states == {"done": 4, "waiting": 1}
    assert (working.work.counts.waiting, working.work.counts.dead) == (1, 0)
    assert working.work.counts.failures == {ErrorClass.MISSING: 1}


async def test_one_that_falls_due_within_the_patience_is_attempted_again(
    working: Working,
) -> None:
    def say(item: WorkItem, attempt: int) -> Outcome:
        return SourceMissing("gone") if item.name == "0.jpg" and attempt < 2 else done(item)

    await working.run(say, patience_seconds=100.0)
    assert working.states == {"done": 5}
    assert working.clock.now() >= NOW + 54


async def test_what_is_invalid_is_dead_at_once_and_what_does_not_apply_skipped(
    working: Working,
) -> None:
    def say(item: WorkItem, _: int) -> Outcome:
        if item.name == "0.jpg":
            return PictureInvalid("a bomb")
        return SkippedItem(item, "no picture", 0.1) if item.name == "1.jpg" else done(item)

    await working.run(say)
    assert working.states == {"done": 3, "dead": 1, "skipped": 1}
    assert (working.work.counts.dead, working.work.counts.skipped) == (1, 1)


async def test_a_lost_worker_is_a_strike_and_three_are_the_end(working: Working) -> None:
    def say(item: WorkItem, attempt: int) -> Outcome:
        lost = item.name == "0.jpg" or (item.name == "1.jpg" and attempt < 3)
        return WorkerLost("SIGKILL") if lost else done(item)

    await working.run(say)
    assert working.states == {"done": 4, "dead": 1}
    assert working.saying.attempts.count("0.jpg") == 3
    assert working.work.counts.dead == 1
    told = [e.state for e in working.events if isinstance(e, AttemptFailed) and "0.jpg" in e.path]
    assert told == ["ready", "ready", "dead"]
    strikes = rows(
        working.manifest,
        "SELECT name, strikes FROM item JOIN asset USING (content_id) WHERE strikes",
    )
    assert strikes == [("0.jpg", 3), ("1.jpg", 2)]


async def test_a_limit_bounds_what_is_begun(working: Working) -> None:
    await working.run(done, items=2)
    assert working.states == {"done": 2, "ready": 3}


async def test_errors_up_to_a_number_end_the_stage(working: Working) -> None:
    await working.run(lambda item, _: PictureInvalid("a bomb"), concurrency=1, errors=2)
    assert working.states == {"dead": 2, "ready": 3}
    assert "--max-errors" in (working.work.stop_reason or "")


async def test_keys_that_are_refused_from_the_first_request_on_are_no_items_fault(
    working: Working,
) -> None:
    """Also when something that needs no request came first."""

    def say(item: WorkItem, _: int) -> Outcome:
        if item.name == "0.jpg":
            return SkippedItem(item, "no picture", 0.1)
        return StoreForbidden("AccessDenied", code="AccessDenied")

    await working.run(say, concurrency=1)
    assert working.states == {"skipped": 1, "ready": 4}
    assert isinstance(working.work.stop_error, DestinationError)
    assert rows(working.manifest, "SELECT sum(attempts) FROM item WHERE state = 'ready'") == [(0,)]


async def test_one_that_is_refused_after_others_were_not_is_dead_alone(working: Working) -> None:
    def say(item: WorkItem, _: int) -> Outcome:
        return StoreForbidden("AccessDenied") if item.name == "3.jpg" else done(item)

    await working.run(say, concurrency=1)
    assert working.states == {"done": 4, "dead": 1}


async def test_a_network_that_comes_back_costs_no_attempt(working: Working) -> None:
    def say(item: WorkItem, attempt: int) -> Outcome:
        if item.name == "2.jpg" and attempt == 1:
            working.clock.advance(60)
            return StoreUnreachable("reset")
        return done(item)

    working.checks = [StoreUnreachable("reset"), None]
    await working.run(say, concurrency=1)
    assert working.states == {"done": 5}
    assert rows(working.manifest, "SELECT max(attempts) FROM item WHERE stage = 'process'") == [
        (1,)
    ]


async def test_one_that_is_never_reached_while_others_are_fails_alone(working: Working) -> None:
    """Others got through since its attempt began: the network is well."""

    def say(item: WorkItem, attempt: int) -> Outcome:
        if item.name == "1.jpg":
            working.breaker.record_success(working.clock.monotonic())
            return StoreUnreachable("reset")
        return done(item)

    await working.run(say, concurrency=1)
    assert working.states == {"done": 4, "waiting": 1}


async def test_a_full_destination_ends_the_stage_and_blames_nobody(working: Working) -> None:
    def say(item: WorkItem, _: int) -> Outcome:
        return StoreFull("no space left") if item.name == "2.jpg" else done(item)

    await working.run(say, concurrency=1)
    assert working.states == {"done": 2, "ready": 3}
    assert isinstance(working.work.stop_error, DestinationError)


async def test_trouble_of_the_whole_stage_ends_it_and_gives_everything_back(
    working: Working,
) -> None:
    def say(item: WorkItem, _: int) -> Outcome:
        raise BulkupError("a worker process does not start")

    await working.run(say)
    assert working.states == {"ready": 5}
    assert "does not start" in str(working.work.stop_error)


async def test_a_bug_ends_the_stage_with_that_error(working: Working) -> None:
    def say(item: WorkItem, _: int) -> Outcome:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await working.run(say)
    working.manifest.runs.end("r", now=NOW, exit_code=1, summary={})
    assert working.states == {"ready": 5}


async def test_an_error_of_a_whole_call_is_each_items(working: Working) -> None:
    def say(item: WorkItem, _: int) -> Outcome:
        raise PictureInvalid("all of them")

    await working.run(say, most_items=5)
    assert working.states == {"dead": 5}


async def test_a_stage_waits_for_the_one_before_it(working: Working) -> None:
    """What comes while it works is attempted, too; it ends when nothing more can come."""
    manifest, looks = working.manifest, 0
    sql(manifest, "DELETE FROM item WHERE stage = 'process' AND content_id > 2")

    def is_fed() -> bool:
        nonlocal looks
        looks += 1
        if looks == 5:  # the last things come just before the stage before is over
            manifest.stage_queue.enqueue_next_stage(1, Stage.PROCESS, now=NOW)
        return looks < 5

    await working.run(done, is_fed=is_fed)
    assert working.states == {"done": 5}


async def test_a_stage_ends_as_soon_as_the_one_before_it(
    working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage_work, "LOOK_SECONDS", 1000.0)
    fed = [True]

    async def end_soon() -> None:
        while working.states != {"done": 5}:  # noqa: ASYNC110 - no event for tests
            await asyncio.sleep(0.01)
        fed[0] = False
        working.work.wake()

    ending = asyncio.create_task(end_soon())
    await working.run(done, is_fed=lambda: fed[0])
    await ending


async def test_a_stop_gives_back_what_is_not_begun(working: Working) -> None:
    def say(item: WorkItem, _: int) -> Outcome:
        working.work.stop("SIGINT received")
        return done(item)

    await working.run(say, concurrency=1)
    assert working.states == {"done": 1, "ready": 4}


async def test_what_hangs_after_a_stop_is_given_back_in_time(
    working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(items: Sequence[WorkItem]) -> Sequence[Outcome]:
        working.work.stop("SIGINT received")
        await asyncio.Event().wait()
        raise AssertionError

    def say(item: WorkItem, _: int) -> Outcome:
        raise AssertionError

    monkeypatch.setattr(Saying, "attempt", lambda _, items: hang(items))
    await working.run(say)
    assert working.states == {"ready": 5}
    assert working.clock.monotonic() >= 5.0
