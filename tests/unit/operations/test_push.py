"""One push from the walk to the summary: how it ends, whatever happens on its way."""

from __future__ import annotations

import asyncio
import os
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from bulkup.errors import (
    BucketMissing,
    ExitCode,
    ManifestFull,
    ManifestLocked,
    StoreBroken,
    StoreForbidden,
    StoreFull,
    StoreRefused,
    StoreUnreachable,
)
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.rows import File
from bulkup.manifest.runs import RunRow, Runs
from bulkup.run.heartbeat import here, process_started
from bulkup.run.scan import recorder
from bulkup.run.scan import scan as finding
from bulkup.run.upload.pipeline import UploadPipeline
from tests.fakes.clock import FakeClock
from tests.fakes.scripted_store import ScriptedStore
from tests.faults.pushing import Pushing, views
from tests.sql import sql
from tests.unit.manifest.recording import Pusher, file, folder, rows

FILES = {f"{n}.jpg": f"picture {n}".encode() for n in range(5)}


def items(pushing: Pushing) -> list[tuple[object, ...]]:
    """State and attempts of each upload item, by id."""
    with Manifest(pushing.manifest) as manifest:
        return rows(manifest, "SELECT state, attempts, run_id FROM item ORDER BY id")


async def test_every_file_arrives_and_the_run_ends(pushing: Pushing, store: ScriptedStore) -> None:
    pushing.write(FILES)
    summary = await pushing.push()
    assert (summary.exit_code, summary.sent, summary.files) == (0, 5, 5)
    assert sorted(store.put_keys) == sorted(FILES)
    assert items(pushing) == [("done", 1, None)] * 5
    assert store.is_closed


async def test_nothing_to_do_is_done(pushing: Pushing, store: ScriptedStore) -> None:
    assert (await pushing.push()).exit_code == 0
    pushing.write(FILES)
    await pushing.push()
    store.calls.clear()
    again = await pushing.push()
    assert (again.exit_code, again.unchanged, again.sent) == (0, 5, 0)
    assert not store.calls, "an unchanged tree costs no request"


async def test_a_failed_attempt_is_made_again_within_the_patience(
    pushing: Pushing, store: ScriptedStore, clock: FakeClock
) -> None:
    pushing.write({"x.jpg": b"x"})
    store.fail("put", *[StoreBroken("500")] * 5)
    began = clock.now()
    summary = await pushing.push(patience_seconds=30.0)
    assert (summary.exit_code, summary.sent, summary.waiting) == (0, 1, 0)
    assert items(pushing) == [("done", 2, None)]
    assert clock.now() - began >= 9.0


async def test_what_falls_due_after_the_patience_is_left_with_exit_3(
    pushing: Pushing, store: ScriptedStore
) -> None:
    pushing.write({"x.jpg": b"x"})
    store.fail("put", *[StoreBroken("500")] * 5)
    summary = await pushing.push(patience_seconds=5.0)
    assert (summary.exit_code, summary.waiting, summary.ready) == (ExitCode.UNFINISHED, 1, 0)
    assert items(pushing) == [("waiting", 1, None)]


async def test_attempts_run_out_at_five(pushing: Pushing, store: ScriptedStore) -> None:
    pushing.write({"x.jpg": b"x"})
    store.fail("put", StoreBroken("500"), always=True)
    summary = await pushing.push(patience_seconds=10_000.0)
    assert (summary.exit_code, summary.dead) == (ExitCode.UNFINISHED, 1)
    assert items(pushing) == [("dead", 5, None)]


@pytest.mark.parametrize("limit", [1, 2, 5, 9])
async def test_a_limit_bounds_the_contents_sent(
    pushing: Pushing, store: ScriptedStore, limit: int
) -> None:
    pushing.write(FILES)
    summary = await pushing.push(limit=limit)
    assert (summary.exit_code, summary.sent, summary.ready) == (0, min(limit, 5), max(0, 5 - limit))
    assert {state for state, *_ in items(pushing)} <= {"done", "ready"}
    rest = await pushing.push()
    assert rest.sent == max(0, 5 - limit)
    assert store.calls["put"] == 5


async def test_duplicates_do_not_count_towards_the_limit(pushing: Pushing) -> None:
    pushing.write({**{f"same{n}.jpg": b"same" for n in range(4)}, "z.jpg": b"other"})
    summary = await pushing.push(limit=2)
    assert (summary.sent, summary.duplicates, summary.ready) == (2, 3, 0)


async def test_max_errors_stops_the_run_and_leaves_the_rest_ready(
    pushing: Pushing, store: ScriptedStore
) -> None:
    pushing.write(FILES)
    store.fail("put", StoreRefused("400"), always=True)
    summary = await pushing.push(max_errors=2, concurrency=1)
    assert (summary.exit_code, summary.dead, summary.ready) == (ExitCode.UNFINISHED, 2, 3)
    assert [row[1] for row in items(pushing)].count(0) == 3


async def test_a_full_destination_stops_the_run_and_no_file_is_to_blame(
    pushing: Pushing, store: ScriptedStore
) -> None:
    pushing.write(FILES)
    store.fail("put", StoreFull("no space left"), always=True)
    summary = await pushing.push()
    assert (summary.exit_code, summary.dead) == (ExitCode.DESTINATION, 0)
    store.recover()
    assert (await pushing.push()).sent == 5


@pytest.mark.parametrize(
    "error", [BucketMissing("no such bucket"), StoreForbidden("403"), StoreUnreachable("refused")]
)
async def test_a_destination_that_never_let_us_in_leaves_everything_ready(
    pushing: Pushing, store: ScriptedStore, error: Exception
) -> None:
    pushing.write(FILES)
    store.fail("check", error, always=True)
    summary = await pushing.push()
    assert (summary.exit_code, summary.ready) == (ExitCode.DESTINATION, 5)
    assert items(pushing) == [("ready", 0, None)] * 5
    assert store.calls["put"] == 0


async def test_one_that_let_us_in_before_keeps_what_is_ready(
    pushing: Pushing, store: ScriptedStore
) -> None:
    pushing.write({"first.jpg": b"first"})
    await pushing.push()
    pushing.write(FILES)
    store.fail("put", StoreUnreachable("refused"), always=True)
    store.fail("check", StoreUnreachable("refused"), always=True)
    summary = await pushing.push()
    assert (summary.exit_code, summary.ready) == (ExitCode.DESTINATION, 5)


async def test_a_touched_file_that_an_earlier_scan_found_is_not_taken_from_the_changed(
    pushing: Pushing,
) -> None:
    pushing.write(FILES)
    await pushing.push()
    first, second, *_ = sorted(FILES)
    os.utime(pushing.root / first, ns=(1, 1))
    found = os.stat(pushing.root / first)
    touched = File(first, found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns)
    with Manifest(pushing.manifest) as manifest:
        earlier = Pusher.begin(manifest, "earlier", root=str(pushing.root), to=pushing.to)
        earlier.record(folder(changed=[(earlier.known()[first], touched)]), hand_over=0)
        earlier.end()
    (pushing.root / second).write_bytes(b"other bytes")
    summary = await pushing.push()
    assert (summary.changed, summary.unchanged, summary.sent) == (1, 4, 1)


async def test_one_file_that_is_refused_after_others_were_taken_is_dead_alone(
    pushing: Pushing, store: ScriptedStore
) -> None:
    pushing.write({**FILES, "z.jpg": b"z"})
    put = store.put

    async def refusing(key: str, *args: Any, **kwargs: Any) -> Any:
        if key == "z.jpg":
            raise StoreForbidden("403")
        return await put(key, *args, **kwargs)

    store.put = refusing  # type: ignore[method-assign]
    summary = await pushing.push(concurrency=1)
    assert (summary.exit_code, summary.sent, summary.dead) == (ExitCode.UNFINISHED, 5, 1)


async def test_a_run_that_is_stopped_gives_back_what_it_held(
    pushing: Pushing, store: ScriptedStore
) -> None:
    pushing.write(FILES)
    store.hold()
    with Manifest(pushing.manifest) as manifest:
        run = pushing.begin(manifest)
        running = asyncio.create_task(run.run())
        await store.holding.wait()
        run.stop("SIGINT")
        summary = await asyncio.wait_for(running, 10)
    assert (summary.interrupted, summary.sent, summary.ready) == (True, 0, 5)
    assert items(pushing) == [("ready", 0, None)] * 5


async def test_a_run_may_be_stopped_before_it_begins(pushing: Pushing) -> None:
    pushing.write(FILES)
    with Manifest(pushing.manifest) as manifest:
        run = pushing.begin(manifest)
        run.stop("SIGTERM", ExitCode.TERMINATED)
        summary = await asyncio.wait_for(run.run(), 10)
    assert (summary.interrupted, summary.sent) == (True, 0)
    assert summary.exit_code == ExitCode.TERMINATED
    assert (await pushing.push()).sent == 5


async def test_a_stop_ends_the_walk_also_when_nothing_is_to_be_sent_any_more(
    pushing: Pushing, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushing.write(FILES)
    walk = finding.walk
    far = asyncio.Event()
    loop = asyncio.get_running_loop()

    def endless(*args: Any, **options: Any) -> Iterator[Any]:
        (listing,) = walk(*args, **options)
        yield from [listing] * 20
        loop.call_soon_threadsafe(far.set)
        while True:
            yield listing

    monkeypatch.setattr(finding, "walk", endless)
    with Manifest(pushing.manifest) as manifest:
        run = pushing.begin(manifest, limit=1)
        running = asyncio.create_task(run.run())
        await far.wait()
        run.stop("SIGINT")
        summary = await asyncio.wait_for(running, 10)
    assert summary.interrupted


@pytest.mark.parametrize("error", [ManifestFull("disk full"), RuntimeError("a bug")])
async def test_an_error_in_the_walk_ends_the_run_with_that_error(
    pushing: Pushing, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    pushing.write(FILES)
    walk = finding.walk

    def broken(*args: Any, **options: Any) -> Iterator[Any]:
        yield from walk(*args, **options)
        raise error

    monkeypatch.setattr(finding, "walk", broken)
    with pytest.raises(type(error), match=str(error)):
        await pushing.push()


async def test_a_bug_in_a_sender_ends_the_run_with_that_error(
    pushing: Pushing, store: ScriptedStore
) -> None:
    pushing.write(FILES)
    store.fail("put", RuntimeError("a bug"), always=True)
    with pytest.raises(RuntimeError, match="a bug"):
        await pushing.push()
    assert store.is_closed


async def test_a_run_whose_heart_stops_stops(
    pushing: Pushing, store: ScriptedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ManifestFull("disk full")

    monkeypatch.setattr(Runs, "beat", refuse)
    pushing.write(FILES)
    pushing.clock = FakeClock()
    store.hold()
    with pytest.raises(ManifestFull):
        await pushing.push()


async def test_a_time_limit_stops_the_run(pushing: Pushing, store: ScriptedStore) -> None:
    pushing.write(FILES)
    store.fail("put", StoreBroken("500"), always=True)
    summary = await pushing.push(max_duration_seconds=20.0, patience_seconds=1e6)
    assert summary.exit_code == ExitCode.UNFINISHED
    assert {state for state, *_ in items(pushing)} <= {"waiting", "ready"}


async def test_a_lock_of_another_program_is_waited_for_while_the_run_goes_on(
    pushing: Pushing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever call meets the lock is made again, and nothing is lost by it."""
    pushing.write(FILES)
    refusals = iter([True, False] * 200)
    from bulkup.manifest.files.scans import Scans

    record = Scans.record

    def sometimes(self: Scans, *args: Any, **kwargs: Any) -> Any:
        if next(refusals):
            raise ManifestLocked("locked")
        return record(self, *args, **kwargs)

    monkeypatch.setattr(Scans, "record", sometimes)
    pushing.write({f"sub{n}/x.jpg": f"sub {n}".encode() for n in range(5)})
    summary = await pushing.push()
    assert (summary.exit_code, summary.sent, summary.files, summary.ready) == (0, 10, 10, 0)


async def test_nobody_writes_between_the_walk_s_look_and_what_it_records(
    pushing: Pushing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else two runs that walk a new folder would both add its files."""
    pushing.write({"x.jpg": b"x"})
    compare, tries = recorder.compare, 0

    def with_another(*args: Any) -> Any:
        nonlocal tries
        found = compare(*args)
        tries += 1
        with Manifest(pushing.manifest) as manifest:
            manifest.wait_for_lock(0.0)
            with pytest.raises(ManifestLocked):
                Pusher.begin(manifest, f"other{tries}", root=str(pushing.root), to=pushing.to)
        return found

    monkeypatch.setattr(recorder, "compare", with_another)
    summary = await pushing.push()
    assert (summary.exit_code, summary.sent) == (0, 1)
    assert tries


async def test_a_mended_archive_is_taken_also_when_the_manifest_was_locked(
    pushing: Pushing, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bulkup.manifest.files.scans import Scans

    pushing.write({"z.zip": b"PK\x03\x04 no archive"})
    assert (await pushing.push()).dead == 1
    with zipfile.ZipFile(pushing.root / "z.zip", "w") as archive:
        archive.writestr("a.jpg", b"\xff\xd8\xff a picture")
    record, refusals = Scans.record, iter([True])

    def at_second(self: Scans, *args: Any, **kwargs: Any) -> Any:
        if next(refusals, False):
            raise ManifestLocked("locked")
        return record(self, *args, **kwargs)

    monkeypatch.setattr(Scans, "record", at_second)
    summary = await pushing.push()
    assert (summary.exit_code, summary.sent, summary.dead) == (0, 1, 0)


async def test_what_another_live_run_holds_is_no_failure(pushing: Pushing) -> None:
    pushing.write({"x.jpg": b"x"})
    stat = os.stat(pushing.root / "x.jpg")
    with Manifest(pushing.manifest) as manifest:
        other = Pusher.begin(manifest, "other", root=str(pushing.root), to=pushing.to)
        sql(
            manifest,
            "UPDATE run SET host = ?, pid = ?, process_started = ?",
            here().host,
            os.getpid(),
            process_started(os.getpid()),
        )
        found = file("x.jpg", size_bytes=1)._replace(
            modified_ns=stat.st_mtime_ns, inode=stat.st_ino, changed_ns=stat.st_ctime_ns
        )
        other.record(folder(new=[found]))
    summary = await pushing.push()
    assert (summary.exit_code, summary.sent, summary.claimed_elsewhere) == (0, 0, 1)


async def test_a_walk_towards_another_destination_does_not_count_for_this_one(
    pushing: Pushing, store: ScriptedStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pushed to A, begun and killed towards B: the next push to B sends every file."""
    pushing.write(FILES)
    await pushing.push()
    second = str(pushing.home / "second")
    pushing.to, pushing.store = second, ScriptedStore(second, clock=clock)

    def killed(*_: Any, **__: Any) -> Iterator[Any]:
        raise RuntimeError("killed")
        yield

    with monkeypatch.context() as patch:
        patch.setattr(finding, "walk", killed)
        with pytest.raises(RuntimeError, match="killed"):
            await pushing.push()
    summary = await pushing.push()
    assert (summary.sent, summary.exit_code) == (5, 0)


async def test_nothing_is_held_in_memory_at_the_end(pushing: Pushing) -> None:
    pushing.write(FILES)
    with Manifest(pushing.manifest) as manifest:
        run = pushing.begin(manifest)
        await run.run()
        (job_runner,) = run.job_runners
        (upload,) = job_runner.stages
        assert isinstance(upload.worker, UploadPipeline)
        assert upload.worker.held_bytes == 0
        assert upload.claims.held == 0
        assert job_runner.limiter.pacer.in_flight == 0


async def test_files_that_vanish_after_the_walk_are_waiting_and_the_rest_goes_on(
    pushing: Pushing, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushing.write(FILES)
    walk = finding.walk

    def then_remove(*args: Any, **options: Any) -> Iterator[Any]:
        for listing in walk(*args, **options):
            (pushing.root / "3.jpg").unlink()
            yield listing

    monkeypatch.setattr(finding, "walk", then_remove)
    summary = await pushing.push(patience_seconds=1.0)
    assert (summary.exit_code, summary.sent, summary.waiting) == (ExitCode.UNFINISHED, 4, 1)
    assert [row[3] for row in views(pushing.manifest)["failures"]] == ["missing"]


async def test_a_copy_that_is_refused_does_not_lose_the_others(
    pushing: Pushing, store: ScriptedStore
) -> None:
    pushing.write({f"{n}.jpg": b"same" for n in range(4)})
    store.fail("copy", StoreRefused("400"))
    summary = await pushing.push(on_duplicate="copy")
    assert (summary.sent, summary.copied) == (1, 2)
    assert (await pushing.push(on_duplicate="copy")).copied == 1


async def test_a_destination_that_goes_away_during_copies_ends_the_run_with_4(
    pushing: Pushing, store: ScriptedStore
) -> None:
    pushing.write({f"{n}.jpg": b"same" for n in range(4)})
    store.fail("copy", BucketMissing("gone"))
    summary = await pushing.push(on_duplicate="copy")
    assert summary.exit_code == ExitCode.DESTINATION
    assert len([one for one in views(pushing.manifest)["files"] if one[3] == one[0]]) == 3


def test_a_run_row_names_this_process() -> None:
    row = RunRow("a", "push", here().host, os.getpid(), process_started(os.getpid()), 0, 0)
    assert not here().is_gone(row, now=1e12, stale_after_seconds=1)
