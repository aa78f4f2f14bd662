"""Multipart uploads that have begun, and their parts, so that a later run can complete them."""

from __future__ import annotations

from typing import NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.model import Digest, Part


class OpenUpload(NamedTuple):
    """A multipart upload that has begun, and its parts as far as they were recorded."""

    item_id: int
    key: str
    upload_id: str
    part_bytes: int
    parts: tuple[Part, ...]


class MultipartUploads(Statements):
    """Multipart uploads, by the item that they are for."""

    def open_upload(self, item_id: int) -> OpenUpload | None:
        """The multipart upload begun for the item, by this run or an earlier one."""
        row = self._db.execute(
            "SELECT key, upload_id, part_bytes FROM upload WHERE item_id = ?", (item_id,)
        ).fetchone()
        if row is None:
            return None
        parts = self._db.execute(
            "SELECT number, size_bytes, etag, lower(hex(digest)) FROM part WHERE item_id = ? "
            "ORDER BY number",
            (item_id,),
        )
        return OpenUpload(
            item_id,
            row[0],
            row[1],
            row[2],
            tuple(Part(n, size, etag, Digest(d)) for n, size, etag, d in parts),
        )

    def begin_upload(
        self,
        item_id: int,
        *,
        destination_id: int,
        key: str,
        upload_id: str,
        part_bytes: int,
        now: float,
    ) -> None:
        """The store has opened this multipart upload; recorded before the first part is sent."""
        # REPLACE deletes the parts of an earlier one.
        values = (item_id, destination_id, key, upload_id, part_bytes, now)
        self._write("INSERT OR REPLACE INTO upload VALUES (?, ?, ?, ?, ?, ?)", *values)

    def record_part(self, item_id: int, part: Part) -> None:
        """The store has this part. Nothing is recorded once the upload was dropped."""
        assert part.digest is not None
        values = (part.number, part.size_bytes, part.etag, bytes.fromhex(part.digest), item_id)
        self._write(
            "INSERT OR REPLACE INTO part SELECT item_id, ?, ?, ?, ? FROM upload WHERE item_id = ?",
            *values,
        )

    def drop_upload(self, item_id: int) -> None:
        """The multipart upload is over or unknown to the store."""
        self._write("DELETE FROM upload WHERE item_id = ?", item_id)

    def abandoned_uploads(self, destination_id: int) -> list[tuple[int, str, str, float]]:
        """Open uploads whose item is no longer to be sent: (item id, key, upload id, begun at)."""
        return self._db.execute(
            "SELECT item_id, key, upload_id, begun_at FROM upload WHERE destination_id = ? "
            "AND NOT EXISTS (SELECT 1 FROM item WHERE item.id = item_id "
            "AND state IN ('ready', 'waiting', 'claimed'))",
            (destination_id,),
        ).fetchall()

    def wanted_uploads(self, destination_id: int) -> set[str]:
        """The ids of the uploads that an item still needs."""
        return set(
            self._column(
                "SELECT upload_id FROM upload JOIN item ON item.id = item_id "
                "WHERE upload.destination_id = ? AND state IN ('ready', 'waiting', 'claimed')",
                destination_id,
            )
        )
