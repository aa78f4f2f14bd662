"""Words to scores: which pictures a text means, from what a classifier saw in them.

**ConSE** (Norouzi et al., "Zero-Shot Learning by Convex Combination of Semantic Embeddings", ICLR
2014): a picture lies where its classes' label vectors lie, weighted by their probabilities, and so
meets words in one space that was never trained for pictures. Three things make it better here:
label vectors are means of three sentences each, everything is taken from the mean label vector
(what all labels share says nothing), and the 20 best classes weigh by the square root of their
probability, since a classifier is surer than it should be.

    meaning = cosine(words, picture) + 0.2 x lexical

*lexical* is the probability that the picture shows what the words name, or a kind of it, by
WordNet; classes that only mention the word in their definition count half. It sharpens hits that
can be explained and leaves the rest to ConSE, which alone knows 'dusk'. For several words both are
means over the words.

    score = meaning + 3 x (words of the query that path, camera, lens or date say literally)

A meaning lies between -1 and 1.2, so 3 puts any literal match before none, more before fewer, and
leaves the order within to the meaning: who types the name of a folder or a camera wants that, and
in "cat 2019" the year chooses and the cat orders. What comes out are closest matches, not answers:
there is no threshold, since a right hit may score less than another query's wrong one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bulkup.errors import WordsUnknown
from bulkup.search.label_vectors import COUNT, ClassLabels, known_classes
from bulkup.search.literal_match import Date, Term, Typed, Word, typed
from bulkup.search.vocabulary import DIMENSION, QueryPart, Vector, Words, known_words, unit

Floats = NDArray[np.float32]

KEPT: Final = 20
"""ClassLabels of a picture that count. Fewer lose scenes, which the classifier has no class for."""

LEXICAL: Final = 0.2
MENTIONED: Final = 0.5
LITERAL: Final = 3.0

UNSEEN: Final = -1.0
"""The meaning of a picture without classes: after all others."""

ROW: Final = DIMENSION + 2 * KEPT
"""float32 numbers of a picture that a search needs: its vector, its classes' numbers divided by
1024 (which loses nothing), their probabilities."""

_NUMBER_SCALE: Final = 1024.0

_STOP_WORDS_TEXT: Final = (
    "a an the of in on at by to for from with without and or is are was my our his her their its "
    "this that these those some any me i we you it near under over into photo photos photograph "
    "photographs picture pictures image images pic pics show find"
)
_STOP_WORDS: Final = frozenset(_STOP_WORDS_TEXT.split())
"""Words that mean nothing here, unless the query has no others."""


@dataclass(frozen=True, slots=True, eq=False)
class TextQuery:
    """What a text asks for. Made by `TextQuery.of`."""

    text: str
    parts: tuple[QueryPart, ...]  # in order; those with no `words` are not known
    terms: tuple[Term, ...]  # to be matched with paths, cameras, lenses, dates
    direction: Vector | None  # None when no word is known
    classes: Floats  # shape (COUNT,): how far the parts name each class, 0 to 1

    @classmethod
    def of(cls, text: str) -> TextQuery:
        """`text` in any case. Raises WordsUnknown when nothing is left of it but signs."""
        words, classes = known_words(), known_classes()
        asked = typed(text)
        stop_words = _STOP_WORDS if set(asked.words) - _STOP_WORDS else frozenset()
        parts = words.read(asked.words, stop_words)
        terms = _terms(asked, stop_words, words)
        if not terms:
            raise WordsUnknown(f"nothing to look for in {text!r}")
        known = [part for part in parts if part.words]
        directions = [_direction(part, words) for part in known]
        direction = unit(np.sum(directions, axis=0)) if directions else None
        return cls(text, tuple(parts), terms, direction, _shares(known, classes))

    @property
    def unknown(self) -> tuple[str, ...]:
        """What was typed that is no known word: it can only be matched literally."""
        return tuple(part.typed for part in self.parts if not part.words)


class Hit(NamedTuple):
    """A picture, by its place in what was scored, and its score."""

    place: int
    score: float


def picture_vectors(numbers: NDArray[np.integer], probabilities: NDArray[np.floating]) -> Floats:
    """Where pictures lie: unit vectors, shape (n, DIMENSION), from their best classes.

    `numbers` and `probabilities` have shape (n, k): a picture's k best classes, k up to KEPT, in
    any order; a probability of 0 stands for none. A picture with no class has the vector 0.
    """
    labels = known_classes().labels
    weights = np.sqrt(probabilities, dtype=np.float32)
    vectors = np.zeros((len(numbers), DIMENSION), np.float32)
    for rank in range(numbers.shape[1]):  # (n, k, DIMENSION) at once would take 1 GB for 100,000
        vectors += weights[:, rank, None] * labels[numbers[:, rank]]
    return unit(vectors)


def rows_version() -> str:
    """What `picture_rows` depends on: rows of two versions are never mixed."""
    return f"conse-1.{known_classes().version}"


def picture_rows(numbers: NDArray[np.integer], probabilities: NDArray[np.floating]) -> Floats:
    """All that a search needs of pictures, shape (n, ROW), for a matrix file."""
    rows = np.zeros((len(numbers), ROW), np.float32)
    count = numbers.shape[1]
    rows[:, :DIMENSION] = picture_vectors(numbers, probabilities)
    rows[:, DIMENSION : DIMENSION + count] = numbers / _NUMBER_SCALE
    rows[:, DIMENSION + KEPT : DIMENSION + KEPT + count] = probabilities
    return rows


def row_scores(query: TextQuery, rows: Floats) -> Floats:
    """The meaning of each picture for `query`, shape (n,), from `picture_rows`: 30 ms for 100,000.

    UNSEEN for all when the query has no known word, and for a picture without classes.
    """
    if query.direction is None:
        return np.full(len(rows), UNSEEN, np.float32)
    found: Floats = rows[:, :DIMENSION] @ query.direction
    probabilities = rows[:, DIMENSION + KEPT :]
    if query.classes.any():
        numbers = (rows[:, DIMENSION : DIMENSION + KEPT] * _NUMBER_SCALE).astype(np.uint16)
        found += LEXICAL * (query.classes[numbers] * probabilities).sum(axis=1)
    found[~probabilities.any(axis=1)] = UNSEEN
    return found


def ranked(
    query: TextQuery, meanings: Floats, matched: NDArray[np.integer], limit: int
) -> list[Hit]:
    """The best `limit` pictures, best first; of equals the first comes first.

    `meanings` are `row_scores`, `matched` are terms.matches of the query's terms: both of shape
    (n,). A picture whose meaning is unknown is a hit only by a literal match. Raises WordsUnknown
    when the query has a word, knows none, and no picture says one literally: nothing but chance
    could order the pictures.
    """
    if query.direction is None and query.unknown and not matched.any():
        raise WordsUnknown(unknown_words(query), unknown=query.unknown)
    total = meanings + np.float32(LITERAL) * matched
    order = np.argsort(-total, kind="stable")
    is_hit = (meanings > UNSEEN) | (matched > 0)
    return [Hit(int(place), float(total[place])) for place in order[is_hit[order]][:limit]]


def _direction(part: QueryPart, words: Words) -> Vector:
    return unit(np.sum([words.vector(word) for word in part.words], axis=0))


def _shares(known: Sequence[QueryPart], classes: ClassLabels) -> Floats:
    """The mean over the parts of how far each names a class, shape (COUNT,)."""
    shares = np.zeros(COUNT, np.float32)
    for part in known:
        for word in part.words:
            share = np.maximum(classes.called(word), MENTIONED * classes.mentioned(word))
            shares += (share / (len(part.words) * len(known))).astype(np.float32)
    return shares


def _terms(asked: Typed, stop_words: frozenset[str], words: Words) -> tuple[Term, ...]:
    """Dates first; a month that stands for itself is one term, its name in a path is another."""
    literal = dict.fromkeys(word for word in asked.words if word not in stop_words)
    forms = ((word, words.base(word) or word) for word in literal)
    dates: tuple[Date, ...] = asked.dates
    return (*dates, *(Word(tuple(dict.fromkeys(pair))) for pair in forms))


def unknown_words(query: TextQuery) -> str:
    """'unknown word 'xyzzy'; nearest known: …', for each of the unknown words."""
    words = known_words()
    said = []
    for typed_word in query.unknown:
        nearest = ", ".join(words.nearest(typed_word))
        said.append(
            f"unknown word {typed_word!r}" + (f"; nearest known: {nearest}" if nearest else "")
        )
    return ". ".join(said)
