"""Scores on one scale."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.search.scale import LITERAL_SHARE, hit_score

meanings = st.floats(-1, 1.5)


@pytest.mark.parametrize(
    ("meaning", "matched", "terms", "score"),
    [(-1.0, 0, 1, 0.0), (0.6, 0, 1, 0.4), (1.5, 0, 1, 0.8), (-1.0, 1, 1, 0.8), (1.2, 1, 1, 1.0),
     (0.6, 1, 2, 0.85), (0.6, 2, 2, 0.95)],
)  # fmt: skip
def test_words_that_are_found_count_more_than_guesses(
    meaning: float, matched: int, terms: int, score: float
) -> None:
    assert hit_score(meaning, matched, terms) == pytest.approx(score)


@given(meanings, meanings, st.integers(0, 4), st.integers(0, 4))
def test_the_order_of_hits_is_that_of_their_scores(
    one: float, other: float, matched: int, more: int
) -> None:
    first, second = (hit_score(one, matched, 4), hit_score(other, more, 4))
    assert 0 <= first <= 1
    if matched < more or (matched == more and one <= other):
        assert first <= second
    assert (first >= LITERAL_SHARE) == (matched > 0 or one >= 1.2)
