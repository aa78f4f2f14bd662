"""`--files-from`: a list of files instead of a walk.

As in rclone, a list names files and nothing is walked. Folders in it are left out: `find` prints
their files as lines of their own. Hidden files and files of any kind are taken, since the user
named them. The junk list and the filters (`--include`, `--exclude`, sizes, dates) apply;
`.bulkupignore` files do not. Unlike in rclone, `#` and `;` begin no comment and blanks are kept,
because file names contain them.
"""

from __future__ import annotations

import codecs
import os
import sys
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, Final

from bulkup.errors import ErrorClass, UsageError
from bulkup.model import LeftOut
from bulkup.walk.archive_members import archive_listings
from bulkup.walk.filters import Rules, Selection
from bulkup.walk.listing import (
    CHUNK_NAMES,
    Draft,
    FolderListing,
    in_order,
    is_archive_name,
)
from bulkup.walk.mounts import has_entries
from bulkup.walk.roots import LISTED_FOLDER, add_named, anchor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BLOCK_BYTES: Final = 1 << 16
_WINDOW_PATHS: Final = 20_000  # grouped by folder at a time: a few MB, and few folders are split


def read_paths(origin: str) -> Iterator[str]:
    """The paths in the file `origin`, or on standard input for `-`, in their order.

    One per line (LF or CR LF), or separated by NUL when the first 64 KiB have one, as `find
    -print0` writes. Empty lines are ignored. Bytes that are not UTF-8 are surrogate-escaped.
    A byte order mark of UTF-8 is no part of the first path. Raises UsageError when the file cannot
    be read, or is UTF-16.
    """
    if origin == "-":
        yield from split_paths(sys.stdin.buffer)
        return
    try:
        with open(origin, "rb") as stream:
            yield from split_paths(stream)
    except OSError as error:
        raise UsageError(f"--files-from {origin}: {error.strerror}") from error


def split_paths(stream: BinaryIO) -> Iterator[str]:
    """The paths in `stream`, as `read_paths` describes them."""
    block = stream.read(_BLOCK_BYTES)
    if _is_wide(block):
        raise UsageError(
            "--files-from: the list is UTF-16 or UTF-32, as Windows PowerShell's > writes",
            hint="Write it as UTF-8: … | Out-File -Encoding utf8 list.txt",
        )
    block = block.removeprefix(codecs.BOM_UTF8)
    separator = b"\0" if b"\0" in block else b"\n"
    rest = b""
    while block:
        *whole, rest = (rest + block).split(separator)
        for line in whole:
            yield from _path(line, separator)
        block = stream.read(_BLOCK_BYTES)
    yield from _path(rest, separator)


def _is_wide(block: bytes) -> bool:
    """Whether the list is in UTF-16 or UTF-32: by its mark or, where it has none, by a NUL beside
    each line break and most other bytes; a list that is separated by NULs has no line breaks."""
    if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
        return True
    breaks = block.count(b"\n\0") + block.count(b"\0\n")
    return breaks > 0 and block.count(b"\0") * 5 > len(block) * 2


def listed(
    paths: Iterator[str], roots: Sequence[str], selection: Selection, *, cwd: str
) -> Iterator[tuple[str, FolderListing]]:
    """The listed files in listings of one folder, each with its root.

    A relative path is looked up under each root first, as in rclone, then in `cwd`, as `find`
    prints it; an absolute path must be inside a root. Of nested roots the deepest one is used.
    Raises UsageError for a path outside all roots. Files that do not exist are left out with class
    `missing`, under the first root. A ZIP archive stands for its members unless `all_files` is
    set, and `archive.zip#inner.jpg` for one of them.

    Paths are grouped in windows of 20,000: a folder with paths in two windows has two listings,
    and so has a path that is listed twice. Only listings of whole archives are exhaustive, and a
    folder without a listing is not gone. Members are judged as in a walk, their kind included.
    """
    rules = Rules(selection)
    places = [_RootPath(root) for root in roots]
    while window := list(islice(paths, _WINDOW_PATHS)):
        groups: dict[tuple[int, str], set[str]] = {}
        for path in window:
            number, folder, name = _placed(path, places, cwd)
            groups.setdefault((number, folder), set()).add(name)
        order = in_order(list({folder for _, folder in groups}))
        rank = {folder: at for at, folder in enumerate(order)}
        for number, folder in sorted(groups, key=lambda key: (key[0], rank[key[1]])):
            place = places[number]
            names = in_order(list(groups[number, folder]))
            for listing in _listings(place, folder, names, rules):
                yield place.root, listing


class ListedFolders:
    """The folders that a list names, and which of them it names nothing in.

    A list from `find` names folders and their files; one that names folders alone was made by
    somebody who expects their files to be taken.
    """

    def __init__(self) -> None:
        self._folders: set[str] = set()
        self._entered: set[str] = set()

    def note(self, root: str, listing: FolderListing) -> None:
        """Take what one listing says."""
        base = os.path.join(os.path.abspath(anchor(root)), listing.folder)
        named = [one.name for one in listing.left_out if one.reason == LISTED_FOLDER]
        self._folders.update(os.path.normpath(base + name) for name in named)
        if listing.files or listing.archives or len(named) < len(listing.left_out):
            self._entered.add(os.path.normpath(base))

    def not_entered(self) -> list[str]:
        """The paths of folders that hold something, of which the list names nothing."""
        if not self._folders:
            return []
        entered = set(self._folders & self._entered)
        for path in self._entered | self._folders:
            while (path := os.path.dirname(path)) not in entered and path not in {"", "/"}:
                entered.add(path)
        return sorted(path for path in self._folders - entered if has_entries(path))


class _RootPath:
    """A root and its absolute paths."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.base = os.path.abspath(anchor(root))
        self.target = os.path.abspath(root)

    def relative(self, path: str) -> str | None:
        """The absolute, normal `path` relative to the anchor; None when it is not inside."""
        inside = path == self.target or path.startswith(
            (self.target.rstrip("/") + "/", self.target + "#")
        )
        return path[len(self.base.rstrip("/")) + 1 :] if inside else None


def _path(line: bytes, separator: bytes) -> Iterator[str]:
    if separator == b"\n":
        line = line.removesuffix(b"\r")
    if b"\0" in line:
        raise UsageError(
            f"--files-from: {os.fsdecode(line)!r} contains a NUL, unlike the lines before it"
        )
    if line:
        yield os.fsdecode(line)


def _placed(path: str, places: Sequence[_RootPath], cwd: str) -> tuple[int, str, str]:
    """The number of the root that contains `path`, then its folder and name under that root."""
    candidates = [os.path.normpath(os.path.join(place.base, path)) for place in places]
    candidates.append(os.path.normpath(os.path.join(cwd, path)))
    there = [one for one in candidates if _exists(one)]
    for candidate in [*there, *candidates]:
        inside = [
            (len(place.base), number, relative)
            for number, place in enumerate(places)
            if (relative := place.relative(candidate)) is not None
        ]
        if inside:
            _, number, relative = max(inside, key=lambda one: (one[0], -one[1]))
            return number, *_split(places[number].base, relative)
    raise UsageError(
        f"--files-from: {path} is inside none of the given paths",
        hint="Give a directory that contains it.",
    )


def _exists(path: str) -> bool:
    return os.path.lexists(path) or _archive_end(path) is not None


def _archive_end(path: str) -> int | None:
    """Where the archive's path ends if `path` names one of its members, else None."""
    at = path.find("#")
    while at > 0:
        if is_archive_name(path[:at]) and os.path.isfile(path[:at]):
            return at
        at = path.find("#", at + 1)
    return None


def _split(base: str, relative: str) -> tuple[str, str]:
    """Folder and name of a relative path; for a member, the archive and '#', then its name."""
    disk_path = os.path.join(base, relative)
    if not os.path.lexists(disk_path) and (end := _archive_end(disk_path)) is not None:
        at = end - (len(disk_path) - len(relative)) + 1
        return relative[:at], relative[at:]
    at = relative.rfind("/") + 1
    return relative[:at], relative[at:] or "./"  # the root itself, as `find` prints it


def _listings(
    place: _RootPath, folder: str, names: list[str], rules: Rules
) -> Iterator[FolderListing]:
    if folder.endswith("#"):
        yield from _chosen_members(place, folder, set(names), rules)
        return
    for start in range(0, len(names), CHUNK_NAMES):
        draft = Draft()
        for name in names[start : start + CHUNK_NAMES]:
            disk_path = os.path.join(place.base, folder, name)
            takes_members = is_archive_name(name) and not rules.selection.all_files
            if takes_members and os.path.isfile(disk_path):
                draft.archives.append(name)
            else:
                add_named(draft, disk_path, folder, name, rules)
        yield FolderListing(
            folder,
            draft.files,
            draft.left_out,
            draft.archives,
            is_exhaustive=False,
            is_named=True,
        )
        for name in draft.archives:
            yield from archive_listings(
                os.path.join(place.base, folder, name), folder + name, rules
            )


def _chosen_members(
    place: _RootPath, folder: str, wanted: set[str], rules: Rules
) -> Iterator[FolderListing]:
    archive = folder.removesuffix("#")
    for listing in archive_listings(os.path.join(place.base, archive), archive, rules):
        if not listing.files and any(one.folder != folder for one in listing.left_out):
            yield listing  # the archive is broken
            return
        files = [row for row in listing.files if row[0] in wanted]
        left_out = [one for one in listing.left_out if one.name in wanted]
        wanted.difference_update(row[0] for row in files)
        wanted.difference_update(one.name for one in left_out)
        yield FolderListing(folder, files, left_out, is_exhaustive=False, is_named=True)
    absent = "the archive has no such member"
    yield FolderListing(
        folder,
        left_out=[LeftOut(folder, name, absent, ErrorClass.MISSING) for name in sorted(wanted)],
        is_exhaustive=False,
        is_named=True,
    )
