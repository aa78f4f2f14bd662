"""The engines of a job's stages: this process, or the cluster of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkup.engines.local import LocalEngine
from bulkup.manifest.rows import WorkItem
from bulkup.model import Digest
from bulkup.run.job import JobContext
from bulkup.run.stages.lazy_embedder import LazyEmbedder
from bulkup.run.work.task import NoHands, Outcome, Task, TaskReply

if TYPE_CHECKING:
    from bulkup.run.work.variant_cache import VariantCache


class ClaimedHands:
    """`Hands` that the manifest knows of: the items are claimed by this run."""

    def __init__(self, job: JobContext) -> None:
        self._context = job.run

    async def take(self, items: tuple[WorkItem, ...]) -> None:
        """See Hands."""
        queue = self._context.manifest.stage_queue
        await self._context.call(queue.mark_in_worker, items, run_id=self._context.run_id)

    async def give_back(self, items: tuple[WorkItem, ...]) -> None:
        """See Hands."""
        queue = self._context.manifest.stage_queue
        await self._context.call(queue.unmark_in_worker, items, run_id=self._context.run_id)


def local_processing(job: JobContext, cache: VariantCache | None) -> LocalEngine[Task, TaskReply]:
    """Processes in worker processes of this machine; fresh variants are kept in `cache`."""
    from bulkup.run.work.pictures import AHEAD, PictureWork

    context, options = job.run, job.options.process

    async def is_bad(key: str) -> bool:
        is_bad_variant = context.manifest.object_checks.is_bad_variant
        return await context.call(is_bad_variant, job.destination_id, key)

    work = PictureWork(
        job.requests,
        options,
        ClaimedHands(job),
        clock=context.clock.monotonic,
        count=options.count,
        is_bad=is_bad,
    )

    async def process(task: Task) -> TaskReply:
        began = context.clock.monotonic()
        outcomes: dict[int, Outcome] = {}
        digests: dict[int, Digest] = {}
        for item in task.items:
            made = await work.process(item, task)
            outcomes[item.item_id] = made.outcome
            if item.digest is None and made.digest is not None:
                digests[item.item_id] = made.digest
            elif made.picture is not None and cache is not None:
                cache.keep(item.content_id, made.picture.variants)
        return TaskReply(outcomes, context.clock.monotonic() - began, digests)

    return LocalEngine(process, work.close, slots=options.count, ahead=AHEAD)


def local_embedding(job: JobContext, embedder: LazyEmbedder) -> LocalEngine[Task, TaskReply]:
    """Embeds in threads of this process, or by a service; that cannot take this process down."""
    from bulkup.run.work.embedding import EmbeddingWork

    clock = job.run.clock.monotonic
    hands = ClaimedHands(job) if embedder.is_local else NoHands()
    work = EmbeddingWork(job.requests, embedder.get, hands, clock=clock)

    async def embed(task: Task) -> TaskReply:
        began = clock()
        outcomes: dict[int, Outcome] = {**await work.embed(task.items, task)}
        return TaskReply(outcomes, clock() - began)

    # While one call is computed, the variants of the next are found.
    return LocalEngine(embed, slots=1, ahead=1)
