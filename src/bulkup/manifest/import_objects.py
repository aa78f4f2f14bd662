"""Objects found at a destination, recorded as if this manifest had sent them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.queue.register import find_or_add_content
from bulkup.manifest.queue.release import retain_content
from bulkup.manifest.rows import File, to_sql
from bulkup.model import Digest


class FoundObject(NamedTuple):
    """An object and what is known of its content. `file` is the present file that it was made of,
    where that is known, and `folder` that file's folder below the root."""

    key: str
    digest: Digest
    size_bytes: int
    etag: str | None
    checksum: str | None  # composite of a multipart object
    media_type: str | None
    folder: str = ""
    file: File | None = None


class Imported(NamedTuple):
    """How many objects and files were new to the manifest."""

    objects: int
    files: int


class ObjectImport(Statements):
    """Objects that a destination holds, added as if this manifest had sent them."""

    def add_root(self, path: str, destination_id: int) -> int:
        """The id of a root, added if it is new; one that is known keeps its destination."""
        self._write(
            "INSERT OR IGNORE INTO root (path, destination_id) VALUES (?, ?)",
            to_sql(path),
            destination_id,
        )
        return int(self._value("SELECT id FROM root WHERE path = ?", to_sql(path)))

    def add(
        self, found: Sequence[FoundObject], *, destination_id: int, root_id: int | None, now: float
    ) -> Imported:
        """Record objects; one transaction. What the manifest knows already stays as it is.

        The first object of a content is its original, others are copies. `root_id` is that of the
        objects' files.
        """
        objects = files = 0
        with self._transaction():
            for one in found:
                content_id = find_or_add_content(
                    self._db, one.digest, one.size_bytes, one.media_type
                )
                asset_id = self._asset(one, content_id, root_id)
                files += asset_id is not None
                objects += self._object(one, content_id, asset_id, destination_id, now)
        return Imported(objects, files)

    def _object(
        self,
        one: FoundObject,
        content_id: int,
        asset_id: int | None,
        destination_id: int,
        now: float,
    ) -> int:
        """1 when the object is new: then its content's upload is done."""
        has_original = self._value(
            "SELECT 1 FROM object WHERE content_id = ? AND +destination_id = ? "
            "AND kind = 'original'",
            content_id,
            destination_id,
        )
        kind, copied = ("copy", asset_id) if has_original else ("original", None)
        stored = (one.size_bytes, one.etag, one.checksum)
        added = self._db.execute(
            "INSERT OR IGNORE INTO object (destination_id, key, content_id, kind, asset_id, "
            "size_bytes, etag, checksum, stored_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (destination_id, one.key, content_id, kind, copied, *stored, now),
        ).rowcount
        if added:
            self._db.execute(
                "INSERT OR IGNORE INTO item (content_id, destination_id, stage, state, live, "
                "size_bytes, settled_at) SELECT id, ?, 'upload', 'done', assets > 0, size_bytes, ? "
                "FROM content WHERE id = ?",
                (destination_id, now, content_id),
            )
        return added

    def _asset(self, one: FoundObject, content_id: int, root_id: int | None) -> int | None:
        """The new asset's id; None where there is no file, or the manifest has one by its name."""
        if one.file is None or root_id is None:
            return None
        folder_id = self._value(
            "INSERT INTO folder (root_id, path) VALUES (?, ?) "
            "ON CONFLICT DO UPDATE SET path = path RETURNING id",
            root_id,
            to_sql(one.folder),
        )
        cursor = self._db.execute(
            "INSERT OR IGNORE INTO asset (folder_id, name, size_bytes, modified_ns, inode, "
            "changed_ns, content_id) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (folder_id, to_sql(one.file.name), *one.file[1:], content_id),
        )
        if not cursor.rowcount:
            return None
        retain_content(self._db, content_id)
        return cursor.lastrowid
