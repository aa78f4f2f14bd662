"""With a second process a push does what it does without one, whatever becomes of that process."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkup.errors import ManifestLocked
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.rows import UploadedItem, WorkItem
from bulkup.model import Stage
from bulkup.operations.push import PushRun
from bulkup.run.ingest.process import (
    SLOT_BYTES,
    IngestProcess,
    IngestProcessLost,
    fork_ingest_process,
    is_possible,
)
from bulkup.run.ingest.worker import HEAD_BYTES
from bulkup.run.upload import loader as loading_module
from bulkup.run.upload.loader import IN_PLACE_BYTES, LoadedGroup, Loader
from bulkup.run.upload.prefetch import GROUP_ITEMS, GROUP_SMALL_BYTES
from tests.fakes.clock import FakeClock
from tests.fakes.scripted_store import ScriptedStore
from tests.faults.pushing import Pushing, views
from tests.sql import sql

pytestmark = pytest.mark.skipif(not is_possible(), reason="one core, or no Linux")

TREE = {
    "a.jpg": b"the first",
    "b/again.jpg": b"the first",
    "b/c.jpg": b"another",
    "b/empty.jpg": b"",
    "b/straße.jpg": b"a third",
    os.fsdecode(b"b/no-utf8-\xff.jpg"): b"a fourth",
    "large.jpg": bytes(300 << 10),
    **{f"many/{number:03d}.jpg": f"{number}".encode() for number in range(600)},
}
CONTENTS = len(set(TREE.values()))


@pytest.fixture
def asides(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[IngestProcess]]:
    """Every group of files is read by a second process; those that have been started. They are
    forked here, where no event loop is running."""
    monkeypatch.setattr(loading_module, "ASIDE_ITEMS", 1)
    forked = [fork_ingest_process(), fork_ingest_process()]
    waiting = list(forked)
    started: list[IngestProcess] = []
    load, start, begin = Loader.load, IngestProcess.start, Pushing.begin

    def noted(self: IngestProcess, target: tuple[object, ...]) -> None:
        start(self, target)
        started.append(self)

    async def patient(self: Loader, works: list[WorkItem], following: int) -> LoadedGroup:
        self._consider_aside(1)
        serving = None if self.aside is None else self.aside._serving
        while serving is not None and not self.aside.is_ready and not serving.done():  # noqa: ASYNC110 - no event for tests
            await asyncio.sleep(0)
        return await load(self, works, following)

    def with_one(self: Pushing, manifest: Manifest) -> PushRun:
        self.aside = waiting.pop() if waiting else None
        return begin(self, manifest)

    monkeypatch.setattr(IngestProcess, "start", noted)
    monkeypatch.setattr(Loader, "load", patient)
    monkeypatch.setattr(Pushing, "begin", with_one)
    yield started
    for aside in started:
        assert aside._pid is None, "left behind"
    for aside in forked:
        aside.end()


def attempts(pushing: Pushing) -> list[tuple[int, int]]:
    """How many items have so many attempts."""
    return sql(
        pushing.manifest,
        "SELECT n, count(*) FROM (SELECT count(*) AS n FROM attempt GROUP BY item_id) GROUP BY n",
    )


async def test_a_push_is_the_same_with_and_without(
    tmp_path: Path, clock: FakeClock, asides: list[IngestProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for name in ("with", "without"):
        home = tmp_path / name
        home.mkdir()
        store = ScriptedStore(str(home / "to"), clock=clock)
        pushing = Pushing(home, str(home / "to"), clock=clock, store=store)
        pushing.write(TREE)
        if name == "without":
            monkeypatch.setattr(IngestProcess, "start", lambda *_: None)
        summary = await pushing.push()
        assert (summary.exit_code, summary.sent, store.calls["put"]) == (0, CONTENTS, CONTENTS)
        assert summary.duplicates == len(TREE) - CONTENTS
        seen = views(pushing.manifest)
        found.append((seen["files"], seen["failures"], attempts(pushing)))
    assert found[0] == found[1]
    assert len(asides) == 1


async def test_what_cannot_be_read_there_is_told_from_here(
    pushing: Pushing, asides: list[IngestProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    pushing.write({"a.jpg": b"a", "b.jpg": b"b", "gone.jpg": b"gone"})
    load = IngestProcess.load

    async def late(self: IngestProcess, works: list[WorkItem], request_signer: object) -> object:
        (pushing.root / "gone.jpg").unlink(missing_ok=True)
        return await load(self, works, request_signer)

    monkeypatch.setattr(IngestProcess, "load", late)
    summary = await pushing.push()
    assert (summary.sent, set(summary.failures)) == (2, {"missing"})
    assert [row[0] for row in views(pushing.manifest)["failures"]] == ["gone.jpg"]
    assert asides


async def test_a_file_that_outgrows_its_place_is_read_here(
    pushing: Pushing, asides: list[IngestProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulkup.run.ingest.process.SLOT_BYTES", 4096)
    pushing.write({"a.jpg": bytes(4096), "b.jpg": b"b" * 4096})
    summary = await pushing.push()
    assert (summary.sent, summary.sent_bytes, summary.exit_code) == (2, 8192, 0)
    assert asides


async def test_a_process_that_is_killed_is_done_without(
    pushing: Pushing,
    store: ScriptedStore,
    asides: list[IngestProcess],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pushing.write(TREE)
    load = IngestProcess.load
    asked = 0

    async def deadly(self: IngestProcess, works: list[WorkItem], request_signer: object) -> object:
        nonlocal asked
        asked += 1
        if asked == 2:
            assert self._pid is not None
            os.kill(self._pid, signal.SIGKILL)
        return await load(self, works, request_signer)

    monkeypatch.setattr(IngestProcess, "load", deadly)
    summary = await pushing.push()
    assert (summary.exit_code, summary.sent, store.calls["put"]) == (0, CONTENTS, CONTENTS)
    assert asked >= 2
    assert attempts(pushing) == [(1, CONTENTS)]


@pytest.mark.parametrize("is_recorded", [True, False])
async def test_a_process_lost_while_it_settled_settles_once(
    pushing: Pushing,
    asides: list[IngestProcess],
    monkeypatch: pytest.MonkeyPatch,
    is_recorded: bool,
) -> None:
    """Whether it came to record the outcomes or not."""
    pushing.write(TREE)
    settle = IngestProcess.settle

    async def lossy(
        self: IngestProcess, done: list[UploadedItem], *, now: float, follows: Stage | None
    ) -> None:
        if is_recorded:
            await settle(self, done, now=now, follows=follows)
        raise IngestProcessLost

    monkeypatch.setattr(IngestProcess, "settle", lossy)
    summary = await pushing.push()
    assert (summary.exit_code, summary.sent) == (0, CONTENTS)
    assert attempts(pushing) == [(1, CONTENTS)]
    assert asides


async def test_outcomes_do_not_wait_behind_a_slow_disk(
    pushing: Pushing, asides: list[IngestProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulkup.run.ingest.process.PROMPT_SECONDS", 0.0)

    async def never(*_: object, **__: object) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(IngestProcess, "settle", never)
    pushing.write(TREE)
    assert (await pushing.push()).sent == CONTENTS
    assert attempts(pushing) == [(1, CONTENTS)]
    assert asides


async def test_a_process_that_does_not_start_is_done_without(
    pushing: Pushing, asides: list[IngestProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = IngestProcess.start

    def dead(self: IngestProcess, target: tuple[object, ...]) -> None:
        assert self._pid is not None
        os.kill(self._pid, signal.SIGKILL)
        start(self, target)

    monkeypatch.setattr(IngestProcess, "start", dead)
    pushing.write(TREE)
    summary = await pushing.push()
    assert (summary.exit_code, summary.sent) == (0, CONTENTS)


def test_a_group_of_small_files_has_room() -> None:
    """Else what does not fit is read here, one after the other, and nothing is said."""
    assert GROUP_SMALL_BYTES + GROUP_ITEMS * HEAD_BYTES <= SLOT_BYTES
    assert IN_PLACE_BYTES <= GROUP_SMALL_BYTES


def test_where_no_process_can_be_had_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", refuse)
    assert fork_ingest_process() is None


async def test_its_errors_are_raised_here(
    pushing: Pushing, asides: list[IngestProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    pushing.write({"a.jpg": b"a"})
    ask = IngestProcess._ask

    async def unknown(
        self: IngestProcess, order: tuple[object, ...], slot: int | None = None
    ) -> object:
        return await ask(self, (order[0], "no number", *order[2:]), slot)

    monkeypatch.setattr(IngestProcess, "_ask", unknown)
    with pytest.raises(TypeError, match=r"no number|int"):
        await pushing.push()


async def test_a_stopped_push_leaves_nothing_claimed(
    pushing: Pushing, store: ScriptedStore, asides: list[IngestProcess]
) -> None:
    pushing.write(TREE)
    store.hold()
    with Manifest(pushing.manifest) as manifest:
        run = pushing.begin(manifest)
        going = asyncio.create_task(run.run())
        await store.holding.wait()
        run.stop("enough")
        store.release()
        await going
        assert sql(manifest, "SELECT count(*) FROM item WHERE state = 'claimed'") == [(0,)]
    assert (await pushing.push()).exit_code == 0
    assert attempts(pushing) == [(1, CONTENTS)]


def test_a_locked_manifest_is_told_with_its_hint() -> None:
    """What is raised there and pickled says here what it said there."""
    error = pickle.loads(pickle.dumps(ManifestLocked("locked", hint="Close it.")))
    assert (str(error), error.hint) == ("locked", "Close it.")


async def test_the_next_stage_follows(
    pushing: Pushing, asides: list[IngestProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulkup.run.options.BatchOptions.stage_after", lambda *_: Stage.PROCESS)
    pushing.write(TREE)
    await pushing.push()
    found = sql(pushing.manifest, "SELECT count(*) FROM item WHERE stage = 'process'")
    assert found == [(CONTENTS,)]
    assert asides
