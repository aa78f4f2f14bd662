"""The 1000 classes of the default embedder: names, kinds and label vectors.

They are ImageNet's (ILSVRC 2012), numbered 0 to 999 in its order. Each is a synset of WordNet 3.0.
The data is made by docs/words/make_words.py.
"""

from __future__ import annotations

import json
from functools import cache, cached_property
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from bulkup.search.vocabulary import DATA

COUNT: Final = 1000
MENTIONED: Final = 0.5


class Background(NamedTuple):
    """The means over all words that usually stand beside any class: what an unspecific query is."""

    direction: NDArray[np.float32]  # shape (DIMENSION,), of their vectors; shorter than 1
    named: NDArray[np.float32]  # shape (COUNT,), of ClassLabels.named
    beside: NDArray[np.float32]  # shape (COUNT,), of ClassLabels.beside


class ClassLabels:
    """Read only; for any thread."""

    def __init__(self, folder: Path = DATA) -> None:
        data = json.loads((folder / "classes.json").read_text("ascii"))
        self._folder = folder
        self._names: list[list[str]] = data["names"]
        self._kinds: list[str] = data["kinds"]
        self._of: list[list[int]] = data["of"]
        self._glosses = [frozenset(gloss.split(" ")) for gloss in data["glosses"]]
        self._words: dict[str, int] = data["words"]
        self._context_texts: list[str] = data["context"]
        labels = np.load(folder / "classes.npy")
        self.labels: NDArray[np.float32] = labels.astype(np.float32)
        """Shape (COUNT, DIMENSION): the label vectors minus their mean; not normalised."""

    def names(self, number: int) -> tuple[str, ...]:
        """The names of the class, the main one first: ('tabby', 'tabby cat')."""
        return tuple(self._names[number])

    def kinds(self, number: int) -> tuple[str, ...]:
        """Its hypernyms, the nearest first: ('domestic cat', 'cat', 'feline', …)."""
        return tuple(self._kinds[kind] for kind in self._of[number][1:])

    def called(self, word: str) -> NDArray[np.bool_]:
        """Shape (COUNT,): which classes have the name `word` (lower case) or are a kind of it.

        A name counts in every sense ('crane' the bird and the machine); a kind in the word's most
        usual sense that has classes at all.
        """
        kind = self._words.get(word)
        named = (
            word in map(str.lower, names) or kind in of
            for names, of in zip(self._names, self._of, strict=True)
        )
        return np.fromiter(named, np.bool_, COUNT)

    def mentioned(self, word: str) -> NDArray[np.bool_]:
        """Shape (COUNT,): which classes have `word`, a base form, in their names or definitions.

        'beer' is in 'beer bottle', 'sea' in the definition of a pier.
        """
        return np.fromiter((word in gloss for gloss in self._glosses), np.bool_, COUNT)

    def named(self, word: str) -> NDArray[np.float32]:
        """Shape (COUNT,): 1 for the classes `called` so, MENTIONED for those where it is
        `mentioned`, else 0."""
        found: NDArray[np.float32] = np.maximum(
            self.called(word), np.float32(MENTIONED) * self.mentioned(word)
        )
        return found

    def beside(self, word: str) -> NDArray[np.float32]:
        """Shape (COUNT,): 1 for the classes beside which `word`, a base form, usually stands in
        photographs ('evening' beside a restaurant), else 0."""
        return np.fromiter((word in context for context in self._contexts), np.float32, COUNT)

    def related_words(self) -> frozenset[str]:
        """All words that are `called`, `mentioned` or `beside` any class."""
        names = (name.lower() for names in self._names for name in names)
        return frozenset().union(names, self._words, *self._glosses, *self._contexts)

    def context_words(self) -> frozenset[str]:
        """All words that are `beside` any class."""
        return frozenset().union(*self._contexts) - {""}

    @cached_property
    def version(self) -> str:
        """Changes with `labels` and `background`."""
        return (
            f"{crc32(np.concatenate(self.background).tobytes(), crc32(self.labels.tobytes())):08x}"
        )

    @cached_property
    def background(self) -> Background:
        numbers = np.load(self._folder / "background.npy").astype(np.float32)
        return Background(numbers[: -2 * COUNT], numbers[-2 * COUNT : -COUNT], numbers[-COUNT:])

    @cached_property
    def _contexts(self) -> list[frozenset[str]]:
        return [frozenset(text.split(",")) for text in self._context_texts]


@cache
def known_classes() -> ClassLabels:
    """The classes of bulkup, read on the first call (5 ms)."""
    return ClassLabels()
