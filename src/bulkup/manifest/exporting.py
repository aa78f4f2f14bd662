"""What `export` takes out of the manifest, a row at a time. Reading only."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from bulkup.manifest.connection import in_our_words
from bulkup.manifest.reports import absolute, matcher
from bulkup.manifest.rows import from_sql


class ExportRow(NamedTuple):
    """An asset as the `files` view shows it; bytes of names that are no UTF-8 surrogate-escaped.

    `path` is relative to `root`. Times are ISO 8601, UTC, to the second. `digest` and `media_type`
    are None until the file was read, `key` until its bytes are at `destination`, a stage's state
    where it has no item, `missing_since` while the file is there.
    """

    root: str
    path: str
    size_bytes: int
    modified_at: str
    digest: str | None
    media_type: str | None
    destination: str | None
    key: str | None
    upload: str | None
    process: str | None
    embed: str | None
    missing_since: str | None


class Exports:
    """All assets, streamed. Works on a read-only connection, one thread at a time."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._db = connection
        self._path = path

    def files(self, pattern: str | None) -> Iterator[ExportRow]:
        """Assets by root and path, as they are at the first row; `pattern` as in Reports.files.

        Memory does not grow with their number: SQLite sorts in a temporary file.
        """
        matches = matcher(pattern)
        with in_our_words(self._path):
            for root, path, *rest in self._db.execute(
                f"SELECT {', '.join(ExportRow._fields)} FROM files ORDER BY root, path"
            ):
                if matches(absolute(root, path)):
                    yield ExportRow(from_sql(root), from_sql(path), *rest)
