"""Objects that clients sent in parts, of which no endpoint knows the digest of the whole."""

from __future__ import annotations

from collections.abc import Sequence

from bulkup.manifest.database.sql import Statements

_OF_CONTENT = "content_id = ? AND destination_id = ?"


class Proofs(Statements):
    """Which objects are to be read before their digest is believed, and what was found."""

    def unproved(self, contents: Sequence[int], destination_id: int) -> dict[int, str]:
        """The keys of the objects, of these contents, that nobody has read yet."""
        marks = ", ".join("?" * len(contents))
        rows = self._db.execute(
            "SELECT object.content_id, object.key FROM reservation JOIN object "
            "ON object.content_id = reservation.content_id AND object.kind = 'original' "
            "AND +object.destination_id = reservation.destination_id AND stored_at IS NOT NULL "
            f"WHERE is_done = 2 AND reservation.content_id IN ({marks}) "
            "AND reservation.destination_id = ?",
            (*contents, destination_id),
        )
        return dict(rows)

    def prove(self, content_id: int, destination_id: int) -> None:
        """The object has the content's digest."""
        self._write(
            f"UPDATE reservation SET is_done = 1 WHERE {_OF_CONTENT} AND is_done = 2",
            content_id,
            destination_id,
        )

    def refute(self, content_id: int, destination_id: int, *, error: str, now: float) -> None:
        """The object held other bytes and is gone: the upload has failed, and whoever announces the
        content again is to send it."""
        of_content = (content_id, destination_id)
        with self._transaction():
            self._db.execute(
                f"DELETE FROM reservation WHERE {_OF_CONTENT} AND is_done <> 0", of_content
            )
            self._db.execute(
                "DELETE FROM object WHERE content_id = ? AND +destination_id = ? "
                "AND kind = 'original'",
                of_content,
            )
            self._db.execute(
                "UPDATE item SET state = 'dead', run_id = NULL, error_class = 'invalid', "
                f"error = ?, settled_at = ? WHERE {_OF_CONTENT} AND stage = 'upload'",
                (error, now, *of_content),
            )
