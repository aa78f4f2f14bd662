"""Open the embedder that the settings name. Only its module is imported."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from bulkup.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from bulkup.clock import Clock
    from bulkup.embed.embedder import Embedder
    from bulkup.embed.options import EmbedderOptions

EMBEDDERS = ("efficientnet-lite0", "clip", "http")
"""The built-in ones. The first is the default: it works offline right after installation."""


def open_embedder(options: EmbedderOptions, *, clock: Clock, random: Random) -> Embedder:
    """The embedder `options.model`. Loads nothing and makes no request yet.

    Raises UsageError for an unknown name, or when `http` lacks its URL or its model, and
    EmbedderUnusable for a URL or a key that no request can have, or a folder that is no model.
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
    folder = folder_of(options)
    from bulkup.embed.two_towers.folder import read_card

    if read_card(folder).has_labels:
        from bulkup.embed.two_towers.classifier import FolderClassifier

        return FolderClassifier(folder, threads=options.threads)
    from bulkup.embed.two_towers.embedder import TwoTowers

    return TwoTowers(folder, threads=options.threads)


def check_name(options: EmbedderOptions) -> None:
    """Raise UsageError for a model that is neither built in nor added."""
    if options.model not in EMBEDDERS:
        folder_of(options)


def folder_of(options: EmbedderOptions) -> Path:
    """The folder of a model that is not built in. Raises UsageError for an unknown name."""
    from bulkup.embed.two_towers.folder import model_folders
    from bulkup.embed.two_towers.recipes import RECIPES

    folders = model_folders(options.models_directory)
    if options.model in RECIPES and options.model not in folders:
        raise UsageError(
            f'there is no embedder "{options.model}" here yet',
            hint=f"bulkup models add {options.model}",
        )
    if options.model not in folders:
        from bulkup.redaction import redact

        nearest = _nearest(options.model, (*EMBEDDERS, *folders))
        raise UsageError(
            f'there is no embedder "{redact(options.model)}"; the nearest is "{nearest}"',
            hint="bulkup models lists them.",
        )
    return folders[options.model]


def _nearest(name: str, known: Sequence[str]) -> str:
    return max(known, key=lambda one: SequenceMatcher(None, name.lower(), one).ratio())
