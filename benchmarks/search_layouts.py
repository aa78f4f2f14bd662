"""What a query costs over a million vectors: exact in float32, float16 and int8, and by a graph.

python -m benchmarks.search_layouts [--rows 1000000] [--graph-rows 20000]

The vectors lie around 2,000 centres, as photos of the same things do. `usearch` has to be
installed; it is no part of bulkup. Prints CPU milliseconds, the median of five queries.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIMENSION = 1280
CENTRES = 2000
BLOCK = 20_000
QUERIES = 20
BEST = 10

Floats = NDArray[np.float32]


def vectors(count: int, random: np.random.Generator, centres: Floats) -> Floats:
    """Unit vectors, shape (count, DIMENSION)."""
    found = np.empty((count, DIMENSION), np.float32)
    for start in range(0, count, BLOCK):
        some = min(BLOCK, count - start)
        block = centres[random.integers(0, CENTRES, some)]
        block += random.standard_normal((some, DIMENSION), np.float32)
        found[start : start + some] = block / np.linalg.norm(block, axis=1, keepdims=True)
    return found


def as_int8(rows: Floats) -> NDArray[np.int8]:
    """Each row scaled to its largest value."""
    found = np.empty(rows.shape, np.int8)
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        found[start : start + BLOCK] = np.round(block * 127 / abs(block).max(1, keepdims=True))
    return found


def cpu_ms(work: Callable[[], object]) -> float:
    """The median of five after one to warm up."""
    taken = []
    for _ in range(6):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return 1000 * median(taken[1:])


def best(scores: Floats, among: NDArray[Any] | None = None) -> set[int]:
    chosen = np.argsort(-scores)[:BEST]
    return set((chosen if among is None else among[chosen]).tolist())


def recall(rows: Floats, queries: Floats, find: Callable[[int], NDArray[Any]]) -> float:
    """The share of the best that is among what `find` gives for a query, rescored."""
    shares = []
    for at, query in enumerate(queries):
        found = find(at)
        wanted = best(rows @ query)
        shares.append(len(best(rows[found] @ query, found) & wanted) / BEST)
    return float(np.mean(shares))


def exact(index: Any, rows: Floats, queries: Floats) -> None:
    """Exact search in each layout."""
    kind, search = index.MetricKind, index.search
    print(f"float32, numpy: {cpu_ms(lambda: rows @ queries[0]):.0f} ms")
    print(f"float16, usearch: {_half_ms(index, rows, queries[0]):.0f} ms")
    small, small_query = as_int8(rows), as_int8(queries)

    def found(at: int, most: int) -> NDArray[Any]:
        matches = search(small, small_query[at], most, kind.Cos, exact=True)
        return np.asarray(matches.keys, np.int64).ravel()

    print(f"int8, usearch: {cpu_ms(lambda: found(0, BEST)):.0f} ms")
    for most in (10, 50):
        share = recall(rows, queries, lambda at, most=most: found(at, most))  # type: ignore[misc]
        print(f"  recall@{BEST} of {most} rescored: {share:.3f}")


def _half_ms(index: Any, rows: Floats, query: Floats) -> float:
    half, wanted = rows.astype(np.float16), query.astype(np.float16)
    return cpu_ms(lambda: index.search(half, wanted, BEST, index.MetricKind.IP, exact=True))


def graph(index: Any, rows: Floats, queries: Floats) -> None:
    """HNSW over int8."""
    made = index.Index(ndim=DIMENSION, metric="cos", dtype="i8", connectivity=16)
    began = time.process_time()
    made.add(np.arange(len(rows)), rows)
    seconds = time.process_time() - began
    print(f"HNSW over {len(rows):,}: built in {seconds:.0f} s of CPU")
    for expansion in (128, 512, 2048):
        made.expansion_search = expansion

        def found(at: int) -> NDArray[Any]:
            return np.asarray(made.search(queries[at], 100).keys, np.int64)

        share = recall(rows, queries, found)
        print(f"  expansion {expansion}: {cpu_ms(lambda f=found: f(0)):.1f} ms, {share:.3f}")  # type: ignore[misc]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--graph-rows", type=int, default=20_000)
    given = parser.parse_args()
    random = np.random.default_rng(0)
    centres = random.standard_normal((CENTRES, DIMENSION), np.float32)
    rows, queries = (vectors(count, random, centres) for count in (given.rows, QUERIES))
    index = importlib.import_module("usearch.index")
    exact(index, rows, queries)
    graph(index, rows[: given.graph_rows], queries)


if __name__ == "__main__":
    main()
