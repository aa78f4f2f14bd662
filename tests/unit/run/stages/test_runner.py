"""Claim, attempt, settle at a stage after the upload: how a run of it ends, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import ParamSpec, TypeVar

import pytest

from bulkup.content.picture.types import Metadata
from bulkup.errors import (
    BulkupError,
    CredentialsRefused,
    DestinationError,
    DestinationUnreachable,
    EngineUnusable,
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
from bulkup.manifest.rows import ProcessedItem, SkippedItem, WorkItem
from bulkup.model import Stage
from bulkup.pace.limiter import RequestLimiter
from bulkup.pace.pacer import Pacer
from bulkup.run.async_manifest import AsyncManifest
from bulkup.run.circuit_breaker import CircuitBreaker
from bulkup.run.context import RunContext
from bulkup.run.job import BatchStart, Job, JobContext
from bulkup.run.limits import RunLimits
from bulkup.run.options import BatchOptions
from bulkup.run.stages import results as stage_results
from bulkup.run.stages.attempts import Attempted, Attempts
from bulkup.run.stages.claims import ClaimRules
from bulkup.run.stages.results import DoneItem, Outcome
from bulkup.run.stages.runner import SETTLE_SECONDS, StageRunner
from bulkup.run.stop_signal import StopSignal
from bulkup.run.store_requests import StoreRequests
from bulkup.settings.options import RunOptions
from bulkup.stores.directory.store import DirectoryStore
from tests.fakes.clock import FakeClock
from tests.sql import sql
from tests.unit.manifest.queue.test_stages import followed
from tests.unit.manifest.recording import NOW, recount_differs, rows, run_row

P = ParamSpec("P")
T = TypeVar("T")

Say = Callable[[WorkItem, int], Outcome]


def done(item: WorkItem, _attempt: int = 1) -> Outcome:
    return ProcessedItem(item, (), Metadata(1, 1, "JPEG"), 0.1)


class Saying:
    """A stage of which the test says how each attempt ends."""

    stage = Stage.PROCESS

    def __init__(self, run: RunContext, say: Say, concurrency: int, most_items: int) -> None:
        self.concurrency, self._most_items = concurrency, most_items
        self.rules = ClaimRules(most_items, most_items * concurrency)
        self.isolates = False
        self.attempts: list[str] = []
        self.together: list[int] = []
        self.companions: list[int] = []  # of each attempted item: how many are in progress, with it
        self._in_progress = 0
        self.recorded: list[int] = []  # so many at a time
        self.records_slowly = False
        self.most_unrecorded = 0
        self.is_closed = False
        self.unasked: Sequence[str] = ()  # names of items that need no request
        self._run, self._say = run, say

    def most_items(self, left: int | None = None) -> int:
        return self._most_items

    async def attempt(self, items: Sequence[WorkItem], *, is_alone: bool) -> Attempted:
        self.together.append(len(items))
        self.attempts += [item.name for item in items]
        self._in_progress += len(items)
        self.companions += [self._in_progress] * len(items)
        await asyncio.sleep(0)
        self._in_progress -= len(items)
        return Attempted(
            {item.item_id: self._say(item, self.attempts.count(item.name)) for item in items},
            unasked=frozenset(item.item_id for item in items if item.name in self.unasked),
        )

    async def record(self, done: Sequence[DoneItem]) -> None:
        self.recorded.append(len(done))
        if self.records_slowly:
            await _until_settled(lambda: len(self.attempts))
        self.most_unrecorded = max(
            self.most_unrecorded, len(self.attempts) - sum(self.recorded[:-1])
        )
        await self._run.call(
            self._run.manifest.pictures.settle,
            [one for one in done if isinstance(one, ProcessedItem)],
            follows=None,
            destination_id=1,
            run_id="r",
            now=NOW,
        )

    async def close(self) -> None:
        self.is_closed = True


async def _until_settled(count: Callable[[], int]) -> None:
    """Until all other tasks wait, and nothing is counted any more."""
    before = -1
    while before != count():
        before = count()
        for _ in range(20):
            await asyncio.sleep(0)


class Calls(AsyncManifest):
    """Remembers what was called."""

    def __init__(self, manifest: Manifest) -> None:
        super().__init__(manifest)
        self.names: list[str] = []

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self.names.append(function.__name__)
        return await super().call(function, *args, **kwargs)


class Working:
    """A run of a stage over uploaded files."""

    def __init__(self, path: Path, files: int = 5) -> None:
        self.manifest = Manifest(str(path / "manifest.db"))
        self.scope: StageScope = followed(self.manifest, *(f"{n}.jpg" for n in range(files)))
        self.manifest.runs.begin(run_row("r"))
        self.clock = FakeClock(NOW)
        self.events: list[Event] = []
        self.checks: list[BulkupError | None] = []

    async def check(self) -> None:
        error = self.checks.pop(0) if self.checks else None
        if error is not None:
            raise error

    def prepare(
        self,
        say: Say,
        *,
        concurrency: int = 2,
        most_items: int = 1,
        claimed: int = 0,
        **options: object,
    ) -> None:
        """What `run` then runs; at least `claimed` items are claimed ahead. `options` are those of
        the run."""
        run = RunContext(
            "r", Calls(self.manifest), self.clock, Random(1), self.events.append, {}, True
        )
        self.stop = StopSignal()
        self.breaker = CircuitBreaker(self.check, self.clock, self.events.append, self.stop)
        destination = self.manifest.destinations.all()[0]
        order = BatchOptions(stages=(Stage.PROCESS,))
        options = {"patience_seconds": 0.0, **options}
        run_options = RunOptions(**options)  # type: ignore[arg-type]
        store = DirectoryStore(destination.url, clock=self.clock)
        limiter = RequestLimiter(Pacer(self.clock), self.clock)
        self.limits = RunLimits(run_options, self.clock)
        job = JobContext(
            Job(destination, order, lambda *_: None, makes_copies=False),
            BatchStart(self.scope.batch_id or 0),
            run,
            run_options,
            StoreRequests(store, limiter, self.clock, Random(1)),
            self.breaker,
            self.stop,
        )
        self.saying = Saying(run, say, concurrency, most_items)
        if claimed:
            self.saying.rules = ClaimRules(most_items, claimed)
        self.work = StageRunner(job, Attempts(job, self.saying), self.limits, is_limited=True)
        self.calls = run.async_manifest.names  # type: ignore[attr-defined]

    async def run(self, say: Say, **options: object) -> None:
        self.prepare(say, **options)  # type: ignore[arg-type]
        await self.run_prepared()

    async def run_prepared(self) -> None:
        try:
            await asyncio.wait_for(self.work.run(), 20)
        finally:
            assert self.saying.is_closed
            claimed = "SELECT 1 FROM item WHERE state = 'claimed' OR in_hand"
            assert rows(self.manifest, claimed) == []
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
    assert working.work.counts.done == 5
    told = [one for event in working.events if isinstance(event, ItemsDone) for one in event.items]
    assert len(told) == 5


async def test_several_are_attempted_together_where_that_is_possible(working: Working) -> None:
    await working.run(done, concurrency=1, most_items=3)
    assert working.saying.together == [3, 2]


async def test_results_that_are_recorded_slowly_hold_new_attempts_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage_results, "SETTLE_ITEMS", 10)
    monkeypatch.setattr(stage_results, "MOST_UNSETTLED", 20)
    working = Working(tmp_path, files=120)
    working.prepare(done, concurrency=2, most_items=5, claimed=120)
    working.saying.records_slowly = True
    await working.run_prepared()
    assert working.states == {"done": 120}
    assert max(working.saying.recorded) == 10  # in one transaction
    assert working.saying.most_unrecorded <= 10 + 20 + 2 * 5  # those, the backlog, in progress
    working.manifest.close()


async def test_one_that_fails_waits_and_the_others_go_on(working: Working) -> None:
    def say(item: WorkItem, _: int) -> Outcome:
        return SourceMissing("gone") if item.name == "0.jpg" else done(item)

    await working.run(say)
    assert working.states == {"done": 4, "waiting": 1}
    assert (working.work.counts.waiting, working.work.counts.dead) == (1, 0)


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


@pytest.mark.parametrize("most_items", [1, 4])
async def test_suspects_are_attempted_last_and_alone(working: Working, most_items: int) -> None:
    """Whichever takes this run down with it is known then."""
    queue = working.manifest.stage_queue
    working.manifest.runs.begin(run_row("killed"))
    in_hand = queue.claim(working.scope, run_id="killed", limit=2, now=NOW)
    queue.mark_in_worker(in_hand, run_id="killed")
    working.manifest.runs.reap_dead_runs(lambda run: run.id == "killed", now=NOW)
    await working.run(done, most_items=most_items, concurrency=3)
    assert working.states == {"done": 5}
    assert working.saying.attempts[-2:] == ["0.jpg", "1.jpg"]
    assert working.saying.companions[-2:] == [1, 1]
    assert max(working.saying.companions[:-2]) > 1


async def test_a_lost_task_is_attempted_in_single_items_and_nobody_has_a_strike(
    working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[int, bool]] = []

    async def attempt(items: Sequence[WorkItem], *, is_alone: bool) -> Attempted:
        calls.append((len(items), is_alone))
        if len(items) > 1:
            return Attempted({}, frozenset(item.item_id for item in items))
        return Attempted({items[0].item_id: done(items[0])})

    working.prepare(done, concurrency=1, most_items=5)
    monkeypatch.setattr(working.saying, "attempt", attempt)
    await working.run_prepared()
    assert calls == [(5, False), *[(1, False)] * 5]
    assert working.states == {"done": 5}
    assert rows(working.manifest, "SELECT sum(strikes) FROM item") == [(0,)]


async def test_one_that_is_lost_again_is_attempted_alone(
    working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is known whether its worker was lost for its sake."""
    alone: list[str] = []

    async def attempt(items: Sequence[WorkItem], *, is_alone: bool) -> Attempted:
        if len(items) > 1 or (items[0].name == "3.jpg" and not is_alone):
            return Attempted({}, frozenset(item.item_id for item in items))
        if is_alone:
            alone.append(items[0].name)
            return Attempted({items[0].item_id: WorkerLost("vanished")})
        return Attempted({items[0].item_id: done(items[0])})

    working.prepare(done, concurrency=1, most_items=5)
    monkeypatch.setattr(working.saying, "attempt", attempt)
    await working.run_prepared()
    assert alone == ["3.jpg"] * 3
    assert working.states == {"done": 4, "dead": 1}


async def test_what_was_not_begun_is_attempted_again(
    working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task ends when its time is over."""
    sizes: list[int] = []

    async def attempt(items: Sequence[WorkItem], *, is_alone: bool) -> Attempted:
        sizes.append(len(items))
        return Attempted({items[0].item_id: done(items[0])})

    working.prepare(done, concurrency=1, most_items=5)
    monkeypatch.setattr(working.saying, "attempt", attempt)
    await working.run_prepared()
    assert sizes == [5, 4, 3, 2, 1]
    assert working.states == {"done": 5}


async def test_workers_that_begin_nothing_end_the_stage(
    working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def attempt(items: Sequence[WorkItem], *, is_alone: bool) -> Attempted:
        return Attempted({})

    working.prepare(done, concurrency=1, most_items=5)
    monkeypatch.setattr(working.saying, "attempt", attempt)
    with pytest.raises(EngineUnusable):
        await working.run_prepared()
    assert working.states == {"ready": 5}


async def test_a_limit_bounds_what_is_begun(working: Working) -> None:
    await working.run(done, limit=2)
    assert working.states == {"done": 2, "ready": 3}


async def test_errors_up_to_a_number_end_the_stage(working: Working) -> None:
    await working.run(lambda item, _: PictureInvalid("a bomb"), concurrency=1, max_errors=2)
    assert working.states == {"dead": 2, "ready": 3}
    assert "--max-errors" in (working.stop.reason or "")


async def test_keys_that_are_refused_from_the_first_request_on_are_no_items_fault(
    working: Working,
) -> None:
    """Also when something that needs no request came first."""

    def say(item: WorkItem, _: int) -> Outcome:
        if item.name == "0.jpg":
            return SkippedItem(item, "no picture", 0.1)
        return StoreForbidden("AccessDenied", code="AccessDenied")

    with pytest.raises(CredentialsRefused):
        await working.run(say, concurrency=1)
    assert working.states == {"skipped": 1, "ready": 4}
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


async def test_what_needs_no_request_does_not_show_that_the_destination_works(
    working: Working,
) -> None:
    def say(item: WorkItem, _: int) -> Outcome:
        return done(item) if item.name == "0.jpg" else StoreUnreachable("refused")

    working.prepare(say, concurrency=1)
    working.saying.unasked = ["0.jpg"]
    with pytest.raises(DestinationUnreachable, match="refused"):
        await working.run_prepared()
    assert working.states == {"done": 1, "ready": 4}


async def test_a_full_destination_ends_the_stage_and_blames_nobody(working: Working) -> None:
    def say(item: WorkItem, _: int) -> Outcome:
        return StoreFull("no space left") if item.name == "2.jpg" else done(item)

    with pytest.raises(DestinationError, match="no space left"):
        await working.run(say, concurrency=1)
    assert working.states == {"done": 2, "ready": 3}


async def test_trouble_of_the_whole_stage_ends_it_and_gives_everything_back(
    working: Working,
) -> None:
    def say(item: WorkItem, _: int) -> Outcome:
        raise BulkupError("a worker process does not start")

    with pytest.raises(BulkupError, match="does not start"):
        await working.run(say)
    assert working.states == {"ready": 5}


async def test_a_bug_ends_the_stage_with_that_error(working: Working) -> None:
    def say(item: WorkItem, _: int) -> Outcome:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await working.run(say)
    assert working.states == {"ready": 5}


async def test_an_error_of_a_whole_call_is_each_items(working: Working) -> None:
    def say(item: WorkItem, _: int) -> Outcome:
        raise PictureInvalid("all of them")

    await working.run(say, most_items=5)
    assert working.states == {"dead": 5}


async def test_a_stage_waits_for_the_one_before_it(working: Working) -> None:
    """What comes while it works is attempted, too; it ends when nothing more can come."""
    path = working.manifest.path
    sql(path, "DELETE FROM item WHERE stage = 'process' AND content_id > 2")
    working.prepare(done)
    claims = working.work.claims
    claims.begin_feed()
    running = asyncio.create_task(working.run_prepared())
    while working.work.counts.done < 2:  # noqa: ASYNC110 - no event for tests
        await asyncio.sleep(0)
    working.manifest.stage_queue.enqueue_next_stage(1, Stage.PROCESS, now=NOW)
    claims.expect_more()
    claims.end_feed()  # the last items came just before the end
    await running
    assert working.states == {"done": 5}


async def test_idle_workers_leave_the_manifest_alone(working: Working) -> None:
    """They wait for the stage before; other processes have the manifest meanwhile."""
    working.prepare(done)
    claims = working.work.claims
    claims.begin_feed()
    running = asyncio.create_task(working.run_prepared())
    while working.states != {"done": 5}:  # noqa: ASYNC110 - no event for tests
        await asyncio.sleep(0)
    await asyncio.sleep(2 * SETTLE_SECONDS)
    working.calls.clear()
    await asyncio.sleep(3 * SETTLE_SECONDS)
    assert working.calls == []
    claims.end_feed()
    await running


async def test_a_stop_gives_back_what_is_not_begun(working: Working) -> None:
    def say(item: WorkItem, _: int) -> Outcome:
        working.stop.set("SIGINT received")
        return done(item)

    await working.run(say, concurrency=1)
    assert working.states == {"done": 1, "ready": 4}


async def test_what_hangs_after_a_stop_is_given_back_in_time(
    working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(items: Sequence[WorkItem]) -> Sequence[Outcome]:
        working.stop.set("SIGINT received")
        await asyncio.Event().wait()
        raise AssertionError

    def say(item: WorkItem, _: int) -> Outcome:
        raise AssertionError

    monkeypatch.setattr(Saying, "attempt", lambda _, items, is_alone: hang(items))
    await working.run(say)
    assert working.states == {"ready": 5}
    assert working.clock.monotonic() >= 5.0
