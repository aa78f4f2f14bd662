"""Files on this machine as the manifest has them, beside the objects that hold their contents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.rows import File, from_sql
from bulkup.manifest.verification import StoredObject
from bulkup.model import Digest


class LocalFile(NamedTuple):
    """A file, as it was when it was read, and its upload to one destination."""

    asset_id: int
    path: str  # absolute
    file: File
    digest: Digest | None  # None until somebody has read it
    upload: str | None  # the state of the upload; None where there is none
    stored: StoredObject | None  # None until the content is stored
    archive: str | None  # the path of the archive that it is in
    root: str  # absolute


class LocalFiles(Statements):
    """Files by their paths."""

    def below(self, path: str, destination_id: int) -> Iterator[LocalFile]:
        """The file at an absolute path, or all files below it that were there at the last scan, in
        the order in which they were found. Those that could not be read are left out."""
        for root, folder_id, folder in self._db.execute(
            "SELECT root.path, folder.id, folder.path FROM folder "
            "JOIN root ON root.id = root_id ORDER BY folder.id"
        ).fetchall():
            top = from_sql(root)
            start = f"{top.rstrip('/')}/{from_sql(folder)}"
            is_below = start == f"{path}/" or start.startswith((f"{path}/", f"{path}#"))
            if is_below or path.startswith(start):
                for found in self._in_folder(folder_id, top, start, destination_id):
                    if is_below or found.path == path:
                        yield found

    def _in_folder(
        self, folder_id: int, root: str, start: str, destination_id: int
    ) -> list[LocalFile]:
        rows = self._db.execute(
            "SELECT asset.id, name, asset.size_bytes, modified_ns, inode, changed_ns, "
            "nullif(lower(hex(content.digest)), ''), item.state, object.key, object.content_id, "
            "lower(hex(content.digest)), object.size_bytes, etag, checksum, stored_at "
            "FROM asset JOIN content ON content.id = asset.content_id "
            "LEFT JOIN item ON item.content_id = content.id AND item.destination_id = ?1 "
            "AND stage = 'upload' "
            "LEFT JOIN object ON object.content_id = content.id "
            "AND +object.destination_id = ?1 AND kind = 'original' AND stored_at IS NOT NULL "
            "WHERE folder_id = ?2 AND missing_at IS NULL AND NOT is_unreadable ORDER BY asset.id",
            (destination_id, folder_id),
        )
        found = []
        for asset_id, name, *values in rows:
            (*stat, digest, upload, key), stored = values[:7], values[7:]
            found.append(
                LocalFile(
                    asset_id,
                    start + from_sql(name),
                    File(from_sql(name), *stat),
                    digest,
                    upload,
                    None if key is None else StoredObject(key, *stored),
                    start[:-1] if start.endswith("#") else None,
                    root,
                )
            )
        return found

    def mark_freed(self, asset_ids: Iterable[int], *, now: float) -> None:
        """These files are about to be erased on purpose: `pull` brings them back."""
        with self._transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO freed_asset VALUES (?, ?)",
                [(one, now) for one in asset_ids],
            )
