"""Destinations that no push ever reached, a mistyped one, say: found, and forgotten."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from bulkup.errors import ExitCode
from bulkup.manifest.connection import sqlite_errors
from bulkup.manifest.queue.release import release_content
from bulkup.manifest.sql import transaction

_FIND = (
    # Nothing there, nothing under way, and each batch's last run was refused by it.
    "SELECT id, url, (SELECT coalesce(sum(items), 0) FROM tally WHERE destination_id = at.id) "
    "FROM destination AS at "
    "WHERE EXISTS (SELECT 1 FROM batch WHERE destination_id = at.id) AND NOT EXISTS ("
    "SELECT 1 FROM batch LEFT JOIN batch_run AS last "
    "ON last.batch_id = batch.id AND last.run_id = batch.run_id "
    f"WHERE batch.destination_id = at.id AND last.exit_code IS NOT {int(ExitCode.DESTINATION)}) "
    "AND NOT EXISTS (SELECT 1 FROM upload WHERE destination_id = at.id) AND NOT EXISTS ("
    "SELECT 1 FROM object WHERE destination_id = at.id AND stored_at IS NOT NULL) AND NOT EXISTS ("
    "SELECT 1 FROM tally WHERE destination_id = at.id AND items > 0 "
    "AND state IN ('claimed', 'done', 'skipped')) "
)

_FORGET = (
    "DELETE FROM attempt WHERE item_id IN (SELECT id FROM item WHERE destination_id = ?)",
    "DELETE FROM item WHERE destination_id = ?",
    "DELETE FROM object WHERE destination_id = ?",
    "DELETE FROM tally WHERE destination_id = ?",
    "DELETE FROM batch_root WHERE batch_id IN (SELECT id FROM batch WHERE destination_id = ?)",
    "DELETE FROM batch_run WHERE batch_id IN (SELECT id FROM batch WHERE destination_id = ?)",
    "DELETE FROM batch WHERE destination_id = ?",
)

_GO_BACK = (
    # Where a root went before; once its batches are forgotten, where its contents are.
    "UPDATE root SET walked_at = NULL, destination_id = coalesce("
    "(SELECT batch.destination_id FROM batch_root JOIN batch ON batch.id = batch_id "
    "WHERE root_id = root.id ORDER BY batch.id DESC LIMIT 1), "
    "(SELECT object.destination_id FROM folder JOIN asset ON folder_id = folder.id "
    "JOIN object ON object.content_id = asset.content_id "
    "WHERE root_id = root.id AND stored_at IS NOT NULL LIMIT 1)) "
    "WHERE id = ? RETURNING destination_id"
)


class UnreachedDestination(NamedTuple):
    """A destination that holds nothing; `items` are the contents that were to go there."""

    id: int
    url: str
    items: int


class Unreached:
    """Destinations that never worked. One thread at a time."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._db = connection
        self._path = path

    def find(self) -> list[UnreachedDestination]:
        """Those to which nothing was ever sent, and which refused the last run of each batch."""
        with sqlite_errors(self._path):
            rows = self._db.execute(_FIND + "ORDER BY id").fetchall()
        return [UnreachedDestination(*row) for row in rows]

    def forget(self, destination_id: int) -> bool:
        """Drop the destination with its batches and items, and those of its roots that were never
        pushed anywhere else; False: it was reached, or is being pushed to, meanwhile."""
        with transaction(self._db, self._path):
            if not self._db.execute(_FIND + "AND id = ?", (destination_id,)).fetchone():
                return False
            for statement in _FORGET:
                self._db.execute(statement, (destination_id,))
            for (root_id,) in self._db.execute(
                "SELECT id FROM root WHERE destination_id = ?", (destination_id,)
            ).fetchall():
                if self._db.execute(_GO_BACK, (root_id,)).fetchone() == (None,):
                    self._forget_root(root_id)
            self._db.execute("DELETE FROM destination WHERE id = ?", (destination_id,))
        return True

    def _forget_root(self, root_id: int) -> None:
        contents = self._db.execute(
            "SELECT content_id FROM asset JOIN folder ON folder.id = folder_id WHERE root_id = ?",
            (root_id,),
        ).fetchall()
        self._db.execute(
            "DELETE FROM asset WHERE folder_id IN (SELECT id FROM folder WHERE root_id = ?)",
            (root_id,),
        )
        for (content_id,) in contents:
            release_content(self._db, content_id)
        self._db.execute("DELETE FROM folder WHERE root_id = ?", (root_id,))
        self._db.execute("DELETE FROM root WHERE id = ?", (root_id,))
