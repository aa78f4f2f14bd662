"""The condition of the manifest's file: what `doctor` asks. Reading only."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from bulkup.manifest.database.sql import Statements

LEAST_SQLITE = (3, 35, 0)
"""The first with RETURNING, which a claim needs (sqlite.org, "RETURNING")."""


class Health(NamedTuple):
    """The condition of the file. `damage` is None when SQLite finds none."""

    schema: int
    journal_mode: str  # read back: 'wal' where it holds
    damage: str | None


def sqlite_version() -> tuple[int, ...]:
    """The version of the SQLite library in use."""
    return sqlite3.sqlite_version_info


class Integrity(Statements):
    """Checks of the whole file."""

    def health(self) -> Health:
        """Read the whole file (PRAGMA quick_check)."""
        return Health(self._value("PRAGMA user_version"), self.journal_mode(), self.damage())

    def journal_mode(self) -> str:
        """The journal mode in effect."""
        return str(self._value("PRAGMA journal_mode"))

    def damage(self) -> str | None:
        """The first damage that SQLite's own check finds; None when there is none."""
        found = str(self._value("PRAGMA quick_check(1)"))
        return None if found == "ok" else found
