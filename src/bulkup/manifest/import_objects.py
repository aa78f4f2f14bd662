"""Objects found at a destination, recorded as if this manifest had sent them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

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


class ObjectImport:
    """The body of one `ObjectChecks.import_objects` transaction."""

    def __init__(
        self, connection: sqlite3.Connection, destination_id: int, root_id: int | None, now: float
    ) -> None:
        self._db = connection
        self._destination_id = destination_id
        self._root_id = root_id
        self._now = now
        self._folders: dict[str, int] = {}

    def add(self, found: Sequence[FoundObject]) -> Imported:
        """The first object of a content is its original, others are copies."""
        objects = files = 0
        for one in found:
            content_id = find_or_add_content(self._db, one.digest, one.size_bytes, one.media_type)
            asset_id = self._asset(one, content_id)
            files += asset_id is not None
            objects += self._object(one, content_id, asset_id)
        return Imported(objects, files)

    def _object(self, one: FoundObject, content_id: int, asset_id: int | None) -> int:
        """1 when the object is new: then its content's upload is done."""
        has_original = self._db.execute(
            "SELECT 1 FROM object WHERE content_id = ? AND +destination_id = ? "
            "AND kind = 'original'",
            (content_id, self._destination_id),
        ).fetchone()
        added = self._db.execute(
            "INSERT OR IGNORE INTO object (destination_id, key, content_id, kind, asset_id, "
            "size_bytes, etag, checksum, stored_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._destination_id,
                one.key,
                content_id,
                "copy" if has_original else "original",
                asset_id if has_original else None,
                one.size_bytes,
                one.etag,
                one.checksum,
                self._now,
            ),
        ).rowcount
        if added:
            self._db.execute(
                "INSERT OR IGNORE INTO item (content_id, destination_id, stage, state, live, "
                "size_bytes, settled_at) SELECT id, ?, 'upload', 'done', assets > 0, size_bytes, ? "
                "FROM content WHERE id = ?",
                (self._destination_id, self._now, content_id),
            )
        return added

    def _asset(self, one: FoundObject, content_id: int) -> int | None:
        """The new asset's id; None where there is no file, or the manifest has one by its name."""
        if one.file is None or self._root_id is None:
            return None
        cursor = self._db.execute(
            "INSERT OR IGNORE INTO asset (folder_id, name, size_bytes, modified_ns, inode, "
            "changed_ns, content_id) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (self._folder(one.folder), to_sql(one.file.name), *one.file[1:], content_id),
        )
        if not cursor.rowcount:
            return None
        retain_content(self._db, content_id)
        return cursor.lastrowid

    def _folder(self, path: str) -> int:
        if path not in self._folders:
            row = self._db.execute(
                "INSERT INTO folder (root_id, path) VALUES (?, ?) "
                "ON CONFLICT DO UPDATE SET path = path RETURNING id",
                (self._root_id, to_sql(path)),
            ).fetchone()
            self._folders[path] = row[0]
        return self._folders[path]
