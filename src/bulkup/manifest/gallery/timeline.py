"""The gallery's order: pictures and videos by the time when they were taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bulkup.manifest.database.serve import taken_at_of
from bulkup.manifest.database.sql import Statements
from bulkup.model import Digest

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
                "INSERT INTO timeline (content_id, taken_at) "
                f"SELECT id, {taken_at_of('content.id')} {lacks}",
                after,
                last,
            )
        return Filled(added, last, unread)

    def pair(self, pairs: Sequence[tuple[Digest, Digest]]) -> int:
        """Let the first of each pair stand for the second, and no other; returns what changed.

        A picture that stands for others is shown itself.
        """
        wanted: dict[int, int] = {}
        for shown, partner in pairs:
            one, other = self._content(shown), self._content(partner)
            if one is not None and other is not None and one not in wanted and one != other:
                wanted.setdefault(other, one)
        for one in set(wanted.values()):
            wanted.pop(one, None)
        known: dict[int, int] = dict(
            self._db.execute(
                "SELECT content_id, shown_by FROM timeline WHERE shown_by IS NOT NULL"
            ).fetchall()
        )
        changes: list[tuple[int | None, int]] = [(None, one) for one in known if one not in wanted]
        changes += [(one, other) for other, one in wanted.items() if known.get(other) != one]
        if changes:
            with self._transaction():
                self._db.executemany(
                    "UPDATE timeline SET shown_by = ? WHERE content_id = ?", changes
                )
        return len(changes)

    def _content(self, digest: Digest) -> int | None:
        found: int | None = self._value(
            "SELECT id FROM content WHERE digest = ?", bytes.fromhex(digest)
        )
        return found
