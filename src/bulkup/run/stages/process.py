"""The process stage: gives contents to the engine, and records their variants and metadata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bulkup.engines.engine import Engine, Lost
from bulkup.errors import WorkerLost
from bulkup.manifest.rows import EmbeddedItem, ProcessedItem, SkippedItem, WorkItem
from bulkup.model import Stage
from bulkup.run.job import JobContext
from bulkup.run.stages.attempts import Attempted
from bulkup.run.stages.lazy_embedder import LazyEmbedder
from bulkup.run.stages.proof import prove_uploads
from bulkup.run.stages.results import DoneItem, Outcome
from bulkup.run.stages.task_size import TaskSize
from bulkup.run.work.task import Task, TaskReply

if TYPE_CHECKING:
    from bulkup.run.stages.signing import TaskSigner

WORKER_LOST = "its worker vanished"
COPY = "the same bytes as another object"


class ProcessStage:
    """An `Attempter`, for one destination."""

    stage = Stage.PROCESS

    def __init__(
        self,
        job: JobContext,
        engine: Engine[Task, TaskReply],
        embedder: LazyEmbedder | None,
        signer: TaskSigner | None = None,
    ) -> None:
        """`embedder` is the one whose vectors the engine makes in the same pass, if it does."""
        self._job = job
        self._context = job.run
        self._destination_id = job.destination_id
        self._follows = job.follows(Stage.PROCESS)
        self._engine = engine
        self._signer = signer
        self._embedder = embedder
        self._size = TaskSize(engine.task_seconds, 1)
        self.isolates = engine.isolates
        self.rules = self._size.claim_rules(engine.most_tasks)

    @property
    def concurrency(self) -> int:
        return self._engine.most_tasks

    def most_items(self, left: int | None = None) -> int:
        return self._size.items(left, self._engine.slots)

    async def attempt(self, items: Sequence[WorkItem], *, is_alone: bool) -> Attempted:
        refuted: dict[int, Outcome] = {**await prove_uploads(self._job, items)}
        items = [item for item in items if item.item_id not in refuted]
        if not items:
            return Attempted(refuted)
        attempted = await self._attempt(items, is_alone=is_alone)
        return attempted._replace(outcomes={**attempted.outcomes, **refuted})

    async def _attempt(self, items: Sequence[WorkItem], *, is_alone: bool) -> Attempted:
        task = await self._task(items)
        if self._signer is not None:
            task = await self._signer.sign(task)
        reply = await self._engine.run(task, is_alone=is_alone)
        if isinstance(reply, Lost):
            return lost(items, reply)
        self._size.add(len(reply.outcomes), reply.seconds)
        return Attempted(await self._identified(items, reply))

    async def _identified(self, items: Sequence[WorkItem], reply: TaskReply) -> dict[int, Outcome]:
        """The outcomes; contents that had no digest have one now, or are another one's copies."""
        outcomes = dict(reply.outcomes)
        read = [
            item._replace(digest=reply.digests[item.item_id])
            for item in items
            if item.item_id in reply.digests
        ]
        if not read:
            return outcomes
        contents = await self._context.call(
            self._context.manifest.object_import.identify, read, self._destination_id
        )
        for item in read:
            outcome = outcomes[item.item_id]
            if item.item_id not in contents:
                outcomes[item.item_id] = SkippedItem(item, COPY, 0.0)
            elif isinstance(outcome, (ProcessedItem, SkippedItem)):
                known = item._replace(content_id=contents[item.item_id])
                outcomes[item.item_id] = outcome._replace(item=known)
        return outcomes

    async def _task(self, items: Sequence[WorkItem]) -> Task:
        manifest = self._context.manifest
        contents = [item.content_id for item in items]
        if not self._engine.isolates:  # the files of this machine are within its reach
            sources = await self._context.call(manifest.stage_queue.sources, contents[0])
            return Task(self.stage, tuple(items), {items[0].item_id: tuple(sources)})
        bad = await self._context.call(
            manifest.object_checks.bad_variants, self._destination_id, contents
        )
        embedded = frozenset(contents)
        if self._embedder is not None:
            opened, vectors = self._embedder.get(), manifest.embeddings
            embedder_id = await self._context.call(vectors.id_of, opened.name, opened.version)
            embedded = frozenset(await self._context.call(vectors.known, contents, embedder_id))
        return Task(self.stage, tuple(items), bad_keys=frozenset(bad), embedded=embedded)

    async def record(self, done: Sequence[DoneItem]) -> None:
        """Write variants and metadata: the contents are processed. Vectors that were made in the
        same pass are kept for the embed stage."""
        processed = [one for one in done if isinstance(one, ProcessedItem)]
        vectors = [
            EmbeddedItem(one.item, *one.embedding, one.seconds)
            for one in processed
            if one.embedding is not None
        ]
        if vectors and self._embedder is not None:
            embedder = self._embedder.get()
            await self._context.call(
                self._context.manifest.embeddings.add,
                vectors,
                name=embedder.name,
                version=embedder.version,
                dimension=embedder.dimension or 0,
                now=self._context.clock.now(),
            )
        await self._context.call(
            self._context.manifest.pictures.settle,
            processed,
            follows=self._follows,
            destination_id=self._destination_id,
            run_id=self._context.run_id,
            now=self._context.clock.now(),
        )

    async def close(self) -> None:
        await self._engine.close()


def lost(items: Sequence[WorkItem], reply: Lost) -> Attempted:
    """What becomes of the items of a lost task: only one that was alone may be to blame."""
    if reply.was_in_hand and len(items) == 1:
        return Attempted({items[0].item_id: WorkerLost(WORKER_LOST)})
    return Attempted({}, frozenset(item.item_id for item in items))
