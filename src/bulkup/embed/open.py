"""Open the embedder that the settings name. Only its module is imported."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from bulkup.errors import UsageError

if TYPE_CHECKING:
    from random import Random

    from bulkup.clock import Clock
    from bulkup.embed.embedder import Embedder
    from bulkup.embed.options import EmbedderOptions

EMBEDDERS = ("efficientnet-lite0", "clip", "http")
"""The first is the default: it works offline right after installation."""


def open_embedder(options: EmbedderOptions, *, clock: Clock, random: Random) -> Embedder:
    """The embedder `options.model`. Loads nothing and makes no request yet.

    Raises UsageError for an unknown name, or when `http` lacks its URL or its model, and
    EmbedderUnusable for a URL or a key that no request can have.
    """
    name = options.model
    if name == "efficientnet-lite0":
        from bulkup.embed.efficientnet import EfficientNet

        return EfficientNet(threads=options.threads, thorough=options.thorough)
    if name == "clip":
        from bulkup.embed.clip import ClipEmbedder

        return ClipEmbedder(options.models_directory, threads=options.threads)
    if name == "http":
        from bulkup.embed.http_embedder import HttpEmbedder

        return HttpEmbedder(options, clock=clock, random=random)
    raise UsageError(f'there is no embedder "{name}"; the nearest is "{_nearest(name)}"')


def _nearest(name: str) -> str:
    return max(EMBEDDERS, key=lambda known: SequenceMatcher(None, name.lower(), known).ratio())
