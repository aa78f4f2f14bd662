"""Write a large manifest like that of many pushes, in seconds.

    python -m benchmarks.make_manifest FILE [--assets 1000000] [--destinations 2]

Rows are written by SQL, so it needs no files and no server. Of a thousand files 948 are uploaded,
20 are duplicates of those, 20 are ready, 8 are waiting, and 4 are dead.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from bulkup.manifest.database.connection import connect

ASSETS = 1_000_000
IN_FOLDER = 1000
NOW = 1_800_000_000.0
STEP = 50_000  # assets in a transaction

Row = tuple[object, ...]


def state_of(number: int) -> str:
    """The upload state of a file by its number; `duplicate` if it has no item of its own."""
    place = number % 1000
    if place < 948:
        return "done"
    if place < 968:
        return "duplicate"
    if place < 988:
        return "ready"
    return "waiting" if place < 996 else "dead"


def make(path: Path, *, assets: int = ASSETS, destinations: int = 1) -> None:
    """Write the manifest at `path`, which must not exist; one root per destination."""
    db = connect(str(path))
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA cache_size = -400000")
    rng = random.Random(assets)
    for to in range(1, destinations + 1):
        _add_root(db, to, assets)
        for first in range(0, assets, STEP):
            db.execute("BEGIN")
            _add(db, to, range(first, min(first + STEP, assets)), assets, rng)
            db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def _add_root(db: sqlite3.Connection, to: int, assets: int) -> None:
    """A destination, a root that was pushed to it by a run, and its folders."""
    db.execute("INSERT INTO destination (id, url) VALUES (?, ?)", (to, f"s3://bucket/{to}"))
    db.execute(
        "INSERT INTO root (id, path, destination_id, reached_id, walked_at) VALUES (?, ?, ?, ?, ?)",
        (to, f"/photos/{to}", to, None, NOW),
    )
    db.execute(
        "INSERT INTO run (id, command, host, pid, process_started, started_at, heartbeat_at, "
        "ended_at, exit_code, summary) VALUES (?, 'push', 'host', 1, '', ?, ?, ?, 3, '{}')",
        (f"run{to}", NOW, NOW, NOW),
    )
    db.execute(
        "INSERT INTO batch (id, run_id, destination_id, options, started_at, ended_at) "
        "VALUES (?, ?, ?, '{}', ?, ?)",
        (to, f"run{to}", to, NOW, NOW),
    )
    db.execute("INSERT INTO batch_root (batch_id, root_id) VALUES (?, ?)", (to, to))
    folders = range(-(-assets // IN_FOLDER))
    db.executemany(
        "INSERT INTO folder VALUES (?, ?, ?)",
        ((_folder(to, n, assets), to, f"{n:06d}/") for n in folders),
    )


def _folder(to: int, number: int, assets: int) -> int:
    return (to - 1) * -(-assets // IN_FOLDER) + number + 1


def _add(db: sqlite3.Connection, to: int, numbers: range, assets: int, rng: random.Random) -> None:
    """The files with these numbers, their contents, items, attempts and objects."""
    own = [n for n in numbers if state_of(n) != "duplicate"]
    if to == 1:  # the others hold the same files
        db.executemany(
            "INSERT INTO content (id, digest, size_bytes, media_type, assets) "
            "VALUES (?, ?, ?, 'image/jpeg', 0)",
            ((n + 1, rng.randbytes(32), 20_000 + n % 7919) for n in own),
        )
    db.executemany(
        "INSERT INTO asset (folder_id, name, size_bytes, modified_ns, inode, changed_ns, "
        "content_id) VALUES (?, ?, ?, ?, ?, ?, ?)",
        _assets(to, numbers, assets),
    )
    db.executemany("UPDATE content SET assets = assets + 1 WHERE id = ?", _contents(numbers))
    base = (to - 1) * assets
    db.executemany(
        "INSERT INTO item (id, content_id, destination_id, stage, state, size_bytes, batch_id, "
        "due_at, attempts, error_class, error, settled_at) "
        "VALUES (?, ?, ?, 'upload', ?, ?, ?, ?, ?, ?, ?, ?)",
        (_item(base, to, n) for n in own),
    )
    done = [n for n in own if state_of(n) == "done"]
    db.executemany(
        "INSERT INTO attempt (item_id, number, run_id, ended_at, seconds, outcome) "
        "VALUES (?, 1, ?, ?, 0.02, 'done')",
        ((base + n + 1, f"run{to}", NOW) for n in done),
    )
    db.executemany(
        "INSERT INTO object (destination_id, key, content_id, kind, size_bytes, etag, stored_at) "
        "VALUES (?, ?, ?, 'original', ?, ?, ?)",
        (
            (to, f"{to}/{n // IN_FOLDER:06d}/{n:09d}.jpg", n + 1, 20_000, f'"{n:032x}"', NOW)
            for n in done
        ),
    )
    db.executemany(
        "INSERT INTO latency VALUES ('upload', ?, ?) "
        "ON CONFLICT DO UPDATE SET attempts = attempts + excluded.attempts",
        ((bucket, len(done) // 40) for bucket in range(20, 60)),
    )


def _contents(numbers: range) -> Iterator[Row]:
    """The content of each file; a duplicate has that of the first file of its thousand."""
    for n in numbers:
        yield ((n // 1000 * 1000 if state_of(n) == "duplicate" else n) + 1,)


def _assets(to: int, numbers: range, assets: int) -> Iterator[Row]:
    for n, (content,) in zip(numbers, _contents(numbers), strict=True):
        stamp = 1_750_000_000_000_000_000 + n
        folder = _folder(to, n // IN_FOLDER, assets)
        yield folder, f"{n:09d}.jpg", 20_000 + n % 7919, stamp, n + 1, stamp, content


def _item(base: int, to: int, n: int) -> Row:
    state = state_of(n)
    failed = state in ("waiting", "dead")
    return (
        base + n + 1,
        n + 1,
        to,
        state,
        20_000 + n % 7919,
        to,
        NOW + n % 900 if state == "waiting" else 0,
        {"ready": 0, "waiting": 1, "dead": 5}.get(state, 1),
        ("network", "server", "rate_limit")[n % 3] if failed else None,
        "connection reset" if failed else None,
        None if state == "ready" else NOW,
    )


def add_vectors(path: Path, dimension: int = 1280) -> int:
    """Let each content be a picture that the default embedder has embedded; random vectors and
    classes. Returns how many."""
    import numpy as np

    random_numbers = np.random.default_rng(0)
    db = connect(str(path))
    db.execute("PRAGMA synchronous = OFF")
    contents = [content_id for (content_id,) in db.execute("SELECT id FROM content")]
    db.execute("BEGIN")
    db.execute("INSERT INTO embedder (id, name, version, dimension) VALUES (1, ?, 'random', ?)",
               ("efficientnet-lite0", dimension))  # fmt: skip
    for number, content_id in enumerate(contents):
        vector = random_numbers.standard_normal(dimension, np.float32)
        vector /= np.linalg.norm(vector)
        classes = np.zeros(20, [("number", "<u2"), ("probability", "<f2")])
        classes["number"] = random_numbers.integers(0, 1000, 20)
        classes["probability"] = random_numbers.random(20, np.float32)
        db.execute(
            "INSERT INTO embedding (embedder_id, content_id, vector, classes, embedded_at) "
            "VALUES (1, ?, ?, ?, ?)",
            (content_id, vector.astype("<f2").tobytes(), classes.tobytes(), NOW),
        )
        db.execute(
            "INSERT INTO picture (content_id, width_px, height_px, format, orientation, "
            "taken_at, camera, is_truncated) VALUES (?, 4000, 3000, 'jpeg', 1, ?, ?, 0)",
            (content_id, f"20{number % 25:02}-05-17T10:00:00", "Canon EOS 5D"),
        )
    db.execute("COMMIT")
    db.close()
    return len(contents)


def main() -> None:
    """Parse and write."""
    parser = argparse.ArgumentParser(description="Write a large manifest.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--assets", type=int, default=ASSETS)
    parser.add_argument("--destinations", type=int, default=1)
    given = parser.parse_args()
    make(given.file, assets=given.assets, destinations=given.destinations)


if __name__ == "__main__":
    main()
