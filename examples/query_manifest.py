#!/usr/bin/env python3
"""Query the manifest with sqlite-utils: progress, failures, duplicates, cameras and places.

    python examples/query_manifest.py [MANIFEST]

Without an argument it reads bulkup's default manifest. It only reads, and can run while bulkup
runs. docs/manifest.md describes the views. sqlite-utils comes with bulkup.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

from platformdirs import user_data_path
from sqlite_utils import Database

DUPLICATES = """
SELECT digest, count(*) AS files, size_bytes, min(path) AS first_path
FROM files
WHERE digest IS NOT NULL AND missing_since IS NULL
GROUP BY digest
HAVING count(*) > 1
ORDER BY (count(*) - 1) * size_bytes DESC
LIMIT :limit
"""

CAMERAS = """
SELECT camera, count(DISTINCT digest) AS pictures, min(taken_at) AS first, max(taken_at) AS last
FROM pictures
WHERE camera IS NOT NULL
GROUP BY camera
ORDER BY pictures DESC
LIMIT :limit
"""

# A degree of latitude is 111 km everywhere, one of longitude only at the equator; tenths of either
# are good enough to group pictures by town.
PLACES = """
SELECT round(latitude, 1) AS latitude, round(longitude, 1) AS longitude,
  count(DISTINCT digest) AS pictures, min(path) AS first_path
FROM pictures
WHERE latitude IS NOT NULL
GROUP BY 1, 2
ORDER BY pictures DESC
LIMIT :limit
"""


def default_manifest() -> Path:
    """The default path of the manifest."""
    if chosen := os.environ.get("BULKUP_MANIFEST"):
        return Path(chosen)
    home = os.environ.get("BULKUP_HOME")
    return (Path(home) if home else user_data_path("bulkup", appauthor=False)) / "manifest.db"


def open_manifest(path: Path) -> Database:
    """Open the manifest read-only: SQLite does not write to it, or create it."""
    return Database(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True))


def report(manifest: Database) -> list[str]:
    """Lines about the contents of the manifest."""
    counted = "SELECT error_class, count(*) AS files FROM failures GROUP BY 1 ORDER BY 2 DESC"
    return [
        "Progress:",
        *(
            f"  {row['destination']}: {row['stage']} {row['state']}: "
            f"{row['items']} items, {row['bytes']} bytes"
            for row in manifest["progress"].rows
        ),
        "Failures:",
        *(f"  {row['error_class']}: {row['files']} files" for row in manifest.query(counted)),
        *(
            f"  {row['path']!r}: {row['error']}"
            for row in manifest["failures"].rows_where(order_by="path", limit=5)
        ),
        "There more than once:",
        *(
            f"  {row['files']} files of {row['size_bytes']} bytes, such as {row['first_path']!r}"
            for row in manifest.query(DUPLICATES, {"limit": 5})
        ),
        "Cameras:",
        *(
            f"  {row['camera']}: {row['pictures']} pictures, {row['first']} to {row['last']}"
            for row in manifest.query(CAMERAS, {"limit": 5})
        ),
        "Places:",
        *(
            f"  {row['latitude']}, {row['longitude']}: {row['pictures']} pictures,"
            f" such as {row['first_path']!r}"
            for row in manifest.query(PLACES, {"limit": 5})
        ),
    ]


def main() -> None:
    """Print the report of the given manifest, or of the default one."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else default_manifest()
    if not path.exists():
        sys.exit(f"{path} is not there: push something first, or name another manifest")
    print("\n".join(report(open_manifest(path))))


if __name__ == "__main__":
    main()
