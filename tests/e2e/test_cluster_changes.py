"""A cluster that changes during a run, and one that does not belong to this run alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.pictures import asked, photos
from tests.servers import dask
from tests.servers.dask import REPOSITORY, DaskProcesses
from tests.servers.process import wait_until

PHOTOS = 30


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[DaskProcesses]:
    (tmp_path / "dask").mkdir()
    with dask.running(tmp_path / "dask", workers=3) as cluster:
        yield cluster


@pytest.fixture
def uploaded(bulkup: Bulkup) -> Bulkup:
    """Photos in a store, whose files are gone."""
    tree = photos(bulkup.directory / "tree", PHOTOS, width=1200, height=900)
    bulkup("push", tree, "--to", bulkup.directory / "store", "--stages", "upload")
    shutil.rmtree(tree)
    return bulkup


def wait_for_thumbnails(bulkup: Bulkup, count: int) -> None:
    store = bulkup.directory / "store" / ".bulkup"
    wait_until(
        lambda: len(list(store.glob("thumb/*/*.webp"))) >= count,
        timeout_seconds=90,
        what="too little was made",
    )


def ask(bulkup: Bulkup, query: str) -> list[Any]:
    return asked(bulkup.home / "manifest.db", query)


def starting_with(directory: Path, code: str) -> dict[str, str]:
    """The environment of processes of Python that begin with this."""
    directory.mkdir()
    (directory / "sitecustomize.py").write_text(code)
    return {"PYTHONPATH": os.pathsep.join([str(directory), str(REPOSITORY)])}


def assert_all_are_done_once(bulkup: Bulkup) -> None:
    stages = bulkup("status", "--json").json()["stages"]
    assert stages["process"]["done"] == stages["embed"]["done"] == PHOTOS
    done = ask(bulkup, "SELECT count(*) FROM attempt WHERE outcome = 'done' GROUP BY item_id")
    assert set(done) == {1}
    assert ask(bulkup, "SELECT count(*) FROM item WHERE strikes") == [0]
    assert bulkup("verify", "--deep", "--json").json() == []


def test_a_cluster_that_becomes_smaller_loses_no_work(
    uploaded: Bulkup, cluster: DaskProcesses
) -> None:
    run = uploaded.start("process", "--engine", cluster.url)
    for count in (1, PHOTOS // 3):
        wait_for_thumbnails(uploaded, count)
        cluster.retire_worker()
    uploaded.finish(run, check=0)
    assert_all_are_done_once(uploaded)


def test_a_cluster_that_adapts_may_be_without_workers_at_times(
    uploaded: Bulkup, tmp_path: Path
) -> None:
    """As at its start; what it gives up in mid-run it starts again."""
    with dask.adapting(tmp_path, minimum=0, maximum=3) as address:
        run = uploaded.start("process", "--engine", f"dask://{address}")
        for count in (1, PHOTOS // 3):
            wait_for_thumbnails(uploaded, count)
            dask.retire_worker(address)
        uploaded.finish(run, check=0)
    assert_all_are_done_once(uploaded)


def test_two_drivers_with_one_manifest_share_the_work(
    uploaded: Bulkup, cluster: DaskProcesses
) -> None:
    runs = [uploaded.start("process", "--engine", cluster.url, "--json") for _ in range(2)]
    ended = [uploaded.finish(run, check=0).lines()[-1] for run in runs]
    assert sum(summary["processed"] for summary in ended) == PHOTOS
    assert_all_are_done_once(uploaded)


def test_a_worker_with_another_bulkup_is_told_and_has_no_work(
    uploaded: Bulkup, tmp_path: Path
) -> None:
    """The scheduler has none at all."""
    older = starting_with(tmp_path / "older", "import bulkup\nbulkup.__version__ = '0.0.1'\n")
    none = starting_with(tmp_path / "none", "import sys\nsys.modules['bulkup'] = None\n")
    (tmp_path / "dask").mkdir()
    with dask.running(tmp_path / "dask", workers=0, environ=none) as cluster:
        cluster.add_worker(environ={"PYTHONPATH": str(REPOSITORY)})
        cluster.add_worker(environ=older)
        ended = uploaded("process", "--engine", cluster.url, "--json").lines()
        said = [one["message"] for one in ended if one["event"] == "notice"]
        assert any("gets no work: bulkup 0.0.1 instead of" in one for one in said)
        assert [one["workers"] for one in ended if one["event"] == "workers"][-1] == 1
        cluster.workers[0].kill()
        other = Bulkup(tmp_path / "other")
        other.directory.mkdir()
        tree = photos(other.directory / "tree", 1)
        other("push", tree, "--to", other.directory / "store", "--stages", "upload")
        refused = other("process", "--engine", cluster.url, check=4)
        assert "can do the work: bulkup 0.0.1 instead of" in refused.stderr
    assert_all_are_done_once(uploaded)
