"""The stages after the upload, made ready for one crew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from bulkup.clock import Clock
from bulkup.manifest.later import Scope
from bulkup.model import Stage
from bulkup.run.events import Emit
from bulkup.run.job import Begun, Job, LaterLimits
from bulkup.run.lazy_embedder import LazyEmbedder
from bulkup.run.ledger import Ledger
from bulkup.run.order import Means
from bulkup.run.previews import Previews, best_for_embedding
from bulkup.run.riding import Riding
from bulkup.run.sender import Sender
from bulkup.run.stage_work import Attempting, StageWork
from bulkup.stores.store import PartStore


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the stages of a crew share."""

    ledger: Ledger
    store: PartStore
    sender: Sender
    embedder: LazyEmbedder
    riding: Riding
    run_id: str
    clock: Clock
    random: Random
    emit: Emit
    wants_files: bool


def later_stages(
    job: Job,
    begun: Begun,
    around: Surroundings,
    means: Means,
    limits: LaterLimits,
    is_uploading: Callable[[], bool],
) -> list[StageWork]:
    """A StageWork for each stage after the upload that the job's order names; each is fed by the
    one before it."""
    works: list[StageWork] = []
    is_fed = is_uploading
    previews = Previews(best_for_embedding(means.process.variants))
    for stage in (Stage.PROCESS, Stage.EMBED):
        if stage not in job.order.stages:
            continue
        work = StageWork(
            around.ledger,
            _attempting(stage, job, around, means, previews),
            Scope(job.destination.id, stage, begun.batch_id if job.is_batch_only else None),
            around.riding,
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


def _not_over(work: StageWork) -> Callable[[], bool]:
    return lambda: not work.is_over


def _attempting(
    stage: Stage, job: Job, around: Surroundings, means: Means, previews: Previews
) -> Attempting:
    if stage is Stage.EMBED:
        from bulkup.run.embedding import Embedding

        return Embedding(
            around.ledger,
            around.store,
            around.sender,
            around.embedder,
            previews,
            redoes=means.embed.redoes,
            destination_id=job.destination.id,
            run_id=around.run_id,
            clock=around.clock,
        )
    from bulkup.run.processing import Processing

    return Processing(
        around.ledger,
        around.store,
        around.sender,
        means.process,
        destination_id=job.destination.id,
        run_id=around.run_id,
        follows=job.order.stage_after(stage),
        previews=previews if job.order.stage_after(stage) else None,
        clock=around.clock,
    )
