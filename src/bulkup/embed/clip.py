"""The embedder `clip`: CLIP ViT-B/32 by fastembed; words and pictures share one space.

Both encoders are ONNX models, 600 MB together (OpenAI's weights of 2021, MIT licence). They are
downloaded from the Hugging Face hub once; then no network is needed. bulkup keeps them in its own
directory, since fastembed's default is a temporary one. The download is done here: fastembed would
retry for 39 s before it reports that there is no network, and log to the screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bulkup.content.picture.images import square_image
from bulkup.embed.embedder import Embedded, Vector
from bulkup.embed.responses import unit
from bulkup.embed.telemetry import onnxruntime, switch_off_telemetry
from bulkup.embed.two_towers.one_thread import OneThread
from bulkup.errors import EmbedderBroken, EmbedderRefused, EmbedderUnusable, ItemError
from bulkup.installation import extra_command
from bulkup.redaction import foreign_text

NAME: Final = "clip"
DIMENSION: Final = 512
SIDE_PX: Final = 224

VISION: Final = "Qdrant/clip-ViT-B-32-vision"
TEXT: Final = "Qdrant/clip-ViT-B-32-text"
_FILES: Final = {
    VISION: ("model.onnx", "preprocessor_config.json"),
    TEXT: (
        "model.onnx",
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
    ),
}
"""The files that fastembed reads."""

_VERSION: Final = "vit-b-32.1"
"""The second number is for the way bulkup crops pictures."""

_MOST_PICTURES: Final = 16
"""fastembed's own batch size. More is no faster on a CPU and takes more memory."""

_HUB_SECONDS: Final = 5.0
"""For the hub to list its files. With a network that takes less than a second."""


class ClipEmbedder:
    """A TextEmbedder. Passes tests/contract.

    One thread does all of its work; ONNX Runtime has threads of its own. The models are downloaded
    and loaded for the first picture or query.
    """

    name = NAME
    version = _VERSION
    dimension: int | None = DIMENSION
    most_pictures = _MOST_PICTURES

    def __init__(self, models_directory: str, *, threads: int | None = None) -> None:
        """`models_directory` is for the models and need not exist yet."""
        self._directory = models_directory
        self._threads = threads
        self._thread = OneThread("clip")
        self._pictures: Any = None
        self._words: Any = None

    async def embed(self, pictures: Sequence[bytes]) -> list[Embedded | ItemError]:
        """See Embedder. Raises EmbedderUnusable without fastembed or the models."""
        return await self._thread.run(lambda: self._embedded(pictures))

    async def embed_text(self, text: str) -> Vector:
        """The vector to compare pictures with; only the first 77 tokens count."""
        return await self._thread.run(lambda: self._text_embedded(text))

    async def close(self) -> None:
        """Wait for the current call, and end the thread."""
        await self._thread.close()
        self._pictures = self._words = None

    def _embedded(self, pictures: Sequence[bytes]) -> list[Embedded | ItemError]:
        if self._pictures is None:
            self._pictures = self._loaded(VISION)
        images: list[Any] = []
        invalid: dict[int, ItemError] = {}
        for place, picture in enumerate(pictures):
            try:
                images.append(square_image(picture, SIDE_PX))
            except ItemError as error:
                invalid[place] = error
            except MemoryError as error:
                raise EmbedderBroken("not enough memory to decode a picture") from error
        vectors = iter(_run(self._pictures, images))
        return [
            invalid[place] if place in invalid else _outcome(next(vectors))
            for place in range(len(pictures))
        ]

    def _text_embedded(self, text: str) -> Vector:
        if self._words is None:
            self._words = self._loaded(TEXT)
        (vector,) = _run(self._words, [text])
        return unit(vector)

    def _loaded(self, repository: str) -> Any:
        """One of the encoders. Both models are downloaded, so that searches work offline later."""
        try:
            onnxruntime()  # before fastembed imports it
            import fastembed
        except Exception as error:  # also of libraries built for another numpy: ValueError
            raise EmbedderUnusable(
                f"the embedder clip cannot be loaded: {error}",
                hint=f"Install it with: {extra_command('clip')}",
            ) from error
        download(self._directory)
        path = model_directory(repository, self._directory)
        encoder = fastembed.ImageEmbedding if repository == VISION else fastembed.TextEmbedding
        try:
            return encoder(
                repository,
                cache_dir=self._directory,
                threads=self._threads,
                specific_model_path=str(path),
            )
        except Exception as error:  # ONNX Runtime's and the tokenizer's errors have no class
            raise EmbedderUnusable(
                f"the model in {path} cannot be loaded: {foreign_text(str(error))}",
                hint=f"Remove {self._directory} to download it again.",
            ) from error


def is_downloaded(directory: str) -> bool:
    """Whether all files of both models are in `directory`; asks no library."""
    return all(
        any(
            all((snapshot / name).is_file() for name in names)
            for snapshot in Path(directory).glob(f"models--{each.replace('/', '--')}/snapshots/*")
        )
        for each, names in _FILES.items()
    )


def download(directory: str) -> None:
    """Both models, unless they are in `directory`. Raises EmbedderUnusable."""
    for each in (VISION, TEXT):
        model_directory(each, directory)


def model_directory(repository: str, directory: str) -> Path:
    """The directory of the model, downloaded if it is missing. Raises EmbedderUnusable."""
    found, _ = _snapshot(repository, directory, local=True)
    if found is None:
        found, why = _snapshot(repository, directory, local=False)
        if found is None:
            raise EmbedderUnusable(
                f"the model {repository} is not in {directory} and cannot be downloaded: {why}",
                hint="Run `bulkup embed --model clip --limit 1` once with a network (600 MB from"
                " huggingface.co, or from HF_ENDPOINT), or copy that directory from a machine"
                " that has it.",
            )
    return found


def _snapshot(repository: str, directory: str, *, local: bool) -> tuple[Path | None, str]:
    """The directory of a complete model and '', or None and the reason."""
    switch_off_telemetry()
    try:
        import huggingface_hub
        from huggingface_hub.utils.tqdm import disable_progress_bars

        disable_progress_bars()  # the screen belongs to bulkup
        if not local:  # a download begins with the same request, but without a time-out
            huggingface_hub.HfApi().model_info(repository, timeout=_HUB_SECONDS)
        path = Path(
            huggingface_hub.snapshot_download(
                repository,
                cache_dir=directory,
                allow_patterns=list(_FILES[repository]),
                etag_timeout=_HUB_SECONDS,
                local_files_only=local,
            )
        )
    except Exception as error:  # noqa: BLE001 - of requests, httpx, the hub or the disk
        return None, foreign_text(str(error)) or type(error).__name__
    missing = [name for name in _FILES[repository] if not (path / name).is_file()]
    return (None, f"{missing[0]} is missing") if missing else (path, "")


def _run(encoder: Any, inputs: list[Any]) -> list[NDArray[np.floating]]:
    """One vector for each input, of any length."""
    if not inputs:
        return []
    try:
        vectors = [np.asarray(vector) for vector in encoder.embed(inputs, batch_size=len(inputs))]
    except MemoryError as error:
        raise EmbedderBroken("not enough memory to embed") from error
    except Exception as error:  # its errors have no class of their own
        raise EmbedderBroken(f"ONNX Runtime: {foreign_text(str(error))}") from error
    if len(vectors) != len(inputs) or any(vector.shape != (DIMENSION,) for vector in vectors):
        raise EmbedderUnusable(f"the model does not give one vector of {DIMENSION} numbers each")
    return vectors


def _outcome(vector: NDArray[np.floating]) -> Embedded | ItemError:
    try:
        return Embedded(unit(vector))
    except EmbedderRefused as error:
        return error
