"""A network of a model folder in ONNX Runtime, and pictures as it takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bulkup.content.picture.pixels import View, view_pixels
from bulkup.embed.telemetry import onnxruntime
from bulkup.embed.two_towers.folder import ModelCard
from bulkup.errors import EmbedderBroken, EmbedderUnusable
from bulkup.redaction import foreign_text

MOST_PICTURES: Final = 16


class Encoder:
    """One of the networks in a session of ONNX Runtime."""

    def __init__(self, path: Path, threads: int | None) -> None:
        """Raises EmbedderUnusable."""
        try:
            runtime = onnxruntime()
            options = runtime.SessionOptions()
            options.intra_op_num_threads = threads or 0
            self._session = runtime.InferenceSession(str(path), options)
        except Exception as error:  # ONNX Runtime's errors have no class
            raise unusable(path, error) from error
        self.inputs: list[Any] = self._session.get_inputs()

    def run(self, feed: dict[str, NDArray[Any]]) -> list[Any]:
        """All outputs for one input. Raises EmbedderBroken."""
        try:
            outputs: list[Any] = self._session.run(None, feed)
        except Exception as error:  # as above
            raise EmbedderBroken(f"ONNX Runtime: {foreign_text(str(error))}") from error
        return outputs


def picture_tensor(picture: bytes, card: ModelCard) -> NDArray[np.float32]:
    """The pixels of an encoded picture as the card says, shape (1, 3, side, side). Raises ItemError
    for one that cannot be decoded, EmbedderBroken."""
    view = View(card.side if card.crop == "centre" else None)
    try:
        (square,) = view_pixels(picture, (view,), crop_px=card.side)
    except MemoryError as error:
        raise EmbedderBroken("not enough memory to decode a picture") from error
    pixels = np.frombuffer(square, np.uint8).reshape(card.side, card.side, 3) / np.float32(255)
    normal = (pixels - np.array(card.mean, np.float32)) / np.array(card.std, np.float32)
    return np.ascontiguousarray(normal.transpose(2, 0, 1)[None], np.float32)


def unusable(path: Path, error: BaseException) -> EmbedderUnusable:
    """The error for a file of a model that does not load."""
    return EmbedderUnusable(
        f"{path} cannot be loaded: {foreign_text(str(error))}",
        hint="Add the model again: bulkup models add FOLDER",
    )
