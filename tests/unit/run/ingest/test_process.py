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
from bulkup.run.ingest.process import SLOT_BYTES, SLOTS, IngestProcess, is_possible
from bulkup.run.ingest.worker import HEAD_BYTES
from bulkup.run.upload.loader import IN_PLACE_BYTES
from bulkup.run.upload.prefetch import GROUP_ITEMS, GROUP_SMALL_BYTES
from bulkup.run.upload.target import UploadTarget
from bulkup.stores.attributes import Extras
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
def ingests() -> Iterator[list[IngestProcess]]:
    """Two processes that load every small file. Forked here, where no event loop is running."""
    forked = [IngestProcess.fork(worth_files=1), IngestProcess.fork(worth_files=1)]
    found = [one for one in forked if one is not None]
    assert len(found) == 2
    yield found
    for ingest in found:
        assert not ingest.has_started or ingest.pid is None, "left behind"
        ingest.end()


@pytest.fixture
def ingest(pushing: Pushing, ingests: list[IngestProcess]) -> IngestProcess:
    """The second process of the next push."""
    pushing.ingest = ingests[0]
    return ingests[0]


def attempts(pushing: Pushing) -> list[tuple[int, int]]:
    """How many items have so many attempts."""
    return sql(
        pushing.manifest,
        "SELECT n, count(*) FROM (SELECT count(*) AS n FROM attempt GROUP BY item_id) GROUP BY n",
    )


async def test_a_push_is_the_same_with_and_without(
    tmp_path: Path, clock: FakeClock, ingests: list[IngestProcess]
) -> None:
    found = []
    for name, ingest in (("with", ingests[0]), ("without", None)):
        home = tmp_path / name
        home.mkdir()
        store = ScriptedStore(str(home / "to"), clock=clock)
        pushing = Pushing(home, str(home / "to"), clock=clock, store=store, ingest=ingest)
        pushing.write(TREE)
        summary = await pushing.push()
        assert (summary.exit_code, summary.sent, store.calls["put"]) == (0, CONTENTS, CONTENTS)
        assert summary.duplicates == len(TREE) - CONTENTS
        seen = views(pushing.manifest)
        found.append((seen["files"], seen["failures"], attempts(pushing)))
    assert found[0] == found[1]
    assert ingests[0].has_started


async def test_what_cannot_be_read_there_is_told_from_here(
    pushing: Pushing, ingest: IngestProcess, monkeypatch: pytest.MonkeyPatch
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
    assert ingest.has_started


async def test_a_file_that_outgrows_its_place_is_read_here(
    pushing: Pushing, ingest: IngestProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulkup.run.ingest.process.SLOT_BYTES", 4096)
    pushing.write({"a.jpg": bytes(4096), "b.jpg": b"b" * 4096})
    summary = await pushing.push()
    assert (summary.sent, summary.sent_bytes, summary.exit_code) == (2, 8192, 0)
    assert ingest.has_started


async def test_a_process_that_is_killed_is_done_without(
    pushing: Pushing,
    store: ScriptedStore,
    ingest: IngestProcess,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pushing.write(TREE)
    load = IngestProcess.load
    asked = 0

    async def deadly(self: IngestProcess, works: list[WorkItem], request_signer: object) -> object:
        nonlocal asked
        asked += 1
        if asked == 2:
            assert self.pid is not None
            os.kill(self.pid, signal.SIGKILL)
        return await load(self, works, request_signer)

    monkeypatch.setattr(IngestProcess, "load", deadly)
    summary = await pushing.push()
    assert (summary.exit_code, summary.sent, store.calls["put"]) == (0, CONTENTS, CONTENTS)
    assert asked >= 2
    assert attempts(pushing) == [(1, CONTENTS)]


@pytest.mark.parametrize("is_recorded", [True, False])
async def test_a_process_lost_while_it_settled_settles_once(
    pushing: Pushing,
    ingest: IngestProcess,
    monkeypatch: pytest.MonkeyPatch,
    is_recorded: bool,
) -> None:
    """Whether it came to record the outcomes or not."""
    pushing.write(TREE)
    settle = IngestProcess.settle

    async def lossy(
        self: IngestProcess, done: list[UploadedItem], *, now: float, follows: Stage | None
    ) -> bool:
        if is_recorded:
            await settle(self, done, now=now, follows=follows)
        return False

    monkeypatch.setattr(IngestProcess, "settle", lossy)
    summary = await pushing.push()
    assert (summary.exit_code, summary.sent) == (0, CONTENTS)
    assert attempts(pushing) == [(1, CONTENTS)]
    assert ingest.has_started


async def test_outcomes_do_not_wait_behind_a_slow_disk(
    pushing: Pushing, ingest: IngestProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulkup.run.ingest.process.RESPONSIVE_SECONDS", 0.0)

    async def never(*_: object, **__: object) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(IngestProcess, "settle", never)
    pushing.write(TREE)
    assert (await pushing.push()).sent == CONTENTS
    assert attempts(pushing) == [(1, CONTENTS)]
    assert ingest.has_started


async def test_a_process_that_does_not_start_is_done_without(
    pushing: Pushing, ingest: IngestProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = IngestProcess.start

    def dead(self: IngestProcess, manifest: str, target: UploadTarget) -> None:
        assert self.pid is not None
        os.kill(self.pid, signal.SIGKILL)
        start(self, manifest, target)

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
    assert IngestProcess.fork() is None


async def test_an_error_there_is_raised_here_and_costs_no_slot(
    tmp_path: Path, ingests: list[IngestProcess]
) -> None:
    ingest, path = ingests[0], str(tmp_path / "manifest.db")
    with Manifest(path):
        ingest.start(path, UploadTarget(1, 1, "r", "", "path", False, Extras()))
        item = WorkItem(1, 1, 1, str(tmp_path), "", "no file\0", 1, None, 0, 0)
        for _ in range(SLOTS + 1):
            with pytest.raises(ValueError, match=r"null (byte|character)"):
                await ingest.load([item], None)
        assert ingest.free_slots == SLOTS
        await ingest.close()


async def test_a_stopped_push_leaves_nothing_claimed(
    pushing: Pushing, store: ScriptedStore, ingest: IngestProcess
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
    pushing: Pushing, ingest: IngestProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulkup.run.options.BatchOptions.stage_after", lambda *_: Stage.PROCESS)
    pushing.write(TREE)
    await pushing.push()
    found = sql(pushing.manifest, "SELECT count(*) FROM item WHERE stage = 'process'")
    assert found == [(CONTENTS,)]
    assert ingest.has_started
