"""How the manifest's file is: what `doctor` asks. Reading only."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from bulkup.manifest.connection import sqlite_errors
from bulkup.manifest.schema import MIGRATIONS

LEAST_SQLITE = (3, 35, 0)
"""The first with RETURNING, which a claim needs (sqlite.org, "RETURNING")."""


class Health(NamedTuple):
    """What was found out about the file. `damage` is None when SQLite finds none."""

    schema: int
    newest_schema: int
    journal_mode: str  # read back: 'wal' where it holds
    damage: str | None


def sqlite_version() -> tuple[int, ...]:
    """The version of the SQLite library in use."""
    return sqlite3.sqlite_version_info


def examine(connection: sqlite3.Connection, path: str) -> Health:
    """Look through the whole file (PRAGMA quick_check). Raises ManifestError."""
    with sqlite_errors(path):
        schema, mode, damage = (
            connection.execute(f"PRAGMA {question}").fetchone()[0]
            for question in ("user_version", "journal_mode", "quick_check(1)")
        )
    return Health(schema, len(MIGRATIONS), mode, None if damage == "ok" else damage)
