"""The embed stage at work: variants found, given to the embedder many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from bulkup.clock import Clock
from bulkup.errors import (
    EmbedderUnusable,
    EmbedError,
    ItemError,
    ObjectMissing,
    SourceMissing,
)
from bulkup.manifest.rows import EmbeddedItem, ProcessedItem, SkippedItem, VariantRow, WorkItem
from bulkup.model import Stage
from bulkup.pace.tries import CONTROL_TRIES
from bulkup.run.async_manifest import AsyncManifest
from bulkup.run.stages.lazy_embedder import LazyEmbedder
from bulkup.run.stages.variant_cache import VariantCache
from bulkup.run.upload.sender import Sender
from bulkup.stores.store import ObjectStore

if TYPE_CHECKING:
    from bulkup.embed.embedder import Embedded, Embedder

HANDS = 2
"""While one call is computed, the variants of the next are found."""


class EmbedStage:
    """Attempts of the embed stage at one destination. For one event loop."""

    stage = Stage.EMBED

    def __init__(
        self,
        async_manifest: AsyncManifest,
        store: ObjectStore,
        sender: Sender,
        embedder: LazyEmbedder,
        variant_cache: VariantCache,
        *,
        force: bool,
        destination_id: int,
        run_id: str,
        clock: Clock,
    ) -> None:
        self._async_manifest = async_manifest
        self._store = store
        self._sender = sender
        self._lazy = embedder
        self._variant_cache = variant_cache
        self._redoes = force
        self._destination_id = destination_id
        self._run_id = run_id
        self._clock = clock
        self.concurrency = HANDS
        self.most_items = embedder.most_items

    async def attempt(
        self, items: Sequence[WorkItem]
    ) -> list[EmbeddedItem | SkippedItem | ItemError]:
        began = self._clock.monotonic()
        embedder = self._lazy.get()
        known: set[int] = set()
        embedder_id = await self._recorded(embedder)
        if not self._redoes:
            contents = [item.content_id for item in items]
            vectors = self._async_manifest.manifest.embeddings
            known = await self._async_manifest.call(vectors.known, contents, embedder_id)
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
        """The embedder's id in the manifest, if it has one, and then its dimension, too: a service
        that answers longer or shorter vectors than before is another model."""
        vectors = self._async_manifest.manifest.embeddings
        row = await self._async_manifest.call(vectors.dimension_of, embedder.name, embedder.version)
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
        """For each body, in order; a call that failed as a whole costs its own pictures alone."""
        made: list[Embedded | ItemError] = []
        if not bodies:
            return made
        later = self._async_manifest.manifest.stage_queue
        if self._lazy.is_local:  # a service elsewhere cannot take this process down
            await self._async_manifest.call(later.mark_in_worker, list(bodies), run_id=self._run_id)
        pictures = list(bodies.values())
        for start in range(0, len(pictures), embedder.most_pictures):
            some = pictures[start : start + embedder.most_pictures]
            try:
                made += await embedder.embed(some)
            except EmbedError as error:
                made += [error] * len(some)
        if self._lazy.is_local:  # the others' trouble with the store may be waited out with these
            await self._async_manifest.call(
                later.unmark_in_worker, list(bodies), run_id=self._run_id
            )
        return made

    def _outcome(
        self, item: WorkItem, made: Embedded | ItemError, began: float
    ) -> EmbeddedItem | ItemError:
        from bulkup.embed.float16 import classes_blob, vector_blob

        if isinstance(made, ItemError):
            return made
        seconds = self._clock.monotonic() - began
        return EmbeddedItem(item, vector_blob(made.vector), classes_blob(made.classes), seconds)

    async def record(self, done: Sequence[ProcessedItem | EmbeddedItem]) -> None:
        """The contents are searchable."""
        embedder = self._lazy.get()
        await self._async_manifest.call(
            self._async_manifest.manifest.embeddings.settle,
            [one for one in done if isinstance(one, EmbeddedItem)],
            name=embedder.name,
            version=embedder.version,
            dimension=embedder.dimension or 0,
            run_id=self._run_id,
            now=self._clock.now(),
        )

    async def close(self) -> None:
        """The embedder is the run's, and may have other destinations to serve."""

    async def _variant(self, item: WorkItem) -> bytes | ItemError:
        """The bytes to embed, as just made or from the destination."""
        held = self._variant_cache.take(item.content_id)
        if held is not None:
            return held
        variants = await self._async_manifest.call(
            self._async_manifest.manifest.pictures.variants, item.content_id, self._destination_id
        )
        if not variants:
            return SourceMissing("it has no variant at the destination; process it again")
        variant = _chosen(variants, self._variant_cache.name)
        try:
            wake = partial(_body, self._store, variant.key)
            body = await self._sender.tries(wake, 0, CONTROL_TRIES)
        except ObjectMissing:
            return SourceMissing(f"the variant {variant.key} is gone; process it again")
        except ItemError as error:
            return error
        return body


def _chosen(variants: Sequence[VariantRow], name: str) -> VariantRow:
    """The one of this name, else the largest."""
    return next((one for one in variants if one.kind == name), variants[-1])


async def _body(store: ObjectStore, key: str) -> bytes:
    return b"".join([chunk async for chunk in store.open(key)])
