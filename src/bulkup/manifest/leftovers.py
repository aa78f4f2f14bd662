"""What the manifest keeps of work that nobody will finish."""

from __future__ import annotations

import sqlite3

from bulkup.manifest.transaction import transaction

_STALE = (
    "FROM object WHERE destination_id = ? AND kind = 'original' AND stored_at IS NULL "
    "AND NOT EXISTS (SELECT 1 FROM item WHERE item.content_id = object.content_id "
    "AND item.destination_id = object.destination_id AND stage = 'upload' "
    "AND state IN ('ready', 'waiting', 'claimed', 'dead'))"
)
"""A dead item keeps its key: `retry` may bring it back."""


class Leftovers:
    """Keys that were reserved and never filled. One thread at a time."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._db = connection
        self._path = path

    def reservations(self, destination_id: int) -> list[str]:
        """Keys reserved for contents that are no longer to be sent, in order."""
        rows = self._db.execute(f"SELECT key {_STALE} ORDER BY key", (destination_id,))
        return [row[0] for row in rows]

    def free_reservations(self, destination_id: int) -> int:
        """Free those keys; how many there were."""
        with transaction(self._db, self._path):
            return self._db.execute(f"DELETE {_STALE}", (destination_id,)).rowcount
