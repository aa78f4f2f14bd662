"""Which XMP sidecars are to be read, and what they said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.pictures import sidecar_row
from bulkup.manifest.rows import from_sql, to_sql

if TYPE_CHECKING:  # `status` need not know what a picture is
    from bulkup.content.picture.types import PictureFacts


class SidecarFile(NamedTuple):
    """An XMP file, and the key of its object where the destination has one."""

    name: str
    key: str | None


class UnreadSidecars(NamedTuple):
    """A picture file, what the picture itself says, and its sidecars, the most specific first.

    `is_known`: the picture's file is gone, and what is recorded of its sidecars stays.
    """

    asset_id: int
    root: str
    folder: str
    name: str
    is_known: bool
    facts: PictureFacts
    files: tuple[SidecarFile, ...]


class Sidecars(Statements):
    """Facts of files, corrected by the XMP files beside them."""

    def has_unread(self) -> bool:
        """Whether there is a picture whose sidecars are new, changed or gone."""
        return bool(self._value("SELECT EXISTS (SELECT 1 FROM sidecar_unread)"))

    def unread(self, destination_id: int, *, limit: int) -> list[UnreadSidecars]:
        """Some pictures whose sidecars are to be read."""
        rows = self._db.execute(
            "SELECT asset.id, asset.folder_id, root.path, folder.path, asset.name, "
            "asset.missing_at IS NOT NULL, EXISTS (SELECT 1 FROM sidecar AS known "
            "WHERE known.asset_id = asset.id), taken_at, date_rank, latitude, longitude, "
            "altitude_metres, rating, title, description, keywords, taken_from FROM sidecar_unread "
            "JOIN asset ON asset.id = sidecar_unread.asset_id "
            "JOIN folder ON folder.id = asset.folder_id JOIN root ON root.id = folder.root_id "
            "JOIN picture ON picture.content_id = asset.content_id ORDER BY asset.id LIMIT ?",
            (limit,),
        ).fetchall()
        found = []
        for asset_id, folder_id, root, folder, text, is_missing, is_known, *said in rows:
            name = from_sql(text)
            files = self._files(folder_id, name, destination_id, with_missing=bool(is_missing))
            found.append(
                UnreadSidecars(
                    asset_id,
                    from_sql(root),
                    from_sql(folder),
                    name,
                    bool(is_missing and is_known),
                    _facts(*said),
                    files,
                )
            )
        return found

    def _files(
        self, folder_id: int, name: str, destination_id: int, *, with_missing: bool
    ) -> tuple[SidecarFile, ...]:
        names = sidecar_names(name)
        marks = ", ".join("?" * len(names))
        rows = self._db.execute(
            "SELECT name, (SELECT key FROM object WHERE object.content_id = asset.content_id "
            "AND +object.destination_id = ? AND stored_at IS NOT NULL) FROM asset "
            f"WHERE folder_id = ? AND (missing_at IS NULL OR ?) AND name IN ({marks})",
            (destination_id, folder_id, with_missing, *map(to_sql, names)),
        )
        files = [SidecarFile(from_sql(row[0]), row[1]) for row in rows]
        return tuple(sorted(files, key=lambda file: names.index(file.name)))

    def record(
        self, read: Sequence[tuple[int, PictureFacts | None]], *, kept: Sequence[int]
    ) -> None:
        """Write what was read, by the picture's asset; None: it has no sidecar. For `kept` assets
        what is recorded stays."""
        with self._transaction():
            self._db.executemany(
                "DELETE FROM sidecar_unread WHERE asset_id = ?",
                ((asset_id,) for asset_id in (*kept, *(one for one, _ in read))),
            )
            self._db.executemany(
                "DELETE FROM sidecar WHERE asset_id = ?", ((asset_id,) for asset_id, _ in read)
            )
            self._db.executemany(  # a file may have been forgotten meanwhile
                "INSERT INTO sidecar SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? "
                "WHERE EXISTS (SELECT 1 FROM asset WHERE id = ?)",
                (
                    (*sidecar_row(asset_id, facts), asset_id)
                    for asset_id, facts in read
                    if facts is not None
                ),
            )


def sidecar_names(name: str) -> list[str]:
    """What an XMP sidecar of the file may be called, the most specific first: `IMG_1.CR2.xmp`
    (darktable, digiKam), then `IMG_1.xmp` (Lightroom, Bridge)."""
    folder, slash, last = name.rpartition("/")  # a member's name has its archive's folders in it
    stem, dot, extension = last.rpartition(".")
    before = folder + slash + stem + dot
    bases = (name, folder + slash + (stem or last))
    forms = [
        form
        for base in bases
        for form in (base, base.lower(), base.upper(), base[:1].upper() + base[1:].lower())
    ]
    forms[1:1] = [before + extension.lower(), before + extension.upper()]
    return [f"{base}.{ending}" for base in dict.fromkeys(forms) for ending in ("xmp", "XMP", "Xmp")]


def _facts(
    taken_at: str | None,
    date_rank: int,
    latitude: float | None,
    longitude: float | None,
    altitude_metres: float | None,
    *words: Any,
) -> PictureFacts:
    """The facts of a row of `picture` that a sidecar may correct."""
    from bulkup.content.picture.facts.moments import moment_of
    from bulkup.content.picture.facts.places import place_of
    from bulkup.content.picture.types import PictureFacts

    rating, title, description, keywords, taken_from = words
    dates = {("original", "digitised", "modified")[date_rank]: moment_of(taken_at)}
    return PictureFacts(
        **dates,  # type: ignore[arg-type]  # one of three fields
        place=place_of(latitude, longitude, altitude_metres),
        rating=rating,
        title=title,
        description=description,
        keywords=tuple(json.loads(keywords)) if isinstance(keywords, str) else (),
        taken_from=taken_from,
    )
