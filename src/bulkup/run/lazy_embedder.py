"""The embedder of a run, made when it is first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    from bulkup.clock import Clock
    from bulkup.embed.embedder import Embedder
    from bulkup.run.order import EmbedMeans

MOST_ITEMS = 16
MOST_REMOTE_ITEMS = 8


class LazyEmbedder:
    """The run's embedder, made when it is first needed: numpy alone takes 0.1 s to import."""

    def __init__(self, means: EmbedMeans, clock: Clock, random: Random) -> None:
        self.name = means.model
        self._means = means
        self._clock = clock
        self._random = random
        self._embedder: Embedder | None = None

    def get(self) -> Embedder:
        """Raises UsageError and EmbedderUnusable."""
        if self._embedder is None:
            self._embedder = embedder_of(self._means, self._clock, self._random)
        return self._embedder

    def check(self) -> None:
        """Raise UsageError or EmbedderUnusable for settings that no service can be asked by, before
        any work."""
        if not self.is_local:
            self.get()

    @property
    def is_local(self) -> bool:
        """Whether this process itself decodes the pictures."""
        return self._means.model != "http"

    @property
    def most_items(self) -> int:
        """In one attempt. A service that takes one picture a request is asked for one: what it
        answered is then recorded before the next."""
        means = self._means
        is_single = means.api == "replicate" or means.pictures_as == "message"
        return MOST_ITEMS if means.model != "http" else 1 if is_single else MOST_REMOTE_ITEMS

    async def close(self) -> None:
        if self._embedder is not None:
            await self._embedder.close()


def embedder_of(means: EmbedMeans, clock: Clock, random: Random) -> Embedder:
    """The embedder that is asked for. Raises UsageError and EmbedderUnusable."""
    from bulkup.embed.choosing import open_embedder

    return open_embedder(
        means.model,
        clock=clock,
        random=random,
        models_directory=means.models_directory,
        threads=means.threads or None,
        thorough=means.thorough,
        url=means.url,
        api=means.api,
        model=means.remote_model,
        key=means.key,
        pictures_as=means.pictures_as,
        dimension=means.dimension,
        timeout_seconds=means.timeout_seconds,
        requests_per_minute=means.requests_per_minute,
        burst=means.burst,
        ca_bundle=means.ca_bundle,
    )
