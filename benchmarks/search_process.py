"""How long `bulkup search` takes as a whole process, over a manifest of 10,000 pictures.

    python -m benchmarks.search_process [--pictures 10000] [--rounds 9] [--bulkup PROGRAM]

The manifest is synthetic: 1,280 dimensions at random, 20 classes at random, cameras and dates. The
goal is 500 ms; Python with numpy and typer alone is measured too.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.make_manifest import NOW, make, state_of
from benchmarks.measure import make_bytecode, measure
from bulkup.search.text_scores import KEPT

DIMENSION = 1280
GOAL_MS = 500
STEP = 1000
CAMERAS = ("Canon EOS 5D", "NIKON D750", "Pentax K-1", "Apple iPhone 15", "Panasonic DMC-LC40")

Row = tuple[object, ...]


def make_searchable(path: Path, pictures: int) -> None:
    """Write the manifest at `path`, where there must be none; `pictures` are embedded."""
    files = pictures * 1000 // 940  # more than are uploaded of a thousand
    make(path, assets=files)
    done = [n + 1 for n in range(files) if state_of(n) == "done"][:pictures]
    db = sqlite3.connect(path)
    version = "57934424.centre"
    db.execute("INSERT INTO embedder (id, name, version, dimension) VALUES (1, ?, ?, ?)",
               ("efficientnet-lite0", version, DIMENSION))  # fmt: skip
    random = np.random.default_rng(0)
    for start in range(0, len(done), STEP):
        some = done[start : start + STEP]
        db.executemany(
            "INSERT INTO picture (content_id, width_px, height_px, format, orientation, taken_at, "
            "camera, perceptual_hash, is_truncated) VALUES (?, 4000, 3000, 'JPEG', 1, ?, ?, ?, 0)",
            _pictures(some, random),
        )
        db.executemany(
            "INSERT INTO embedding (embedder_id, content_id, vector, classes, embedded_at) "
            "VALUES (1, ?, ?, ?, ?)",
            _embeddings(some, random),
        )
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def _pictures(contents: list[int], random: np.random.Generator) -> Iterator[Row]:
    for content in contents:
        day = f"{2000 + content % 25}-{1 + content % 12:02}-{1 + content % 28:02}"
        camera = CAMERAS[content % len(CAMERAS)]
        yield content, f"{day}T10:00:00", camera, random.bytes(8).hex()


def _embeddings(contents: list[int], random: np.random.Generator) -> Iterator[Row]:
    vectors = random.standard_normal((len(contents), DIMENSION), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = np.zeros(KEPT, np.dtype([("number", "<u2"), ("probability", "<f2")]))
    for content, vector in zip(contents, vectors, strict=True):
        pairs["number"] = random.choice(1000, KEPT, replace=False)
        pairs["probability"] = -np.sort(-random.dirichlet(np.full(KEPT, 0.2)))
        yield content, vector.astype("<f2").tobytes(), pairs.tobytes(), NOW


def lines(folder: Path, pictures: int, rounds: int, bulkup: str) -> Iterator[str]:
    """A line for each kind of search: the first one, which makes the matrix, and the median."""
    manifest, log = folder / "manifest.db", folder / "log"
    make_searchable(manifest, pictures)
    env = {**os.environ, "BULKUP_HOME": str(folder), "BULKUP_MANIFEST": str(manifest)}
    commands = {
        "python, numpy, typer": [sys.executable, "-c", "import numpy, typer"],
        "words": [bulkup, "search", "red flower"],
        "words, as JSON": [bulkup, "search", "red flower", "--json"],
        "words, filtered": [bulkup, "search", "boat", "--after", "2010", "--camera", "canon"],
        "a camera's name": [bulkup, "search", "nikon 2012"],
        "like a known one": [bulkup, "search", "--like", "/photos/1/000001/000001234.jpg"],
        "duplicates": [bulkup, "search", "--duplicates"],
    }
    for name, argv in commands.items():
        walls = [
            1000 * measure(argv, env=env, log=log, limit_seconds=60).wall_seconds
            for _ in range(rounds + 1)
        ]
        taken = median(walls[1:])
        ratio = "" if name.startswith(("python", "dup")) else f"   {GOAL_MS / taken:.1f} x the goal"
        yield f"{name:22} {taken:6.0f} ms, at first {walls[0]:6.0f} ms{ratio}"


def main() -> None:
    """Parse and measure."""
    parser = argparse.ArgumentParser(description="How long a whole search takes.")
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--bulkup", default=str(Path(sys.executable).with_name("bulkup")))
    given = parser.parse_args()
    make_bytecode(given.bulkup)
    print(f"{given.pictures} pictures, goal {GOAL_MS} ms")
    with tempfile.TemporaryDirectory() as name:
        for line in lines(Path(name), given.pictures, given.rounds, given.bulkup):
            print(line, flush=True)


if __name__ == "__main__":
    main()
