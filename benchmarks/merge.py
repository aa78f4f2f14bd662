"""How long `merge` takes, and its memory: two manifests of N assets, half of them known to both.

python benchmarks/merge.py [N] [FOLDER]     default: 1000000 in a temporary folder
"""

from __future__ import annotations

import resource
import sqlite3
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bulkup.manifest.manifest import Manifest

_NUMBERS = "WITH RECURSIVE n (i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last) "
_FILL = (
    "INSERT INTO content (id, digest, size_bytes, media_type) SELECT i - :first + 1, "
    "CAST(printf('%032d', i) AS BLOB), 20000, 'image/jpeg' FROM n",
    "INSERT INTO asset (folder_id, name, size_bytes, modified_ns, inode, changed_ns, content_id) "
    "SELECT 1 + i % 1000, printf('IMG_%08d.jpg', i), 20000, i, i, i, i - :first + 1 FROM n",
    "INSERT INTO object (destination_id, key, content_id, kind, size_bytes, stored_at) "
    "SELECT 1, printf('%032d.jpg', i), i - :first + 1, 'original', 20000, 1 FROM n",
    "INSERT INTO item (content_id, destination_id, stage, state, size_bytes) "
    "SELECT i - :first + 1, 1, 'upload', 'done', 20000 FROM n",
    "INSERT INTO attempt (item_id, number, run_id, ended_at, seconds, outcome) "
    "SELECT i - :first + 1, 1, 'run', i, 0.1, 'done' FROM n",
    "INSERT INTO embedding (embedder_id, content_id, vector, embedded_at) "
    "SELECT 1, i - :first + 1, zeroblob(2560), 1 FROM n WHERE i % 4 = 0",
)


def fill(path: Path, host: str, first: int, last: int) -> None:
    """A manifest of so many uploaded files, a quarter of them embedded."""
    Manifest(str(path)).close()
    db = sqlite3.connect(path)
    db.execute("INSERT INTO destination (url) VALUES ('s3://bucket')")
    db.execute("INSERT INTO root (path, destination_id, walked_at) VALUES ('/photos', 1, 1)")
    db.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
        "INSERT INTO folder (id, root_id, path) SELECT i, 1, printf('%04d/', i) FROM n"
    )
    db.execute("INSERT INTO embedder (name, version, dimension) VALUES ('model', '1', 1280)")
    db.execute(
        "INSERT INTO run VALUES (?, 'push', ?, 1, '', 1, 1, 2, 0, '{}')", (host, f"{host}/1")
    )
    for statement in _FILL:
        db.execute(_NUMBERS + statement, {"first": first, "last": last})
    db.commit()
    db.close()


def main() -> None:
    """Print seconds for the first merge and for the same again."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as folder:
        here, there = Path(folder, "here.db"), Path(folder, "there.db")
        fill(here, "here", 1, count)
        fill(there, "there", 1 + count // 2, count + count // 2)
        with Manifest(str(here)) as manifest:
            for name in ("first", "again"):
                began = time.monotonic()
                report = manifest.merge.take_in(str(there), here="here")
                seconds = time.monotonic() - began
                most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                print(
                    f"{name}: {seconds:.1f} s, {most:.0f} MiB, added {report.added}, "
                    f"{report.conflicts}"
                )


if __name__ == "__main__":
    main()
