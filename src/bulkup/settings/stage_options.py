"""How pictures are processed and embedded: frozen values that `load` makes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from bulkup.content.picture.spec import PictureLimits, VariantSpec
from bulkup.settings import parsing as kinds
from bulkup.settings.setting import setting


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProcessOptions:
    """How pictures are processed, and what one of them may cost."""

    # Decoding takes most of the time: more workers than cores slow it down.
    workers: int | None = setting(
        "process.workers",
        kinds.AUTO_OR_COUNT,
        "Processes that decode pictures; auto: one per core.",
        default="auto",
    )
    # A grid shows the first, a screen the second; both are the sizes of immich and PhotoPrism.
    variants: tuple[VariantSpec, ...] = setting(
        "process.variants",
        kinds.VARIANTS,
        "The variants of each picture: name:size in pixels:format:quality.",
        flag=False,
        default=["thumb:256:webp:80", "preview:1440:jpeg:80"],
    )
    # 200 megapixels decode to 0.8 GB; a progressive JPEG or a HEIC of that size needs it twice.
    memory_bytes: int = setting(
        "process.memory",
        kinds.WORKER_MEMORY,
        "Memory limit of one worker; a picture that needs more fails.",
        flag=False,
        env="BULKUP_PROCESS_MEMORY",
        default="2GiB",
    )
    # A hundred times what a large photo takes.
    seconds: float = setting(
        "process.timeout",
        kinds.SPAN,
        "Time limit for one picture.",
        flag=False,
        env="BULKUP_PROCESS_TIMEOUT",
        default="60s",
    )
    # The largest sensors and most panoramas are below; bombs are above.
    max_pixels: int = setting(
        "process.max_pixels",
        kinds.COUNT,
        "Refuse pictures with more pixels.",
        flag=False,
        default=200_000_000,
    )
    max_bytes: int = setting(
        "process.max_bytes",
        kinds.SIZE,
        "Refuse larger picture files.",
        flag=False,
        env="BULKUP_PROCESS_MAX_BYTES",
        default="500MiB",
    )
    force: bool = False  # make and replace variants that the destination has already

    @property
    def count(self) -> int:
        """How many workers."""
        return self.workers or cores()

    @property
    def limits(self) -> PictureLimits:
        """What one picture may cost."""
        return PictureLimits(self.max_pixels, self.max_bytes)


def cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmbedOptions:
    """Which embedder makes the vectors; `url` to `burst` are for the embedder `http`."""

    # It works offline right after installation.
    model: str = setting(
        "embed.model",
        kinds.EMBEDDER,
        "The embedder: efficientnet-lite0, clip, http (a service), or one of `bulkup models`.",
        default="efficientnet-lite0",
    )
    # Six times the work; it helps with queries of two words, and not with those of one.
    thorough: bool = setting(
        "embed.thorough",
        kinds.TRUTH,
        "Embed six views of each picture instead of one.",
        default=False,
    )
    url: str | None = setting(
        "embed.url",
        kinds.WEB_URL,
        "The URL of the service for the embedder http.",
        flag=False,
        example="https://api.example.org/v1",
    )
    api: Literal["openai", "replicate"] = setting(
        "embed.api",
        kinds.EMBED_API,
        "The protocol of the service: OpenAI's embeddings or Replicate's predictions.",
        flag=False,
        default="openai",
    )
    remote_model: str | None = setting(
        "embed.remote_model",
        kinds.TEXT,
        "The model that the service runs.",
        flag=False,
        example="jina-clip-v2",
    )
    key: str | None = setting(
        "embed.key",
        kinds.SECRET,
        "The API key of the service; better kept in the environment.",
        flag=False,
    )
    pictures_as: Literal["url", "image", "message"] = setting(
        "embed.pictures_as",
        kinds.PICTURES_AS,
        "How requests hold pictures: url (Infinity), image (Jina) or message (vLLM).",
        flag=False,
        default="url",
    )
    dimension: int | None = setting(
        "embed.dimension",
        kinds.COUNT,
        "Refuse vectors of any other dimension.",
        flag=False,
        example=768,
    )
    # What free plans allow.
    requests_per_minute: float = setting(
        "embed.requests_per_minute",
        kinds.NUMBER,
        "Limit on requests to the service per minute.",
        flag=False,
        default=5,
    )
    burst: int = setting(
        "embed.burst",
        kinds.COUNT,
        "Requests that may follow at once after a pause.",
        flag=False,
        default=5,
    )
    timeout_seconds: float = setting(
        "embed.timeout",
        kinds.SPAN,
        "Time limit for one response of the service.",
        flag=False,
        default="60s",
    )
    # HF_ENDPOINT, as for `clip`, where it is not given.
    hub: str | None = setting(
        "embed.hub",
        kinds.WEB_URL,
        "Where `bulkup models add NAME` downloads from: a mirror of huggingface.co.",
        flag=False,
        example="https://hub.example.org",
    )
    models_directory: str = ""  # of `bulkup models`, and of the downloads of `clip`
    threads: int | None = None  # None: one per core
    ca_bundle: str | None = None  # of RunOptions
    force: bool = False  # embed pictures again that are embedded already
