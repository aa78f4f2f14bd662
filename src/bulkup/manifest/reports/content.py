"""All that is known of one content."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.reports.status import absolute
from bulkup.model import Digest


class ContentRow(NamedTuple):
    """A content."""

    id: int
    digest: Digest
    size_bytes: int
    media_type: str | None


class ObjectRow(NamedTuple):
    """An object that holds a content or one of its variants."""

    destination_id: int
    destination: str
    key: str
    kind: str  # original, copy, or the variant's name
    size_bytes: int
    variant_digest: Digest | None


class ItemRow(NamedTuple):
    """A stage of a content at a destination."""

    id: int
    destination: str
    stage: str
    state: str
    attempts: int
    error_class: str | None
    error: str | None
    reason: str | None


_CORRECTED = ("taken_at", "latitude", "longitude", "rating", "title", "description", "keywords")
_FACTS = ", ".join(
    (
        "width_px, height_px, format, camera, lens, f_number, exposure_seconds, iso, "
        "focal_length_mm, picture.altitude_metres AS altitude_metres",
        *(f"coalesce(sidecar.{name}, picture.{name}) AS {name}" for name in _CORRECTED),
        "CASE WHEN sidecar.taken_at IS NOT NULL THEN sidecar.taken_from "
        "ELSE picture.taken_from END AS taken_from",
    )
)


class ContentQueries(Statements):
    """Contents by their digest."""

    def find(self, digest: Digest) -> ContentRow | None:
        """The content with this digest."""
        row = self._db.execute(
            "SELECT id, lower(hex(digest)), size_bytes, media_type FROM content WHERE digest = ?",
            (bytes.fromhex(digest),),
        ).fetchone()
        return None if row is None else ContentRow(*row)

    def paths(self, content_id: int, *, limit: int = 1000) -> list[tuple[str, bool]]:
        """The absolute paths of its files, and whether each is there as far as a scan knows."""
        rows = self._db.execute(
            "SELECT root.path, CASE WHEN 'blob' IN (typeof(folder.path), typeof(name)) "
            "THEN CAST(folder.path || name AS BLOB) ELSE folder.path || name END, "
            "missing_at IS NULL FROM asset JOIN folder ON folder.id = folder_id "
            "JOIN root ON root.id = root_id WHERE content_id = ? ORDER BY asset.id LIMIT ?",
            (content_id, limit),
        )
        return [(absolute(root, path), bool(is_there)) for root, path, is_there in rows]

    def objects(self, content_id: int) -> list[ObjectRow]:
        """Its objects and variants that are stored, the original first, then the largest."""
        rows = self._db.execute(
            "SELECT destination_id, url, key, kind, size_bytes, lower(hex(variant_digest)) "
            "FROM object JOIN destination ON destination.id = destination_id "
            "WHERE content_id = ? AND stored_at IS NOT NULL "
            "ORDER BY kind <> 'original', size_bytes DESC, destination_id",
            (content_id,),
        )
        return [ObjectRow._make((*row[:5], row[5] or None)) for row in rows]

    def items(self, content_id: int) -> list[ItemRow]:
        """Its stages."""
        rows = self._db.execute(
            "SELECT item.id, url, stage, state, attempts, error_class, error, reason FROM item "
            "JOIN destination ON destination.id = destination_id WHERE content_id = ? "
            "ORDER BY destination_id, item.id",
            (content_id,),
        )
        return [ItemRow(*row) for row in rows]

    def facts(self, content_id: int) -> dict[str, Any]:
        """What its first file's picture says of itself, without what is not known."""
        cursor = self._db.execute(
            f"SELECT {_FACTS} FROM picture "
            "JOIN asset ON asset.content_id = picture.content_id "
            "LEFT JOIN sidecar ON sidecar.asset_id = asset.id "
            "WHERE picture.content_id = ? ORDER BY asset.id LIMIT 1",
            (content_id,),
        )
        row = cursor.fetchone()
        if row is None:
            return {}
        named = zip((one[0] for one in cursor.description), row, strict=True)
        facts = {name: value for name, value in named if value is not None}
        if "keywords" in facts:
            facts["keywords"] = json.loads(facts["keywords"])
        return facts

    def albums(self, content_id: int) -> list[str]:
        """The albums that it is in."""
        return self._column(
            "SELECT DISTINCT album.name FROM asset JOIN album_asset ON asset_id = asset.id "
            "JOIN album ON album.id = album_id WHERE content_id = ? ORDER BY 1",
            content_id,
        )
