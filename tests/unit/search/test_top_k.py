"""Exact top-k."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bulkup.search.top_k import nearest


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_the_best_come_first() -> None:
    assert nearest(floats(0.1, 0.9, 0.5), 2).tolist() == [1, 2]


def test_of_equal_scores_the_earlier_comes_first() -> None:
    assert nearest(floats(0.5, 0.9, 0.5, 0.9, 0.5), 4).tolist() == [1, 3, 0, 2]


def test_what_is_not_allowed_is_left_out() -> None:
    allowed = np.array([True, False, True])
    assert nearest(floats(0.1, 0.9, 0.5), 2, allowed).tolist() == [2, 0]


def test_nan_is_no_hit() -> None:
    assert nearest(floats(float("nan"), 0.5), 5).tolist() == [1]


def test_nothing_is_found_in_nothing() -> None:
    assert nearest(floats(), 3).tolist() == []
    assert nearest(floats(0.5), 0).tolist() == []


scores = st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 0.5, 1.0]) | st.floats(-1, 1, width=32))


@given(scores, st.integers(0, 12), st.randoms())
def test_equals_a_stable_sort_of_everything(values: list[float], limit: int, random) -> None:
    allowed = np.array([random.random() < 0.7 for _ in values], bool)
    expected = sorted((at for at in range(len(values)) if allowed[at]), key=lambda at: -values[at])
    assert nearest(floats(*values), limit, allowed).tolist() == expected[:limit]
