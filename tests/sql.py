"""What tests ask a manifest by SQL, on a connection of their own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch
from weakref import WeakKeyDictionary, finalize

from bulkup.manifest.database.connection import ManifestCursor
from bulkup.manifest.manifest import Manifest

_CONNECTIONS: WeakKeyDictionary[Manifest, sqlite3.Connection] = WeakKeyDictionary()


def sql(where: Manifest | str | Path, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """The rows that a statement returns; what it changes is committed."""
    if isinstance(where, Manifest):
        return connection_to(where).execute(statement, values).fetchall()
    with closing(sqlite3.connect(where, isolation_level=None)) as db:
        return db.execute(statement, values).fetchall()


def connection_to(manifest: Manifest) -> sqlite3.Connection:
    """A second connection to an open manifest's file, kept as long as the manifest."""
    found = _CONNECTIONS.get(manifest)
    if found is None:
        found = sqlite3.connect(manifest.path, isolation_level=None, check_same_thread=False)
        _CONNECTIONS[manifest] = found
        finalize(manifest, found.close)
    return found


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """The statements that the product sends meanwhile, each with its values; of many rows the
    first."""
    sent: list[tuple[str, Any]] = []
    execute, executemany = ManifestCursor.execute, ManifestCursor.executemany

    def record(self: ManifestCursor, statement: str, values: Any = (), /) -> ManifestCursor:
        sent.append((statement, values))
        return execute(self, statement, values)

    def record_many(self: ManifestCursor, statement: str, rows: Any, /) -> ManifestCursor:
        rows = list(rows)
        sent.extend((statement, values) for values in rows[:1])
        return executemany(self, statement, rows)

    with (
        patch.object(ManifestCursor, "execute", record),
        patch.object(ManifestCursor, "executemany", record_many),
    ):
        yield sent


def plans(manifest: Manifest, sent: list[tuple[str, Any]]) -> list[list[str]]:
    """How SQLite carries out each of the statements that read or change rows."""
    return [
        [
            str(row[3])
            for row in connection_to(manifest).execute(f"EXPLAIN QUERY PLAN {statement}", values)
        ]
        for statement, values in sent
        if statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "WITH"))
    ]
