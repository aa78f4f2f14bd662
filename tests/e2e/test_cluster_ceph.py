"""A Dask cluster and a real gateway: the same bytes as on one machine, whatever is killed.

With BULKUP_CLUSTER_PHOTOS=2000 BULKUP_CLUSTER_KILLS=10 this takes half an hour;
--log-cli-level=INFO shows what the machine and the cluster needed.
"""

from __future__ import annotations

import logging
import os
import resource
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.pictures import asked, photos
from tests.servers import dask
from tests.servers.dask import DaskProcesses
from tests.servers.endpoint import Endpoint
from tests.servers.process import wait_until

LOG = logging.getLogger(__name__)
PHOTOS = int(os.environ.get("BULKUP_CLUSTER_PHOTOS", "40"))
KILLS = int(os.environ.get("BULKUP_CLUSTER_KILLS", "3"))
EVERY_SECONDS = 5.0 if PHOTOS > 200 else 0.2
LIMIT_SECONDS = 120 + 3 * PHOTOS

pytestmark = [pytest.mark.ceph, pytest.mark.timeout(4 * LIMIT_SECONDS)]

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


class Cost(NamedTuple):
    """What the work cost, here or on the cluster."""

    seconds: float
    cpu_seconds: float

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, {self.cpu_seconds:.1f} s of CPU"


class Marked:
    """Processes that can be found by a mark in their environment, with all that they start."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._mark = f"CLUSTER_TEST={secrets.token_hex(8)}"
        name, _, value = self._mark.partition("=")
        self.environ = {**environ, name: value}

    def pids(self) -> list[int]:
        """Those that are alive."""
        return [int(one.name) for one in Path("/proc").glob("[0-9]*") if self._is_marked(one)]

    def _is_marked(self, process: Path) -> bool:
        try:
            return self._mark.encode() in (process / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended
            return False

    def cpu_seconds(self) -> float:
        """Of those that are alive, and of what they waited for."""
        ticks = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")


def finished(bulkup: Bulkup, *command: str, env: Mapping[str, str]) -> None:
    """Run a command, which may take long."""
    bulkup.finish(bulkup.start(*command, env=env), check=0, timeout_seconds=LIMIT_SECONDS)


def uploaded(bulkup: Bulkup, gateway: Endpoint) -> str:
    """Photos in a bucket of their own, which is returned; their files are gone."""
    bulkup.directory.mkdir(exist_ok=True)
    tree = photos(bulkup.directory / "tree", PHOTOS, **SIZE)
    bucket = gateway.make_bucket()
    command = ("push", str(tree), "--to", f"s3://{bucket}/p", "--stages", "upload")
    finished(bulkup, *command, env=gateway.environment)
    shutil.rmtree(tree)
    return bucket


def variants(gateway: Endpoint, bucket: str) -> int:
    """How many thumbnails the bucket has."""
    with closing(gateway.client()) as client:
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix="p/.bulkup/thumb/"
        )
        return sum(page["KeyCount"] for page in pages)


def results(bulkup: Bulkup) -> list[list[Any]]:
    return [asked(bulkup.home / "manifest.db", query) for query in RESULTS]


@contextmanager
def four_workers(directory: Path, environ: Mapping[str, str]) -> Iterator[DaskProcesses]:
    directory.mkdir()
    with dask.running(directory, workers=4, environ=environ) as cluster:
        yield cluster


def cost_here(bulkup: Bulkup, env: Mapping[str, str]) -> Cost:
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    for command in ("process", "embed"):
        finished(bulkup, command, env=env)
    seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Cost(seconds, cpu)


def cost_there(bulkup: Bulkup, directory: Path, env: Mapping[str, str]) -> Cost:
    """The cluster's start is not counted."""
    marked, before = Marked(env), resource.getrusage(resource.RUSAGE_CHILDREN)
    with four_workers(directory, marked.environ) as cluster:
        at_start, began = marked.cpu_seconds(), time.monotonic()
        finished(bulkup, "process", "--engine", cluster.url, env=env)
        seconds, cpu = time.monotonic() - began, marked.cpu_seconds() - at_start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)  # the driver
    cpu += after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Cost(seconds, cpu)


def processed(bulkup: Bulkup) -> int:
    query = "SELECT count(*) FROM item WHERE stage = 'process' AND state = 'done'"
    return int(asked(bulkup.home / "manifest.db", query)[0])


def test_results_are_those_of_one_machine_byte_for_byte(tmp_path: Path, ceph: Endpoint) -> None:
    here, there = Bulkup(tmp_path / "here"), Bulkup(tmp_path / "there")
    for one in (here, there):
        uploaded(one, ceph)
    alone = cost_here(here, ceph.environment)
    together = cost_there(there, tmp_path / "dask", ceph.environment)
    LOG.info("%d photos: one machine %s; four workers %s", PHOTOS, alone, together)
    assert results(here) == results(there)
    assert there("verify", "--deep", "--json", env=ceph.environment).json() == []


def test_whatever_is_killed_everything_is_done_once(bulkup: Bulkup, ceph: Endpoint) -> None:
    """Workers are killed one after the other, the driver twice, the scheduler once."""
    bucket = uploaded(bulkup, ceph)
    marked, lost = Marked(ceph.environment), 0
    env = marked.environ
    for life in range(3):
        with four_workers(bulkup.directory / f"dask {life}", env) as cluster:
            before = variants(ceph, bucket)
            run = bulkup.start("process", "--engine", cluster.url, env=env)
            wait_until(
                lambda before=before, run=run: (  # type: ignore[misc]
                    variants(ceph, bucket) > before or run.poll() is not None
                ),
                timeout_seconds=90,
                what="nothing was made",
            )
            share = -(-(KILLS - lost) // (3 - life))
            for number in range(share):
                if number:
                    cluster.add_worker()
                time.sleep(EVERY_SECONDS)
                cluster.workers[-1].kill()
            lost += share
            (cluster.scheduler if life == 2 else run).kill()
            ended = bulkup.finish(run, timeout_seconds=LIMIT_SECONDS)
            assert ended.code in ((0, 4) if life == 2 else (0, -9)), ended.stderr
            LOG.info("exit %d, %d processed, %d workers lost", ended.code, processed(bulkup), lost)
    with four_workers(bulkup.directory / "dask", env) as cluster:
        finished(bulkup, "process", "--engine", cluster.url, env=env)
    assert lost == KILLS
    wait_until(lambda: not marked.pids(), timeout_seconds=60, what="all processes did not end")
    stages = bulkup("status", "--json").json()["stages"]
    assert stages["process"]["done"] == stages["embed"]["done"] == PHOTOS
    done_twice = asked(
        bulkup.home / "manifest.db",
        "SELECT item_id FROM attempt WHERE outcome = 'done' GROUP BY item_id HAVING count(*) > 1",
    )
    assert done_twice == []
    # Deep: foreign objects are told, too.
    assert bulkup("verify", "--deep", "--json", env=ceph.environment).json() == []


def test_workers_without_keys_finish_though_their_urls_expire(
    bulkup: Bulkup, ceph: Endpoint
) -> None:
    """URLs of the first tasks are useless when they come, those of the others soon after."""
    uploaded(bulkup, ceph)
    counts = bulkup.directory / "counts"
    with four_workers(bulkup.directory / "dask", {}) as cluster:
        command = [sys.executable, "-c", HASTY, "process", "--engine", cluster.url, "--sign"]
        ended = subprocess.run(
            command,
            check=False,
            env=bulkup.environment({**ceph.environment, "COUNTS": str(counts)}),
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
        )
    assert ended.returncode == 0, ended.stderr
    signed = sum(map(int, counts.read_text().split()))
    assert signed > PHOTOS
    LOG.info("signed for %d pictures, of which there are %d", signed, PHOTOS)
    rows = asked(bulkup.home / "manifest.db", "SELECT state, attempts FROM item WHERE attempts > 1")
    assert rows == []
    stages = bulkup("status", "--json").json()["stages"]
    assert stages["process"]["done"] == stages["embed"]["done"] == PHOTOS
    assert bulkup("verify", "--deep", "--json", env=ceph.environment).json() == []


HASTY = """
import os, sys
from bulkup.cli.app import main
from bulkup.run.stages import signing
from bulkup.run.work.elsewhere import EXPIRY_MARGIN_SECONDS
sign, calls = signing.TaskSigner.sign, []
async def counted(self, task):
    calls.append(len(task.items))
    with open(os.environ["COUNTS"], "a") as file:
        print(calls[-1], file=file)
    signing.SIGNED_SECONDS = int(EXPIRY_MARGIN_SECONDS) + (0 if len(calls) <= 4 else 3)
    return await sign(self, task)
signing.TaskSigner.sign = counted
sys.exit(main())
"""
