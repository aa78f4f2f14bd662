"""Objects found at a destination, recorded as if this manifest had sent them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from bulkup.manifest.rows import File, to_sql
from bulkup.model import Digest


class FoundObject(NamedTuple):
    """An object and what is known of its content; `file` is the present file it was made of, with
    its folder's path below the root, where that is known."""

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
    """The body of one `Audit.take_in` transaction."""

    def __init__(
        self, connection: sqlite3.Connection, destination_id: int, root_id: int | None, now: float
    ) -> None:
        self._db = connection
        self._destination_id = destination_id
        self._root_id = root_id
        self._now = now
        self._folders: dict[str, int] = {}

    def take_in(self, found: Sequence[FoundObject]) -> Imported:
        """As `Audit.take_in`. The first object of a content is its original, others are copies."""
        objects = files = 0
        for one in found:
            content_id = self._content(one)
            asset_id = self._asset(one, content_id)
            files += asset_id is not None
            objects += self._object(one, content_id, asset_id)
        return Imported(objects, files)

    def _content(self, one: FoundObject) -> int:
        """The content's id. New ones have no assets until a file is found that has them."""
        row = self._db.execute(
            "SELECT id FROM content WHERE digest = ?", (bytes.fromhex(one.digest),)
        ).fetchone()
        if row is not None:
            return int(row[0])
        cursor = self._db.execute(
            "INSERT INTO content (digest, size_bytes, media_type, assets) VALUES (?, ?, ?, 0)",
            (bytes.fromhex(one.digest), one.size_bytes, one.media_type),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

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
        self._db.execute("UPDATE content SET assets = assets + 1 WHERE id = ?", (content_id,))
        self._db.execute(
            "UPDATE item SET live = 1 WHERE content_id = ? AND NOT live", (content_id,)
        )
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
