"""The work in a worker of a cluster, called as the engine calls it."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import cast

import pytest

from bulkup.clock import SystemClock
from bulkup.engines.engine import Checked, Slot
from bulkup.errors import StoreForbidden
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.queue.stages import StageScope
from bulkup.manifest.rows import ProcessedItem
from bulkup.model import Stage
from bulkup.run.open_destination import open_known
from bulkup.run.stages.signing import TaskSigner
from bulkup.run.work.checks import versions_here
from bulkup.run.work.elsewhere import Setup, check_worker, work_on
from bulkup.run.work.task import Task
from bulkup.settings.options import RunOptions
from bulkup.stores.s3.store import S3Store
from bulkup.stores.store import SignedAccess
from tests.e2e.pictures import photos
from tests.e2e.trees import access
from tests.fakes.clock import FakeClock
from tests.fakes.faults import Fault
from tests.fakes.s3_server import FakeS3
from tests.faults.pushing import Pushing
from tests.unit.manifest.recording import NOW, run_row

LATER = "Fri, 01 Jan 2100 00:00:00 GMT"
HERE = Slot(1, lambda: True)


@pytest.fixture
async def uploaded(tmp_path: Path, clock: FakeClock) -> tuple[Setup, Task]:
    """Three pictures at a directory, claimed to be processed."""
    return await claimed(Pushing(tmp_path, str(tmp_path / "to"), clock=clock))


@pytest.fixture
async def signed(tmp_path: Path, server: FakeS3) -> tuple[Setup, Task]:
    """Three pictures in a bucket, for a worker that has signed URLs only."""
    environ = access(server.url)
    setup, task = await claimed(Pushing(tmp_path, "s3://bucket/p", environ=environ))
    at = setup.destination
    store = cast("S3Store", open_known(at.url, at, setup.options, environ, SystemClock()))
    probe = await store.sign_get("p/.bulkup/probe", seconds=900)
    task = await TaskSigner(store, setup.options.process).sign(task)
    await store.close()
    return replace(setup, probe=probe), task


@pytest.fixture
def server(fake_s3: Callable[..., FakeS3]) -> FakeS3:
    return fake_s3(keep_bodies=True)


async def claimed(pushing: Pushing) -> tuple[Setup, Task]:
    """What a worker gets for three new pictures."""
    photos(pushing.root, 3)
    await pushing.push(stages=(Stage.UPLOAD,))
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


def test_nothing_is_begun_by_urls_that_are_about_to_expire(signed: tuple[Setup, Task]) -> None:
    """The driver signs others then."""
    setup, task = signed
    expired = replace(task, signed=SignedAccess(expires_at=1.0))
    assert work_on(setup, expired, HERE).outcomes == {}


def test_what_is_refused_once_its_urls_have_expired_is_not_begun(
    signed: tuple[Setup, Task], server: FakeS3
) -> None:
    """The driver signs others for it: no picture fails for a worker that was slow."""
    setup, task = signed
    server.script(Fault("PutObject", after=2, times=None, status=403, date=LATER))
    first = work_on(setup, task, HERE).outcomes
    assert len(first) < 3
    assert all(isinstance(one, ProcessedItem) for one in first.values())


def test_what_is_refused_while_its_urls_are_valid_has_failed(
    signed: tuple[Setup, Task], server: FakeS3
) -> None:
    setup, task = signed
    server.script(Fault("PutObject", times=None, status=403))
    outcomes = work_on(setup, task, HERE).outcomes
    assert len(outcomes) == 3
    assert all(isinstance(one, StoreForbidden) for one in outcomes.values())


def test_urls_expire_by_the_clock_of_the_endpoint(
    signed: tuple[Setup, Task], server: FakeS3
) -> None:
    """That of the worker may be fast or slow."""
    setup, task = signed
    assert task.signed is not None
    ended = replace(task, signed=replace(task.signed, expires_at=time.time() - 7000))
    server.script(Fault("GetObject", status=403, date=formatdate(time.time() - 8000, usegmt=True)))
    assert check_worker(setup, None, HERE) == Checked()
    assert len(work_on(setup, ended, HERE).outcomes) == 3


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
