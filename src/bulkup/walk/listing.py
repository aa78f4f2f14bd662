"""What a walk yields: one folder at a time, in chunks, as plain tuples."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from bulkup.content.os_errors import kind_of
from bulkup.errors import ErrorClass
from bulkup.model import FileStat, Found, LeftOut

CHUNK_NAMES: Final = 2000  # a listing this long weighs about 1 MB, and is one query to compare

FileRow = tuple[str, int, int, int, int]
"""name, size_bytes, modified_ns, inode, changed_ns: a Found without its folder. A tuple because a
million of them pass by, and because rows of a database compare with it as they come."""


class FolderListing(NamedTuple):
    """What was found in one folder, or in one range of its names.

    `folder` is relative to the root's anchor, '' or ending in '/'; for the members of a ZIP
    archive it is the archive's path ending in '#', and the names go on with '/' inside. `files`
    are the selected ones in the order of `in_order`. The names of the folder that were looked at
    are those after `after` (exclusive; None: from the first) up to `upto` (inclusive; None: to
    the last), in that same order: the listings of one folder tile its names without gap or
    overlap. So whatever was recorded earlier in this range and is not in `present` is gone.

    That does not hold where `is_exhaustive` is false: the folder could not be read, or only
    listed paths were looked at.

    `archives` are the ZIP archives in this range that have listings of their own. `left_out` may
    name folders (ending in '/'); one that could not be entered is named with its parent's folder.
    """

    folder: str
    files: Sequence[FileRow] = ()
    left_out: Sequence[LeftOut] = ()
    archives: Sequence[str] = ()
    after: str | None = None
    upto: str | None = None
    is_exhaustive: bool = True

    @property
    def present(self) -> frozenset[str]:
        """Names of this folder that are there, selected or not."""
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
        """Prefixes of folders below which nothing was looked at, though they may be there.

        A folder that a finished walk did not list is gone, unless its path starts with one of
        these: a rule left it out, or permission was refused.
        """
        prefixes = [] if self.is_exhaustive else [self.folder]
        for one in self.left_out:
            if one.folder == self.folder and one.error_class is not ErrorClass.MISSING:
                if one.name.endswith("/"):
                    prefixes.append(one.folder + one.name)
                elif is_archive_name(one.name):
                    prefixes.append(f"{one.folder}{one.name}#")
        return prefixes

    def found(self) -> list[Found]:
        """The files as values. Not for the hot path."""
        return [Found(self.folder, row[0], FileStat(*row[1:])) for row in self.files]


@dataclass(slots=True)
class Draft:
    """A listing while it is being filled."""

    files: list[FileRow] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    archives: list[str] = field(default_factory=list)


def in_order(names: list[str]) -> list[str]:
    """`names` in the order of every listing: first those that are UTF-8, then the others, each by
    their bytes. It is SQLite's order too when the others are kept as BLOB.

    For UTF-8 the order of code points is that of bytes (RFC 3629), so that a plain sort does.
    """
    try:
        "".join(names).encode()
    except UnicodeEncodeError:
        return sorted(names, key=_order)
    names.sort()
    return names


def is_archive_name(name: str) -> bool:
    """The extension is `.zip`, in any case."""
    return name[-4:].lower() == ".zip"


def unread(folder: str, reason: str, error_class: ErrorClass) -> FolderListing:
    """The listing of a folder, or of an archive's members, that could not be read at all."""
    bare = folder.removesuffix("#")
    above = bare.rfind("/", 0, -1) + 1
    left_out = LeftOut(bare[:above], bare[above:] or "./", reason, error_class)
    return FolderListing(
        folder, left_out=(left_out,), is_exhaustive=error_class is ErrorClass.MISSING
    )


def error_class_of(error: OSError) -> ErrorClass:
    """MISSING, RESOURCE or AUTH, as content.trouble tells them apart."""
    return kind_of(error).error_class


def _order(name: str) -> tuple[bool, bytes]:
    raw = os.fsencode(name)
    try:
        raw.decode()
    except UnicodeDecodeError:
        return True, raw
    return False, raw
