"""How long a search takes over many vectors, and what their layout costs.

    python -m benchmarks.search [--rows 100000] [--rounds 7]

Vectors are random, of EfficientNet-Lite0's 1,280 dimensions. The goal is 100 ms for a search once
the process has started: the matrix opened, its checksums compared, the query scored, the best 100
found. `usearch` is compared where it is installed; it is no part of bulkup.
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from bulkup.search import text_scores as meaning
from bulkup.search.matrix import (
    Matrix,
    MatrixRow,
    Rows,
    from_float16,
    from_vectors_and_classes,
    open_matrix,
)
from bulkup.search.matrix_file import Stamp
from bulkup.search.top_k import nearest

DIMENSION = 1280
BLOCK = 128
GOAL_MS = 100
BEST = 100


class Embeddings:
    """The rows of a manifest that is not there: float16 vectors, and classes."""

    def __init__(self, count: int) -> None:
        random = np.random.default_rng(0)
        self.vectors = np.empty((count, DIMENSION), np.float16)
        for start in range(0, count, 1000):
            block = random.standard_normal((min(1000, count - start), DIMENSION), np.float32)
            block /= np.linalg.norm(block, axis=1, keepdims=True)
            self.vectors[start : start + 1000] = block
        pair = np.dtype([("number", "<u2"), ("probability", "<f2")])
        self.classes = np.zeros((count, meaning.KEPT), pair)
        self.classes["number"] = random.integers(0, 1000, self.classes.shape)
        self.classes["probability"] = random.random(self.classes.shape, np.float32)

    def rows(self, *of: NDArray[np.generic]) -> Rows:
        def after(row_id: int) -> Iterator[MatrixRow]:
            for at in range(row_id, len(self.vectors)):
                yield MatrixRow(at + 1, at + 1, b"".join(one[at].tobytes() for one in of))

        return after


def timed(rounds: int, work: Callable[[], object]) -> float:
    """Milliseconds, the median of `rounds` after one to warm up."""
    taken = []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - begun))
    return median(taken[1:])


def searches(folder: Path, made: Embeddings, rounds: int) -> Iterator[str]:
    """Making the files, and searching by example and by words."""
    count = len(made.vectors)
    stamp = Stamp("benchmark", 1, count, count)
    as_vectors, as_rows = made.rows(made.vectors), made.rows(made.vectors, made.classes)
    classes = from_vectors_and_classes(
        DIMENSION,
        meaning.KEPT,
        lambda numbers, shares, vectors: meaning.picture_rows(numbers, shares, features=vectors),
    )

    def vectors() -> Matrix:
        return open_matrix(str(folder / "vectors"), stamp=stamp, dimension=DIMENSION,
                           rows=as_vectors, decode=from_float16(DIMENSION))  # fmt: skip

    def words() -> Matrix:
        return open_matrix(str(folder / "words"), stamp=stamp, dimension=meaning.ROW,
                           rows=as_rows, decode=classes)  # fmt: skip

    def like() -> None:
        nearest(vectors().scores(example), BEST)

    def text() -> None:
        query = meaning.TextQuery.of("a red flower")
        found = [meaning.row_scores(query, block) for block in words().blocks()]
        nearest(np.concatenate(found), BEST)

    example = made.vectors[5].astype(np.float32)
    for name, opened in (("vectors", vectors), ("words", words)):
        begun = time.perf_counter()
        opened()
        size_mb = (folder / name).stat().st_size / 1e6
        yield f"{name:8} rebuilt in {time.perf_counter() - begun:5.2f} s, {size_mb:.0f} MB"
    for name, search in (("like", like), ("text", text)):
        milliseconds = timed(rounds, search)
        ratio = GOAL_MS / milliseconds
        yield f"{name:8} {milliseconds:6.1f} ms   {ratio:.1f} x under the goal of {GOAL_MS} ms"


def layouts(made: Embeddings, rounds: int) -> Iterator[str]:
    """One query over vectors in memory, by how they lie there."""
    half, whole = made.vectors, made.vectors.astype(np.float32)
    query = whole[5].copy()

    def in_blocks() -> None:
        out, block = np.empty(len(half), np.float32), np.empty((BLOCK, DIMENSION), np.float32)
        for start in range(0, len(half), BLOCK):
            part = half[start : start + BLOCK]
            block[: len(part)] = part
            np.dot(block[: len(part)], query, out=out[start : start + BLOCK])

    yield f"float32, numpy           {timed(rounds, lambda: whole @ query):6.1f} ms"
    yield f"float16, numpy in blocks {timed(rounds, in_blocks):6.1f} ms"
    try:
        usearch = importlib.import_module("usearch.index")
    except ImportError:
        return
    asked = query.astype(np.float16)[None]
    exact = timed(
        rounds, lambda: usearch.search(half, asked, BEST, usearch.MetricKind.IP, exact=True)
    )
    yield f"float16, usearch         {exact:6.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    made = Embeddings(options.rows)
    print(f"{options.rows} vectors of {DIMENSION}")
    with tempfile.TemporaryDirectory() as name:
        for line in searches(Path(name), made, options.rounds):
            print(line, flush=True)
    for line in layouts(made, options.rounds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
