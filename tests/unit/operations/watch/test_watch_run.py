"""The loop of a watch: what each push takes, and what happens after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bulkup.errors import ExitCode, UsageError
from bulkup.events import (
    Emit,
    Event,
    FilesLeftOut,
    Notice,
    RootWalked,
    RunStarted,
    Summary,
)
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.queue.uploads import Left
from bulkup.model import LeftOut, Snapshot
from bulkup.operations.push import Push
from bulkup.operations.watch.watch_run import RETRY_SECONDS, WatchRun
from bulkup.operations.watch.watched_root import RootWatched
from bulkup.run.context import RunContext, new_context
from bulkup.run.summary import snapshot_of, summary_of
from bulkup.settings.options import UploadOptions
from bulkup.walk.at_rest import BEING_WRITTEN
from tests.fakes.clock import FakeClock
from tests.unit.operations.watch.test_watched_root import OPTIONS, Watched

NOTHING = summary_of([], Left(0))
Script = Callable[["Watching"], Summary]


class OnePush:
    """A push that the test scripts."""

    def __init__(self, watching: Watching, context: RunContext) -> None:
        self.watching = watching
        self.context = context

    def stop(self, reason: str, exit_code: ExitCode | None = None) -> None:
        self.watching.stopped.append(reason)

    def snapshot(self) -> Snapshot:
        return snapshot_of([], 0.0)

    async def run(self) -> Summary:
        watching, emit = self.watching, self.context.emit
        watching.emit = emit
        emit(RunStarted(self.context.run_id, "push", "to", "manifest.db", False))
        emit(RootWalked("r", 0, 0, 0, 0, 0, 0, 0, 0.0))
        summary = watching.scripts.pop(0)(watching)
        emit(summary)
        return summary


class Watching:
    """A watch of one folder with one file; its pushes end as the scripts say, then it stops."""

    def __init__(
        self, folder: Path, manifest: Manifest, scripts: list[Script], **environ: str
    ) -> None:
        self.clock = FakeClock()
        self.watched = Watched(folder)
        self.watched.fill()
        self.scripts = scripts
        self.pushes: list[tuple[float, Push]] = []
        self.stopped: list[str] = []
        self.events: list[Event] = []
        self.emit: Emit = self.events.append
        context = new_context(
            manifest,
            clock=self.clock,
            random=Random(1),
            emit=self.events.append,
            environ=environ,
            wants_files=False,
        )
        push = Push(roots=(str(folder),), upload=UploadOptions(to="/to"))
        self.run = WatchRun(push, OPTIONS, [self.watched.root], context, make_push=self._make)

    def _make(self, push: Push, context: RunContext) -> OnePush:
        self.pushes.append((self.clock.monotonic(), push))
        if len(self.scripts) == 1:
            self.run.stop("SIGTERM received", ExitCode.TERMINATED)
        return OnePush(self, context)

    def tell(self, *names: str) -> None:
        self.watched.tell(self.clock.monotonic(), *names)

    @property
    def changed(self) -> list[list[str]]:
        """Of each push, the names that it takes; empty for all."""
        return [[Path(path).name for path in push.changed] for _, push in self.pushes]


@pytest.fixture
def watch(tmp_path: Path, manifest: Manifest) -> Callable[..., Watching]:
    return lambda *scripts, **environ: Watching(
        tmp_path / "photos", manifest, list(scripts), **environ
    )


@pytest.fixture
def manifest(tmp_path: Path) -> Iterator[Manifest]:
    with Manifest(str(tmp_path / "manifest.db")) as manifest:
        yield manifest


def nothing(_: Watching) -> Summary:
    return NOTHING


def change(*names: str, **numbers: Any) -> Script:
    """A push during which these files change."""

    def run(watching: Watching) -> Summary:
        watching.tell(*names)
        return replace(NOTHING, **numbers)

    return run


async def test_first_everything_is_pushed_then_what_changed(watch: Callable[..., Watching]) -> None:
    watching = watch(change("b.jpg", new=1, sent=1), change("c.jpg", new=2, sent=2), nothing)
    summary = await watching.run.run()
    assert watching.changed == [[], ["b.jpg"], ["c.jpg"]]
    assert (summary.command, summary.sent, summary.exit_code) == ("watch", 3, 143)
    assert watching.watched.opened[0].is_stopped


async def test_the_rest_time_reaches_the_scan(watch: Callable[..., Watching]) -> None:
    watching = watch(nothing)
    await watching.run.run()
    selection = watching.pushes[0][1].selection
    assert selection.at_rest_since == watching.clock.now() - OPTIONS.rest_seconds


async def test_a_file_that_was_being_written_is_pushed_later(
    watch: Callable[..., Watching],
) -> None:
    def half(watching: Watching) -> Summary:
        root = str(watching.watched.path)
        left_out = LeftOut("new/", "half.jpg", BEING_WRITTEN)
        watching.emit(FilesLeftOut(root, (left_out, LeftOut("", "x.txt", "no picture"))))
        return NOTHING

    watching = watch(half, nothing)
    await watching.run.run()
    assert watching.changed == [[], ["half.jpg"]]
    (first, _), (second, _) = watching.pushes
    assert second - first >= OPTIONS.rest_seconds


async def test_after_trouble_at_the_destination_it_waits_longer_and_longer(
    watch: Callable[..., Watching],
) -> None:
    def refused(watching: Watching) -> Summary:
        watching.tell("b.jpg")
        return replace(NOTHING, ready=1, exit_code=4)

    watching = watch(refused, refused, refused, nothing)
    await watching.run.run()
    times = [at for at, _ in watching.pushes]
    waits = [later - at for at, later in pairwise(times)]
    assert [round(wait) for wait in waits] == [round(one) for one in RETRY_SECONDS[:3]]
    assert watching.changed == [[], [], [], []]  # what is left is found by a scan


async def test_what_will_be_retried_is_retried_without_an_event(
    watch: Callable[..., Watching],
) -> None:
    watching = watch(lambda _: replace(NOTHING, waiting=1, exit_code=3), nothing)
    await watching.run.run()
    assert watching.pushes[1][0] >= RETRY_SECONDS[0]


async def test_a_push_that_does_nothing_is_not_reported(watch: Callable[..., Watching]) -> None:
    watching = watch(change("b.jpg", new=1, sent=1), change("c.jpg"), nothing)
    await watching.run.run()
    kinds = [type(event) for event in watching.events]
    assert kinds == [RootWatched, RunStarted, RootWalked, Summary, Notice, Summary]
    assert str(watching.events[4]) == "1 uploaded"


async def test_a_folder_that_goes_during_a_push_is_waited_for(
    watch: Callable[..., Watching],
) -> None:
    def vanish(watching: Watching) -> Summary:
        path = watching.watched.path
        path.rename(path.with_name("elsewhere"))
        watching.watched.fill()  # another card
        raise UsageError(f"{path}: No such file or directory")

    watching = watch(nothing, nothing)
    watching.scripts[0] = change("b.jpg")
    watching.scripts.insert(1, vanish)
    await watching.run.run()
    assert watching.changed == [[], ["b.jpg"], []]


async def test_what_cannot_be_pushed_at_all_ends_the_watch(watch: Callable[..., Watching]) -> None:
    def refuse(_: Watching) -> Summary:
        raise UsageError("the destination lies in the source")

    with pytest.raises(UsageError):
        await watch(refuse, nothing).run.run()


async def test_a_stop_reaches_the_push_at_work(watch: Callable[..., Watching]) -> None:
    def stop(watching: Watching) -> Summary:
        watching.run.stop("SIGINT received", ExitCode.INTERRUPTED)
        return replace(NOTHING, interrupted=True, exit_code=130)

    watching = watch(stop, nothing)
    summary = await watching.run.run()
    assert (watching.stopped, summary.exit_code) == (["SIGINT received"], 130)
    assert len(watching.pushes) == 1


async def test_before_the_first_push_it_stops_at_once(watch: Callable[..., Watching]) -> None:
    watching = watch(nothing)
    watching.run.stop("SIGTERM received", ExitCode.TERMINATED)
    summary = await watching.run.run()
    assert (summary.exit_code, summary.sent, watching.pushes) == (143, 0, [])
    assert watching.run.snapshot().stages


async def test_it_ends_with_the_server_that_started_it(watch: Callable[..., Watching]) -> None:
    """Also with one that was killed: its successor has another watch."""
    watching = watch(nothing, nothing, BULKUP_SERVER_PID="0")
    summary = await watching.run.run()
    assert watching.pushes == []
    assert summary.exit_code == 143
