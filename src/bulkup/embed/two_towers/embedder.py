"""The embedder of a model folder: two encoders by ONNX Runtime, pictures and words in one space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bulkup.embed.embedder import Embedded, Vector
from bulkup.embed.responses import unit
from bulkup.embed.two_towers.encoder import MOST_PICTURES, Encoder, picture_tensor, unusable
from bulkup.embed.two_towers.folder import IMAGE, TEXT, TOKENIZER, ModelCard, read_card
from bulkup.embed.two_towers.one_thread import OneThread
from bulkup.errors import EmbedderRefused, EmbedderUnusable, ItemError
from bulkup.installation import extra_command

_INTEGERS: Final = {"tensor(int32)": np.int32, "tensor(int64)": np.int64}


class TwoTowers:
    """A TextEmbedder. Passes tests/contract.

    One thread does all of its work; ONNX Runtime has threads of its own. Pictures go through one by
    one, since quantised models let the pictures of a batch mix. Each encoder is loaded when it is
    first needed.
    """

    most_pictures = MOST_PICTURES

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        """Raises EmbedderUnusable when the folder's card is missing or wrong."""
        self._card = read_card(folder)
        self.name = self._card.name
        self.version = self._card.version
        self.dimension: int | None = self._card.dimension
        self._folder = folder
        self._threads = threads
        self._thread = OneThread("model")
        self._pictures: Encoder | None = None
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
        if self._pictures is None:
            self._pictures = Encoder(self._folder / IMAGE, self._threads)
        try:
            tensor = picture_tensor(picture, self._card)
        except ItemError as error:
            return error
        outputs = self._pictures.run({self._pictures.inputs[0].name: tensor})
        try:
            return Embedded(unit(_vector(outputs, self._card)))
        except EmbedderRefused as error:
            return error

    def _text_embedded(self, text: str) -> Vector:
        if self._words is None:
            self._words = _Words(self._folder, self._card, self._threads)
        return unit(self._words.run(text))


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
            raise unusable(folder / TOKENIZER, error) from error
        self._tokenizer.enable_truncation(card.tokens)
        self._tokenizer.no_padding()
        if card.pad_id is not None:
            self._tokenizer.enable_padding(length=card.tokens, pad_id=card.pad_id)
        self._card = card
        self._encoder = Encoder(folder / TEXT, threads)

    def run(self, text: str) -> NDArray[np.float32]:
        tokens = self._tokenizer.encode(self._card.prompt.replace("{}", text))
        known = {"attention_mask": tokens.attention_mask, "token_type_ids": tokens.type_ids}
        feed = {
            one.name: np.array([known.get(one.name, tokens.ids)], _INTEGERS.get(one.type, np.int64))
            for one in self._encoder.inputs
        }
        return _vector(self._encoder.run(feed), self._card)


def _vector(outputs: Sequence[Any], card: ModelCard) -> NDArray[np.float32]:
    """Raises EmbedderUnusable for outputs of other shapes."""
    for output in outputs:
        if np.shape(output) == (1, card.dimension):
            return np.asarray(output[0], np.float32)
    raise EmbedderUnusable(f"the model does not give one vector of {card.dimension} numbers")
