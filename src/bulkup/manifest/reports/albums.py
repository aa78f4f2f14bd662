"""Albums and the files in them."""

from __future__ import annotations

from typing import NamedTuple

from bulkup.errors import UsageError
from bulkup.manifest.database.sql import Statements
from bulkup.manifest.rows import from_sql


class AlbumMembers(NamedTuple):
    """The files of an album, by id and by absolute path."""

    asset_ids: frozenset[int]
    paths: frozenset[str]


class AlbumQueries(Statements):
    """Questions about albums."""

    def members(self, name: str) -> AlbumMembers:
        """The files in all albums of this name, in whatever case. Raises UsageError if there is
        none."""
        rows = self._db.execute(
            "SELECT album.name, asset.id, root.path, folder.path, asset.name FROM album "
            "JOIN album_asset ON album_id = album.id JOIN asset ON asset.id = asset_id "
            "JOIN folder ON folder.id = folder_id JOIN root ON root.id = root_id"
        ).fetchall()
        found = [row for row in rows if row[0].casefold() == name.casefold()]
        if not found:
            names = ", ".join(sorted({row[0] for row in rows})) or "none"
            raise UsageError(f"there is no album {name!r}", hint=f"Albums: {names}.")
        paths = (
            f"{from_sql(root).rstrip('/')}/{from_sql(folder)}{from_sql(file)}"
            for _, _, root, folder, file in found
        )
        return AlbumMembers(frozenset(row[1] for row in found), frozenset(paths))
