"""File systems that are mounted at or below a folder, as Linux lists them.

On other systems no mount is known: a folder there is what it looks like.
"""

from __future__ import annotations

import os
import re
from typing import Final, NamedTuple

TABLE: Final = "/proc/self/mountinfo"
"""One line a mount: the fifth field is its path, the one after "-" its type (proc(5)).
"""

_NETWORK: Final = frozenset(
    {"9p", "afs", "ceph", "cifs", "davfs", "gfs2", "glusterfs", "lustre", "nfs", "nfs4", "ocfs2"}
    | {"prl_fs", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs"}
)


class Mount(NamedTuple):
    """A mounted file system: where, and of what type."""

    path: str
    type: str

    @property
    def sends_events(self) -> bool:
        """Whether inotify sees what other machines change: not on network file systems, nor on
        those that a program serves (FUSE)."""
        return self.type not in _NETWORK and not self.type.startswith("fuse")


def read_mounts(table: str = TABLE) -> list[Mount]:
    """All mounts, later ones above earlier ones; empty where the system has no such table."""
    try:
        with open(table, encoding="utf-8", errors="surrogateescape") as file:
            return [_mount(line) for line in file if " - " in line]
    except OSError:
        return []


def mounts_below(root: str, mounts: list[Mount]) -> frozenset[str]:
    """The mount points at or below `root`, relative to it; '' is the root itself."""
    base = os.path.realpath(root)
    inside = (os.path.relpath(one.path, base) for one in mounts if _is_within(one.path, base))
    return frozenset("" if path == "." else path for path in inside)


def mount_of(path: str, mounts: list[Mount]) -> Mount | None:
    """The file system that `path` is on; None if that is not known."""
    real = os.path.realpath(path)
    above = [one for one in mounts if _is_within(real, one.path)]
    return max(above, key=lambda one: len(one.path), default=None)


def absent_mounts(root: str, known: frozenset[str], present: frozenset[str]) -> frozenset[str]:
    """Of the `known` mount points those without a file system now: the folder is empty or gone."""
    return frozenset(path for path in known - present if not has_entries(os.path.join(root, path)))


def _mount(line: str) -> Mount:
    fields, _, rest = line.partition(" - ")
    path = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), fields.split(" ")[4])
    return Mount(path, rest.split(" ")[0])


def _is_within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def has_entries(directory: str) -> bool:
    """Whether the directory can be listed and is not empty."""
    try:
        with os.scandir(directory) as entries:
            return next(entries, None) is not None
    except OSError:
        return False
