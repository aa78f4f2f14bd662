"""A Dask cluster and a real gateway: the same bytes as on one machine, whatever is killed."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.pictures import asked, photos
from tests.servers import dask
from tests.servers.dask import DaskProcesses
from tests.servers.endpoint import Endpoint
from tests.servers.process import wait_until

pytestmark = pytest.mark.ceph

PHOTOS = 40
SIZE = {"width": 1200, "height": 900}
RESULTS = (
    "SELECT lower(hex(digest)), picture.width_px, perceptual_hash, taken_at, picture.format "
    "FROM picture JOIN content ON content.id = content_id ORDER BY 1",
    "SELECT lower(hex(digest)), name, version, vector, classes FROM embedding "
    "JOIN content ON content.id = content_id JOIN embedder ON embedder.id = embedder_id ORDER BY 1",
    "SELECT key, kind, size_bytes, lower(hex(variant_digest)), etag FROM object ORDER BY key",
    "SELECT lower(hex(digest)), stage, state, attempts, strikes FROM item "
    "JOIN content ON content.id = content_id ORDER BY 1, 2",
)


def uploaded(bulkup: Bulkup, gateway: Endpoint, count: int) -> None:
    """Photos in a bucket of their own; their files are gone."""
    bulkup.directory.mkdir(exist_ok=True)
    tree = photos(bulkup.directory / "tree", count, **SIZE)
    target = f"s3://{gateway.make_bucket()}/p"
    bulkup("push", tree, "--to", target, "--stages", "upload", env=gateway.environment)
    shutil.rmtree(tree)


def results(bulkup: Bulkup) -> list[list[Any]]:
    return [asked(bulkup.home / "manifest.db", query) for query in RESULTS]


@contextmanager
def four_workers(directory: Path, gateway: Endpoint, workers: int = 4) -> Iterator[DaskProcesses]:
    directory.mkdir()
    with dask.running(directory, workers=workers, environ=gateway.environment) as cluster:
        yield cluster


def seconds_of(bulkup: Bulkup, gateway: Endpoint, *commands: tuple[str, ...]) -> float:
    began = time.monotonic()
    for command in commands:
        bulkup(*command, env=gateway.environment)
    return time.monotonic() - began


def compared(directory: Path, gateway: Endpoint, count: int) -> tuple[float, float]:
    """Seconds on one machine and on a cluster, whose results are the same."""
    here, there = Bulkup(directory / "here"), Bulkup(directory / "there")
    for one in (here, there):
        uploaded(one, gateway, count)
    alone = seconds_of(here, gateway, ("process",), ("embed",))
    with four_workers(directory / "dask", gateway) as cluster:
        together = seconds_of(there, gateway, ("process", "--engine", cluster.url))
    assert results(here) == results(there)
    assert there("verify", "--deep", "--json", env=gateway.environment).json() == []
    return alone, together


def survived(bulkup: Bulkup, gateway: Endpoint, count: int, *, kills: int, every: float) -> None:
    """Workers are killed one after the other, the driver twice, the scheduler once."""
    uploaded(bulkup, gateway, count)
    env, lost = gateway.environment, 0
    for life in range(3):
        with four_workers(bulkup.directory / f"dask {life}", gateway) as cluster:
            run = bulkup.start("process", "--engine", cluster.url, env=env)
            _wait_for_more(bulkup, run)
            share = -(-(kills - lost) // (3 - life))
            for _ in range(share):
                time.sleep(every)
                cluster.workers[-1].kill()
                cluster.add_worker(environ=env)
                lost += 1
            (cluster.scheduler if life == 2 else run).kill()
            ended = bulkup.finish(run)
            assert ended.code in ((0, 4) if life == 2 else (0, -9)), ended.stderr
    with four_workers(bulkup.directory / "dask", gateway) as cluster:
        bulkup("process", "--engine", cluster.url, env=env)
    stages = bulkup("status", "--json").json()["stages"]
    assert stages["process"]["done"] == stages["embed"]["done"] == count
    done_twice = asked(
        bulkup.home / "manifest.db",
        "SELECT item_id FROM attempt WHERE outcome = 'done' GROUP BY item_id HAVING count(*) > 1",
    )
    assert done_twice == []
    assert bulkup("verify", "--deep", "--json", env=env).json() == []  # foreign objects, too
    assert lost == kills


def _wait_for_more(bulkup: Bulkup, run: subprocess.Popen[str]) -> None:
    """Until the run has recorded something, or has ended."""
    before = _processed(bulkup)
    wait_until(
        lambda: _processed(bulkup) > before or run.poll() is not None,
        timeout_seconds=90,
        what="nothing was made",
    )


def _processed(bulkup: Bulkup) -> int:
    query = "SELECT count(*) FROM item WHERE stage = 'process' AND state = 'done'"
    return int(asked(bulkup.home / "manifest.db", query)[0])


def test_results_are_those_of_one_machine_byte_for_byte(tmp_path: Path, ceph: Endpoint) -> None:
    compared(tmp_path, ceph, PHOTOS)


def test_whatever_is_killed_everything_is_done_once(bulkup: Bulkup, ceph: Endpoint) -> None:
    survived(bulkup, ceph, PHOTOS, kills=3, every=0.5)
