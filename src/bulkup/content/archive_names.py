"""What archives of all formats say of their members: names that are safe and distinct."""

from __future__ import annotations

import os
import re
from typing import Final, NamedTuple

from bulkup.model import FileStat

_DRIVE: Final = re.compile(r"[A-Za-z]:(/|\\|$)")


class ArchiveMember(NamedTuple):
    """A member that can be read.

    `name` is its path in the archive: `/` between folders, no empty and no `.` component. Of
    members with equal names the first in the central directory keeps its name, the next becomes
    `stem~2.ext` (or the first free number), so that none hides another. `stat` has the declared
    size, the date of the entry as UTC (ZIP has no time zone), the offset of the local header as
    inode and the CRC-32 as `changed_ns`: so a change is noticed without inflating the member. Tar
    archives have no CRC: there the offset of the first byte, and the archive's modification time.
    """

    name: str
    stat: FileStat
    packed_bytes: int
    is_deflated: bool


class RefusedMember(NamedTuple):
    """A member that must not or cannot be read, and why. Its `name` is unique, too."""

    name: str
    reason: str


def is_tar_name(path: str) -> bool:
    """Whether the extension is that of a tar archive, in any case."""
    return path[-4:].lower() in (".tgz", ".tar") or path[-7:].lower() == ".tar.gz"


def why_unsafe(name: str) -> str | None:
    """The reason to refuse a member of this name, or None. A backslash counts as a separator."""
    parts = name.replace("\\", "/").split("/")
    if not name:
        return "member without a name"
    if parts[0] == "":
        return "absolute path in an archive"
    if _DRIVE.match(name):
        return "path with a drive letter in an archive"
    if ".." in parts:
        return "path that leaves the archive"
    return None


def distinct(names: list[str]) -> list[str]:
    """`names`, with `~2`, `~3`, … before the extension of repeated ones."""
    taken = set(names)
    if len(taken) == len(names):
        return names
    given: set[str] = set()
    counts: dict[str, int] = {}
    out = []
    for name in names:
        if name in given:
            stem, ending = os.path.splitext(name)
            number = counts.get(name, 1)
            while (free := f"{stem}~{(number := number + 1)}{ending}") in taken:
                pass
            counts[name] = number
            taken.add(free)
            name = free
        given.add(name)
        out.append(name)
    return out
