"""The stages after the upload, made ready for one crew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from bulkup.clock import Clock
from bulkup.events import Emit
from bulkup.manifest.queue.stages import StageScope
from bulkup.model import Stage
from bulkup.run.async_manifest import AsyncManifest
from bulkup.run.circuit_breaker import CircuitBreaker
from bulkup.run.job import BatchStart, Job, LaterLimits
from bulkup.run.stages.lazy_embedder import LazyEmbedder
from bulkup.run.stages.runner import StageRunner, StageWorker
from bulkup.run.stages.variant_cache import VariantCache, best_for_embedding
from bulkup.run.upload.sender import Sender
from bulkup.settings.options import RunOptions
from bulkup.stores.store import PartStore


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the stages of a crew share."""

    async_manifest: AsyncManifest
    store: PartStore
    sender: Sender
    embedder: LazyEmbedder
    breaker: CircuitBreaker
    run_id: str
    clock: Clock
    random: Random
    emit: Emit
    wants_files: bool


def later_stages(
    job: Job,
    begun: BatchStart,
    around: Surroundings,
    options: RunOptions,
    limits: LaterLimits,
    is_uploading: Callable[[], bool],
) -> list[StageRunner]:
    """A StageWork for each stage after the upload that the job's order names; each is fed by the
    one before it."""
    works: list[StageRunner] = []
    is_fed = is_uploading
    variant_cache = VariantCache(best_for_embedding(options.process.variants))
    for stage in (Stage.PROCESS, Stage.EMBED):
        if stage not in job.order.stages:
            continue
        work = StageRunner(
            around.async_manifest,
            _worker(stage, job, around, options, variant_cache),
            StageScope(job.destination.id, stage, begun.batch_id if job.is_batch_only else None),
            around.breaker,
            run_id=around.run_id,
            follows=job.order.stage_after(stage),
            limits=limits,
            is_fed=is_fed,
            clock=around.clock,
            random=around.random,
            emit=around.emit,
            wants_files=around.wants_files,
        )
        works.append(work)
        is_fed = _not_over(work)
    return works


def _not_over(work: StageRunner) -> Callable[[], bool]:
    return lambda: not work.is_over


def _worker(
    stage: Stage, job: Job, around: Surroundings, options: RunOptions, variant_cache: VariantCache
) -> StageWorker:
    if stage is Stage.EMBED:
        from bulkup.run.stages.embed import EmbedStage

        return EmbedStage(
            around.async_manifest,
            around.store,
            around.sender,
            around.embedder,
            variant_cache,
            force=options.embed.force,
            destination_id=job.destination.id,
            run_id=around.run_id,
            clock=around.clock,
        )
    from bulkup.run.stages.process import ProcessStage

    return ProcessStage(
        around.async_manifest,
        around.store,
        around.sender,
        options.process,
        destination_id=job.destination.id,
        run_id=around.run_id,
        follows=job.order.stage_after(stage),
        variant_cache=variant_cache if job.order.stage_after(stage) else None,
        clock=around.clock,
    )
