"""The embedders that must pass the suite. A further one is a line here.

Each is made by a function that is given an ExitStack, for what has to run beside it: a server that
stands in for a service, say.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from bulkup.clock import SystemClock
from bulkup.embed.clip import ClipEmbedder
from bulkup.embed.efficientnet import EfficientNet
from bulkup.embed.embedder import Embedder
from bulkup.embed.http_embedder import HttpEmbedder
from bulkup.embed.two_towers.classifier import FolderClassifier
from bulkup.embed.two_towers.embedder import TwoTowers
from bulkup.settings.stage_options import EmbedOptions
from tests.fakes.model_folders import (
    DATACOMP,
    SIGLIP,
    write_labelling_folder,
    write_model_folder,
)
from tests.servers import embedding


def over_http(beside: ExitStack, **options: Any) -> HttpEmbedder:
    """A service of its own beside each, and a bucket that holds nothing back."""
    server = beside.enter_context(embedding.running())
    service = EmbedOptions(
        url=server.url, remote_model="m", requests_per_minute=1e6, burst=1000, **options
    )
    return HttpEmbedder(service, clock=SystemClock(), random=Random(0))


def clip(beside: ExitStack) -> ClipEmbedder:
    """With stand-ins for its models, which are of 600 MB; all else is as it will be."""
    from tests.fakes.clip_models import write_models

    directory = beside.enter_context(TemporaryDirectory())
    write_models(Path(directory))
    return ClipEmbedder(directory, threads=2)


def folder(beside: ExitStack, card: dict[str, Any]) -> TwoTowers:
    """A model that was added as a folder, with a stand-in of its shapes."""
    directory = beside.enter_context(TemporaryDirectory())
    return TwoTowers(write_model_folder(Path(directory) / "model", card), threads=2)


def labelling(beside: ExitStack) -> FolderClassifier:
    """A model with labels that was added as a folder."""
    directory = beside.enter_context(TemporaryDirectory())
    return FolderClassifier(write_labelling_folder(Path(directory) / "model"), threads=2)


EMBEDDERS: dict[str, Callable[[ExitStack], Embedder]] = {
    "efficientnet": lambda _: EfficientNet(threads=2),
    "efficientnet, thorough": lambda _: EfficientNet(threads=2, thorough=True),
    "folder, siglip2": lambda beside: folder(beside, SIGLIP),
    "folder, datacomp": lambda beside: folder(beside, DATACOMP),
    "folder, labels": labelling,
    "http, openai": over_http,
    "http, openai, message": lambda beside: over_http(beside, pictures_as="message"),
    "http, replicate": lambda beside: over_http(beside, api="replicate"),
}
if find_spec("fastembed") is not None:  # an extra
    EMBEDDERS["clip"] = clip
