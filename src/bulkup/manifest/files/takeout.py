"""What the JSON files of Google Takeout say, the pictures that they belong to, and albums."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from bulkup.content.takeout.notes import AlbumNote, PictureNote
from bulkup.content.takeout.places import ExportPlace
from bulkup.manifest.database.sql import Statements
from bulkup.manifest.rows import as_text, from_sql, text_array, to_sql


class ReadNote(NamedTuple):
    """A JSON file that was read. `stamp` shows whether it has changed since."""

    path: str  # below the root; 'archive.zip#member'
    stamp: str
    place: ExportPlace
    note: PictureNote | AlbumNote | None


class NoteRow(NamedTuple):
    """A note of an export; `title` is the picture's or the album's."""

    id: int
    folder: str
    name: str
    is_album: bool
    title: str
    facts: tuple[object, ...]  # all else that it says of a picture


class ExportFile(NamedTuple):
    """A file that may have a note. Files with the same `content_id` are equal; None: it is empty,
    like others that have nothing to do with it."""

    asset_id: int
    name: str
    content_id: int | None


class FolderAssets(NamedTuple):
    """Files of one folder; in an archive their names have the folders in it."""

    root: str
    folder: str
    files: list[ExportFile]


class TakeoutNotes(Statements):
    """JSON files, their pictures, and albums."""

    def stamps(self, root_id: int) -> dict[str, str]:
        """The stamps of all JSON files that were read below a root, by path."""
        rows = self._db.execute(
            "SELECT path, stamp FROM takeout_note WHERE root_id = ?", (root_id,)
        )
        return {from_sql(path): stamp for path, stamp in rows}

    def record(self, root_id: int, notes: Sequence[ReadNote]) -> None:
        """Write what was read; one transaction."""
        with self._transaction():
            self._db.executemany(
                "INSERT INTO takeout_note (root_id, path, stamp, export, folder, name, is_album, "
                "title, taken_at, latitude, longitude, altitude_metres, description, people, "
                "is_favourite) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET stamp = excluded.stamp, export = excluded.export, "
                "folder = excluded.folder, is_album = excluded.is_album, "
                "title = excluded.title, taken_at = excluded.taken_at, "
                "latitude = excluded.latitude, longitude = excluded.longitude, "
                "altitude_metres = excluded.altitude_metres, "
                "description = excluded.description, people = excluded.people, "
                "is_favourite = excluded.is_favourite",
                [(root_id, *_row(note)) for note in notes],
            )

    def exports(self) -> list[str]:
        """All exports that have a picture's or an album's JSON."""
        rows = self._column(
            "SELECT DISTINCT export FROM takeout_note WHERE title IS NOT NULL ORDER BY export"
        )
        return [from_sql(export) for export in rows]

    def notes(self, export: str) -> list[NoteRow]:
        """The notes of an export. Of JSON files that two parts hold, the last one that was read."""
        rows = self._db.execute(
            "SELECT max(id), folder, name, is_album, title, taken_at, latitude, longitude, "
            "altitude_metres, description, people, is_favourite FROM takeout_note "
            "WHERE export = ? AND title IS NOT NULL GROUP BY folder, name",
            (to_sql(export),),
        )
        return [
            NoteRow(note_id, from_sql(folder), from_sql(name), bool(is_album), title, tuple(facts))
            for note_id, folder, name, is_album, title, *facts in rows
        ]

    def folders(self) -> Iterator[FolderAssets]:
        """All files, by folder."""
        folders = self._db.execute(
            "SELECT folder.id, root.path, folder.path FROM folder "
            "JOIN root ON root.id = root_id ORDER BY folder.id"
        ).fetchall()
        for folder_id, root, folder in folders:
            rows = self._db.execute(
                "SELECT id, name, iif(size_bytes, content_id, NULL) FROM asset "
                "WHERE folder_id = ? AND NOT is_unreadable ORDER BY id",
                (folder_id,),
            )
            files = [ExportFile(asset, from_sql(name), content) for asset, name, content in rows]
            if files:
                yield FolderAssets(from_sql(root), from_sql(folder), files)

    def changes(self) -> int:
        """How often files turned out to be equal to others, where there are notes."""
        return int(self._value("SELECT changes FROM takeout_join"))

    def set_joined(self, changes: int) -> None:
        """Remember that notes were joined, when there had been so many changes."""
        with self._transaction():
            self._db.execute("UPDATE takeout_join SET joined = ?", (changes,))

    def set_partners(self, asset_ids: Iterable[int], partners: dict[int, int | None]) -> None:
        """The note of each of the assets, by ids; None for one that should have one and has none.

        Those that are not in `partners` have none from now on. Pictures whose note is another now
        are read again.
        """
        with self._transaction():
            known = dict(self._db.execute("SELECT asset_id, note_id FROM takeout_partner"))
            gone = [one for one in asset_ids if one in known and one not in partners]
            lost = [one for one, note in partners.items() if note is None and known.get(one)]
            self._db.executemany(
                "DELETE FROM takeout_partner WHERE asset_id = ?", [(one,) for one in gone]
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO takeout_partner VALUES (?, ?)",
                [one for one in partners.items() if one not in known.items()],
            )
            self._db.executemany(
                "INSERT OR IGNORE INTO sidecar_unread SELECT asset.id FROM asset "
                "JOIN picture ON picture.content_id = asset.content_id WHERE asset.id = ?",
                [(one,) for one in (*gone, *lost, *(a for a, note in partners.items() if note))],
            )

    def set_albums(
        self, albums: dict[str, list[int]], asset_ids: Iterable[int], *, source: str = "takeout"
    ) -> None:
        """The albums of these assets by name; those of the source that they were in are left."""
        with self._transaction():
            self._db.executemany(
                "DELETE FROM album_asset WHERE asset_id = ? "
                "AND album_id IN (SELECT id FROM album WHERE source = ?)",
                [(one, source) for one in asset_ids],
            )
            for name, members in albums.items():
                album_id = self._value(
                    "INSERT INTO album (name, source) VALUES (?, ?) "
                    "ON CONFLICT DO UPDATE SET name = name RETURNING id",
                    as_text(name),
                    source,
                )
                self._db.executemany(
                    "INSERT OR IGNORE INTO album_asset VALUES (?, ?)",
                    [(album_id, one) for one in members],
                )
            self._db.execute(
                "DELETE FROM album WHERE NOT EXISTS "
                "(SELECT 1 FROM album_asset WHERE album_id = album.id)"
            )

    def note_of(self, asset_id: int) -> PictureNote | None:
        """What the file's JSON says."""
        row = self._db.execute(
            "SELECT title, taken_at, latitude, longitude, altitude_metres, description, people, "
            "is_favourite FROM takeout_partner JOIN takeout_note ON takeout_note.id = note_id "
            "WHERE asset_id = ?",
            (asset_id,),
        ).fetchone()
        if row is None:
            return None
        title, taken_at, latitude, longitude, altitude, description, people, is_favourite = row
        return PictureNote(
            title=title,
            taken_at=taken_at,
            latitude=latitude,
            longitude=longitude,
            altitude_metres=altitude,
            description=description,
            people=tuple(json.loads(people or "[]")),
            is_favourite=bool(is_favourite),
        )


def _row(read: ReadNote) -> tuple[object, ...]:
    place = [to_sql(part) for part in read.place]
    head = (to_sql(read.path), read.stamp, *place)
    note = read.note
    if not isinstance(note, PictureNote):
        title = None if note is None else as_text(note.title)
        return (*head, note is not None, title, *[None] * 6, False)
    return (
        *head,
        False,
        as_text(note.title),
        note.taken_at,
        note.latitude,
        note.longitude,
        note.altitude_metres,
        None if note.description is None else as_text(note.description),
        text_array(note.people),
        note.is_favourite,
    )
