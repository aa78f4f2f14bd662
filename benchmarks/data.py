"""The directories that are pushed: random bytes, the same in each run."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
BLOCK_BYTES = 4 * MIB
NEWEST = 1_750_000_000  # a fixed time: mtimes are the same in each run, too


@dataclass(frozen=True, slots=True)
class DataSet:
    """A directory, and what a push of it must store."""

    directory: Path
    files: int
    size_bytes: int


def files_of(kind: str, scale: float) -> Iterator[tuple[str, int]]:
    """Relative path and size of each file of a data set. Raises KeyError for an unknown kind."""
    rng = random.Random(kind)
    count = max(1, round(COUNTS[kind] * scale))
    for number in range(count):
        if kind.startswith("small"):
            yield f"{number % 200:03d}/f{number:06d}.jpg", 20 * KIB
        elif kind.startswith("photo"):
            yield f"p{number:04d}.jpg", rng.randint(2 * MIB, 6 * MIB)
        elif kind == "large":
            yield f"l{number}.mov", 512 * MIB
        elif kind == "film":
            yield "film.mov", 2 * GIB
        elif kind == "sparse":
            yield "film.mov", 5 * GIB
        elif kind == "tree":
            yield f"{number % 250:03d}/{number % 4}/t{number:06d}.jpg", KIB
        else:
            yield f"{number // 1000:04d}/{number % 1000:03d}.jpg", 0


COUNTS = {
    "small": 20_000,
    "small-far": 5_000,
    "small-line": 6_000,
    "photo": 400,
    "photo-far": 100,
    "photo-line": 50,
    "film": 1,
    "large": 4,
    "sparse": 1,
    "tree": 100_000,
    "million": 1_000_000,
}


def make(root: Path, kind: str, scale: float) -> DataSet:
    """Make the data set below `root`, or find it there when an earlier call has finished it."""
    directory = root / f"{kind}-{scale:g}"
    finished = directory.with_suffix(".finished")
    files = size_bytes = 0
    rng = random.Random(f"bytes of {kind}")
    for path, size in files_of(kind, scale):
        files, size_bytes = files + 1, size_bytes + size
        if not finished.exists():
            full = directory / path
            full.parent.mkdir(parents=True, exist_ok=True)
            _write(full, size, rng, sparse=kind == "sparse")
            os.utime(full, (NEWEST, NEWEST))
    finished.touch()
    return DataSet(directory, files, size_bytes)


def _write(path: Path, size_bytes: int, rng: random.Random, *, sparse: bool) -> None:
    with path.open("wb") as file:
        if sparse:
            file.truncate(size_bytes)
            return
        for begin in range(0, size_bytes, BLOCK_BYTES):
            file.write(rng.randbytes(min(BLOCK_BYTES, size_bytes - begin)))
