"""The questions that a matrix answers, in places and scores."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bulkup.errors import WordsUnknown
from bulkup.search import text_scores as meaning
from bulkup.search.label_vectors import known_classes
from bulkup.search.literal_match import Described
from bulkup.search.matrix import Matrix
from bulkup.search.matrix_file import MatrixPart
from bulkup.search.query import by_vector, by_vector_and_terms, by_words, vector_of
from bulkup.search.scale import LITERAL_SHARE
from bulkup.search.text_scores import Hit, TextQuery
from bulkup.search.texts import Texts

Floats = NDArray[np.float32]


def matrix(vectors: Floats, *, cut: int | None = None) -> Matrix:
    """Rows with content ids from 101, in two parts where `cut` says so."""
    ids = np.stack([np.arange(len(vectors)) + 1, np.arange(len(vectors)) + 101], axis=1)
    cuts = [0, len(vectors)] if cut is None else [0, cut, len(vectors)]
    parts = [MatrixPart(ids[a:b], vectors[a:b]) for a, b in pairwise(cuts)]
    return Matrix(parts, vectors.shape[1])


def seen(*names: str) -> Matrix:
    """Pictures of which each surely shows the class that a word names."""
    called = [int(np.argmax(known_classes().called(name))) for name in names]
    numbers = np.array([[number] for number in called], np.uint16)
    return matrix(meaning.picture_rows(numbers, np.full((len(names), 1), 0.9, np.float32)))


def places(hits: list[Hit]) -> list[int]:
    return [hit.place for hit in hits]


def test_a_word_finds_what_was_seen() -> None:
    words = seen("tabby", "volcano", "canoe")
    order = [Described(f"photos/{n}.jpg") for n in range(3)]
    for place, word in enumerate(("tabby", "volcano", "canoe")):
        hits = by_words(TextQuery.of(word), words, Texts(order), 3)
        assert hits[0].place == place
        assert [hit.score for hit in hits] == sorted((h.score for h in hits), reverse=True)
    assert places(by_words(TextQuery.of("kitten"), words, Texts(order), 1)) == [0]


def test_what_is_left_out_is_no_hit_and_moves_no_place() -> None:
    words = seen("tabby", "volcano", "canoe")
    order = [None, Described("a.jpg"), Described("b.jpg")]
    hits = by_words(TextQuery.of("tabby"), words, Texts(order), 3)
    assert sorted(places(hits)) == [1, 2]
    assert by_words(TextQuery.of("tabby"), words, Texts([None] * 3), 3) == []


def test_a_literal_word_comes_before_any_meaning() -> None:
    words = seen("tabby", "volcano")
    order = [Described("a.jpg"), Described("tabby/b.jpg")]
    hits = by_words(TextQuery.of("tabby"), words, Texts(order), 2)
    assert places(hits) == [1, 0]
    assert hits[0].score >= LITERAL_SHARE > hits[1].score


def test_an_unknown_word_is_found_literally_or_not_at_all() -> None:
    words = seen("tabby", "volcano")
    order = [Described("a.jpg"), Described("xyzzy/b.jpg")]
    assert places(by_words(TextQuery.of("xyzzy"), words, Texts(order), 5)) == [1]
    with pytest.raises(WordsUnknown, match="nearest known: dizzy"):
        by_words(TextQuery.of("xyzzy"), words, Texts([Described("a.jpg")] * 2), 5)


def test_nothing_is_embedded_and_nothing_is_found() -> None:
    empty = Matrix([], meaning.ROW)
    assert by_words(TextQuery.of("tabby"), empty, Texts([]), 5) == []
    assert by_vector(np.zeros(2, np.float32), Matrix([], 2), [], 5) == []


@given(
    seed=st.integers(0, 1000),
    count=st.integers(1, 40),
    limit=st.integers(1, 50),
    data=st.data(),
)
def test_by_vector_is_a_sort_of_all_cosines(
    seed: int, count: int, limit: int, data: st.DataObject
) -> None:
    vectors = np.random.default_rng(seed).standard_normal((count, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cut = data.draw(st.integers(0, count))
    is_allowed = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    hits = by_vector(vectors[0], matrix(vectors, cut=cut), is_allowed, limit)
    cosines = vectors @ vectors[0]
    expected = sorted(cosines[is_allowed].clip(0), reverse=True)[:limit]
    assert [hit.score for hit in hits] == pytest.approx(expected, abs=1e-5)
    assert all(is_allowed[place] for place in places(hits))


def test_a_text_vector_is_helped_by_what_is_said_literally() -> None:
    vectors = np.eye(3, dtype=np.float32)
    order = [Described("a.jpg"), Described("b/harbour.jpg"), None]
    terms = TextQuery.of("harbour").terms
    hits = by_vector_and_terms(vectors[0], terms, matrix(vectors), Texts(order), 3)
    assert hits == [Hit(1, 0.8), Hit(0, 0.8)]


def test_a_contents_own_vector() -> None:
    vectors = np.eye(3, dtype=np.float32)
    found = vector_of(102, matrix(vectors, cut=1))
    assert found is not None
    assert found.tolist() == [0, 1, 0]
    assert vector_of(1, matrix(vectors)) is None
