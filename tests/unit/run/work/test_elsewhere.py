"""The work in a worker of a cluster, called as the engine calls it."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from bulkup.engines.engine import Checked, Slot
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.queue.stages import StageScope
from bulkup.manifest.rows import ProcessedItem
from bulkup.model import Stage
from bulkup.run.work.checks import versions_here
from bulkup.run.work.elsewhere import Setup, check_worker, work_on
from bulkup.run.work.task import Task
from bulkup.settings.options import RunOptions
from bulkup.stores.signed_store import SignedAccess
from tests.e2e.pictures import photos
from tests.fakes.clock import FakeClock
from tests.faults.pushing import Pushing
from tests.unit.manifest.recording import NOW, run_row

HERE = Slot(1, lambda: True)


@pytest.fixture
async def uploaded(tmp_path: Path, clock: FakeClock) -> tuple[Setup, Task]:
    """Three pictures at a directory, claimed to be processed."""
    pushing = Pushing(
        tmp_path, str(tmp_path / "to"), clock=clock, options={"stages": (Stage.UPLOAD,)}
    )
    photos(pushing.root, 3)
    await pushing.push()
    with Manifest(pushing.manifest) as manifest:
        (destination,) = manifest.destinations.all()
        manifest.runs.begin(run_row("r"))
        manifest.stage_queue.enqueue_next_stage(destination.id, Stage.PROCESS, now=NOW)
        scope = StageScope(destination.id, Stage.PROCESS)
        items = manifest.stage_queue.claim(scope, run_id="r", limit=10, now=NOW)
    setup = Setup(destination, RunOptions(), versions_here())
    return pickle.loads(pickle.dumps((setup, Task(Stage.PROCESS, tuple(items)))))


def test_each_item_has_variants_and_a_vector(uploaded: tuple[Setup, Task]) -> None:
    setup, task = uploaded
    reply = pickle.loads(pickle.dumps(work_on(setup, task, HERE)))
    assert reply.outcomes.keys() == {item.item_id for item in task.items}
    for one in reply.outcomes.values():
        assert isinstance(one, ProcessedItem)
        assert [variant.kind for variant in one.variants] == ["thumb", "preview"]
        assert one.embedding is not None
        assert len(one.embedding[0]) == 2 * 1280


def test_what_is_embedded_already_gets_no_vector(uploaded: tuple[Setup, Task]) -> None:
    setup, task = uploaded
    known = frozenset(item.content_id for item in task.items)
    reply = work_on(setup, replace(task, embedded=known), HERE)
    assert [one.embedding for one in reply.outcomes.values()] == [None] * 3  # type: ignore[union-attr]


def test_nothing_is_begun_that_nobody_wants(uploaded: tuple[Setup, Task]) -> None:
    setup, task = uploaded
    assert work_on(setup, task, Slot(1, lambda: False)).outcomes == {}


def test_nothing_is_begun_by_urls_that_are_about_to_expire(uploaded: tuple[Setup, Task]) -> None:
    """The driver signs others then."""
    setup, task = uploaded
    expired = replace(task, signed=SignedAccess(expires_at=1.0))
    assert work_on(setup, expired, HERE).outcomes == {}


def test_a_worker_that_can_do_the_work_says_so(uploaded: tuple[Setup, Task]) -> None:
    assert check_worker(uploaded[0], None, HERE) == Checked()


def test_a_worker_that_cannot_reach_the_destination_says_so(
    uploaded: tuple[Setup, Task], tmp_path: Path
) -> None:
    setup = uploaded[0]
    elsewhere = setup.destination._replace(url=str(tmp_path / "not mounted"))
    refusal = check_worker(replace(setup, destination=elsewhere), None, HERE).refusal
    assert refusal is not None
    assert "not mounted" in refusal


def test_a_worker_with_another_version_says_so(uploaded: tuple[Setup, Task]) -> None:
    setup = replace(uploaded[0], versions={**versions_here(), "bulkup": "0.0.1"})
    refusal = check_worker(setup, None, HERE).refusal
    assert refusal is not None
    assert refusal.endswith("instead of 0.0.1")
