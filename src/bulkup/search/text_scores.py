"""Scores of pictures for a text, from the classes that a classifier saw in them.

**ConSE** (Norouzi et al., "Zero-Shot Learning by Convex Combination of Semantic Embeddings", ICLR
2014): the vector of a picture is the mean of its classes' label vectors, weighted by their
probabilities. So pictures and words share a space that was never trained with pictures. Five
things improve it here: label vectors are means of four sentences each; the mean of all label
vectors is subtracted; the 20 best classes are weighted by the square root of their probability,
since classifiers are overconfident; a linear map of the embedder's vector, fitted on the weights of
the classes, is added, since pictures of what is no class have features of many; and half of what a
picture reaches on average is subtracted, since some pictures are near to every word.

    evidence = cosine(words, picture) + 0.2 x lexical + 0.3 x beside
    meaning = evidence - 0.5 x mean evidence of the words of all contexts

*lexical* is the probability that the picture shows what the words name, or a kind of it, by
WordNet; classes with the word only in their definition count half. *beside* is the weight of those
classes beside which the words usually stand in photographs: 'evening' beside a restaurant. Words
without either depend on ConSE. For several words all three are means over the words.

    score = meaning + 3 x (words of the query found literally in path, camera, lens or date)

A meaning is between -1 and 1.5. So any literal match comes before none, more before fewer, and
among equals the meaning decides: in "cat 2019" the year selects and the cat sorts. The results are
the closest matches. scale.py makes percentages of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bulkup.errors import WordsUnknown
from bulkup.installation import extra_command
from bulkup.search.foreign_words import known_foreign_words
from bulkup.search.label_vectors import ClassLabels, known_classes
from bulkup.search.languages import Languages
from bulkup.search.literal_match import STOP_WORDS, Term, is_english, terms_of, typed
from bulkup.search.scale import hit_score
from bulkup.search.vocabulary import (
    DIMENSION,
    QueryPart,
    Vector,
    Words,
    known_words,
    unit,
    unknown_words,
)

Floats = NDArray[np.float32]

KEPT: Final = 20
"""ClassLabels of a picture that count. Fewer lose scenes, which the classifier has no class for."""

LEXICAL: Final = 0.2
BESIDE: Final = 0.3
LITERAL: Final = 3.0
BACKGROUND: Final = 0.5

UNSEEN: Final = -1.0
"""The meaning of a picture without classes: it comes last."""

ROW: Final = DIMENSION + 2 * KEPT + 1
"""float32 numbers of a picture that a search needs: its vector, its classes' numbers divided by
1024 (which loses nothing), their probabilities, and what is subtracted from its evidence."""

_BLOCK: Final = 8192  # rows that the processor's cache holds

_NUMBER_SCALE: Final = 1024.0


@dataclass(frozen=True, slots=True, eq=False)
class TextQuery:
    """A parsed query. Made by `TextQuery.of`."""

    text: str
    parts: tuple[QueryPart, ...]  # in order; unknown ones have no `words`
    terms: tuple[Term, ...]  # to be matched with paths, cameras, lenses, dates
    direction: Vector | None  # None when no word is known
    labels: ClassLabels
    classes: Floats  # shape (len(labels),): how far the parts name each class, 0 to 1
    beside: Floats  # shape (len(labels),): how far they usually stand beside each class, 0 to 1
    understood_as: str | None = None  # English words, for a text of another language

    @classmethod
    def of(
        cls,
        text: str,
        languages: Callable[[], Languages | None] = lambda: None,
        labels: ClassLabels | None = None,
    ) -> TextQuery:
        """`text` in any case. Where a word is not English the table of foreign words is asked, and
        `languages` where that lacks one, too. `labels` are the default embedder's, unless given.
        Raises WordsUnknown when it has no words."""
        labels = labels or known_classes()
        words = known_words()
        parsed = typed(text)
        stop_words = STOP_WORDS if set(parsed.words) - STOP_WORDS else frozenset()
        parts = words.read(parsed.words, stop_words)
        terms = terms_of(parsed, stop_words, words.base)
        if not terms:
            raise WordsUnknown(f"nothing to look for in {text!r}")
        english = is_english(text)
        if not parts or (english and all(part.words for part in parts)):
            return cls._made(text, parts, terms, labels)
        foreign = known_foreign_words().read(parsed.words, is_english=english)
        if not foreign or not all(part.words for part in foreign):
            other = languages()
            if other is not None:
                plain = " ".join(parsed.words) if parsed.dates else text
                foreign = [QueryPart(text, (other.understood(plain),))]
        if not foreign:  # or of words such as "und" only
            return cls._made(text, parts, terms, labels)
        return cls._made(text, foreign, terms, labels, understood_as=_in_english(foreign))

    @classmethod
    def _made(
        cls,
        text: str,
        parts: Sequence[QueryPart],
        terms: tuple[Term, ...],
        labels: ClassLabels,
        *,
        understood_as: str | None = None,
    ) -> TextQuery:
        words = known_words()
        known = [part for part in parts if part.words]
        directions = [_direction(part, words) for part in known]
        whole = unit(np.sum(directions, axis=0)) if directions else None
        named, beside = (
            _shares(known, share, len(labels)) for share in (labels.named, labels.beside)
        )
        return cls(text, tuple(parts), terms, whole, labels, named, beside, understood_as)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Unknown words: they can only be matched literally."""
        return tuple(part.typed for part in self.parts if not part.words)


class Hit(NamedTuple):
    """The place of a picture among those scored, and its score, 0 to 1."""

    place: int
    score: float


def picture_vectors(
    numbers: NDArray[np.integer],
    probabilities: NDArray[np.floating],
    features: Floats | None = None,
    labels: ClassLabels | None = None,
) -> Floats:
    """Unit vectors of pictures, shape (n, DIMENSION), from their best classes, and from `features`,
    the embedder's vectors, where `labels` have a map for them.

    `numbers` and `probabilities` have shape (n, k): a picture's k best classes, k up to KEPT, in
    any order; a probability of 0 is padding. A picture without classes and features has the vector
    0.
    """
    labels = labels or known_classes()
    rows, axes = labels.labels, labels.feature_axes
    weights = np.sqrt(probabilities, dtype=np.float32)
    vectors = np.zeros((len(numbers), DIMENSION), np.float32)
    for rank in range(numbers.shape[1]):  # (n, k, DIMENSION) at once would take 1 GB for 100,000
        vectors += weights[:, rank, None] * rows[numbers[:, rank]]
    if features is not None and axes is not None:
        vectors = unit(vectors) + unit(features @ axes)
    return unit(vectors)


def rows_version(labels: ClassLabels | None = None) -> str:
    """The version of `picture_rows`: rows of two versions are never mixed."""
    return f"conse-4.{(labels or known_classes()).version}"


def picture_rows(
    numbers: NDArray[np.integer],
    probabilities: NDArray[np.floating],
    features: Floats | None = None,
    labels: ClassLabels | None = None,
) -> Floats:
    """All that a search needs of pictures, shape (n, ROW), for a matrix; see `picture_vectors`."""
    rows = np.zeros((len(numbers), ROW), np.float32)
    count = numbers.shape[1]
    rows[:, :DIMENSION] = picture_vectors(numbers, probabilities, features, labels)
    rows[:, DIMENSION : DIMENSION + count] = numbers / _NUMBER_SCALE
    rows[:, DIMENSION + KEPT : DIMENSION + KEPT + count] = probabilities
    rows[:, -1] = BACKGROUND * _evidence(*(labels or known_classes()).background, rows)
    return rows


def classes_of(row: Floats) -> tuple[NDArray[np.uint16], Floats]:
    """The numbers and probabilities of the classes in a row, those of 0 left out."""
    numbers = np.rint(row[DIMENSION : DIMENSION + KEPT] * _NUMBER_SCALE).astype(np.uint16)
    probabilities = row[DIMENSION + KEPT : -1]
    return numbers[probabilities > 0], probabilities[probabilities > 0]


def row_scores(query: TextQuery, rows: Floats) -> Floats:
    """The meaning of each picture for `query`, shape (n,), from `picture_rows`: 10 ms for 100,000.

    UNSEEN for all when the query has no known word, and for a picture without classes.
    """
    found = np.full(len(rows), UNSEEN, np.float32)
    if query.direction is not None:
        for start in range(0, len(rows), _BLOCK):
            found[start : start + _BLOCK] = _block_scores(
                query, query.direction, rows[start : start + _BLOCK]
            )
    return found


def _block_scores(query: TextQuery, direction: Vector, rows: Floats) -> Floats:
    found: Floats = _evidence(direction, query.classes, query.beside, rows) - rows[:, -1]
    found[~rows[:, DIMENSION + KEPT : -1].any(axis=1)] = UNSEEN
    return found


def _evidence(direction: Vector, classes: Floats, beside: Floats, rows: Floats) -> Floats:
    """Of each row, shape (n,). Reads all of a row but its last number."""
    found: Floats = rows[:, :DIMENSION] @ direction
    probabilities = rows[:, DIMENSION + KEPT : -1]
    if classes.any() or beside.any():
        numbers = (rows[:, DIMENSION : DIMENSION + KEPT] * _NUMBER_SCALE).astype(np.intp)
        found += LEXICAL * np.einsum("nk,nk->n", classes.take(numbers), probabilities)
        if beside.any():
            weights = np.sqrt(probabilities)
            total = np.maximum(weights.sum(axis=1), np.float32(1e-9))
            found += BESIDE * np.einsum("nk,nk->n", beside.take(numbers), weights) / total
    return found


def ranked(
    query: TextQuery, meanings: Floats, matched: NDArray[np.integer], limit: int
) -> list[Hit]:
    """The best `limit` pictures, best first; of equals the first comes first.

    `meanings` are `row_scores`, `matched` the texts.matches of the query's terms, both of
    shape (n,). A picture without a meaning is a hit only by a literal match. Raises WordsUnknown
    when all words of the query are unknown and no picture matches one literally.
    """
    if query.direction is None and query.unknown and not matched.any():
        hint = f"Words of other languages: {extra_command('languages')}"
        raise WordsUnknown(unknown_words(query.unknown), unknown=query.unknown, hint=hint)
    total = np.round(meanings + np.float32(LITERAL) * matched, 5)
    order = np.argsort(-total, kind="stable")
    is_hit = (meanings > UNSEEN) | (matched > 0)
    return [
        Hit(int(at), hit_score(float(meanings[at]), int(matched[at]), len(query.terms)))
        for at in order[is_hit[order]][:limit]
    ]


def _in_english(parts: Sequence[QueryPart]) -> str:
    """Of a word that may mean two things, the nearer; of a phrase, all words; nothing twice."""
    shown = (part.words if " " in part.typed else part.words[:1] for part in parts)
    said = (" ".join(words) or part.typed for words, part in zip(shown, parts, strict=True))
    return " ".join(dict.fromkeys(said))


def _direction(part: QueryPart, words: Words) -> Vector:
    return unit(np.sum([words.vector(word) for word in part.words], axis=0))


def _shares(known: Sequence[QueryPart], share_of: Callable[[str], Floats], count: int) -> Floats:
    """The mean over the parts, and over the words of each, shape (count,)."""
    shares = np.zeros(count, np.float32)
    for part in known:
        for word in part.words:
            shares += (share_of(word) / (len(part.words) * len(known))).astype(np.float32)
    return shares
