"""Search a matrix by words, by a vector, or by both. Hits come best first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bulkup.search import text_scores
from bulkup.search.literal_match import Described, Term, matches
from bulkup.search.matrix import Matrix
from bulkup.search.text_scores import Hit
from bulkup.search.top_k import nearest

Floats = NDArray[np.float32]


def by_words(
    query: text_scores.TextQuery, words: Matrix, order: Sequence[Described | None], limit: int
) -> list[Hit]:
    """By the meaning of the pictures, and by literal matches in their descriptions.

    The rows of `words` are those of text_scores.picture_rows. `order` has the description of each
    row; None leaves it out. Raises WordsUnknown.
    """
    parts = [text_scores.row_scores(query, block) for block in words.blocks()]
    scores = np.concatenate(parts) if parts else np.empty(0, np.float32)
    here = [place for place, one in enumerate(order) if one is not None]
    matched = matches(query.terms, (one for one in order if one is not None))
    hits = text_scores.ranked(query, scores[np.array(here, np.intp)], matched, limit)
    return [Hit(here[hit.place], hit.score) for hit in hits]


def by_vector(vector: Floats, matrix: Matrix, is_allowed: Sequence[bool], limit: int) -> list[Hit]:
    """By the cosine of the vectors."""
    return _scored(matrix.scores(vector), is_allowed, limit)


def by_vector_and_terms(
    vector: Floats,
    terms: Sequence[Term],
    matrix: Matrix,
    order: Sequence[Described | None],
    limit: int,
) -> list[Hit]:
    """By the cosine to the vector of the words; literal matches of `terms` come first, as in
    `by_words`."""
    matched = matches(terms, (one or Described("") for one in order))
    scores = matrix.scores(vector) + np.float32(text_scores.LITERAL) * matched
    return _scored(scores, [one is not None for one in order], limit)


def vector_of(content_id: int, matrix: Matrix) -> Floats | None:
    """The content's vector, if the matrix has it."""
    place = matrix.place(content_id)
    return None if place is None else matrix.rows(np.array([place], np.intp))[0]


def _scored(scores: Floats, is_allowed: Sequence[bool], limit: int) -> list[Hit]:
    allowed = np.fromiter(is_allowed, np.bool_, len(is_allowed))
    return [Hit(int(at), float(scores[at])) for at in nearest(scores, limit, allowed)]
