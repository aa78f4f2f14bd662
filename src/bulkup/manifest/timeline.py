"""The gallery's order: pictures and videos by the time when they were taken."""

from __future__ import annotations

from typing import NamedTuple

from bulkup.manifest.database.serve import taken_at_of
from bulkup.manifest.database.sql import Statements

_IS_SHOWN = (
    "digest IS NOT NULL AND assets > 0 AND (media_type GLOB 'image/*' OR media_type GLOB 'video/*')"
)


class Filled(NamedTuple):
    """How far the timeline was filled."""

    added: int
    last_id: int | None  # the last content that was looked at; None: there are no more
    unread_id: int | None  # the first one whose file nobody has read yet


class Timeline(Statements):
    """Contents that the gallery shows, and since when."""

    def fill(self, after: int, *, limit: int) -> Filled:
        """Add the pictures among the next `limit` contents behind the id `after`."""
        last, unread = self._db.execute(
            "SELECT max(id), min(CASE WHEN digest IS NULL THEN id END) FROM "
            "(SELECT id, digest FROM content WHERE id > ? ORDER BY id LIMIT ?)",
            (after, limit),
        ).fetchone()
        if last is None:
            return Filled(0, None, None)
        lacks = (
            f"FROM content WHERE id > ? AND id <= ? AND {_IS_SHOWN} "
            "AND NOT EXISTS (SELECT 1 FROM timeline WHERE content_id = content.id)"
        )
        added = 0
        if self._value(f"SELECT 1 {lacks} LIMIT 1", after, last) is not None:
            added = self._write(
                f"INSERT INTO timeline SELECT id, {taken_at_of('content.id')} {lacks}", after, last
            )
        return Filled(added, last, unread)
