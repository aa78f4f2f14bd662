"""What bounds a cluster: N pictures driven through slots whose work is to sleep.

python benchmarks/cluster.py --slots 64 --pictures 20000                slots in this process
python benchmarks/cluster.py --slots 64 --pictures 20000 --engine dask  threads of a real cluster
python benchmarks/cluster.py --slots 1000 --seconds 0 --pictures 1000000

Prints pictures a second, the share of what so many slots could do (linear = 1), the driver's CPU
seconds and the most memory that it had.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from bulkup.clock import SystemClock
from bulkup.content.picture.types import Metadata
from bulkup.engines.dask.checks import Remote
from bulkup.engines.dask.cluster import DaskCluster
from bulkup.engines.dask.engine import TASK_SECONDS, DaskEngine
from bulkup.engines.engine import Checked, Engine, Lost, Slot
from bulkup.manifest.destinations import Destination
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.rows import EmbeddedItem, ProcessedItem, VariantRow, WorkItem
from bulkup.model import Digest, Stage
from bulkup.operations.stages import ProcessRun
from bulkup.run.context import new_context
from bulkup.run.stages.lazy_embedder import LazyEmbedder
from bulkup.run.work.task import MOST_TASK_SECONDS, Outcome, Task, TaskReply
from bulkup.settings.options import RunOptions

VECTOR, CLASSES = os.urandom(2560), os.urandom(80)
_FILL = (
    "INSERT INTO content (digest, size_bytes, media_type) SELECT randomblob(32), 650000, "
    "'image/jpeg' FROM n",
    "INSERT INTO asset (folder_id, name, size_bytes, modified_ns, inode, changed_ns, content_id) "
    "SELECT 1, printf('IMG_%08d.jpg', i), 650000, i, i, i, i FROM n",
    "INSERT INTO object (destination_id, key, content_id, kind, size_bytes, stored_at) "
    "SELECT 1, printf('photos/IMG_%08d.jpg', i), i, 'original', 650000, 1 FROM n",
    "INSERT INTO item (content_id, destination_id, stage, state, size_bytes) "
    "SELECT i, 1, 'upload', 'done', 650000 FROM n",
)


def fake(task: Task, seconds_each: float) -> tuple[dict[int, Outcome], float]:
    """Results of a task's items as far as its time allows, and how long they take."""
    count = len(task.items)
    if seconds_each:
        count = min(count, max(1, int(MOST_TASK_SECONDS / seconds_each)))
    outcomes = {item.item_id: _outcome(task.stage, item) for item in task.items[:count]}
    return outcomes, count * seconds_each


def _outcome(stage: Stage, item: WorkItem) -> Outcome:
    if stage is Stage.EMBED:
        return EmbeddedItem(item, VECTOR, CLASSES, 0.05)
    digest = Digest("ab" * 32)
    variants = tuple(
        VariantRow(kind, f".bulkup/{kind}/{item.known_digest}.webp", 9000, digest, '"etag"')
        for kind in ("thumb", "preview")
    )
    metadata = Metadata(4000, 3000, "JPEG", perceptual_hash="0123456789abcdef")
    return ProcessedItem(item, variants, metadata, 0.05, (VECTOR, CLASSES))


def sleep_in_worker(seconds_each: float, task: Task, _slot: Slot) -> TaskReply:
    outcomes, seconds = fake(task, seconds_each)
    time.sleep(seconds)
    return TaskReply(outcomes, seconds)


def fit(_setup: float, _task: None, _slot: Slot) -> Checked:
    return Checked()


class SleepingSlots:
    """An Engine: so many slots in this process, which sleep."""

    isolates = True
    task_seconds = TASK_SECONDS
    workers = tasks_out = 0

    def __init__(self, slots: int, seconds_each: float) -> None:
        self.slots = slots
        self.most_tasks = 2 * slots
        self._seconds_each = seconds_each
        self._free = asyncio.Semaphore(slots)

    async def run(self, task: Task, *, is_alone: bool = False) -> TaskReply | Lost:
        async with self._free:
            outcomes, seconds = fake(task, self._seconds_each)
            await asyncio.sleep(seconds)
            return TaskReply(outcomes, max(seconds, 1e-6))

    async def close(self) -> None:
        """Nothing is held."""


class Engines:
    """An EngineSource with the engine that was asked for."""

    def __init__(self, slots: int, seconds_each: float, url: str | None) -> None:
        self._slots, self._seconds_each, self._url = slots, seconds_each, url
        self._cluster: DaskCluster | None = None
        self.began = 0.0

    async def engine_for(
        self, destination: Destination, embedder: LazyEmbedder
    ) -> Engine[Task, TaskReply]:
        if self._url is None:
            self.began = time.monotonic()
            return SleepingSlots(self._slots, self._seconds_each)
        self._cluster = await DaskCluster.open(self._url, workers=1)
        remote = Remote(sleep_in_worker, fit, self._seconds_each)
        engine: DaskEngine[Task, TaskReply] = DaskEngine(
            self._cluster, remote, SystemClock(), print
        )
        await engine.open()
        self.began = time.monotonic()
        return engine

    async def close(self) -> None:
        if self._cluster is not None:
            await self._cluster.close()


def fill(path: Path, pictures: int) -> None:
    """A manifest of so many uploaded files."""
    Manifest(str(path)).close()
    db = sqlite3.connect(path)
    db.execute(
        "INSERT INTO destination (url, conditional_writes) VALUES (?, 1)", (str(path.parent),)
    )
    db.execute("INSERT INTO root (path, destination_id, walked_at) VALUES ('/photos', 1, 1)")
    db.execute("INSERT INTO folder (id, root_id, path) VALUES (1, 1, '')")
    numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
    for statement in _FILL:
        db.execute(numbers + statement, (pictures,))
    db.commit()
    db.close()


def start_cluster(beside: ExitStack, slots: int, folder: str) -> str:
    """A scheduler, and workers with 32 slots each."""
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    port = 18799

    def start(*args: str) -> None:
        command = [sys.executable, "-m", "dask", *args, "--host", "127.0.0.1", "--no-dashboard"]
        process = subprocess.Popen(
            command, env=environ, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        beside.callback(process.kill)

    start("scheduler", "--port", str(port))
    time.sleep(3)
    for first in range(0, slots, 32):
        threads = str(min(32, slots - first))
        start("worker", f"tcp://127.0.0.1:{port}", "--nthreads", threads, "--no-nanny")
    time.sleep(5)
    return f"dask://127.0.0.1:{port}"


async def drive(path: Path, engines: Engines) -> None:
    with Manifest(str(path)) as manifest:
        context = new_context(
            manifest,
            clock=SystemClock(),
            random=Random(1),
            emit=lambda _: None,
            environ=os.environ,
            wants_files=False,
        )
        summary = await ProcessRun(RunOptions(), context, force=False, engines=engines).run()
        assert summary.processed == summary.embedded, summary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=0.055, help="what one picture costs")
    parser.add_argument("--engine", choices=("here", "dask"), default="here")
    given = parser.parse_args()
    with TemporaryDirectory() as folder, ExitStack() as beside:
        path = Path(folder, "manifest.db")
        fill(path, given.pictures)
        url = start_cluster(beside, given.slots, folder) if given.engine == "dask" else None
        engines = Engines(given.slots, given.seconds, url)
        before = resource.getrusage(resource.RUSAGE_SELF)
        asyncio.run(drive(path, engines))
        seconds = time.monotonic() - engines.began
        after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    rate = given.pictures / seconds
    linear = rate * given.seconds / given.slots
    print(
        f"{given.slots} slots, {given.pictures:,} pictures: {seconds:.1f} s, "
        f"{rate:,.0f} pictures/s, {linear:.2f} of linear, driver {cpu:.1f} s CPU "
        f"({given.pictures / cpu:,.0f} pictures per CPU second), {after.ru_maxrss / 1024:.0f} MiB"
    )


if __name__ == "__main__":
    main()
