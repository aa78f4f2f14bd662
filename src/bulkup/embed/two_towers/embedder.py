"""The embedder of a model folder: two encoders by ONNX Runtime, pictures and words in one space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bulkup.content.picture.pixels import View, view_pixels
from bulkup.embed.embedder import Embedded, Vector
from bulkup.embed.responses import unit
from bulkup.embed.telemetry import onnxruntime
from bulkup.embed.two_towers.folder import IMAGE, TEXT, TOKENIZER, ModelCard, read_card
from bulkup.embed.two_towers.one_thread import OneThread
from bulkup.errors import EmbedderBroken, EmbedderRefused, EmbedderUnusable, ItemError
from bulkup.installation import extra_command
from bulkup.redaction import foreign_text

_MOST_PICTURES: Final = 16
_INTEGERS: Final = {"tensor(int32)": np.int32, "tensor(int64)": np.int64}


class TwoTowers:
    """A TextEmbedder. Passes tests/contract.

    One thread does all of its work; ONNX Runtime has threads of its own. Pictures go through one by
    one, since quantised models let the pictures of a batch mix. Each encoder is loaded when it is
    first needed.
    """

    most_pictures = _MOST_PICTURES

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        """Raises EmbedderUnusable when the folder's card is missing or wrong."""
        self._card = read_card(folder)
        self.name = self._card.name
        self.version = self._card.version
        self.dimension: int | None = self._card.dimension
        self._folder = folder
        self._threads = threads
        self._thread = OneThread("model")
        self._pictures: _Encoder | None = None
        self._words: _Words | None = None

    async def embed(self, pictures: Sequence[bytes]) -> list[Embedded | ItemError]:
        """See Embedder. Raises EmbedderUnusable for a model that cannot be loaded."""
        return await self._thread.run(lambda: [self._embedded(picture) for picture in pictures])

    async def embed_text(self, text: str) -> Vector:
        """The vector to compare pictures with; only the first tokens count."""
        return await self._thread.run(lambda: self._text_embedded(text))

    async def close(self) -> None:
        """Wait for the current call, and end the thread."""
        await self._thread.close()
        self._pictures = self._words = None

    def _embedded(self, picture: bytes) -> Embedded | ItemError:
        card = self._card
        if self._pictures is None:
            self._pictures = _Encoder(self._folder / IMAGE, card, self._threads)
        view = View(card.side if card.crop == "centre" else None)
        try:
            (square,) = view_pixels(picture, (view,), crop_px=card.side)
        except ItemError as error:
            return error
        except MemoryError as error:
            raise EmbedderBroken("not enough memory to decode a picture") from error
        pixels = np.frombuffer(square, np.uint8).reshape(card.side, card.side, 3) / np.float32(255)
        normal = (pixels - np.array(card.mean, np.float32)) / np.array(card.std, np.float32)
        tensor = np.ascontiguousarray(normal.transpose(2, 0, 1)[None], np.float32)
        try:
            return Embedded(unit(self._pictures.run({self._pictures.inputs[0].name: tensor})))
        except EmbedderRefused as error:
            return error

    def _text_embedded(self, text: str) -> Vector:
        if self._words is None:
            self._words = _Words(self._folder, self._card, self._threads)
        return unit(self._words.run(text))


class _Encoder:
    """One of the networks in a session of ONNX Runtime."""

    def __init__(self, path: Path, card: ModelCard, threads: int | None) -> None:
        self._dimension = card.dimension
        try:
            runtime = onnxruntime()
            options = runtime.SessionOptions()
            options.intra_op_num_threads = threads or 0
            self._session = runtime.InferenceSession(str(path), options)
        except Exception as error:  # ONNX Runtime's errors have no class
            raise _unusable(path, error) from error
        self.inputs: list[Any] = self._session.get_inputs()

    def run(self, feed: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The vector of one input. Raises EmbedderBroken, or EmbedderUnusable for another shape."""
        try:
            outputs = self._session.run(None, feed)
        except Exception as error:  # as above
            raise EmbedderBroken(f"ONNX Runtime: {foreign_text(str(error))}") from error
        for output in outputs:
            if np.shape(output) == (1, self._dimension):
                return np.asarray(output[0], np.float32)
        raise EmbedderUnusable(f"the model does not give one vector of {self._dimension} numbers")


class _Words:
    """The tokenizer and the text encoder."""

    def __init__(self, folder: Path, card: ModelCard, threads: int | None) -> None:
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise EmbedderUnusable(
                f"the words of {card.name} need the library tokenizers: {error}",
                hint=f"Install it with: {extra_command('models')}",
            ) from error
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        except Exception as error:  # the library's errors have no class
            raise _unusable(folder / TOKENIZER, error) from error
        self._tokenizer.enable_truncation(card.tokens)
        self._tokenizer.no_padding()
        if card.pad_id is not None:
            self._tokenizer.enable_padding(length=card.tokens, pad_id=card.pad_id)
        self._prompt = card.prompt
        self._encoder = _Encoder(folder / TEXT, card, threads)

    def run(self, text: str) -> NDArray[np.float32]:
        tokens = self._tokenizer.encode(self._prompt.replace("{}", text))
        known = {"attention_mask": tokens.attention_mask, "token_type_ids": tokens.type_ids}
        feed = {
            one.name: np.array([known.get(one.name, tokens.ids)], _INTEGERS.get(one.type, np.int64))
            for one in self._encoder.inputs
        }
        return self._encoder.run(feed)


def _unusable(path: Path, error: BaseException) -> EmbedderUnusable:
    return EmbedderUnusable(
        f"{path} cannot be loaded: {foreign_text(str(error))}",
        hint="Add the model again: bulkup models add FOLDER",
    )
