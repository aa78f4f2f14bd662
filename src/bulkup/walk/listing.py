"""Listings: what a walk yields, one folder at a time, in chunks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, NamedTuple

from bulkup.content.archive_names import is_tar_name
from bulkup.content.os_errors import kind_of
from bulkup.errors import ErrorClass
from bulkup.model import LeftOut

CHUNK_NAMES: Final = 2000  # a listing this long weighs about 1 MB, and is one query to compare

FileRow = tuple[str, int, int, int, int]
"""name, size_bytes, modified_ns, inode, changed_ns. A plain tuple: a walk makes a million of them,
and rows from the database compare with it directly."""


class FolderListing(NamedTuple):
    """What was found in one folder, or in one range of its names.

    `folder` is relative to the root's anchor, '' or ending in '/'. For the members of a ZIP
    archive it is the archive's path ending in '#', and their names may contain '/'. `files` are
    the selected files by `in_order`. The range of names begins after `after` (None: with the
    first name) and ends with `upto` (None: with the last name): the listings of one folder cover
    all its names once. So an asset that was recorded in this range and is not in `present` is
    gone, unless `is_exhaustive` is false: then the folder could not be read, or only some paths
    were listed.

    `archives` are the ZIP archives in this range, which have listings of their own. `left_out` may
    name folders (ending in '/'); a folder that could not be entered is named in its parent.
    """

    folder: str
    files: Sequence[FileRow] = ()
    left_out: Sequence[LeftOut] = ()
    archives: Sequence[str] = ()
    after: str | None = None
    upto: str | None = None
    is_exhaustive: bool = True
    is_named: bool = False  # the user named each file

    @property
    def present(self) -> frozenset[str]:
        """The names that exist in this folder, selected or not."""
        names = {row[0] for row in self.files}
        names.update(self.archives)
        names.update(
            one.name
            for one in self.left_out
            if one.folder == self.folder and one.error_class is not ErrorClass.MISSING
        )
        return frozenset(names)

    @property
    def unseen(self) -> list[str]:
        """Prefixes of folders that were not searched: by a rule, or for lack of permission.

        Any other folder that a finished walk did not list is gone.
        """
        own = [] if self.is_exhaustive else [self.folder]
        return own + self._prefixes(by_rule=False) + self.excluded

    @property
    def excluded(self) -> list[str]:
        """Prefixes of folders that a rule leaves out."""
        return self._prefixes(by_rule=True)

    def _prefixes(self, *, by_rule: bool) -> list[str]:
        names = [
            one.name
            for one in self.left_out
            if one.folder == self.folder
            and one.error_class is not ErrorClass.MISSING
            and (one.error_class is None) is by_rule
        ]
        folders = [name for name in names if name.endswith("/")]
        archives = [f"{name}#" for name in names if is_archive_name(name)]
        return [self.folder + name for name in (*folders, *archives)]


class Draft:
    """A listing under construction."""

    __slots__ = ("archives", "files", "left_out")

    def __init__(self) -> None:
        self.files: list[FileRow] = []
        self.left_out: list[LeftOut] = []
        self.archives: list[str] = []


def in_order(names: list[str]) -> list[str]:
    """`names` in the order of listings: first valid UTF-8, then the others, each by their bytes.

    SQLite sorts alike when the others are kept as BLOB. For UTF-8 the order of code points is the
    order of bytes (RFC 3629), so a plain sort is enough.
    """
    try:
        "".join(names).encode()
    except UnicodeEncodeError:
        return sorted(names, key=_order)
    names.sort()
    return names


def is_archive_name(name: str) -> bool:
    """Whether the extension is that of a ZIP or tar archive, in any case."""
    return name[-4:].lower() == ".zip" or is_tar_name(name)


def unread(folder: str, reason: str, error_class: ErrorClass) -> FolderListing:
    """The listing of a folder or an archive that could not be read."""
    bare = folder.removesuffix("#")
    above = bare.rfind("/", 0, -1) + 1
    left_out = LeftOut(bare[:above], bare[above:] or "./", reason, error_class)
    return FolderListing(
        folder, left_out=(left_out,), is_exhaustive=error_class is ErrorClass.MISSING
    )


def error_class_of(error: OSError) -> ErrorClass:
    """MISSING, RESOURCE or AUTH, by `kind_of`."""
    return kind_of(error).error_class


def text_of(error: OSError) -> str:
    """The system's description of the error."""
    return error.strerror or str(error)


def _order(name: str) -> tuple[bool, bytes]:
    raw = os.fsencode(name)
    try:
        raw.decode()
    except UnicodeDecodeError:
        return True, raw
    return False, raw
