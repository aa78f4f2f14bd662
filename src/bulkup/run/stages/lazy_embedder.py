"""The embedder of a run, opened when it is first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    from bulkup.clock import Clock
    from bulkup.embed.embedder import Embedder
    from bulkup.settings.stage_options import EmbedOptions

MOST_ITEMS = 16
MOST_REMOTE_ITEMS = 8

_LOCAL = ("efficientnet-lite0", "clip")
"""Built in, with no settings of their own."""


class LazyEmbedder:
    """Opens the run's embedder when it is first needed: numpy alone takes 0.1 s to import."""

    def __init__(self, options: EmbedOptions, clock: Clock, random: Random) -> None:
        self.name = options.model
        self._options = options
        self._clock = clock
        self._random = random
        self._embedder: Embedder | None = None

    def get(self) -> Embedder:
        """Raises UsageError and EmbedderUnusable."""
        if self._embedder is None:
            from bulkup.embed.open import open_embedder

            self._embedder = open_embedder(self._options, clock=self._clock, random=self._random)
        return self._embedder

    def check(self) -> None:
        """Before any work, raise UsageError or EmbedderUnusable for settings of no service or no
        model."""
        if self._options.model not in _LOCAL:
            self.get()

    @property
    def is_local(self) -> bool:
        """Whether this process itself decodes the pictures."""
        return self._options.model != "http"

    @property
    def most_items(self) -> int:
        """In one attempt. Only one where a service takes one picture a request: its embedding is
        then recorded before the next request."""
        options = self._options
        is_single = options.api == "replicate" or options.pictures_as == "message"
        return MOST_ITEMS if options.model != "http" else 1 if is_single else MOST_REMOTE_ITEMS

    async def close(self) -> None:
        if self._embedder is not None:
            await self._embedder.close()
