"""The embed stage: finds variants and gives them to the embedder, many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bulkup.errors import (
    EmbedderUnusable,
    EmbedError,
    ItemError,
    ObjectMissing,
    SourceMissing,
)
from bulkup.manifest.rows import EmbeddedItem, SkippedItem, VariantRow, WorkItem
from bulkup.model import Stage
from bulkup.run.job import JobContext
from bulkup.run.stages.lazy_embedder import LazyEmbedder
from bulkup.run.stages.results import DoneItem
from bulkup.run.stages.variant_cache import VariantCache

if TYPE_CHECKING:
    from bulkup.embed.embedder import Embedded, Embedder


class EmbedStage:
    """An `Attempter`, for one destination."""

    stage = Stage.EMBED
    concurrency = 2  # while one call is computed, the variants of the next are found

    def __init__(
        self, job: JobContext, embedder: LazyEmbedder, variant_cache: VariantCache
    ) -> None:
        self._context = job.run
        self._requests = job.requests
        self._destination_id = job.destination_id
        self._force = job.options.embed.force
        self._lazy = embedder
        self._variant_cache = variant_cache
        self.most_items = embedder.most_items

    async def attempt(
        self, items: Sequence[WorkItem]
    ) -> list[EmbeddedItem | SkippedItem | ItemError]:
        began = self._context.clock.monotonic()
        embedder = self._lazy.get()
        known: set[int] = set()
        embedder_id = await self._recorded(embedder)
        if not self._force:
            contents = [item.content_id for item in items]
            vectors = self._context.manifest.embeddings
            known = await self._context.call(vectors.known, contents, embedder_id)
        new = [item for item in items if item.content_id not in known]
        found = await asyncio.gather(*(self._variant(item) for item in new))
        outcomes: dict[int, EmbeddedItem | ItemError] = {}
        bodies: dict[WorkItem, bytes] = {}
        for item, body in zip(new, found, strict=True):
            if isinstance(body, bytes):
                bodies[item] = body
            else:
                outcomes[item.item_id] = body
        made = await self._embedded(embedder, bodies)
        for item, one in zip(bodies, made, strict=True):
            outcomes[item.item_id] = self._outcome(item, one, began)
        return [outcomes.get(item.item_id) or EmbeddedItem(item, None, None, 0.0) for item in items]

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

    async def _embedded(
        self, embedder: Embedder, bodies: Mapping[WorkItem, bytes]
    ) -> list[Embedded | ItemError]:
        """The embedding of each body, in order; a call that fails costs only its own pictures."""
        made: list[Embedded | ItemError] = []
        if not bodies:
            return made
        queue, run_id = self._context.manifest.stage_queue, self._context.run_id
        if self._lazy.is_local:  # a service elsewhere cannot take this process down
            await self._context.call(queue.mark_in_worker, list(bodies), run_id=run_id)
        pictures = list(bodies.values())
        for start in range(0, len(pictures), embedder.most_pictures):
            some = pictures[start : start + embedder.most_pictures]
            try:
                made += await embedder.embed(some)
            except EmbedError as error:
                made += [error] * len(some)
        if self._lazy.is_local:  # these may have to wait for the store with the others
            await self._context.call(queue.unmark_in_worker, list(bodies), run_id=run_id)
        return made

    def _outcome(
        self, item: WorkItem, made: Embedded | ItemError, began: float
    ) -> EmbeddedItem | ItemError:
        from bulkup.embed.float16 import classes_blob, vector_blob

        if isinstance(made, ItemError):
            return made
        seconds = self._context.clock.monotonic() - began
        return EmbeddedItem(item, vector_blob(made.vector), classes_blob(made.classes), seconds)

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
        """Nothing: the embedder is the run's, and may serve other destinations."""

    async def _variant(self, item: WorkItem) -> bytes | ItemError:
        """The bytes to embed: just made, or read from the destination."""
        held = self._variant_cache.take(item.content_id)
        if held is not None:
            return held
        variants = await self._context.call(
            self._context.manifest.pictures.variants, item.content_id, self._destination_id
        )
        if not variants:
            return SourceMissing("it has no variant at the destination; process it again")
        variant = _chosen(variants, self._variant_cache.name)
        try:
            return await self._requests.read(variant.key)
        except ObjectMissing:
            return SourceMissing(f"the variant {variant.key} is gone; process it again")
        except ItemError as error:
            return error


def _chosen(variants: Sequence[VariantRow], name: str) -> VariantRow:
    """The one of this name, else the largest."""
    return next((one for one in variants if one.kind == name), variants[-1])
