"""The classes of an embedder: names, kinds, label vectors, and what usually stands beside them.

Those of the default embedder are ImageNet's (ILSVRC 2012), numbered 0 to 999 in its order. Each is
a synset of WordNet 3.0. The data is made by docs/words/make_words.py. A model that drops in may
bring others, as a list of labels; their vectors are made of the vectors of words.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, cached_property, reduce
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from bulkup.search.vocabulary import DATA, DIMENSION, Vector, Words, unit

COUNT: Final = 1000  # of the default embedder
MENTIONED: Final = 0.5

_KIND: Final = 0.5
_CONTEXT: Final = 0.5
"""Shares in a label's vector of its nearest kind and of what stands beside it; its name has 1."""


class Background(NamedTuple):
    """The means over all words that usually stand beside any class: what an unspecific query is."""

    direction: NDArray[np.float32]  # shape (DIMENSION,), of their vectors; shorter than 1
    named: NDArray[np.float32]  # shape (count,), of ClassLabels.named
    beside: NDArray[np.float32]  # shape (count,), of ClassLabels.beside


class Label(Protocol):
    """What a model that drops in says of one of its labels."""

    @property
    def names(self) -> tuple[str, ...]:
        """The main one first."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The nearest first: 'beach' is a 'shore', and a 'place'."""

    @property
    def context(self) -> tuple[str, ...]:
        """What usually stands beside it in photographs."""


class ClassLabels:
    """Read only; for any thread. `data` is what docs/words/make_words.py writes to classes.json."""

    def __init__(
        self,
        data: Mapping[str, Any],
        labels: NDArray[np.float32],
        background: Callable[[ClassLabels], Background],
        features: Path | None = None,
    ) -> None:
        self._names: list[list[str]] = data["names"]
        self._kinds: list[str] = data["kinds"]
        self._of: list[list[int]] = data["of"]
        self._glosses = [frozenset(gloss.split(" ")) for gloss in data["glosses"]]
        self._words: dict[str, int] = data["words"]
        self._context_texts: list[str] = data["context"]
        self._background = background
        self._features = features
        self.labels = labels
        """Shape (count, DIMENSION): the label vectors minus their mean; not normalised."""

    @classmethod
    def read(cls, folder: Path = DATA) -> ClassLabels:
        """Those of the default embedder."""
        data = json.loads((folder / "classes.json").read_text("ascii"))
        labels = np.load(folder / "classes.npy").astype(np.float32)

        def background(_: ClassLabels) -> Background:
            numbers = np.load(folder / "background.npy").astype(np.float32)
            return Background(numbers[: -2 * COUNT], numbers[-2 * COUNT : -COUNT], numbers[-COUNT:])

        return cls(data, labels, background, folder / "features.npy")

    @classmethod
    def described(cls, labels: Sequence[Label], words: Words) -> ClassLabels:
        """Those of a model that drops in. A name that `words` lacks has no vector, and is only
        found by itself."""
        vectors = np.stack([_label_vector(label, words) for label in labels])
        centred: NDArray[np.float32] = (vectors - vectors.mean(axis=0)).astype(np.float32)
        return cls(_data(labels, words), centred, lambda made: made.counted_background(words))

    def __len__(self) -> int:
        return len(self._names)

    def names(self, number: int) -> tuple[str, ...]:
        """The names of the class, the main one first: ('tabby', 'tabby cat')."""
        return tuple(self._names[number])

    def kinds(self, number: int) -> tuple[str, ...]:
        """Its hypernyms, the nearest first: ('domestic cat', 'cat', 'feline', …)."""
        return tuple(self._kinds[kind] for kind in self._of[number][1:])

    def called(self, word: str) -> NDArray[np.bool_]:
        """Shape (count,): which classes have the name `word` (lower case) or are a kind of it.

        A name counts in every sense ('crane' the bird and the machine); a kind in the word's most
        usual sense that has classes at all.
        """
        kind = self._words.get(word)
        named = (
            word in map(str.lower, names) or kind in of
            for names, of in zip(self._names, self._of, strict=True)
        )
        return np.fromiter(named, np.bool_, len(self))

    def mentioned(self, word: str) -> NDArray[np.bool_]:
        """Shape (count,): which classes have `word`, a base form, in their names or definitions.

        'beer' is in 'beer bottle', 'sea' in the definition of a pier.
        """
        return np.fromiter((word in gloss for gloss in self._glosses), np.bool_, len(self))

    def named(self, word: str) -> NDArray[np.float32]:
        """Shape (count,): 1 for the classes `called` so, MENTIONED for those where it is
        `mentioned`, else 0."""
        found: NDArray[np.float32] = np.maximum(
            self.called(word), np.float32(MENTIONED) * self.mentioned(word)
        )
        return found

    def beside(self, word: str) -> NDArray[np.float32]:
        """Shape (count,): 1 for the classes beside which `word`, a base form, usually stands in
        photographs ('evening' beside a restaurant), else 0."""
        return np.fromiter((word in context for context in self._contexts), np.float32, len(self))

    def related_words(self) -> frozenset[str]:
        """All words that are `called`, `mentioned` or `beside` any class."""
        names = (name.lower() for names in self._names for name in names)
        return frozenset().union(names, self._words, *self._glosses, *self._contexts)

    def context_words(self) -> frozenset[str]:
        """All words that are `beside` any class."""
        return frozenset().union(*self._contexts) - {""}

    @cached_property
    def version(self) -> str:
        """Changes with `labels`, `background` and `feature_axes`."""
        features = b"" if self._features is None else self._features.read_bytes()
        parts = (self.labels.tobytes(), *(part.tobytes() for part in self.background), features)
        return f"{reduce(lambda crc, part: crc32(part, crc), parts, 0):08x}"

    @property
    def has_feature_axes(self) -> bool:
        """Whether there are `feature_axes`, which are read when they are asked for."""
        return self._features is not None

    @cached_property
    def feature_axes(self) -> NDArray[np.float32] | None:
        """Shape (dimension of the embedder's vectors, DIMENSION): the map of these vectors into the
        space of the labels; None where the embedder has none."""
        return None if self._features is None else np.load(self._features).astype(np.float32)

    @cached_property
    def background(self) -> Background:
        return self._background(self)

    def counted_background(self, words: Words) -> Background:
        """Computed: 5 ms for 400 classes. make_words.py keeps that of the default embedder."""
        known = self.context_words()
        count = max(len(known), 1)
        mean: NDArray[np.float32] = np.zeros(DIMENSION, np.float32)
        if known:
            mean = np.mean([words.vector(word) for word in sorted(known)], axis=0)
        by_kind: dict[int, set[str]] = {}
        for word in known & self._words.keys():
            by_kind.setdefault(self._words[word], set()).add(word)
        named = []
        for names, kinds, gloss in zip(self._names, self._of, self._glosses, strict=True):
            called = known.intersection(map(str.lower, names)).union(
                *(by_kind.get(kind, ()) for kind in kinds)
            )
            named.append(len(called) + MENTIONED * len((gloss & known) - called))
        beside = [len(context & known) for context in self._contexts]
        shares = np.array([named, beside], np.float32) / np.float32(count)
        return Background(mean, shares[0], shares[1])

    @cached_property
    def _contexts(self) -> list[frozenset[str]]:
        return [frozenset(text.split(",")) for text in self._context_texts]


@cache
def known_classes() -> ClassLabels:
    """The classes of the default embedder, read on the first call (5 ms)."""
    return ClassLabels.read()


def _label_vector(label: Label, words: Words) -> Vector:
    """Of length 1; 0 when no word of the label is known."""
    parts = [
        (1.0, label.names),
        (_KIND, label.kinds[:1]),
        (_CONTEXT, label.context),
    ]
    return unit(np.sum([share * _mean(texts, words) for share, texts in parts], axis=0))


def _mean(texts: Iterable[str], words: Words) -> Vector:
    known = [word for text in texts for part in _read(text, words) for word in part]
    return unit(np.sum([np.zeros(DIMENSION, np.float32), *map(words.vector, known)], axis=0))


def _read(text: str, words: Words) -> list[tuple[str, ...]]:
    return [part.words for part in words.read(text.lower().split())]


def _data(labels: Sequence[Label], words: Words) -> dict[str, Any]:
    """As make_words.py writes it. Words that the table has are in their base form, as in queries;
    a name of several words mentions each of them."""

    def bases(text: str) -> set[str]:
        return {word for part in _read(text, words) for word in part}

    kinds = {
        kind: number
        for number, kind in enumerate(dict.fromkeys(chain(*(one.kinds for one in labels))))
    }
    split = [set(chain(*(name.lower().split() for name in one.names))) for one in labels]
    meant = {base: number for kind, number in kinds.items() for base in (bases(kind) or {kind})}
    return {
        "names": [[*one.names, *sorted(_whole(one.names, words))] for one in labels],
        "kinds": list(kinds),
        "of": [[-1, *(kinds[kind] for kind in one.kinds)] for one in labels],
        "glosses": [" ".join(sorted(set(chain(*map(bases, one))) | one)) for one in split],
        "words": meant,
        "context": [",".join(sorted(set(chain(*map(bases, one.context))))) for one in labels],
    }


def _whole(names: Iterable[str], words: Words) -> set[str]:
    """The words of the table that stand for a whole name: 'mountain' for 'Mountains'."""
    read = (_read(name, words) for name in names)
    return {parts[0][0] for parts in read if len(parts) == 1 and len(parts[0]) == 1}
