"""The JSON files of Google Takeout that the scan met: read, and joined with their pictures.

They are read when they are new or have changed. Pictures are joined again after each scan that
found new files, so that the parts of an export may come in any order, and when files turned out to
be equal to others as they were read: those of one picture have one JSON, whatever folder it is in.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from bulkup.content.archive import open_member
from bulkup.content.takeout.notes import NOTE_BYTES, read_note
from bulkup.content.takeout.partners import find_partners
from bulkup.content.takeout.parts import may_be_part, parts_of_one
from bulkup.content.takeout.places import (
    ExportPlace,
    is_year_folder,
    may_be_note,
    place_in_export,
)
from bulkup.content.takeout.twins import NotedPicture, note_of_twin
from bulkup.errors import SourceError
from bulkup.manifest.files.takeout import (
    ExportFile,
    FolderAssets,
    NoteRow,
    ReadNote,
    TakeoutNotes,
)
from bulkup.run.context import RunContext

BATCH = 1000
SHOWN = 5


class FoundNotes(NamedTuple):
    """The JSON files below one root that may be notes, by their paths."""

    root_id: int
    root: str
    paths: Sequence[str]

    @classmethod
    def among(cls, root_id: int, root: str, json_files: Sequence[str]) -> FoundNotes:
        """Those of the JSON files that may belong to an export: the root may be inside of one, and
        an album's JSON is in a folder with those of pictures, or beside one."""
        may_be = [may_be_note(f"{root.rstrip('/')}/{path}") for path in json_files]
        folders = {_folder(path) for path, is_one in zip(json_files, may_be, strict=True) if is_one}
        around = {_folder(folder) for folder in folders if folder}
        paths = [
            path
            for path, is_one in zip(json_files, may_be, strict=True)
            if is_one
            or (folder := _folder(path)) in folders
            or (folder and _folder(folder) in around)
        ]
        return cls(root_id, root, paths)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


async def read_takeout(
    context: RunContext, found: Sequence[FoundNotes], *, has_new_files: bool
) -> str | None:
    """Read what is new, and join it with the pictures; a message about those that have no JSON.

    Raises ManifestError.
    """
    notes = context.manifest.takeout
    is_changed = False
    for one in found:
        if not one.paths:
            continue
        stamps = await context.call(notes.stamps, one.root_id)
        fresh = _fresh(one, stamps)
        while some := await asyncio.to_thread(_some, fresh):
            await context.call(notes.record, one.root_id, some)
            is_changed = True
    if (is_changed or has_new_files) and await context.call(context.manifest.scans.has_notes):
        return await context.call(_join, context)
    return None


async def join_equal_files(context: RunContext) -> str | None:
    """Join again, if files turned out to be equal to others since; the message about the rest."""
    return await context.call(_join, context)


def _some(notes: Iterator[ReadNote]) -> list[ReadNote]:
    return list(islice(notes, BATCH))


def _fresh(found: FoundNotes, stamps: dict[str, str]) -> Iterator[ReadNote]:
    """The JSON files that are new or have changed, read."""
    for path in found.paths:
        disk_path, member = _on_disk(f"{found.root.rstrip('/')}/{path}")
        try:
            seen = os.stat(disk_path)
            stamp = f"{seen.st_size}:{seen.st_mtime_ns}"
            if stamps.get(path) == stamp:
                continue
            body = _body(disk_path, member)
        except (OSError, SourceError):
            continue  # the next scan tries again
        place = place_in_export(found.root, path)
        yield ReadNote(path, stamp, place, read_note(body))


def _on_disk(path: str) -> tuple[str, str | None]:
    """The file to read; with the member's name where it is an archive. Names may have a '#'."""
    at = -1 if os.path.lexists(path) else path.find("#")
    while at >= 0:
        if os.path.isfile(path[:at]):
            return path[:at], path[at + 1 :]
        at = path.find("#", at + 1)
    return path, None


def _body(disk_path: str, member: str | None) -> bytes:
    if member is not None:
        with open_member(disk_path, member, limit_bytes=NOTE_BYTES) as source:
            return source.read()
    with open(disk_path, "rb") as file:
        return file.read(NOTE_BYTES)


def make_folder_albums(context: RunContext, roots: Collection[str]) -> None:
    """Make an album of each folder of the roots, called like the folder."""
    albums: dict[str, list[int]] = defaultdict(list)
    for some in context.manifest.takeout.folders():
        if some.root not in roots:
            continue
        folder = f"{some.root}/{some.folder}"
        if folder.endswith("#"):
            folder = folder[:-1] + "/"
        for file in some.files:
            path = folder + file.name
            if not file.name.lower().endswith(".xmp"):
                albums[path.split("/")[-2]].append(file.asset_id)
    everything = [one for members in albums.values() for one in members]
    context.manifest.takeout.set_albums(albums, everything, source="folder")


class _Export:
    """The pictures of one export, by folder."""

    def __init__(self) -> None:
        self.folders: dict[str, list[ExportFile]] = defaultdict(list)

    @property
    def assets(self) -> list[int]:
        return [file.asset_id for files in self.folders.values() for file in files]

    def partners(self, notes: Sequence[NoteRow]) -> dict[int, int | None]:
        """The notes of assets, by ids: by the names in their folders, else by equal files. None
        for files that should have one, as others in their folder do, and have none."""
        noted_folders = {note.folder for note in notes}
        by_name: dict[str, dict[str, NoteRow]] = defaultdict(dict)
        for note in notes:
            if not note.is_album:
                by_name[note.folder][note.name] = note
        found: dict[int, int | None] = {}
        noted: dict[int, list[NotedPicture]] = defaultdict(list)
        rest: list[tuple[str, ExportFile]] = []
        for folder, files in self.folders.items():
            of_folder = by_name[folder]
            titles = {name: note.title for name, note in of_folder.items()}
            partners = find_partners([file.name for file in files], titles)
            for file in files:
                if file.name not in partners:
                    rest.append((folder, file))
                    continue
                note = of_folder[partners[file.name]]
                found[file.asset_id] = note.id
                if file.content_id is not None:
                    twin = NotedPicture(folder, file.name, note.id, note.name, note.facts)
                    noted[file.content_id].append(twin)
        for folder, file in rest:
            twins = noted.get(file.content_id, ()) if file.content_id is not None else ()
            shared = note_of_twin(file.name, twins)
            if shared is not None or folder in noted_folders:
                found[file.asset_id] = shared
        return found

    def without(self, partners: dict[int, int | None]) -> Iterator[str]:
        """The paths of the files that have no note and should have one."""
        for folder, files in self.folders.items():
            for file in files:
                if partners.get(file.asset_id, 0) is None:
                    yield folder + file.name

    def albums(self, notes: Sequence[NoteRow]) -> dict[str, list[int]]:
        """The assets of each album, by its name."""
        albums: dict[str, list[int]] = defaultdict(list)
        for title, folder in [(one.title, one.folder) for one in notes if one.is_album]:
            if not is_year_folder(folder) and folder in self.folders:
                albums[title] += [file.asset_id for file in self.folders[folder]]
        return albums


def _join(context: RunContext) -> str | None:
    """Find the partners and albums of all exports; a message about what found none."""
    manifest = context.manifest.takeout
    changes = manifest.changes()
    without: list[str] = []
    total = 0
    for held, notes in _exports(manifest):
        partners = held.partners(notes)
        without += held.without(partners)
        total += sum(note is not None for note in partners.values())
        manifest.set_partners(held.assets, partners)
        manifest.set_albums(held.albums(notes), held.assets)
    manifest.set_joined(changes)
    if not without:
        return None
    names = ", ".join(sorted(without)[:SHOWN]) + (", …" if len(without) > SHOWN else "")
    have = f"{total:,} {'file has its' if total == 1 else 'files have their'} JSON"
    lack = f"{len(without):,} {'has' if len(without) == 1 else 'have'} none"
    return f"Takeout: {have}, {lack}: {names} (all: the view takeout)"


def _exports(manifest: TakeoutNotes) -> Iterator[tuple[_Export, list[NoteRow]]]:
    """All exports, whatever their parts are called, with their notes."""
    notes = {export: manifest.notes(export) for export in manifest.exports()}
    parts = {export: _Export() for export in notes}
    for some in manifest.folders():
        _add(some, parts)
    contents = {one: _contents(held, notes.get(one, ())) for one, held in parts.items()}
    for names in parts_of_one(contents):
        first, *others = names
        for other in others:
            for folder, files in parts[other].folders.items():
                parts[first].folders[folder] += files
        yield parts[first], [note for name in names for note in notes.get(name, ())]


def _contents(held: _Export, notes: Sequence[NoteRow]) -> dict[tuple[str, str], Hashable]:
    """What is in each file: of pictures and notes only the same are equal."""
    found: dict[tuple[str, str], Hashable] = {
        (note.folder, note.name): (note.title, note.facts) for note in notes
    }
    for folder, files in held.folders.items():
        found |= {(folder, file.name): file.content_id for file in files if file.content_id}
    return found


def _add(some: FolderAssets, parts: dict[str, _Export]) -> None:
    """Add the files of a folder to the export, or to the part of one, that they are of."""
    if not some.folder.endswith("#"):
        _hold(parts, place_in_export(some.root, f"{some.folder}x"), some.files)
        return
    for file in some.files:
        place = place_in_export(some.root, some.folder + file.name)
        _hold(parts, place, [file._replace(name=place.name)])


def _hold(parts: dict[str, _Export], place: ExportPlace, files: list[ExportFile]) -> None:
    if place.export in parts or may_be_part(place.export):
        parts.setdefault(place.export, _Export()).folders[place.folder] += files
