"""The questions that a matrix answers: by words, by a vector, by both. Places and scores, best
first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bulkup.search import text_scores as meaning
from bulkup.search.literal_match import Described, Term, matches
from bulkup.search.matrix import Matrix
from bulkup.search.top_k import nearest

Floats = NDArray[np.float32]


class Scored(NamedTuple):
    """A row of the matrix, by its place, and its score."""

    place: int
    score: float


def by_words(
    query: meaning.TextQuery, words: Matrix, order: Sequence[Described | None], limit: int
) -> list[Scored]:
    """By what the pictures mean and what is literally said of them.

    `words` has rows of meaning.picture_rows, `order` what the manifest says of each of them; None
    is left out. Raises WordsUnknown.
    """
    parts = [meaning.row_scores(query, block) for block in words.blocks()]
    scores = np.concatenate(parts) if parts else np.empty(0, np.float32)
    here = [place for place, one in enumerate(order) if one is not None]
    said = matches(query.terms, (one for one in order if one is not None))
    hits = meaning.ranked(query, scores[np.array(here, np.intp)], said, limit)
    return [Scored(here[hit.place], hit.score) for hit in hits]


def by_vector(
    vector: Floats, matrix: Matrix, is_allowed: Sequence[bool], limit: int
) -> list[Scored]:
    """By nearness alone: scores are cosines."""
    return _scored(matrix.scores(vector), is_allowed, limit)


def by_vector_and_terms(
    vector: Floats,
    terms: Sequence[Term],
    matrix: Matrix,
    order: Sequence[Described | None],
    limit: int,
) -> list[Scored]:
    """By nearness to the words' own vector; what is literally said, `terms`, comes first, as in
    `by_words`."""
    said = matches(terms, (one or Described("") for one in order))
    scores = matrix.scores(vector) + np.float32(meaning.LITERAL) * said
    return _scored(scores, [one is not None for one in order], limit)


def vector_of(content_id: int, matrix: Matrix) -> Floats | None:
    """The content's vector, if the matrix has it."""
    place = matrix.place(content_id)
    return None if place is None else matrix.rows(np.array([place], np.intp))[0]


def _scored(scores: Floats, is_allowed: Sequence[bool], limit: int) -> list[Scored]:
    allowed = np.fromiter(is_allowed, np.bool_, len(is_allowed))
    return [Scored(int(at), float(scores[at])) for at in nearest(scores, limit, allowed)]
