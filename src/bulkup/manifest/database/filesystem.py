"""The file system that the manifest lies on."""

from __future__ import annotations

import os
from pathlib import Path

_NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p"})


def network_file_system(path: str) -> str | None:
    """The type of the network file system that `path` lies on, if it does (Linux: /proc/mounts).

    WAL needs shared memory, which network file systems do not have.
    """
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    target = os.path.realpath(path)
    best, found = "", None
    for line in mounts.splitlines():
        _, point, kind, *_ = line.split(" ")
        inside = target == point or target.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, found = point, kind
    return found if found in _NETWORK_FILE_SYSTEMS else None
