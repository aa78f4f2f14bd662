"""The embed stage: gives variants to the engine, and records their embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bulkup.engines.engine import Engine, Lost
from bulkup.errors import EmbedderUnusable
from bulkup.manifest.pictures import Pictures
from bulkup.manifest.rows import EmbeddedItem, VariantRow, WorkItem
from bulkup.model import Stage
from bulkup.run.job import JobContext
from bulkup.run.stages.attempts import Attempted
from bulkup.run.stages.lazy_embedder import LazyEmbedder
from bulkup.run.stages.process import lost
from bulkup.run.stages.results import DoneItem, Outcome
from bulkup.run.stages.task_size import TaskSize
from bulkup.run.work.task import Task, TaskReply
from bulkup.run.work.variant_cache import VariantCache

if TYPE_CHECKING:
    from bulkup.embed.embedder import Embedder
    from bulkup.run.stages.signing import TaskSigner


class EmbedStage:
    """An `Attempter`, for one destination."""

    stage = Stage.EMBED

    def __init__(
        self,
        job: JobContext,
        engine: Engine[Task, TaskReply],
        embedder: LazyEmbedder,
        variant_cache: VariantCache,
        signer: TaskSigner | None = None,
    ) -> None:
        self._context = job.run
        self._destination_id = job.destination_id
        self._force = job.options.embed.force
        self._engine = engine
        self._signer = signer
        self._lazy = embedder
        self._variant_cache = variant_cache
        self._size = TaskSize(engine.task_seconds, embedder.most_items)
        self.isolates = engine.isolates
        self.rules = self._size.claim_rules(engine.most_tasks)

    @property
    def concurrency(self) -> int:
        return self._engine.most_tasks

    def most_items(self, left: int | None = None) -> int:
        return self._size.items(left, self._engine.slots)

    async def attempt(self, items: Sequence[WorkItem], *, is_alone: bool) -> Attempted:
        known: set[int] = set()
        embedder_id = await self._recorded(self._lazy.get())
        if not self._force:
            contents = [item.content_id for item in items]
            vectors = self._context.manifest.embeddings
            known = await self._context.call(vectors.known, contents, embedder_id)
        outcomes: dict[int, Outcome] = {
            item.item_id: EmbeddedItem(item, None, None, 0.0)
            for item in items
            if item.content_id in known
        }
        unasked = frozenset(outcomes)
        new = [item for item in items if item.content_id not in known]
        if not new:
            return Attempted(outcomes, unasked=unasked)
        task = await self._task(new)
        unasked |= task.fresh.keys()
        if self._signer is not None:
            task = await self._signer.sign(task)
        reply = await self._engine.run(task, is_alone=is_alone)
        if isinstance(reply, Lost):
            attempted = lost(new, reply)
            return attempted._replace(outcomes={**outcomes, **attempted.outcomes}, unasked=unasked)
        self._size.add(len(reply.outcomes), reply.seconds)
        return Attempted({**outcomes, **reply.outcomes}, unasked=unasked)

    async def _task(self, items: Sequence[WorkItem]) -> Task:
        held = {item.item_id: self._variant_cache.take(item.content_id) for item in items}
        fresh = {item_id: body for item_id, body in held.items() if body is not None}
        others = {item.item_id: item.content_id for item in items if item.item_id not in fresh}
        keys: dict[int, str] = {}
        if others:
            keys = await self._context.call(
                _variant_keys,
                self._context.manifest.pictures,
                others,
                self._destination_id,
                self._variant_cache.name,
            )
        return Task(self.stage, tuple(items), fresh=fresh, variant_keys=keys)

    async def _recorded(self, embedder: Embedder) -> int | None:
        """The embedder's id in the manifest, if it has one.

        Then its dimension is known: a service whose vectors have another one is another model.
        Raises EmbedderUnusable.
        """
        vectors = self._context.manifest.embeddings
        row = await self._context.call(vectors.dimension_of, embedder.name, embedder.version)
        if row is None:
            return None
        embedder_id, dimension = row
        if embedder.dimension is None:
            embedder.dimension = dimension
        if embedder.dimension != dimension:
            raise EmbedderUnusable(
                f"the vectors by {embedder.name} ({embedder.version}) have {dimension} dimensions, "
                f"not {embedder.dimension}",
                hint="Set embed.dimension to what it was, or name another embed.remote_model.",
            )
        return embedder_id

    async def record(self, done: Sequence[DoneItem]) -> None:
        """Write embeddings: the contents are searchable."""
        embedder = self._lazy.get()
        await self._context.call(
            self._context.manifest.embeddings.settle,
            [one for one in done if isinstance(one, EmbeddedItem)],
            name=embedder.name,
            version=embedder.version,
            dimension=embedder.dimension or 0,
            run_id=self._context.run_id,
            now=self._context.clock.now(),
        )

    async def close(self) -> None:
        """The embedder stays: it is the run's, and may serve other destinations."""
        await self._engine.close()


def _variant_keys(
    pictures: Pictures, contents: dict[int, int], destination_id: int, name: str
) -> dict[int, str]:
    """By item: the key of the variant to embed; none for a content without variants."""
    keys = {}
    for item_id, content_id in contents.items():
        variants = pictures.variants(content_id, destination_id)
        if variants:
            keys[item_id] = _chosen(variants, name).key
    return keys


def _chosen(variants: Sequence[VariantRow], name: str) -> VariantRow:
    """The one of this name, else the largest."""
    return next((one for one in variants if one.kind == name), variants[-1])
