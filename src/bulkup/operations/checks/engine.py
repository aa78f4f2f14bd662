"""The checks of `doctor --engine`: the scheduler, and each worker for each destination."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bulkup.errors import BulkupError, EngineUnusable
from bulkup.manifest.destinations import Destination
from bulkup.operations.doctor import CheckResult, Level
from bulkup.run.stages.lazy_embedder import LazyEmbedder
from bulkup.run.work.cluster import RunCluster

if TYPE_CHECKING:
    from random import Random

    from bulkup.clock import Clock
    from bulkup.engines.engine import Checked
    from bulkup.settings.options import RunOptions


async def check_engine(
    options: RunOptions, destinations: Sequence[Destination], clock: Clock, random: Random
) -> list[CheckResult]:
    """Whether the workers of the engine can process and embed what is at these destinations."""
    cluster = RunCluster(options, clock, lambda _: None)
    embedder = LazyEmbedder(options.embed, clock, random)
    results: list[CheckResult] = []
    try:
        connected = await cluster.connect()
        results.append(_result("", "scheduler", "ok", f"answers at {connected.name}"))
        for destination in destinations:
            results += await _check_workers(cluster, destination, embedder)
    except BulkupError as error:
        results.append(_result("", "scheduler", "failed", str(error), error.hint))
    finally:
        await cluster.close()
        await embedder.close()
    return results


async def _check_workers(
    cluster: RunCluster, destination: Destination, embedder: LazyEmbedder
) -> list[CheckResult]:
    results = []
    try:
        await cluster.engine_for(destination, embedder)
    except EngineUnusable as error:
        if cluster.engine is None or not cluster.engine.checked:
            return [_result(destination.url, "workers", "failed", str(error), error.hint)]
    assert cluster.engine is not None
    for address, checked in sorted(cluster.engine.checked.items()):
        results.append(_of_worker(destination.url, address, checked))
    return results


def _of_worker(url: str, address: str, checked: Checked) -> CheckResult:
    if checked.refusal is not None:
        return _result(url, address, "failed", checked.refusal)
    if checked.remark is not None:
        hint = "Install the same versions; what it makes may differ in some bytes."
        return _result(url, address, "warning", checked.remark, hint)
    return _result(url, address, "ok", "has the same versions and reaches the destination")


def _result(
    of: str, subject: str, level: Level, found: str, hint: str | None = None
) -> CheckResult:
    return CheckResult("engine", of, subject, level, found, hint)
