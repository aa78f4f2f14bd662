#!/usr/bin/env python3
"""Use the embeddings with numpy: group pictures that look alike.

    bulkup export --format npz --output pictures.npz
    python examples/embeddings.py pictures.npz [--groups 8]

The groups are made by k-means over cosines; each picture is in one, and the pictures nearest to
the centre of each are printed. Files with the same bytes share a vector and count once. Needs only
numpy, which comes with bulkup.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Embeddings = NDArray[np.float32]
"""Shape (count, dimension), each of length 1: the product of two is their cosine."""

ROUNDS = 30  # more than small collections need
NAMED = 4


def read(path: Path) -> tuple[list[str], Embeddings]:
    """The path of a file of each distinct picture, and the vectors, in the same order."""
    with np.load(path) as columns:
        named = dict(zip(columns["digest"].tolist(), columns["path"].tolist(), strict=True))
        digests, vectors = columns["digests"].tolist(), columns["vectors"].astype(np.float32)
    return [named[digest] for digest in digests], vectors


def grouped(vectors: Embeddings, count: int) -> tuple[NDArray[np.intp], Embeddings]:
    """The group of each picture, and the centres of the groups.

    The first middles are pictures as far from each other as can be: a start that needs no luck.
    """
    chosen = [0]
    while len(chosen) < count:
        chosen.append(int((vectors @ vectors[chosen].T).max(axis=1).argmin()))
    middles = vectors[chosen]
    groups = (vectors @ middles.T).argmax(axis=1)
    for _ in range(ROUNDS):
        for group in range(count):
            if (groups == group).any():
                mean = vectors[groups == group].mean(axis=0)
                middles[group] = mean / np.linalg.norm(mean)
        groups = (vectors @ middles.T).argmax(axis=1)
    return groups, middles


def main() -> None:
    """Print the groups, the largest first."""
    parser = argparse.ArgumentParser(description="Groups of pictures that look alike.")
    parser.add_argument("exported", type=Path, help="what bulkup export --format npz wrote")
    parser.add_argument("--groups", type=int, default=8)
    given = parser.parse_args()
    paths, vectors = read(given.exported)
    if not paths:
        sys.exit("no picture in it is embedded; run bulkup embed, then export again")
    count = min(given.groups, len(paths))
    groups, middles = grouped(vectors, count)
    for group in sorted(range(count), key=lambda group: -int((groups == group).sum())):
        members = np.flatnonzero(groups == group)
        nearest = members[np.argsort(-(vectors[members] @ middles[group]), kind="stable")]
        print(f"{len(members)} pictures:")
        for at in nearest[:NAMED]:
            print(f"  {paths[at]!r}")


if __name__ == "__main__":
    main()
