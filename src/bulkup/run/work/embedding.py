"""The work on variants: read them, and give them to the embedder, many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from bulkup.errors import EmbedError, ItemError, ObjectMissing, SourceMissing
from bulkup.manifest.rows import EmbeddedItem, WorkItem
from bulkup.run.store_requests import StoreRequests
from bulkup.run.work.task import Hands, Task

if TYPE_CHECKING:
    from bulkup.embed.embedder import Embedded, Embedder


class EmbeddingWork:
    """Embeds variants of one destination. For one event loop."""

    def __init__(
        self,
        requests: StoreRequests,
        embedder: Callable[[], Embedder],
        hands: Hands,
        *,
        clock: Callable[[], float],
    ) -> None:
        """`embedder` opens it when it is first needed."""
        self._requests = requests
        self._embedder = embedder
        self._hands = hands
        self._clock = clock

    async def embed(
        self, items: Sequence[WorkItem], task: Task
    ) -> dict[int, EmbeddedItem | ItemError]:
        """The outcome for each of these items of the task."""
        began = self._clock()
        found = await asyncio.gather(*(self._variant(item, task) for item in items))
        outcomes: dict[int, EmbeddedItem | ItemError] = {}
        bodies: dict[WorkItem, bytes] = {}
        for item, body in zip(items, found, strict=True):
            if isinstance(body, bytes):
                bodies[item] = body
            else:
                outcomes[item.item_id] = body
        made = await self.embedded(bodies)
        for item, one in zip(bodies, made, strict=True):
            outcomes[item.item_id] = embedded_item(item, one, self._clock() - began)
        return outcomes

    async def embedded(self, bodies: Mapping[WorkItem, bytes]) -> list[Embedded | ItemError]:
        """The embedding of each body, in order; a call that fails costs only its own pictures."""
        made: list[Embedded | ItemError] = []
        if not bodies:
            return made
        embedder = self._embedder()
        await self._hands.take(tuple(bodies))
        pictures = list(bodies.values())
        for start in range(0, len(pictures), embedder.most_pictures):
            some = pictures[start : start + embedder.most_pictures]
            try:
                made += await embedder.embed(some)
            except EmbedError as error:
                made += [error] * len(some)
        await self._hands.give_back(tuple(bodies))  # they may wait for the store with the others
        return made

    async def _variant(self, item: WorkItem, task: Task) -> bytes | ItemError:
        """The bytes to embed: just made, or read from the destination."""
        fresh = task.fresh.get(item.item_id)
        if fresh is not None:
            return fresh
        key = task.variant_keys.get(item.item_id)
        if key is None:
            return SourceMissing("it has no variant at the destination; process it again")
        try:
            return await self._requests.read(key)
        except ObjectMissing:
            return SourceMissing(f"the variant {key} is gone; process it again")
        except ItemError as error:
            return error


def embedded_item(
    item: WorkItem, made: Embedded | ItemError, seconds: float
) -> EmbeddedItem | ItemError:
    """The embedding as the manifest keeps it."""
    from bulkup.embed.float16 import classes_blob, vector_blob

    if isinstance(made, ItemError):
        return made
    return EmbeddedItem(item, vector_blob(made.vector), classes_blob(made.classes), seconds)
