"""bulkup's own files and folders, which a walk leaves out: they change while it runs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

_escape = re.compile(r"([\\*?\[\]!# ])").sub


def own_patterns(roots: Sequence[str], files: Iterable[str]) -> tuple[str, ...]:
    """gitignore patterns, relative to a root, for those of the files that lie in one.

    A file stands also for what is made beside it: SQLite's `-wal` and `-shm`, copies, indexes.
    """
    inside = (relative for path in files for root in roots if (relative := _inside(path, root)))
    escaped = [_escape(r"\\\1", relative) for relative in dict.fromkeys(inside)]
    return tuple(f"/{one}{ending}" for one in escaped for ending in ("", "-*", ".*"))


def _inside(path: str, root: str) -> str | None:
    """The path relative to the root, if it lies in it."""
    real, outer = os.path.realpath(path), os.path.realpath(root).rstrip("/") + "/"
    return real[len(outer) :] if real.startswith(outer) else None


class OwnFolder:
    """The folder of a destination: a walk that reached it through a link or a mount would push what
    was pushed, and more at each time."""

    def __init__(self, path: str) -> None:
        """It need not be there yet."""
        self._path = path

    def holds(self, folder: str, fd: int, *, follows: bool) -> bool:
        """Whether the open folder is this one; with `follows`, also whether it lies in it."""
        try:
            own = os.stat(self._path)
        except OSError:  # not there, or none that can be: the check of the destination says why
            return False
        if os.path.samestat(os.fstat(fd), own):
            return True
        return follows and _inside(folder, self._path) is not None
