"""What `pull` fetches: contents, the files that have them, and the objects that hold them."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.rows import from_sql
from bulkup.model import Digest


class PulledRoot(NamedTuple):
    """A root that was pushed, and where to."""

    id: int
    path: str
    destination_id: int | None


class PulledFile(NamedTuple):
    """A file that had the content at the last scan. `path` is relative to its root."""

    root_id: int
    path: str
    modified_ns: int
    asset_id: int = 0


class PulledObject(NamedTuple):
    """A stored object with the content."""

    destination_id: int
    key: str


class PulledContent(NamedTuple):
    """A content with all its files and objects; `digest` is None while nobody has read it."""

    id: int
    digest: Digest | None
    size_bytes: int
    files: tuple[PulledFile, ...]
    objects: tuple[PulledObject, ...]


_WANTED = "(missing_at IS NULL OR EXISTS (SELECT 1 FROM freed_asset WHERE asset_id = asset.id))"
"""There at the last scan, or erased by `free`."""


class PullQueries(Statements):
    """Contents in the order of their ids, a page at a time."""

    def roots(self) -> list[PulledRoot]:
        """All roots, in the order in which they were first pushed."""
        rows = self._db.execute("SELECT id, path, destination_id FROM root ORDER BY id")
        return [PulledRoot(root_id, from_sql(path), to) for root_id, path, to in rows]

    def contents(self, after: int, *, deleted: bool, limit: int) -> list[PulledContent]:
        """Contents with an id greater than `after`; with `deleted`, also the files that were
        deleted from the disk since they were pushed."""
        rows = self._db.execute(
            "SELECT id, nullif(lower(hex(digest)), ''), size_bytes FROM content WHERE id > ? "
            "ORDER BY id LIMIT ?",
            (after, limit),
        ).fetchall()
        if not rows:
            return []
        first, last = rows[0][0], rows[-1][0]
        files, objects = self._files(first, last, deleted=deleted), self._objects(first, last)
        return [
            PulledContent(
                content_id,
                digest,
                size_bytes,
                tuple(files.get(content_id, ())),
                tuple(objects.get(content_id, ())),
            )
            for content_id, digest, size_bytes in rows
        ]

    def _files(self, first: int, last: int, *, deleted: bool) -> dict[int, list[PulledFile]]:
        found = defaultdict(list)
        present = "" if deleted else f"AND {_WANTED} "
        for content_id, root_id, folder, name, modified_ns, asset_id in self._db.execute(
            "SELECT content_id, root_id, folder.path, name, modified_ns, asset.id FROM asset "
            "JOIN folder ON folder.id = folder_id WHERE content_id BETWEEN ? AND ? "
            f"AND NOT is_unreadable {present}ORDER BY asset.id",
            (first, last),
        ):
            path = from_sql(folder) + from_sql(name)
            found[content_id].append(PulledFile(root_id, path, modified_ns, asset_id))
        return found

    def _objects(self, first: int, last: int) -> dict[int, list[PulledObject]]:
        found = defaultdict(list)
        for content_id, *row in self._db.execute(
            "SELECT content_id, destination_id, key FROM object WHERE content_id BETWEEN ? AND ? "
            "AND kind IN ('original', 'copy') AND stored_at IS NOT NULL "
            "ORDER BY content_id, kind DESC, key",
            (first, last),
        ):
            found[content_id].append(PulledObject(*row))
        return found
