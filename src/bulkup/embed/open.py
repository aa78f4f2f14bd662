"""From the name that the user gives to an embedder. Only the chosen one is imported."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Literal

from bulkup.errors import UsageError

if TYPE_CHECKING:
    from random import Random

    from bulkup.clock import Clock
    from bulkup.embed.embedder import Embedder

EMBEDDERS = ("efficientnet-lite0", "clip", "http")
"""The first is the default: it works offline right after installation."""


def open_embedder(
    name: str,
    *,
    clock: Clock,
    random: Random,
    models_directory: str,
    threads: int | None = None,
    thorough: bool = False,
    url: str | None = None,
    api: Literal["openai", "replicate"] = "openai",
    model: str | None = None,
    key: str | None = None,
    pictures_as: Literal["url", "image", "message"] = "url",
    dimension: int | None = None,
    timeout_seconds: float = 60.0,
    requests_per_minute: float = 5.0,
    burst: int = 5,
    ca_bundle: str | None = None,
) -> Embedder:
    """The embedder of this name, not loaded yet. Opens nothing, asks nobody.

    `models_directory` is for `clip`; what stands between `url` and `ca_bundle` is for `http`,
    `thorough` for the default. Raises UsageError for an unknown name, or when `http` lacks its URL
    or its model; EmbedderUnusable for a URL or a key that no request can have.
    """
    if name == "efficientnet-lite0":
        from bulkup.embed.efficientnet import EfficientNet

        return EfficientNet(threads=threads, thorough=thorough)
    if name == "clip":
        from bulkup.embed.clip import ClipEmbedder

        return ClipEmbedder(models_directory, threads=threads)
    if name != "http":
        raise UsageError(f'there is no embedder "{name}"; the nearest is "{_nearest(name)}"')
    if not url or not model:
        lacking, example = ("remote_model", "jina-clip-v2") if url else ("url", "https://host/v1")
        raise UsageError(
            f"the embedder http needs embed.{lacking}",
            hint=f'Write {lacking} = "{example}", or what yours is, under [embed] in bulkup.toml.',
        )
    from bulkup.embed.http_embedder import HttpEmbedder

    return HttpEmbedder(
        url,
        api=api,
        model=model,
        clock=clock,
        random=random,
        key=key,
        pictures_as=pictures_as,
        dimension=dimension,
        timeout_seconds=timeout_seconds,
        requests_per_minute=requests_per_minute,
        burst=burst,
        ca_bundle=ca_bundle,
    )


def _nearest(name: str) -> str:
    return max(EMBEDDERS, key=lambda known: SequenceMatcher(None, name.lower(), known).ratio())
