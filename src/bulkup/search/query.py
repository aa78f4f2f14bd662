"""Search a matrix by words, by a vector, or by both. Hits come best first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bulkup.search import text_scores
from bulkup.search.explain import explained
from bulkup.search.literal_match import Described, Term
from bulkup.search.matrix import Matrix
from bulkup.search.scale import hit_score
from bulkup.search.text_scores import Hit
from bulkup.search.texts import Texts
from bulkup.search.top_k import nearest

Floats = NDArray[np.float32]


def by_words(query: text_scores.TextQuery, words: Matrix, texts: Texts, limit: int) -> list[Hit]:
    """By the meaning of the pictures, and by literal matches in their descriptions.

    The rows of `words` are those of text_scores.picture_rows. `texts` has the description of each
    row. Raises WordsUnknown.
    """
    parts = [text_scores.row_scores(query, block) for block in words.blocks()]
    scores = np.concatenate(parts) if parts else np.empty(0, np.float32)
    here = np.flatnonzero(texts.is_here)
    matched = texts.counts(query.terms)
    hits = text_scores.ranked(query, scores[here], matched[here], limit)
    return [Hit(int(here[hit.place]), hit.score) for hit in hits]


def reasons(
    query: text_scores.TextQuery,
    words: Matrix,
    texts: Texts,
    hits: Sequence[Hit],
) -> list[tuple[str, ...]]:
    """For each of the hits of `by_words`, with the same arguments, why it is one."""
    rows = words.rows(np.array([hit.place for hit in hits], np.intp))
    pictures = (texts.pictures[hit.place] or Described("") for hit in hits)
    return [explained(query, row, one) for row, one in zip(rows, pictures, strict=True)]


def by_vector(vector: Floats, matrix: Matrix, is_allowed: Sequence[bool], limit: int) -> list[Hit]:
    """By the cosine of the vectors; less than 0 counts as 0."""
    allowed = np.fromiter(is_allowed, np.bool_, len(is_allowed))
    cosines = matrix.scores(vector)
    places = nearest(_rounded(cosines), limit, allowed)
    return [Hit(int(at), min(max(float(cosines[at]), 0.0), 1.0)) for at in places]


def by_vector_and_terms(
    vector: Floats,
    terms: Sequence[Term],
    matrix: Matrix,
    texts: Texts,
    limit: int,
) -> list[Hit]:
    """By the cosine to the vector of the words; literal matches of `terms` come first, as in
    `by_words`."""
    matched = texts.counts(terms)
    cosines = matrix.scores(vector)
    total = _rounded(cosines + np.float32(text_scores.LITERAL) * matched)
    return [
        Hit(int(at), hit_score(float(cosines[at]), int(matched[at]), len(terms), full=1.0))
        for at in nearest(total, limit, texts.is_here)
    ]


def vector_of(content_id: int, matrix: Matrix) -> Floats | None:
    """The content's vector, if the matrix has it."""
    place = matrix.place(content_id)
    return None if place is None else matrix.rows(np.array([place], np.intp))[0]


def _rounded(scores: NDArray[Any]) -> Floats:
    """Equal pictures get equal scores, wherever they are in the matrix."""
    return np.round(scores, 5).astype(np.float32)
