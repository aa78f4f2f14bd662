"""Copies of the manifest: how one is made, and where those are that were sent to a destination."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import NamedTuple

from bulkup.manifest.database.connection import sqlite_errors
from bulkup.manifest.database.migrations import back_up
from bulkup.manifest.database.sql import Statements
from bulkup.model import Digest

_SETTLE = """
UPDATE run SET ended_at = heartbeat_at WHERE ended_at IS NULL;
UPDATE batch SET ended_at = started_at WHERE ended_at IS NULL;
UPDATE batch_run SET ended_at = started_at WHERE ended_at IS NULL;
UPDATE item SET state = 'ready', run_id = NULL, in_hand = 0 WHERE state = 'claimed';
"""
"""Nobody works on a copy."""

_WITHOUT_VECTORS = """
DELETE FROM embedding;
UPDATE item SET state = 'ready', settled_at = NULL WHERE stage = 'embed' AND state = 'done';
"""


class SentCopy(NamedTuple):
    """A copy of the manifest at a destination, as an object."""

    key: str
    digest: Digest
    size_bytes: int
    sent_at: float


class ManifestCopies(Statements):
    """The copies of this manifest."""

    def make(self, target: str, *, with_vectors: bool) -> None:
        """Write a consistent copy, in which no run is at work, to a new file.

        Without vectors, `embed` has its work to do again. Raises ManifestError.
        """
        with sqlite_errors(self._db.path):
            with closing(sqlite3.connect(self._db.path)) as source:  # of any thread
                source.execute("PRAGMA query_only = 1")
                back_up(source, target)
            with closing(sqlite3.connect(target)) as copy:
                copy.executescript(f"BEGIN; {_SETTLE} COMMIT;")
                if not with_vectors and copy.execute("SELECT 1 FROM embedding LIMIT 1").fetchone():
                    copy.executescript(f"BEGIN; {_WITHOUT_VECTORS} COMMIT;")
                    copy.execute("VACUUM")

    def mark_due(self, destination_id: int) -> None:
        """The manifest has changed since the last copy."""
        self._write(
            "INSERT INTO manifest_copy_due VALUES (?) ON CONFLICT DO NOTHING", destination_id
        )

    def unmark_due(self, destination_id: int) -> None:
        """No copy is made before the manifest changes again."""
        self._write("DELETE FROM manifest_copy_due WHERE destination_id = ?", destination_id)

    def is_due(self, destination_id: int, *, sent_before: float) -> bool:
        """Whether the manifest has changed, and the last copy was sent before a time."""
        found = self._value(
            "SELECT 1 FROM manifest_copy_due WHERE destination_id = ?1 AND NOT EXISTS "
            "(SELECT 1 FROM manifest_copy WHERE destination_id = ?1 AND sent_at > ?2)",
            destination_id,
            sent_before,
        )
        return found is not None

    def stored_key(self, destination_id: int) -> str | None:
        """The key of an object that the destination holds."""
        key: str | None = self._value(
            "SELECT key FROM object WHERE destination_id = ? AND stored_at IS NOT NULL LIMIT 1",
            destination_id,
        )
        return key

    def add(self, destination_id: int, copy: SentCopy) -> None:
        """The copy was sent."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO manifest_copy VALUES (?, ?, ?, ?, ?)", (destination_id, *copy)
            )
            self._db.execute(
                "DELETE FROM manifest_copy_due WHERE destination_id = ?", (destination_id,)
            )

    def sent(self, destination_id: int) -> list[SentCopy]:
        """All copies that are there, the newest first."""
        rows = self._db.execute(
            "SELECT key, digest, size_bytes, sent_at FROM manifest_copy WHERE destination_id = ? "
            "ORDER BY sent_at DESC, key DESC",
            (destination_id,),
        )
        return [SentCopy(*row) for row in rows]

    def remove(self, destination_id: int, key: str, *, is_bad: bool = False) -> None:
        """The copy is gone; one that `is_bad` is to be made again."""
        with self._transaction():
            self._db.execute(
                "DELETE FROM manifest_copy WHERE destination_id = ? AND key = ?",
                (destination_id, key),
            )
            if is_bad:
                self._db.execute(
                    "INSERT INTO manifest_copy_due VALUES (?) ON CONFLICT DO NOTHING",
                    (destination_id,),
                )
