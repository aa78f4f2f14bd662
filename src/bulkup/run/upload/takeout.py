"""The JSON files of Google Takeout that the scan met: read, and joined with their pictures.

They are read when they are new or have changed. Pictures are joined again after each scan that
found new files, so that the parts of an export may come in any order.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from bulkup.content.archive import open_member
from bulkup.content.takeout.notes import NOTE_BYTES, read_note
from bulkup.content.takeout.partners import find_partners
from bulkup.content.takeout.places import is_year_folder, may_be_note, place_in_export
from bulkup.errors import SourceError
from bulkup.events import Notice
from bulkup.manifest.files.takeout import FolderAssets, ReadNote
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
        an album's JSON is in a folder with those of pictures."""
        may_be = [may_be_note(f"{root.rstrip('/')}/{path}") for path in json_files]
        folders = {_folder(path) for path, is_one in zip(json_files, may_be, strict=True) if is_one}
        paths = [
            path
            for path, is_one in zip(json_files, may_be, strict=True)
            if is_one or _folder(path) in folders
        ]
        return cls(root_id, root, paths)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


async def read_takeout(
    context: RunContext, found: Sequence[FoundNotes], *, has_new_files: bool
) -> None:
    """Read what is new, and join it with the pictures. Raises ManifestError."""
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
        message = await context.call(_join, context)
        if message is not None:
            context.emit(Notice(message))


def _some(notes: Iterator[ReadNote]) -> list[ReadNote]:
    return list(islice(notes, BATCH))


def _fresh(found: FoundNotes, stamps: dict[str, str]) -> Iterator[ReadNote]:
    """The JSON files that are new or have changed, read."""
    for path in found.paths:
        archive, mark, member = path.partition("#")
        disk_path = f"{found.root.rstrip('/')}/{archive}"
        try:
            seen = os.stat(disk_path)
            stamp = f"{seen.st_size}:{seen.st_mtime_ns}"
            if stamps.get(path) == stamp:
                continue
            body = _body(disk_path, member if mark else None)
        except (OSError, SourceError):
            continue  # the next scan tries again
        place = place_in_export(found.root, path)
        yield ReadNote(path, stamp, place, read_note(body))


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
        for asset_id, name in some.files:
            path = f"{some.root}/{some.folder}{name}".replace("#", "/")
            if not name.lower().endswith(".xmp"):
                albums[path.split("/")[-2]].append(asset_id)
    everything = [one for members in albums.values() for one in members]
    context.manifest.takeout.set_albums(albums, everything, source="folder")


class _Export:
    """The pictures of one export, by folder."""

    def __init__(self) -> None:
        self.folders: dict[str, list[tuple[str, int]]] = defaultdict(list)

    @property
    def assets(self) -> list[int]:
        return [asset_id for files in self.folders.values() for _, asset_id in files]


def _join(context: RunContext) -> str | None:
    """Find the partners and albums of all exports; a message about what found none."""
    manifest = context.manifest.takeout
    exports = {export: _Export() for export in manifest.exports()}
    for some in manifest.folders():
        _add(some, exports)
    without: list[str] = []
    total = 0
    for export, held in exports.items():
        titles: dict[str, dict[str, str]] = defaultdict(dict)
        ids: dict[tuple[str, str], int] = {}
        album_of: dict[str, str] = {}
        for note in manifest.notes(export):
            if note.is_album:
                album_of[note.folder] = note.title
            else:
                titles[note.folder][note.name] = note.title
                ids[note.folder, note.name] = note.id
        partners: dict[int, int | None] = {}
        albums: dict[str, list[int]] = defaultdict(list)
        for folder, files in held.folders.items():
            found = find_partners([name for name, _ in files], titles[folder])
            for name, asset_id in files:
                if name in found:
                    partners[asset_id] = ids[folder, found[name]]
                elif titles[folder]:
                    partners[asset_id] = None
                    without.append(folder + name)
                if folder in album_of and not is_year_folder(folder):
                    albums[album_of[folder]].append(asset_id)
        total += sum(note is not None for note in partners.values())
        manifest.set_partners(held.assets, partners)
        manifest.set_albums(albums, held.assets)
    if not without:
        return None
    names = ", ".join(sorted(without)[:SHOWN]) + (", …" if len(without) > SHOWN else "")
    return (
        f"Takeout: {total:,} files have their JSON, {len(without):,} have none: {names} "
        "(all: the view takeout)"
    )


def _add(some: FolderAssets, exports: dict[str, _Export]) -> None:
    """Add the files of a folder to the export that they are of."""
    if not some.folder.endswith("#"):
        place = place_in_export(some.root, f"{some.folder}x")
        if (export := exports.get(place.export)) is not None:
            export.folders[place.folder] += [(name, asset_id) for asset_id, name in some.files]
        return
    for asset_id, name in some.files:
        place = place_in_export(some.root, some.folder + name)
        if (export := exports.get(place.export)) is not None:
            export.folders[place.folder].append((place.name, asset_id))
