"""Albums and the files in them."""

from __future__ import annotations

from typing import NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.rows import from_sql


class AlbumMembers(NamedTuple):
    """The files of an album, by id and by absolute path."""

    asset_ids: frozenset[int]
    paths: frozenset[str]


class AlbumQueries(Statements):
    """Questions about albums."""

    def names(self) -> list[str]:
        """The names of all albums, in order."""
        return self._column("SELECT DISTINCT name FROM album ORDER BY name")

    def members(self, name: str) -> AlbumMembers:
        """The files in all albums of exactly this name."""
        rows = self._db.execute(
            "SELECT asset.id, root.path, folder.path, asset.name FROM album "
            "JOIN album_asset ON album_id = album.id JOIN asset ON asset.id = asset_id "
            "JOIN folder ON folder.id = folder_id JOIN root ON root.id = root_id "
            "WHERE album.name = ?",
            (name,),
        ).fetchall()
        paths = (
            f"{from_sql(root).rstrip('/')}/{from_sql(folder)}{from_sql(file)}"
            for _, root, folder, file in rows
        )
        return AlbumMembers(frozenset(row[0] for row in rows), frozenset(paths))
