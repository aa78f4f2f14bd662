"""The embedder of a model folder that names what it sees: vectors and labels by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bulkup.embed.embedder import Classes, Embedded
from bulkup.embed.responses import unit
from bulkup.embed.two_towers.encoder import MOST_PICTURES, Encoder, picture_tensor
from bulkup.embed.two_towers.folder import IMAGE, read_card
from bulkup.embed.two_towers.labels import read_labels
from bulkup.embed.two_towers.one_thread import OneThread
from bulkup.errors import EmbedderRefused, EmbedderUnusable, ItemError

_KEPT: Final = 20  # as many as a search by words uses


class FolderClassifier:
    """An Embedder. Passes tests/contract.

    Its words are those of its labels: search compares them as it does the default model's classes.
    """

    most_pictures = MOST_PICTURES

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        """Raises EmbedderUnusable when the folder's card or its labels are missing or wrong."""
        self._card = read_card(folder)
        self.name = self._card.name
        self.version = self._card.version
        self.dimension: int | None = self._card.dimension
        self._labels = len(read_labels(folder))
        self._folder = folder
        self._threads = threads
        self._thread = OneThread("model")
        self._encoder: Encoder | None = None

    async def embed(self, pictures: Sequence[bytes]) -> list[Embedded | ItemError]:
        """See Embedder. Raises EmbedderUnusable for a model that cannot be loaded."""
        return await self._thread.run(lambda: [self._embedded(picture) for picture in pictures])

    async def close(self) -> None:
        """Wait for the current call, and end the thread."""
        await self._thread.close()
        self._encoder = None

    def _embedded(self, picture: bytes) -> Embedded | ItemError:
        if self._encoder is None:
            self._encoder = Encoder(self._folder / IMAGE, self._threads)
        try:
            tensor = picture_tensor(picture, self._card)
        except ItemError as error:
            return error
        outputs = self._encoder.run({self._encoder.inputs[0].name: tensor})
        try:
            return Embedded(
                unit(self._of_shape(outputs, self._card.dimension)),
                _classes(self._of_shape(outputs, self._labels, last=True), self._card.scores),
            )
        except EmbedderRefused as error:
            return error

    def _of_shape(
        self, outputs: Sequence[Any], numbers: int, *, last: bool = False
    ) -> NDArray[np.float32]:
        """The first output with so many numbers, or the last: both may have the same shape."""
        found = [output for output in outputs if np.shape(output) == (1, numbers)]
        if not found:
            raise EmbedderUnusable(f"the model {self.name} has no output of {numbers} numbers")
        return np.asarray(found[-1 if last else 0][0], np.float32)


def _classes(scores: NDArray[np.float32], kind: str) -> Classes:
    """The best, by probability. Raises EmbedderRefused for scores that are no numbers."""
    if not np.isfinite(scores).all():
        raise EmbedderRefused("the model's scores hold a number that is not finite")
    wide = scores.astype(np.float64)
    if kind == "softmax":
        powers = np.exp(wide - wide.max())
        wide = powers / powers.sum()
    elif kind == "sigmoid":
        wide = 1 / (1 + np.exp(-np.clip(wide, -50, 50)))
    wide = np.clip(wide, 0, 1)
    best = np.argsort(-wide, kind="stable")[:_KEPT]
    return Classes(tuple(best.tolist()), tuple(wide[best].tolist()))
