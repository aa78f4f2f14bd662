"""The rows with the best scores: exact, in a stable order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def nearest(
    scores: NDArray[np.float32], limit: int, allowed: NDArray[np.bool_] | None = None
) -> NDArray[np.intp]:
    """The places of the `limit` highest scores, best first; of equal ones the earlier comes first.

    `scores` and `allowed` have the shape (count,). Rows that are not allowed, or NaN, are left out,
    so there may be fewer than `limit`.
    """
    places = np.flatnonzero(~np.isnan(scores) if allowed is None else allowed & ~np.isnan(scores))
    if limit <= 0:
        return places[:0]
    found = scores[places]
    if limit < len(places):
        # All that reach the limit-th score, ties included: the sort below chooses among them.
        least = np.partition(found, len(found) - limit)[len(found) - limit]
        keep = found >= least
        places, found = places[keep], found[keep]
    return places[np.argsort(-found, kind="stable")[:limit]]
