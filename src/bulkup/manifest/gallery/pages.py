"""Pages of the gallery, by the time when pictures were taken; never by OFFSET."""

from __future__ import annotations

from typing import Any, NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.rows import from_sql

Place = tuple[str, int]
"""A place in the timeline: `taken_at` and content id. ('2019-05~', 0) is the end of May 2019."""


class GalleryRow(NamedTuple):
    """A picture as the gallery shows it. `taken_at` is ISO 8601 by the camera's clock."""

    content_id: int
    taken_at: str
    digest: str
    media_type: str
    size_bytes: int
    path: str  # of its first file, below its root
    width_px: int | None
    height_px: int | None
    has_thumb: bool
    reason: str | None  # why it has none: the state of its stages and the error

    @property
    def place(self) -> Place:
        return self.taken_at, self.content_id


class Month(NamedTuple):
    """How many pictures were taken in a month: 2019-05, shorter where no month is known."""

    month: str
    pictures: int


_REASON = (
    "(SELECT stage || ' ' || state || coalesce(': ' || coalesce(error, reason), '') FROM item "
    "WHERE item.content_id = content.id AND stage <> 'embed' AND (state <> 'done' "
    "OR stage = 'process') ORDER BY stage = 'process', destination_id LIMIT 1)"
)
_PATH = (
    "(SELECT CASE WHEN 'blob' IN (typeof(folder.path), typeof(name)) "
    "THEN CAST(folder.path || name AS BLOB) ELSE folder.path || name END FROM asset "
    "JOIN folder ON folder.id = folder_id "
    "WHERE asset.content_id = content.id ORDER BY asset.id LIMIT 1)"
)
_ROWS = (
    "SELECT content.id, {taken_at}, lower(hex(digest)), media_type, content.size_bytes, "
    f"{_PATH}, width_px, height_px, EXISTS (SELECT 1 FROM object "
    "WHERE object.content_id = content.id AND variant_digest IS NOT NULL "
    f"AND stored_at IS NOT NULL), {_REASON} FROM {{first}} "
    "LEFT JOIN picture ON picture.content_id = content.id "
)
_IN_ORDER = _ROWS.format(
    taken_at="timeline.taken_at",
    first="timeline CROSS JOIN content ON content.id = timeline.content_id",
)
_ALONE = _ROWS.format(
    taken_at="coalesce((SELECT taken_at FROM timeline WHERE content_id = content.id), '')",
    first="content",
)

# SQLite uses the first column only of a comparison of rows, and copies may all have one time.
_AT = "timeline.taken_at = :taken_at AND timeline.content_id"
_IS_IN_ALBUM = (
    "timeline.content_id IN (SELECT asset.content_id FROM album "
    "JOIN album_asset ON album_id = album.id JOIN asset ON asset.id = asset_id "
    "WHERE album.name = :album)"
)


class Gallery(Statements):
    """Pictures in the order of time."""

    def older(
        self, than: Place | None, limit: int, *, album: str | None = None
    ) -> list[GalleryRow]:
        """The pictures before a place, or the newest ones; newest first. Of an album, if any."""
        if than is None:
            return self._some("1", "DESC", ("", 0), limit, album)
        found = self._some(f"{_AT} < :content", "DESC", than, limit, album)
        found += self._some(
            "timeline.taken_at < :taken_at", "DESC", than, limit - len(found), album
        )
        return found

    def newer(self, than: Place, limit: int, *, album: str | None = None) -> list[GalleryRow]:
        """The pictures behind a place; newest first."""
        found = self._some(f"{_AT} > :content", "ASC", than, limit, album)
        found += self._some("timeline.taken_at > :taken_at", "ASC", than, limit - len(found), album)
        return found[::-1]

    def _some(
        self, where: str, order: str, place: Place, limit: int, album: str | None
    ) -> list[GalleryRow]:
        if limit == 0:
            return []
        values = {"taken_at": place[0], "content": place[1], "limit": limit, "album": album}
        member = "" if album is None else f"AND {_IS_IN_ALBUM} "
        return self._rows(
            f"{_IN_ORDER} WHERE {where} AND shown_by IS NULL AND assets > 0 {member}"
            f"ORDER BY timeline.taken_at {order}, timeline.content_id {order} LIMIT :limit",
            values,
        )

    def months(self) -> list[Month]:
        """All months that have pictures, newest first."""
        rows = self._db.execute(
            "SELECT month, pictures FROM timeline_month WHERE pictures > 0 ORDER BY month DESC"
        )
        return [Month(*row) for row in rows]

    def partners(self, content_id: int) -> list[GalleryRow]:
        """The pictures and films that this picture stands for."""
        rows = self._db.execute(
            "SELECT content_id FROM timeline WHERE shown_by = ? ORDER BY content_id", (content_id,)
        )
        return self.of_contents([row[0] for row in rows.fetchall()])

    def of_contents(self, contents: list[int]) -> list[GalleryRow]:
        """These pictures, in this order; without those that are gone."""
        found = (self._rows(f"{_ALONE} WHERE content.id = ?", (one,)) for one in contents)
        return [row for rows in found for row in rows]

    def _rows(self, query: str, values: object) -> list[GalleryRow]:
        return [_row(row) for row in self._db.execute(query, values)]


def _row(row: tuple[Any, ...]) -> GalleryRow:
    return GalleryRow._make((*row[:5], from_sql(row[5] or ""), *row[6:8], bool(row[8]), row[9]))
