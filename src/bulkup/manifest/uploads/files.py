"""Files that clients of `bulkup serve` uploaded, each below a root of its owner."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.files.sidecars import sidecar_names
from bulkup.manifest.queue.release import retain_content
from bulkup.manifest.uploads.rows import ROOT, Announced, UploadedFile
from bulkup.model import Digest


class UploadedFiles(Statements):
    """The uploaded files of each owner."""

    def page(
        self, owner: str, destination_id: int, *, prefix: str, after: str, limit: int
    ) -> list[UploadedFile]:
        """The owner's files at the destination whose path starts with `prefix` and is greater than
        `after`, by path in UTF-8 byte order."""
        rows = self._db.execute(
            "SELECT folder.path || asset.name AS path, asset.size_bytes, lower(hex(digest)), "
            "media_type, etag, checksum, stored_at FROM root "
            "JOIN folder ON folder.root_id = root.id JOIN asset ON asset.folder_id = folder.id "
            "JOIN content ON content.id = asset.content_id "
            "JOIN object ON object.content_id = content.id AND object.kind = 'original' "
            "AND object.stored_at IS NOT NULL AND +object.destination_id = ?2 "
            "WHERE root.path = ?1 AND folder.path || asset.name > ?3 "
            "AND substr(folder.path || asset.name, 1, length(?4)) = ?4 "
            "ORDER BY folder.path || asset.name LIMIT ?5",
            (ROOT + owner, destination_id, after, prefix, limit),
        )
        return [UploadedFile(*row) for row in rows]

    def get(self, owner: str, destination_id: int, path: str) -> UploadedFile | None:
        """The owner's file with this path; None where there is none."""
        folder, name = split(path)
        row = self._db.execute(
            "SELECT ?4, asset.size_bytes, lower(hex(digest)), media_type, etag, checksum, "
            "stored_at FROM asset JOIN folder ON folder.id = asset.folder_id "
            "JOIN root ON root.id = folder.root_id JOIN content ON content.id = asset.content_id "
            "JOIN object ON object.content_id = content.id AND object.kind = 'original' "
            "AND object.stored_at IS NOT NULL AND +object.destination_id = ?5 "
            "WHERE root.path = ?1 AND folder.path = ?2 AND asset.name = ?3 LIMIT 1",
            (ROOT + owner, folder, name, path, destination_id),
        ).fetchone()
        return None if row is None else UploadedFile(*row)


def is_path_taken(db: sqlite3.Connection, one: Announced, content_id: int) -> bool:
    """Whether a file with this path, recorded or announced, has another content."""
    place = (one.folder, one.name, content_id)
    row = db.execute(
        "SELECT EXISTS (SELECT 1 FROM asset JOIN folder ON folder.id = asset.folder_id "
        "JOIN root ON root.id = folder.root_id WHERE root.path = ? AND folder.path = ? "
        "AND asset.name = ? AND asset.content_id <> ?) "
        "OR EXISTS (SELECT 1 FROM reservation WHERE owner = ? AND folder = ? "
        "AND name = ? AND content_id <> ? AND NOT is_done)",
        (ROOT + one.owner, *place, one.owner, *place),
    ).fetchone()
    return bool(row[0])


def add_file(
    db: sqlite3.Connection,
    one: Announced,
    content_id: int,
    spare: Callable[[str, Digest], str],
) -> None:
    """Record the file below its owner's root, unless it is recorded already; under `spare(path,
    digest)` where another content has its path by now."""
    db.execute("INSERT OR IGNORE INTO root (path) VALUES (?)", (ROOT + one.owner,))
    (folder_id,) = db.execute(
        "INSERT INTO folder (root_id, path) SELECT id, ? FROM root WHERE path = ? "
        "ON CONFLICT DO UPDATE SET path = path RETURNING id",
        (one.folder, ROOT + one.owner),
    ).fetchone()
    path = one.folder + one.name
    for name in (one.name, spare(path, one.digest).removeprefix(one.folder)):
        added = db.execute(
            "INSERT OR IGNORE INTO asset (folder_id, name, size_bytes, modified_ns, inode, "
            "changed_ns, content_id) VALUES (?, ?, ?, ?, 0, 0, ?)",
            (folder_id, name, one.size_bytes, one.modified_ns, content_id),
        ).rowcount
        if added:
            retain_content(db, content_id)
            _mark_sidecars_unread(db, folder_id, name, content_id)
            return
        (holder,) = db.execute(
            "SELECT content_id FROM asset WHERE folder_id = ? AND name = ?", (folder_id, name)
        ).fetchone()
        if holder == content_id:
            return


def _mark_sidecars_unread(
    db: sqlite3.Connection, folder_id: int, name: str, content_id: int
) -> None:
    """Of a file whose content is a picture that is processed already: the triggers see other files
    change to a content, and this one begins with it."""
    names = sidecar_names(name)
    db.execute(
        "INSERT OR IGNORE INTO sidecar_unread SELECT id FROM asset WHERE folder_id = ? "
        "AND name = ? AND EXISTS (SELECT 1 FROM picture WHERE content_id = ?) "
        "AND EXISTS (SELECT 1 FROM asset AS file WHERE file.folder_id = asset.folder_id "
        f"AND file.name IN ({', '.join('?' * len(names))}))",
        (folder_id, name, content_id, *names),
    )


def split(path: str) -> tuple[str, str]:
    """The folder of a path, '' or ending in '/', and the name in it."""
    folder, slash, name = path.rpartition("/")
    return folder + slash, name
