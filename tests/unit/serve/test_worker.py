"""--work: runs are started when something is due, one for each stage."""

from __future__ import annotations

import asyncio
import os

import pytest

from bulkup.manifest.server import ServerManifest
from bulkup.model import Stage
from bulkup.serve.child_runs import ChildRuns
from bulkup.serve.context import ServerContext
from bulkup.serve.problems import Problem
from bulkup.serve.watching import PAUSE_SECONDS as WATCH_PAUSE_SECONDS
from bulkup.serve.watching import REFUSED_PAUSE_SECONDS, Watching
from bulkup.serve.worker import APART_SECONDS, PAUSE_SECONDS, RECHECK_SECONDS, Worker
from bulkup.settings.table import Settings
from tests.fakes.clock import FakeClock
from tests.sql import sql


@pytest.fixture
def settings(pushed_settings: Settings) -> Settings:
    return pushed_settings


class Runs:
    """Runs that end when a test says so."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.running: set[str] = set()
        self.exit_codes: dict[str, int] = {}

    def is_running(self, command: str) -> bool:
        return command in self.running

    def take_exit_code(self, command: str) -> int | None:
        return self.exit_codes.pop(command, None)

    async def start(self, command: str, arguments: list[str]) -> str:
        self.started.append(command)
        self.running.add(command)
        return "run"

    def end(self, command: str, code: int) -> None:
        self.running.discard(command)
        self.exit_codes[command] = code


def requeue(manifest: ServerManifest, stage: str, due_at: float = 0.0) -> None:
    sql(manifest.path, "UPDATE item SET state = 'ready', due_at = ? WHERE stage = ?", due_at, stage)


async def test_a_stage_with_due_items_gets_one_run(
    context: ServerContext, manifest: ServerManifest, clock: FakeClock
) -> None:
    runs = Runs()
    worker = Worker(context.manifest, runs, clock)  # type: ignore[arg-type]  # as its door says
    assert await worker.look() == []

    requeue(manifest, "embed")
    assert await worker.look() == [Stage.EMBED]
    assert await worker.look() == []
    runs.end("embed", 0)
    assert await worker.look() == [Stage.EMBED]


async def test_what_is_not_due_yet_is_waited_for(
    context: ServerContext, manifest: ServerManifest, clock: FakeClock
) -> None:
    worker = Worker(context.manifest, Runs(), clock)  # type: ignore[arg-type]
    requeue(manifest, "process", clock.now() + 60)
    assert await worker.look() == []

    clock.advance(61)

    assert await worker.look() == [Stage.PROCESS]


async def test_a_run_that_cannot_work_is_not_started_again_at_once(
    context: ServerContext, manifest: ServerManifest, clock: FakeClock
) -> None:
    runs = Runs()
    worker = Worker(context.manifest, runs, clock)  # type: ignore[arg-type]
    requeue(manifest, "embed")
    await worker.look()
    runs.end("embed", 4)

    assert await worker.look() == []
    clock.advance(PAUSE_SECONDS)
    assert await worker.look() == [Stage.EMBED]


async def test_a_real_run_does_the_work(context: ServerContext, manifest: ServerManifest) -> None:
    worker = Worker(context.manifest, context.child_runs, context.clock)
    requeue(manifest, "embed")

    assert await worker.look() == [Stage.EMBED]

    async with asyncio.timeout(60):
        await context.child_runs.wait()
    assert context.child_runs.take_exit_code("embed") == 0
    assert sql(manifest.path, "SELECT count(*) FROM item WHERE state = 'ready'") == [(0,)]


async def test_contents_without_an_item_are_worth_a_run_but_not_again_and_again(
    context: ServerContext, manifest: ServerManifest, clock: FakeClock
) -> None:
    runs = Runs()
    worker = Worker(context.manifest, runs, clock)  # type: ignore[arg-type]
    sql(
        manifest.path,
        "DELETE FROM item WHERE id = (SELECT max(id) FROM item WHERE stage = 'embed')",
    )
    assert await worker.look() == [Stage.EMBED]
    runs.end("embed", 0)  # it queued nothing

    assert await worker.look() == []
    clock.advance(RECHECK_SECONDS)
    assert await worker.look() == [Stage.EMBED]


async def test_a_run_that_left_as_much_as_it_found_has_worked(
    context: ServerContext, manifest: ServerManifest, clock: FakeClock
) -> None:
    """While process is at work, as many may be through it as the embed run queued meanwhile."""
    runs = Runs()
    worker = Worker(context.manifest, runs, clock)  # type: ignore[arg-type]
    through = "UPDATE tally SET items = items + 1 WHERE stage = 'process' AND state = 'done'"
    queued = "UPDATE tally SET items = items + 1 WHERE stage = 'embed' AND state = 'done'"
    sql(manifest.path, through)
    assert await worker.look() == [Stage.EMBED]
    sql(manifest.path, through)
    sql(manifest.path, queued)
    runs.end("embed", 0)

    assert await worker.look() == [Stage.EMBED]
    runs.end("embed", 0)  # and this one queued nothing
    assert await worker.look() == []
    sql(manifest.path, through)
    assert await worker.look() == [Stage.EMBED]


async def test_a_stage_is_not_started_for_every_few_items_while_it_is_fed(
    context: ServerContext, manifest: ServerManifest, clock: FakeClock
) -> None:
    runs = Runs()
    worker = Worker(context.manifest, runs, clock)  # type: ignore[arg-type]
    requeue(manifest, "process")
    requeue(manifest, "embed")
    assert await worker.look() == [Stage.PROCESS, Stage.EMBED]
    runs.end("embed", 0)

    assert await worker.look() == []
    clock.advance(APART_SECONDS)
    assert await worker.look() == [Stage.EMBED]
    runs.end("embed", 0)
    sql(manifest.path, "UPDATE item SET state = 'done' WHERE stage = 'process'")
    runs.end("process", 0)
    assert await worker.look() == [Stage.EMBED]  # nothing more will come


async def test_the_end_of_a_run_is_seen_at_once(manifest: ServerManifest) -> None:
    """What the run of one stage finished is due in the next: nobody waits for the next look."""
    runs = ChildRuns(manifest.path, os.environ)
    await runs.start("version", [])
    await runs.wait()

    await asyncio.wait_for(runs.wait_for_end(seconds=3600), timeout=60)

    assert runs.take_exit_code("version") is not None
    await runs.wait_for_end(seconds=0.01)  # each end is told once


async def test_sidecars_of_processed_pictures_are_worth_a_run(
    context: ServerContext, manifest: ServerManifest
) -> None:
    """Also right after a run that had nothing else to do."""
    runs = Runs()
    worker = Worker(context.manifest, runs, context.clock)  # type: ignore[arg-type]
    requeue(manifest, "process")
    assert await worker.look() == [Stage.PROCESS]
    sql(manifest.path, "UPDATE item SET state = 'done' WHERE state = 'ready'")
    runs.end("process", 0)
    assert Stage.PROCESS not in await worker.look()

    sql(manifest.path, "INSERT INTO sidecar_unread SELECT min(id) FROM asset")

    assert await worker.look() == [Stage.PROCESS]


async def test_the_folders_of_the_settings_have_one_watch(clock: FakeClock) -> None:
    runs = Runs()
    watching = Watching(["/photos", "/card"], runs, clock)  # type: ignore[arg-type]

    assert await watching.look()
    assert not await watching.look()
    assert runs.started == ["watch"]


async def test_without_folders_nothing_is_watched(clock: FakeClock) -> None:
    assert not await Watching([], Runs(), clock).look()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "pause"),
    [(1, WATCH_PAUSE_SECONDS), (-9, WATCH_PAUSE_SECONDS), (2, REFUSED_PAUSE_SECONDS)],
)
async def test_a_watch_that_ended_is_started_again_after_a_pause(
    clock: FakeClock, code: int, pause: float
) -> None:
    runs = Runs()
    watching = Watching(["/photos"], runs, clock)  # type: ignore[arg-type]
    await watching.look()
    runs.end("watch", code)

    assert not await watching.look()
    clock.advance(pause - 1)
    assert not await watching.look()
    clock.advance(1)
    assert await watching.look()


async def test_nothing_is_started_while_the_server_ends(manifest: ServerManifest) -> None:
    runs = ChildRuns(manifest.path, os.environ)
    runs.stop()

    assert not await Watching(["/photos"], runs, FakeClock()).look()
    with pytest.raises(Problem, match="about to end"):
        await runs.start("embed", [])
