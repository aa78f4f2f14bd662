"""Objects found at a destination, recorded as if this manifest had sent them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.queue.register import find_or_add_content
from bulkup.manifest.queue.release import release_content, retain_content
from bulkup.manifest.rows import File, WorkItem, to_sql
from bulkup.model import Digest


class FoundObject(NamedTuple):
    """An object and what is known of its content. `file` is the present file that it was made of,
    where that is known, and `folder` that file's folder below the root. An object that is adopted
    stands for its file itself, and may have no digest yet."""

    key: str
    digest: Digest | None
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

    def add_adopted_root(self, url: str, destination_id: int) -> int:
        """The id of the root whose files are the objects of a destination, added if it is new.

        It is named by the URL, like that of another machine: nobody looks for its files here.
        """
        scheme = url.partition(":")[0] if "://" in url else "file"
        path = url if "://" in url else f"file://{url}"
        while True:
            root_id = self.add_root(path, destination_id)
            if self._value("SELECT destination_id FROM root WHERE id = ?", root_id) in (
                destination_id,
                None,
            ):
                break
            path += "~"  # the same URL at another endpoint
        self._write("UPDATE root SET host = ? WHERE id = ?", scheme, root_id)
        return root_id

    def adopted_keys(self, destination_id: int, keys: Sequence[str]) -> set[str]:
        """Those of the keys whose contents are files of the manifest, too."""
        return set(
            self._column(
                "SELECT key FROM object JOIN content ON content.id = content_id "
                "WHERE destination_id = ? AND key IN (SELECT value FROM json_each(?)) "
                "AND content.assets > 0",
                destination_id,
                json.dumps(keys),
            )
        )

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
                content_id = self._content(one, destination_id)
                asset_id = self._asset(one, content_id, root_id)
                files += asset_id is not None
                objects += self._object(one, content_id, asset_id, destination_id, now)
        return Imported(objects, files)

    def identify(self, read: Sequence[WorkItem], destination_id: int) -> dict[int, int]:
        """Contents of the items, which were adopted without a digest, have it now; by item: the id
        of the content.

        Where the same bytes are known already, their content has the files and objects from now
        on, and the items that it lacks. Items that it has already are gone, and not returned.
        """
        with self._transaction():
            for item in read:
                self._identify(item, destination_id)
            rows = self._db.execute(
                "SELECT id, content_id FROM item WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps([item.item_id for item in read]),),
            )
            return dict(rows.fetchall())

    def _identify(self, item: WorkItem, destination_id: int) -> None:
        raw, unread = bytes.fromhex(item.known_digest), item.content_id
        known = self._value("SELECT id FROM content WHERE digest = ?", raw)
        if known is None:
            self._db.execute(
                "UPDATE content SET digest = ? WHERE id = ? AND digest IS NULL", (raw, unread)
            )
        if known in (None, unread):
            return
        if self._has_original(known, destination_id):
            self._db.execute(
                "UPDATE object SET kind = 'copy', asset_id = (SELECT id FROM asset "
                "WHERE content_id = ?1 LIMIT 1) WHERE content_id = ?1 AND +destination_id = ?2",
                (unread, destination_id),
            )
        self._db.execute("UPDATE object SET content_id = ? WHERE content_id = ?", (known, unread))
        self._db.execute(
            "UPDATE OR IGNORE item SET content_id = ? WHERE content_id = ?", (known, unread)
        )
        for asset_id in self._column("SELECT id FROM asset WHERE content_id = ?", unread):
            self._db.execute("UPDATE asset SET content_id = ? WHERE id = ?", (known, asset_id))
            retain_content(self._db, known)
            release_content(self._db, unread)

    def _content(self, one: FoundObject, destination_id: int) -> int:
        """The id of the object's content. One without a digest is new if its object is."""
        if one.digest is not None:
            return find_or_add_content(self._db, one.digest, one.size_bytes, one.media_type)
        known = self._value(
            "SELECT content_id FROM object WHERE destination_id = ? AND key = ?",
            destination_id,
            one.key,
        )
        if known is not None:
            return int(known)
        return self._insert(
            "INSERT INTO content (size_bytes, media_type, assets) VALUES (?, ?, 0)",
            one.size_bytes,
            one.media_type,
        )

    def _object(
        self,
        one: FoundObject,
        content_id: int,
        asset_id: int | None,
        destination_id: int,
        now: float,
    ) -> int:
        """1 when the object is new: then its content's upload is done."""
        has_original = self._has_original(content_id, destination_id)
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
        elif copied is not None:
            self._db.execute(
                "UPDATE object SET asset_id = ? WHERE destination_id = ? AND key = ? "
                "AND content_id = ? AND kind = 'copy' AND asset_id IS NULL",
                (copied, destination_id, one.key, content_id),
            )
        return added

    def _has_original(self, content_id: int, destination_id: int) -> bool:
        found = self._value(
            "SELECT 1 FROM object WHERE content_id = ? AND +destination_id = ? "
            "AND kind = 'original'",
            content_id,
            destination_id,
        )
        return found is not None

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
