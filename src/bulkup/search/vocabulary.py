"""The known words, and their directions in the vector space of the pictures.

The table (data/words.*) is made by docs/words/make_words.py: the vectors of "a photo of a …" by a
small text encoder, for each English word that may name something visible, on 128 axes in int8. So a
search needs no encoder; for one-word queries the results are as good as the encoder's. Rows are not
normalised.

A word that is not in the table is reduced to its base form by WordNet's rules (morphy(7WN)).
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache, cached_property
from heapq import nlargest
from itertools import chain, pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
"""Shape (DIMENSION,), of length 1."""

DIMENSION: Final = 128
DATA: Final = Path(__file__).parent / "data"

_NOUN_ENDINGS: Final = (
    *(("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh")),
    *(("men", "man"), ("ies", "y")),
)
_VERB_ENDINGS: Final = (
    *(("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e")),
    ("ing", ""),
)
_PLAIN: Final = (*_NOUN_ENDINGS, *_VERB_ENDINGS)
_COMPARED: Final = (("er", ""), ("est", ""), ("er", "e"), ("est", "e"))
_SHORT: Final = 2  # letters: no adjective has so few, and 'mer' (sea) is not compared 'me'

_LONGEST_PHRASE: Final = 4  # words: 'lily of the valley'
_SHOWN: Final = 60  # letters of an unknown word in a message
_LEAST_OF_COMPOUND: Final = 4  # letters a half: shorter ones are found in nearly every string


@dataclass(frozen=True, slots=True)
class QueryPart:
    """A part of the query, and the word or words of the table that it stands for.

    `typed` is several words where they are one name in the table. `words` has two entries for a
    compound of two known halves, and none when nothing is known.
    """

    typed: str
    words: tuple[str, ...]


class Words:
    """The table. All lookups are in lower case."""

    def __init__(self, folder: Path = DATA) -> None:
        self._words = (folder / "words.txt").read_text("ascii").split("\n")
        self._rows: NDArray[np.int8] = np.load(folder / "words.npy", mmap_mode="r")
        self._forms_file = folder / "forms.txt"

    def __len__(self) -> int:
        return len(self._words)

    def __contains__(self, word: str) -> bool:
        return self._row(word) is not None

    def __iter__(self) -> Iterator[str]:
        """In ascending order."""
        return iter(self._words)

    def at(self, row: int) -> str:
        """The word of a row, from 0."""
        return self._words[row]

    def vector(self, word: str) -> Vector:
        """The vector of a word or name in the table; KeyError for others."""
        row = self._row(word)
        if row is None:
            raise KeyError(word)
        return unit(self._rows[row].astype(np.float32))

    def closest(self, direction: Vector, among: Collection[str], count: int) -> list[str]:
        """Of the words of the table that are `among` these, the `count` nearest to `direction`, the
        nearest first."""
        known = [at for at, word in enumerate(self._words) if word in among]
        vectors = unit(self._rows[known].astype(np.float32))
        order = np.argsort(-(vectors @ direction), kind="stable")[:count]
        return [self._words[known[int(place)]] for place in order]

    def base(self, word: str) -> str | None:
        """`word` itself if it is in the table, else its base form, else None.

        Accents are ignored: the table has English words only, 'cafe' for 'café'.
        """
        word = _without_accents(word)
        if word in self:
            return word
        if word in self._forms:
            return self._forms[word]
        bases = (word.removesuffix(end) + new for end, new in _PLAIN if word.endswith(end))
        compared = (word.removesuffix(end) + new for end, new in _COMPARED if word.endswith(end))
        known = (base for base in bases if len(base) > 1 and base in self)
        adjectives = (base for base in compared if len(base) > _SHORT and base in self)
        return next(chain(known, adjectives), None)

    def read(
        self, typed: Sequence[str], stop_words: frozenset[str] = frozenset()
    ) -> list[QueryPart]:
        """`typed`, in order, as parts; the longest name first, so 'hot dog' is one part.

        `stop_words` are no parts by themselves, but may be inside a name.
        """
        parts = []
        start = 0
        while start < len(typed):
            part, count = self._part(typed[start : start + _LONGEST_PHRASE], stop_words)
            start += count
            if part is not None:
                parts.append(part)
        return parts

    def nearest(self, word: str, count: int = 3) -> list[str]:
        """Up to `count` known words with a similar spelling, the most similar first."""
        pairs = {a + b for a, b in pairwise(word)}
        matcher = SequenceMatcher(None, "", word, autojunk=False)
        ratios = []
        for known in self._words:
            if abs(len(known) - len(word)) > 2 or not any(pair in known for pair in pairs):
                continue
            matcher.set_seq1(known)
            if matcher.quick_ratio() >= 0.6 and (ratio := matcher.ratio()) >= 0.6:
                ratios.append((ratio, known))
        return [known for _, known in nlargest(count, ratios, key=lambda pair: pair[0])]

    @cached_property
    def _forms(self) -> dict[str, str]:
        lines = self._forms_file.read_text("ascii").splitlines()
        return dict(line.split(" ") for line in lines)

    def _row(self, word: str) -> int | None:
        row = bisect_left(self._words, word)
        return row if row < len(self._words) and self._words[row] == word else None

    def _part(
        self, typed: Sequence[str], stop_words: frozenset[str]
    ) -> tuple[QueryPart | None, int]:
        """The first part of `typed`, and the number of words it takes."""
        if typed[0] not in stop_words:
            for count in range(len(typed), 1, -1):
                if typed[count - 1] not in stop_words and (name := self._name(typed[:count])):
                    return QueryPart(" ".join(typed[:count]), (name,)), count
            return QueryPart(typed[0], self._single(typed[0])), 1
        return None, 1

    def _name(self, typed: Sequence[str]) -> str | None:
        """The table's name for several words, written with spaces, with hyphens or as one word."""
        joined = (self.base(glue.join(typed)) for glue in (" ", "-", ""))
        return next((name for name in joined if name is not None), None)

    def _single(self, typed: str) -> tuple[str, ...]:
        """The table's words for one typed word: 'hotdog', 'hot-dog', 'mountainbikes'."""
        base = self.base(typed)
        if base is not None:
            return (base,)
        if "-" in typed:
            pieces = [piece for piece in typed.split("-") if piece]
            name = self._name(pieces)
            bases = (name,) if name else tuple(self.base(piece) for piece in pieces)
            return tuple(base for base in bases if base is not None)
        halves = [(typed[:cut], typed[cut:]) for cut in range(2, len(typed) - 1)]
        for first, second in halves:
            if name := self.base(f"{first} {second}") or self.base(f"{first}-{second}"):
                return (name,)
        least = _LEAST_OF_COMPOUND
        for first, second in halves:
            if min(len(first), len(second)) >= least and first in self:
                base = self.base(second)
                if base is not None:
                    return (first, base)
        return ()


def _without_accents(word: str) -> str:
    if word.isascii():
        return word
    letters = unicodedata.normalize("NFKD", word)
    return "".join(sign for sign in letters if not unicodedata.combining(sign))


@cache
def known_words() -> Words:
    """The table of bulkup, read on the first call (5 ms)."""
    return Words()


def unit(vectors: Vector) -> Vector:
    """Rows of length 1; rows of 0 stay 0."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Vector = (vectors / np.maximum(lengths, np.float32(1e-12))).astype(np.float32)
    return scaled


def unknown_words(unknown: Iterable[str]) -> str:
    """'unknown word 'xyzzy'; nearest known: …', for each of the unknown words."""
    words = known_words()
    messages = []
    for typed_word in unknown:
        nearest = ", ".join(words.nearest(typed_word))
        shown = typed_word if len(typed_word) <= _SHOWN else f"{typed_word[:_SHOWN]}…"
        messages.append(
            f"unknown word {shown!r}" + (f"; nearest known: {nearest}" if nearest else "")
        )
    return ". ".join(messages)
